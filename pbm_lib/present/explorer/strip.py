"""The times of the last pages as a strip of bars, one per page, in hand-written SVG: it is redrawn with every page."""

import math
import statistics
from collections.abc import Sequence

from ...display import milliseconds
from ...vocabulary import query_words
from .moments import STRIP_LENGTH

_BAR, _GAP, _HEIGHT = 4, 1, 56
_LEAST_MS, _MOST_MS = 1.0, 10_000.0
GREEN, PURPLE = "var(--pbm-green,#00684A)", "var(--pbm-purple,#8F3FC0)"
"""Colors of the bounded and the unbounded query."""


def color_of(query: str) -> str:
    """Return the color of a query given in words."""
    return GREEN if query == query_words(bounded=True) else PURPLE


def strip_text(times: Sequence[tuple[str, float]]) -> str:
    """Return a summary of page times, (query, ms) each, in a phrase."""
    if not times:
        return "no page yet"
    all_ms = [ms for _, ms in times]
    slowest = milliseconds(max(all_ms))
    if len(times) == 1:
        return f"last page: {slowest}"
    return f"last {len(times)} pages: median {milliseconds(statistics.median(all_ms))}, slowest {slowest}"


def strip_svg(times: Sequence[tuple[str, float]]) -> str:
    """Return page times, (query, ms) each, oldest first, as an SVG element with bars on a log scale."""
    width = STRIP_LENGTH * (_BAR + _GAP)
    bars = "".join(
        f"<rect x='{place * (_BAR + _GAP)}' y='{_HEIGHT - height:.1f}' width='{_BAR}' height='{height:.1f}' "
        f"fill='{color_of(query)}'><title>{query}, {milliseconds(ms)}</title></rect>"
        for place, (query, ms) in enumerate(times)
        if (height := _height(ms))
    )
    return (
        f"<svg role='img' aria-label='{strip_text(times)}' width='{width}' height='{_HEIGHT}' "
        f"viewBox='0 0 {width} {_HEIGHT}' style='display:block;border-bottom:1px solid var(--jp-border-color2,#999)'>"
        f"{bars}</svg>"
    )


def _height(ms: float) -> float:
    share = math.log(max(ms, _LEAST_MS) / _LEAST_MS) / math.log(_MOST_MS / _LEAST_MS)
    return 2 + min(share, 1.0) * (_HEIGHT - 2)
