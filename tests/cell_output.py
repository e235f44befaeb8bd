"""What a notebook shows of a value, asked for as IPython asks."""

from typing import Any

from IPython.core.formatters import DisplayFormatter


def cell_output(value: Any) -> dict[str, Any]:
    """The output of a cell that ends in this value: MIME type to data."""
    data, _metadata = DisplayFormatter().format(value)
    return data
