"""A table of the report, the text of its cells, and the cells that a baseline adds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Self

from ..display import milliseconds
from ..measure.run import PerformanceRun
from ..measure.samples import Statistics
from .figures import asks_the_same

NONE = "–"  # noqa: RUF001 - an en dash, the usual typographic sign for "no value"
SIMILAR = "similar"
"""Replaces a ratio if the 95% intervals of both figures overlap."""


@dataclass(frozen=True)
class Table:
    """A table: its column names and its rows. The first `texts` columns hold words, the others figures."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1


class Estimate(NamedTuple):
    """A percentile of a series in ms, and the ends of its 95% interval; each is None if not known."""

    value: float | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def p50(cls, figures: Statistics) -> Self:
        """Return the median of a series."""
        return cls(figures.p50, figures.p50_low, figures.p50_high)

    @classmethod
    def p95(cls, figures: Statistics) -> Self:
        """Return the 95th percentile of a series."""
        return cls(figures.p95, figures.p95_low, figures.p95_high)

    @property
    def interval(self) -> str:
        """The interval as text."""
        if self.low is None or self.high is None:
            return NONE if self.low is None else f"from {milliseconds(self.low)}"
        return f"{milliseconds(self.low)} to {milliseconds(self.high)}"

    def over(self, other: Self) -> float | None:
        """Return the ratio to another estimate; None if the intervals overlap, a value is missing, or it is 0 ms."""
        if None in (*self, *other) or not other.value:
            return None
        apart = self.low > other.high or self.high < other.low
        return self.value / other.value if apart else None


class Beside:
    """The columns and cells for a baseline, next to the run's figures; none without a baseline.

    Args:
        run: the run.
        baseline: the run to compare with, if any.
    """

    def __init__(self, run: PerformanceRun, baseline: PerformanceRun | None):
        self._exists = baseline is not None
        self._ratios = baseline is not None and asks_the_same(run, baseline)

    def columns(self, name: str, *, ratio: bool = True) -> list[str]:
        """Return the columns for the baseline's figure and the ratio."""
        names = [f"{name} of the baseline", *(["ratio"] if ratio and self._ratios else [])]
        return names if self._exists else []

    def estimate(self, ours: Estimate, theirs: Estimate) -> list[str]:
        """Return the cells for the baseline's percentile and, if the runs are comparable, for the run's ratio to it."""
        cells = [ms(theirs.value)]
        if self._ratios:
            known = None not in (*ours, *theirs)
            ratio = ours.over(theirs)
            cells.append(f"{ratio:.2f}" if ratio is not None else SIMILAR if known else NONE)
        return cells if self._exists else []

    def value(self, theirs: float | None, text: Callable[[float | None], str]) -> list[str]:
        """Return the cell for a figure of the baseline that has no interval and therefore no ratio."""
        return [text(theirs)] if self._exists else []


def ms(value: float | None) -> str:
    """Return a time in ms as text."""
    return NONE if value is None else milliseconds(value)


def rate(value: float | None) -> str:
    """Return a rate per second as text."""
    return NONE if value is None else f"{value:,.0f}"


def cpus(value: float | None) -> str:
    """Return a number of busy CPUs as text."""
    return NONE if value is None else f"{value:.1f}"


def mb(value: float | None) -> str:
    """Return a size in bytes as text."""
    if value is None:
        return NONE
    return f"{value / 1e9:,.2f} GB" if value >= 1e9 else f"{value / 1e6:,.1f} MB"
