"""One measured call, and the statistics of many: interpolated percentiles, and a mark where a figure is weak."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Literal, NamedTuple

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

FEWEST_FOR_P95 = 20
"""Below so many samples a p95 is little more than the maximum, and is marked."""
WIDE_SPREAD = 0.5
"""Where half of the samples spread over more than this part of the median, the figures are marked."""

Section = Literal["floor", "latency", "plans", "depth", "concurrency", "volume"]
Operation = Literal["ping", "count", "first_page", "next_page", "deep_page", "page", "stream"]
_Count = Annotated[int, Field(strict=True, ge=0)]


class Series(NamedTuple):
    """What the samples of one row of the summary have in common. A label that does not apply is None."""

    section: str
    operation: str
    scenario: str | None = None
    tier: str | None = None
    contestant: str | None = None
    depth: int | None = None
    clients: int | None = None


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Sample:
    """One call that was timed.

    Attributes:
        section: part of the run: floor, latency, plans, depth, concurrency or volume.
        operation: what was called.
        ms: how long it took in ms, on a monotonic clock.
        iteration: its number in its series, from 0; warm-ups have numbers of their own.
        warmup: taken before the others to open connections and fill caches; in no statistics.
        scenario: "provider" (all claims of a provider) or "range" (those in a range of service dates).
        tier: the provider's tier.
        contestant: bounded or plain plan; keyset or skip.
        depth: claims before the page.
        clients: clients at work at once.
        claims: claims returned, or counted; None if the call failed.
        bytes: BSON bytes of the claims returned, where that was asked.
        retries: commands that failed and that the driver sent again; if any, in no statistics.
        error: kind of error the call ended with, if it did; in no statistics.
    """

    section: Section
    operation: Operation
    ms: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    iteration: _Count = 0
    warmup: bool = False
    scenario: Literal["provider", "range"] | None = None
    tier: str | None = None
    contestant: Literal["bounded", "plain", "keyset", "skip"] | None = None
    depth: _Count | None = None
    clients: _Count | None = None
    claims: _Count | None = None
    bytes: _Count | None = None
    retries: _Count = 0
    error: Annotated[str, Field(max_length=100)] | None = None

    @property
    def series(self) -> Series:
        """The row of the summary that it belongs to."""
        return Series(self.section, self.operation, self.scenario, self.tier, self.contestant, self.depth, self.clients)

    @property
    def counts(self) -> bool:
        """Whether it enters the statistics: no warm-up, not failed, not retried."""
        return not (self.warmup or self.error or self.retries)


@plain_dataclass(frozen=True)
class Statistics:
    """Figures of one series, in ms; those of no samples are None.

    Attributes:
        n: samples that entered; neither warm-ups nor calls that failed or were retried.
        min: the fastest.
        mean: arithmetic mean.
        p50: median.
        p95: 95th percentile, interpolated.
        max: the slowest.
        spread: interquartile range over median.
        failed: calls that ended with an error.
        retried: calls that the driver repeated on its own.
    """

    n: int
    min: float | None
    mean: float | None
    p50: float | None
    p95: float | None
    max: float | None
    spread: float | None
    failed: int = 0
    retried: int = 0

    @property
    def weak_p95(self) -> bool:
        """Whether there are too few samples for a 95th percentile."""
        return self.n < FEWEST_FOR_P95

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know before relying on the figures; empty if nothing."""
        notes = []
        if self.n == 0:
            notes.append("no sample")
        elif self.weak_p95:
            notes.append(f"n < {FEWEST_FOR_P95}: p95 is weak")
        if self.spread is not None and self.spread > WIDE_SPREAD:
            notes.append(f"wide spread: IQR {self.spread:.0%} of median")
        if self.failed:
            notes.append(f"{self.failed} failed")
        if self.retried:
            notes.append(f"{self.retried} retried")
        return tuple(notes)

    def __repr__(self) -> str:
        if not self.n:
            return f"Statistics(n=0; {'; '.join(self.notes)})"
        figures = ", ".join(f"{name} {getattr(self, name):.2f}" for name in ("min", "mean", "p50", "p95", "max"))
        return f"Statistics(n={self.n}; {figures} ms{''.join('; ' + note for note in self.notes)})"


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile by linear interpolation between the two nearest ranks (numpy's default).

    Args:
        values: at least one figure, ascending.
        percent: 0 to 100.

    Returns:
        The figure below which so many percent of the values lie.
    """
    rank = (len(values) - 1) * percent / 100
    below = min(int(rank), len(values) - 1)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (rank - below)


def statistics_of(samples: Iterable[Sample]) -> Statistics:
    """Return the figures of a series.

    Args:
        samples: all of its samples, warm-ups and failures among them.

    Returns:
        The figures, with what was left out of them counted.
    """
    timed = [sample for sample in samples if not sample.warmup]
    failed = sum(sample.error is not None for sample in timed)
    retried = sum(sample.error is None and sample.retries > 0 for sample in timed)
    times = sorted(sample.ms for sample in timed if sample.counts)
    if not times:
        return Statistics(0, None, None, None, None, None, None, failed, retried)
    median = percentile(times, 50)
    middle_half = percentile(times, 75) - percentile(times, 25)
    return Statistics(
        n=len(times),
        min=times[0],
        mean=sum(times) / len(times),
        p50=median,
        p95=percentile(times, 95),
        max=times[-1],
        spread=middle_half / median if median else None,
        failed=failed,
        retried=retried,
    )
