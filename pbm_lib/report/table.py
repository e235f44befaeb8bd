"""A table of the report, and how its cells read; with a baseline, its figure beside each one and the ratio of both."""

from collections.abc import Callable
from dataclasses import dataclass

from ..display import milliseconds
from ..measure.run import PerformanceRun

NONE = "–"  # noqa: RUF001 - a dash, as a typesetter would put for "no value"


@dataclass(frozen=True)
class Table:
    """A table: its columns, of which the first `texts` hold words and the others figures, and its rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1


def beside_columns(name: str, baseline: PerformanceRun | None) -> list[str]:
    """Return the columns for the baseline's figure; none without one."""
    return [] if baseline is None else [f"{name} of the baseline", "ratio"]


def beside(ours: float | None, theirs: float | None, text: Callable[[float | None], str] | None = None) -> list[str]:
    """Return the baseline's figure as text, and ours over it."""
    shown = (text or ms)(theirs)
    return [shown, f"{ours / theirs:.2f}" if ours is not None and theirs else NONE]


def ms(value: float | None) -> str:
    """Return a time in ms as text."""
    return NONE if value is None else milliseconds(value)


def rate(value: float | None) -> str:
    """Return a rate a second as text."""
    return NONE if value is None else f"{value:,.0f}"


def cpus(value: float | None) -> str:
    """Return how many processors were kept busy, as text."""
    return NONE if value is None else f"{value:.1f}"


def mb(value: float | None) -> str:
    """Return a size in bytes as text."""
    if value is None:
        return NONE
    return f"{value / 1e9:,.2f} GB" if value >= 1e9 else f"{value / 1e6:,.1f} MB"
