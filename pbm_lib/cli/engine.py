"""The papermill engine that runs the notebooks, in the demo and with `papermill --engine pbm_lib`."""

from typing import Any

from papermill.engines import NBClientEngine, papermill_engines
from traitlets.config import Config as KernelSettings

ENGINE = "pbm_lib"


class QuietEngine(NBClientEngine):
    """Papermill's own engine with an encrypted kernel connection. Without encryption, the kernel gives a warning."""

    @classmethod
    def execute_managed_notebook(cls, *arguments: Any, **options: Any) -> Any:
        """Run a notebook that papermill manages."""
        encrypted = KernelSettings({"KernelManager": {"transport_encryption": "auto"}})
        # Shutting down a kernel begins with an interrupt, which the kernel may report on the terminal as an error.
        silent = ["--IPKernelApp.log_level=50"]
        return super().execute_managed_notebook(*arguments, config=encrypted, extra_arguments=silent, **options)


# Papermill finds the engine by itself if this project is installed, but not in a plain copy of the folder.
papermill_engines.register(ENGINE, QuietEngine)
