"""A link from a notebook's cell to a file, for JupyterLab: it opens what lies below its server's root."""

import json
import os
from pathlib import Path
from urllib.parse import quote

from ..display import kernel_of_notebook


def lab_link(file: Path) -> str | None:
    """Return the link that opens a file from the notebook whose kernel runs this.

    Args:
        file: its absolute path.

    Returns:
        The link, relative to the notebook; None where no Jupyter server started this kernel, or the server does not
        serve the file: it lies outside of the server's root, or in a hidden folder.
    """
    notebook, server = os.environ.get("JPY_SESSION_NAME", ""), os.environ.get("JPY_PARENT_PID", "")
    try:
        # A server describes itself in the folder where it keeps the addresses of its kernels.
        known = Path(kernel_of_notebook().parent.abs_connection_file).with_name(f"jpserver-{server}.json")
        root = Path(json.loads(known.read_text(encoding="utf-8"))["root_dir"]).resolve()
        below = file.resolve().relative_to(root)
        folder = Path(notebook).resolve().parent.relative_to(root)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if any(part.startswith(".") for part in below.parts):
        return None
    return quote(Path(*[".."] * len(folder.parts), below).as_posix())
