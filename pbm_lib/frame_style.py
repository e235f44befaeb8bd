"""The style of tables in a notebook."""

import html
import re
from numbers import Integral, Real
from typing import Any

from numpy import bool_
from pandas import DataFrame, RangeIndex, Series
from pandas.api.types import is_numeric_dtype
from pandas.io.formats.style import Styler

from .arguments import checked
from .display import times_sign
from .errors import PbmError

_LONGEST_LINE = 60  # letters; longer text wraps, so that the table fits the notebook
_LABEL = "text-align:left;white-space:nowrap"
_START_OF_CELL = re.compile(r'<t[dh][^>]*? class="[^"]*?(?:\bcol(?P<column>\d+)[^"]*)?"')
# A number, optionally with a unit, a second number (such as the end of a range), and a number of samples in
# parentheses; or a dash, "similar", or nothing.
_NUMBER = r"[\d.,]+ ?(ms|s|%|[KMG]B|\N{MULTIPLICATION SIGN})?"
_FIGURE = re.compile(rf"({_NUMBER}(( to |, | / ){_NUMBER})?( \(.*\))?|from {_NUMBER}|[\u2013\u2014]|similar|)")


@checked(PbmError)
def table(frame: DataFrame) -> Styler:
    """Return a frame styled for readers: True as a check mark, ratios as 111\N{MULTIPLICATION SIGN}, no value as blank.

    Text is aligned left. Numbers are aligned right, with thousands separators. Row labels are shown if there are any.
    A ratio is a number in a column named ratio.

    Args:
        frame: any pandas DataFrame with named columns.

    Returns:
        A pandas Styler.
    """
    formats = {name: _ratio if name == "ratio" else _cell for name in frame.columns}
    # Escape names: they can come from a config or a collection, and are text, whatever they look like.
    style = _Table(frame).format(formats).format_index(escape="html", axis="columns").format_index(escape="html")
    if isinstance(frame.index, RangeIndex):
        style = style.hide()
    return style.set_caption("No rows") if frame.empty else style


class _Table(Styler):
    """A Styler that aligns each cell by its own style attribute.

    JupyterLab drops the style sheet of a notebook that it does not trust, such as one that papermill ran.
    """

    def to_html(self, *arguments: Any, **options: Any) -> str | None:
        shown = super().to_html(*arguments, **options)
        if shown is None:
            return None
        columns = (self.data.iloc[:, number] for number in range(self.data.shape[1]))
        looks = {str(number): _look(column, is_first=number == 0) for number, column in enumerate(columns)}
        return _START_OF_CELL.sub(lambda cell: f"{cell[0]} style='{looks.get(cell['column'], _LABEL)}'", shown)


def _look(column: Series, *, is_first: bool) -> str:
    side = "right" if _holds_figures(column, is_first=is_first) else "left"
    is_prose = any(len(str(value)) > _LONGEST_LINE for value in column)
    return f"text-align:{side};white-space:{'normal;min-width:24em' if is_prose else 'nowrap'}"


def _holds_figures(column: Series, *, is_first: bool) -> bool:
    if is_first and not is_numeric_dtype(column):  # it names the rows
        return False
    return len(column) > 0 and all(map(_is_figure, column))


def _is_figure(value: Any) -> bool:
    if isinstance(value, bool | bool_):
        return False
    return not isinstance(value, str) or _FIGURE.fullmatch(value) is not None


def _cell(value: Any) -> str:
    if isinstance(value, bool | bool_):
        return "\N{CHECK MARK}" if value else "no"
    if isinstance(value, str):
        return html.escape(value)
    if value is None or value != value:
        return ""
    if isinstance(value, Real):
        return f"{value:,}" if isinstance(value, Integral) else f"{value:,.1f}"
    return html.escape(str(value))


def _ratio(value: Any) -> str:
    return _cell(value) if isinstance(value, str) or value is None or value != value else times_sign(value)
