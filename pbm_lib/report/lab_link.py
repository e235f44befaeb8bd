"""A link from a notebook cell to a file, for JupyterLab, which opens files below its server's root."""

import json
import os
from pathlib import Path
from urllib.parse import quote

from ..display import kernel_of_notebook


def lab_link(file: Path) -> str | None:
    """Return a link that opens a file from the notebook whose kernel runs this code.

    Args:
        file: absolute path of the file.

    Returns:
        The link, relative to the notebook. None if no Jupyter server started this kernel, or if the server does not
        serve the file because it is outside the server's root or in a hidden folder.
    """
    notebook, server = os.environ.get("JPY_SESSION_NAME", ""), os.environ.get("JPY_PARENT_PID", "")
    try:
        # A Jupyter server keeps a file about itself in the same folder as its kernels' connection files.
        known = Path(kernel_of_notebook().parent.abs_connection_file).with_name(f"jpserver-{server}.json")
        root = Path(json.loads(known.read_text(encoding="utf-8"))["root_dir"]).resolve()
        below = file.resolve().relative_to(root)
        folder = Path(notebook).resolve().parent.relative_to(root)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if any(part.startswith(".") for part in below.parts):
        return None
    return quote(Path(*[".."] * len(folder.parts), below).as_posix())
