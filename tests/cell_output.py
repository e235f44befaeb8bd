"""The output that a notebook shows for a value, taken from IPython's own formatter."""

from typing import Any

from IPython.core.formatters import DisplayFormatter


def cell_output(value: Any) -> dict[str, Any]:
    """The output of a cell that ends with this value, by MIME type."""
    data, _metadata = DisplayFormatter().format(value)
    return data
