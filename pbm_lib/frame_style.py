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

# A number, optionally with a unit, a second number (such as the end of a range), and a number of samples in
# parentheses; or a dash, "same", or nothing.
_NUMBER = r"[\d.,]+ ?(ms|s|%|[KMG]B|\N{MULTIPLICATION SIGN})?"
_FIGURE = re.compile(rf"({_NUMBER}(( to |, | / ){_NUMBER})?( \(.*\))?|from {_NUMBER}|[\u2013\u2014]|same|)")


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
    columns = range(frame.shape[1])
    figures = [number for number in columns if _holds_figures(frame.iloc[:, number], is_first=number == 0)]
    formats = {name: _ratio if name == "ratio" else _cell for name in frame.columns}
    # Names from a config or a collection are text, even if they look like HTML.
    style = frame.style.format(formats).format_index(escape="html", axis="columns").format_index(escape="html")
    if isinstance(frame.index, RangeIndex):
        style = style.hide()
    left, right = "text-align: left", "text-align: right"
    looks = [{"selector": "td, th", "props": f"{left}; white-space: nowrap"}]
    looks += [{"selector": f"td.col{number}, th.col{number}", "props": right} for number in figures]
    if frame.empty:
        style = style.set_caption("No rows")
    return style.set_table_styles(looks)


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
