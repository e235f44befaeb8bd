"""JupyterLab with the demo's settings."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

__all__ = ["lab_command"]


def lab_command(folder: Path, extra: Sequence[str] = ()) -> list[str]:
    """Return the command line that starts JupyterLab on a folder.

    The package's own `lab_settings/overrides.json` turns the news pop-up off. Jupyter's access token stays on.

    Args:
        folder: the notebooks' folder.
        extra: further options for JupyterLab.

    Returns:
        Words for `subprocess`.
    """
    return [
        sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}",
        f"--LabApp.app_settings_dir={files(__package__) / 'lab_settings'}",
        "--MappingKernelManager.transport_encryption=auto",
        *extra,
    ]  # fmt: skip
