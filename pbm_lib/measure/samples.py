"""One timed call, the series it belongs to, and the statistics of a series, with notes where a figure is weak."""

from collections.abc import Iterable
from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from ..display import quantity
from ..vocabulary import CONTESTANTS, INDEX_WORDS, INDEXES, OPERATIONS, SCENARIOS, SECTIONS
from .confidence import FEWEST_FOR_UPPER_END, percentile_interval
from .steady import drift_note, drift_of, likeness_note, likeness_of

WIDE_SPREAD = 0.5
"""If the interquartile range exceeds this fraction of the median, the figures get a note."""

Count = Annotated[int, Field(strict=True, ge=0)]


class Series(NamedTuple):
    """The labels that the samples of one summary row share. A label that does not apply is None."""

    section: str
    operation: str
    scenario: str | None = None
    tier: str | None = None
    contestant: str | None = None
    depth: int | None = None
    clients: int | None = None
    index: str | None = None
    load: int | None = None

    @property
    def label(self) -> str:
        """What was measured, in words, without tier and contestant."""
        text = OPERATIONS[self.operation].words
        if self.depth is not None:
            text += f" after {self.depth:,} claims"
        if self.scenario:
            text += f", {SCENARIOS[self.scenario].words}"
        if self.index:
            text += f", {INDEX_WORDS[self.index]}"
        if self.clients is not None:
            text += f", {quantity(self.clients, 'concurrent client')}"
        if self.load is not None:
            text += f", {self.load}% of their highest rate"
        return text


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Sample:
    """One timed call.

    Attributes:
        section: part of the run, one of `vocabulary.SECTIONS`.
        operation: what was called.
        ms: how long it took in ms, on a monotonic clock; in the open loop, from when it was due.
        iteration: its number in its series, from 0; warm-ups are numbered separately.
        warmup: whether it was taken before the others to open connections and fill caches; then it is excluded from the
            statistics.
        scenario: one of `vocabulary.SCENARIOS`.
        tier: the provider's tier.
        contestant: one of `vocabulary.CONTESTANTS`.
        depth: number of claims before the page.
        clients: number of concurrent clients.
        index: the index variant in use, where two are compared.
        load: in the open loop, the rate of calls as a percentage of the highest rate that the closed loop reached.
        service_ms: in the open loop, how long it took in ms from when it was actually sent.
        claims: claims returned, or counted; None if the call failed.
        bytes: BSON bytes of the claims returned, where measured.
        retries: failed commands that the driver sent again; if any, the sample is excluded from the statistics.
        error: kind of error, if the call failed; then the sample is excluded from the statistics.
    """

    section: Literal[*SECTIONS]
    operation: Literal[*OPERATIONS]
    ms: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    iteration: Count = 0
    warmup: bool = False
    scenario: Literal[*SCENARIOS] | None = None
    tier: str | None = None
    contestant: Literal[*CONTESTANTS] | None = None
    depth: Count | None = None
    clients: Count | None = None
    index: Literal[*INDEXES] | None = None
    load: Count | None = None
    service_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    claims: Count | None = None
    bytes: Count | None = None
    retries: Count = 0
    error: Annotated[str, Field(max_length=100)] | None = None

    @property
    def series(self) -> Series:
        """The series that the sample belongs to."""
        return Series(*(getattr(self, label) for label in Series._fields))

    @property
    def counts(self) -> bool:
        """Whether the sample enters the statistics: it is not a warm-up, did not fail, and was not retried."""
        return not (self.warmup or self.error or self.retries)


@plain_dataclass(frozen=True)
class Statistics:
    """The figures of one series, in ms. They are None if no sample counts.

    Attributes:
        n: number of samples that count, excluding warm-ups and calls that failed or were retried.
        min: the fastest.
        mean: arithmetic mean.
        p50: median.
        p50_low: lower end of its 95% interval; None below n = 6.
        p50_high: upper end; None below n = 6.
        p95: 95th percentile, interpolated.
        p95_low: lower end of its 95% interval; None below n = 2.
        p95_high: upper end; None below n = 72.
        p99: 99th percentile, interpolated; below n = 100, it says little more than the maximum.
        max: the slowest.
        spread: interquartile range divided by the median.
        drift: median of the second half divided by that of the first, if the series was not steady; else None.
        likeness: rank correlation of each call with the one before, if consecutive calls are alike; else None.
        failed: calls that ended with an error.
        retried: calls that succeeded after the driver retried them.
    """

    n: int
    min: float | None
    mean: float | None
    p50: float | None
    p50_low: float | None
    p50_high: float | None
    p95: float | None
    p95_low: float | None
    p95_high: float | None
    p99: float | None
    max: float | None
    spread: float | None
    drift: float | None
    likeness: float | None
    failed: int = 0
    retried: int = 0

    @property
    def is_steady(self) -> bool:
        """Whether there is no sign of drift or of dependence between calls; the intervals assume that there is none."""
        return self.drift is None and self.likeness is None

    @property
    def weak_p95(self) -> bool:
        """Whether there are too few samples to bound the 95th percentile from above."""
        return self.p95_high is None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know before relying on the figures; empty if there is nothing to know."""
        notes = []
        if self.n == 0:
            notes.append("no sample")
        elif self.weak_p95:
            notes.append(f"n < {FEWEST_FOR_UPPER_END}: too few for an upper bound on p95")
        if self.drift is not None:
            notes.append(drift_note(self.drift))
        if self.likeness is not None:
            notes.append(likeness_note(self.likeness))
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


def statistics_of(samples: Iterable[Sample]) -> Statistics:
    """Return the figures of a series from all its samples, including warm-ups and failures.

    Percentiles are interpolated between the two nearest ranks (numpy's default). The samples must be in the order they
    were taken: whether the series was steady is judged by that order.
    """
    timed = [sample for sample in samples if not sample.warmup]
    failed = sum(sample.error is not None for sample in timed)
    retried = sum(sample.error is None and sample.retries > 0 for sample in timed)
    times = [sample.ms for sample in timed if sample.counts]
    if not times:
        return Statistics(0, *[None] * 13, failed, retried)
    p25, p50, p75, p95, p99 = np.percentile(times, (25, 50, 75, 95, 99)).tolist()
    p50_low, p50_high = percentile_interval(times, 50)
    p95_low, p95_high = percentile_interval(times, 95)
    return Statistics(
        n=len(times),
        min=min(times),
        mean=sum(times) / len(times),
        p50=p50,
        p50_low=p50_low,
        p50_high=p50_high,
        p95=p95,
        p95_low=p95_low,
        p95_high=p95_high,
        p99=p99,
        max=max(times),
        spread=(p75 - p25) / p50 if p50 else None,
        drift=drift_of(times),
        likeness=likeness_of(times),
        failed=failed,
        retried=retried,
    )
