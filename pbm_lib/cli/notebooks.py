"""Run a notebook headless through papermill, and explain in one sentence what stopped it."""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import papermill
from papermill.exceptions import PapermillExecutionError

from .. import errors
from ..config_file import notebooks_folder
from ..errors import ConfigError, NotebookError
from .engine import ENGINE

NOTEBOOKS = ("01_setup", "02_load", "03_explore", "04_performance")
"""The notebooks of the demo, in order."""


def reject_overwriting(output_dir: Path) -> None:
    """Raise ConfigError if an executed copy would overwrite a notebook that is not an executed copy."""
    for name in NOTEBOOKS:
        target = output_dir / f"{name}.ipynb"
        delivered = notebooks_folder() / target.name
        try:
            is_other = target.exists() and (target.samefile(delivered) or not _is_executed_copy(target))
        except OSError as error:  # this user may not look into the folder
            raise _unwritable(target, error) from None
        if is_other:
            raise ConfigError(
                f"{output_dir} holds a {target.name} that is not an executed copy; running would overwrite it. Choose "
                "another --output folder, for example --output outputs."
            )


def _unwritable(target: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"Cannot write {target}: {error.strerror or error}. Choose another --output folder, or make this one writable."
    )


def _is_executed_copy(notebook: Path) -> bool:
    """Whether papermill wrote this file, as its metadata shows. False if it is unreadable or not a notebook."""
    try:
        return "papermill" in json.loads(notebook.read_bytes())["metadata"]
    except (OSError, ValueError, TypeError, KeyError):
        return False


def run_notebook(name: str, output_dir: Path, parameters: dict[str, Any]) -> Path:
    """Execute one notebook of the demo and keep the executed copy.

    Args:
        name: one of `NOTEBOOKS`.
        output_dir: folder of the executed copy; created if it is missing.
        parameters: values for its `parameters` cell.

    Returns:
        Path of the executed copy.

    Raises:
        ConfigError: the notebook has no parameter of that name, the copy cannot be written, or it would overwrite a
            notebook that is not an executed copy.
        NotebookError: a cell raised an error.
    """
    reject_overwriting(output_dir)
    source, target = notebooks_folder() / f"{name}.ipynb", output_dir / f"{name}.ipynb"
    known = papermill.inspect_notebook(str(source))
    if unknown := sorted(set(parameters) - set(known)):
        raise ConfigError(f"{name} has no parameter {', '.join(unknown)}. Accepted: {', '.join(known)}.")
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # from the libraries, not from the notebook
            papermill.execute_notebook(
                str(source),
                str(target),
                parameters=parameters,
                engine_name=ENGINE,
                kernel_name="python3",
                progress_bar=False,
                stdout_file=sys.stdout,
                record_timing=False,
                store_widget_state=False,
                coalesce_streams=True,
            )
    except PapermillExecutionError as error:
        # Our own messages are safe to show. Other messages, papermill's error, and its frames may contain anything.
        ours = isinstance(getattr(errors, error.ename, None), type)
        told = f"{error.ename}: {(error.evalue if ours else errors.redact(error.evalue)).rstrip('.')}"
        stopped: errors.PbmError = NotebookError(
            f"{name} stopped at cell {error.cell_index + 1}: {told}. See the executed copy: {target}."
        )
    except OSError as error:
        stopped = _unwritable(target, error)
    else:
        return target
    raise stopped
