"""`python -m pbm_lib lab`: start JupyterLab with the demo's settings."""

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from ..config_file import CONFIG_VARIABLE, load_config, project_folder

# JupyterLab's name for the file of the workspace "default", which it opens if the address names no workspace.
_WORKSPACE = "default-37a8.jupyterlab-workspace"


def run(options: argparse.Namespace) -> int:
    """Start JupyterLab and wait until it ends."""
    config = load_config(options.config)  # report a mistake in it here, not in every notebook
    print(f"JupyterLab opens in your browser with the settings in {config.path}. Press Ctrl-C to stop it.", flush=True)
    # Use a new layout each time: the user's own is unchanged, and customers see no tab from the last meeting.
    with TemporaryDirectory(prefix=f"pbm_lab_{os.getpid()}_", ignore_cleanup_errors=True) as workspaces:
        write_workspace(Path(workspaces))
        extra = [f"--LabApp.workspaces_dir={workspaces}", *options.extra]
        return run_lab(lab_command(project_folder(), extra), config.path)


def lab_command(folder: Path, extra: Sequence[str] = ()) -> list[str]:
    """Return the command line that starts JupyterLab on the project, so that the report and settings can be opened.

    JupyterLab opens the first notebook. The package's own `lab_settings/overrides.json` turns off the news pop-up,
    renders each notebook as a whole, so that it does not jump when scrolled, and turns off autosave, so that the
    notebooks stay as delivered. Jupyter's access token stays on. One Ctrl-C ends JupyterLab.

    Args:
        folder: the project's folder, which contains `notebooks/`; JupyterLab's root.
        extra: further options for JupyterLab.

    Returns:
        The arguments for `subprocess`.
    """
    return [
        sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}",
        f"--LabApp.app_settings_dir={files(__package__) / 'lab_settings'}",
        "--LabApp.default_url=/lab/tree/notebooks/01_setup.ipynb",
        "--MappingKernelManager.transport_encryption=auto",
        "--ServerApp.answer_yes=True", "--ServerApp.log_level=WARN", "--LabApp.log_level=WARN",
        *extra,
    ]  # fmt: skip


def write_workspace(folder: Path) -> None:
    """Write the layout that JupyterLab opens with: the left sidebar is closed.

    Args:
        folder: JupyterLab's folder of workspaces, where it continues to save the layout.
    """
    layout = {"left": {"collapsed": True}}
    workspace = {"data": {"layout-restorer:data": layout}, "metadata": {"id": "default"}}
    (folder / _WORKSPACE).write_text(json.dumps(workspace), encoding="utf-8")


def run_lab(command: Sequence[str], config_file: Path) -> int:
    """Run JupyterLab until it ends; a notebook whose `config_path` is empty uses the given settings file.

    Ctrl-C and SIGTERM end JupyterLab and its kernels.

    Args:
        command: the result of `lab_command`.
        config_file: the settings file.

    Returns:
        JupyterLab's exit status.
    """
    environment = {**os.environ, CONFIG_VARIABLE: str(config_file)}
    with subprocess.Popen(command, env=environment) as lab:
        # A supervisor or `kill` sends SIGTERM. Its default action would end only this process.
        signal.signal(signal.SIGTERM, lambda *_: lab.terminate())
        while True:
            try:
                return lab.wait()
            except KeyboardInterrupt:
                # The terminal also sent the Ctrl-C to JupyterLab, which ends its kernels before it exits.
                continue
