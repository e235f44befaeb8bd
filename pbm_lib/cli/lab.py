"""`python -m pbm_lib lab`: JupyterLab with the demo's settings."""

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

# JupyterLab's name for the file of the workspace "default", which a plain address of it opens.
_WORKSPACE = "default-37a8.jupyterlab-workspace"


def run(options: argparse.Namespace) -> int:
    """Start JupyterLab and wait for its end."""
    config = load_config(options.config)  # a mistake in it is said here, not in every notebook
    print(f"JupyterLab opens in your browser with the settings in {config.path}. Press Ctrl-C to stop it.", flush=True)
    # A layout of its own each time: yours stays as it is, and no tab of the last meeting opens before a customer.
    with TemporaryDirectory(prefix=f"pbm_lab_{os.getpid()}_", ignore_cleanup_errors=True) as workspaces:
        write_workspace(Path(workspaces))
        extra = [f"--LabApp.workspaces_dir={workspaces}", *options.extra]
        return run_lab(lab_command(project_folder(), extra), config.path)


def lab_command(folder: Path, extra: Sequence[str] = ()) -> list[str]:
    """Return the command line that starts JupyterLab on the project, so that report and settings can be opened too.

    It opens on the first notebook. The package's own `lab_settings/overrides.json` turns the news pop-up off, lays a
    notebook out as a whole, so that it does not jump while it is scrolled, and saves only when asked to, so that the
    notebooks stay as they were delivered. Jupyter's access token stays on. One Ctrl-C ends it.

    Args:
        folder: the project's, which is the root of what JupyterLab opens; `notebooks/` is in it.
        extra: further options for JupyterLab.

    Returns:
        Words for `subprocess`.
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
    """Write the layout that JupyterLab opens with: its left sidebar closed.

    Args:
        folder: JupyterLab's folder of workspaces, in which it goes on to keep the layout.
    """
    layout = {"left": {"collapsed": True}}
    workspace = {"data": {"layout-restorer:data": layout}, "metadata": {"id": "default"}}
    (folder / _WORKSPACE).write_text(json.dumps(workspace), encoding="utf-8")


def run_lab(command: Sequence[str], config_file: Path) -> int:
    """Run JupyterLab until it ends, with the notebooks' empty `config_path` leading to a settings file.

    Ctrl-C and SIGTERM end it and its kernels.

    Args:
        command: what `lab_command` returned.
        config_file: the settings file.

    Returns:
        Its exit status.
    """
    environment = {**os.environ, CONFIG_VARIABLE: str(config_file)}
    with subprocess.Popen(command, env=environment) as lab:
        # What a supervisor sends, or `kill`: left to its default it would end this process alone.
        signal.signal(signal.SIGTERM, lambda *_: lab.terminate())
        while True:
            try:
                return lab.wait()
            except KeyboardInterrupt:
                # The terminal sent it to JupyterLab as well, which ends its kernels before itself.
                continue
