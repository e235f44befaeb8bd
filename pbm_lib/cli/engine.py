"""How papermill runs our notebooks: `papermill --engine pbm_lib`, and the demo."""

from typing import Any

from papermill.engines import NBClientEngine, papermill_engines
from traitlets.config import Config as KernelSettings

ENGINE = "pbm_lib"


class QuietEngine(NBClientEngine):
    """Papermill's own engine, but the connection to the kernel is encrypted; else the kernel warns that it is not."""

    @classmethod
    def execute_managed_notebook(cls, *arguments: Any, **options: Any) -> Any:
        """Run a notebook that papermill manages."""
        encrypted = KernelSettings({"KernelManager": {"transport_encryption": "auto"}})
        # Ending a kernel begins with an interrupt, which it may report on the terminal as an error.
        silent = ["--IPKernelApp.log_level=50"]
        return super().execute_managed_notebook(*arguments, config=encrypted, extra_arguments=silent, **options)


# Papermill finds it by itself where this project is installed; not so in a plain copy of the folder.
papermill_engines.register(ENGINE, QuietEngine)
