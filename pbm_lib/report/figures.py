"""Figures that the report's charts, sentences, and tables share."""

import statistics
from dataclasses import replace
from typing import NamedTuple

from ..display import LEAST_MS
from ..measure.run import PerformanceRun
from ..measure.samples import Series, Statistics, statistics_of
from ..measure.summary import Throughput
from ..vocabulary import BOUNDED, CONTESTANTS, INDEX_WORDS, INDEXES, PROVIDER, RANGE, TOTALS, UNBOUNDED

BUSY = 0.85
"""At or above this share of busy CPUs, a rate shows what the clients' machine can do, not what the server can do."""


class Way(NamedTuple):
    """One way to ask for a date range: which query, with which variant of the index."""

    query: str
    index: str

    def words(self, run: PerformanceRun) -> str:
        """Return the way in words: the query, and the index unless it is the configured one."""
        other = "" if self.index == run.settings.index else f" on the {INDEX_WORDS[self.index]}"
        return CONTESTANTS[self.query] + other

    def short(self, run: PerformanceRun) -> str:
        """Return the way in a word or two: the query, or the index if it is not the configured one."""
        return self.query if self.index == run.settings.index else INDEX_WORDS[self.index]


class Gain(NamedTuple):
    """How many times as long one way takes as another: median, least, and most over `n` windows that both ran."""

    median: float
    least: float
    most: float
    n: int


def asks_the_same(run: PerformanceRun, baseline: PerformanceRun) -> bool:
    """Return whether both runs ask the same questions of the same number of claims by the same method.

    Otherwise, a ratio of their times would mean nothing.
    """

    def asked(run: PerformanceRun) -> tuple:
        sizes = {tier: run.claims_per_provider(tier) for tier in run.tiers}
        return run.settings.page_size, run.settings.performance.window_days, run.method, run.footprint.claims, sizes

    *ours, our_sizes = asked(run)
    *theirs, their_sizes = asked(baseline)
    return ours == theirs and all(our_sizes[tier] == their_sizes[tier] for tier in our_sizes.keys() & their_sizes)


def ratio_of(ms: float, other_ms: float) -> float:
    """Return how many times as long the first time is as the second; each counts as at least `LEAST_MS`."""
    return max(ms, LEAST_MS) / max(other_ms, LEAST_MS)


def drawable(run: PerformanceRun | None) -> PerformanceRun | None:
    """Return the run with each time of 0 ms replaced by `LEAST_MS`, because a log axis cannot show 0."""
    if run is None or all(sample.ms > 0 for sample in run.samples):
        return run
    return replace(run, samples=tuple(replace(sample, ms=max(sample.ms, LEAST_MS)) for sample in run.samples))


def latency_of(run: PerformanceRun, tier: str, operation: str, scenario: str) -> Statistics:
    """Return the figures of an operation at a tier, measured as an application calls it."""
    return run.statistics(**run.latency_labels(tier, operation, scenario))


def ways_of(run: PerformanceRun) -> list[Way]:
    """Return the ways to ask for a date range that the run measured: the obvious one first, the other index last."""
    own = run.settings.index
    ways = [Way(UNBOUNDED, own), Way(BOUNDED, own), *(Way(BOUNDED, index) for index in INDEXES if index != own)]
    return [way for way in ways if run.select(section="ranges", contestant=way.query, index=way.index, counts=True)]


def range_labels(tier: str, operation: str, way: Way) -> dict[str, str]:
    """Return the labels of the samples for one way to ask for a date range."""
    return {
        "section": "ranges",
        "scenario": RANGE,
        "tier": tier,
        "operation": operation,
        "contestant": way.query,
        "index": way.index,
    }


def range_of(run: PerformanceRun, tier: str, operation: str, way: Way) -> Statistics:
    """Return the figures of one way to ask for a date range."""
    return run.statistics(**range_labels(tier, operation, way))


def gain_of(run: PerformanceRun, tier: str, operation: str, slow: Way, fast: Way) -> Gain | None:
    """Return how many times as long `slow` takes as `fast`, over the windows that both ran; None if there are none."""
    times = [
        {s.iteration: s.ms for s in run.select(counts=True, **range_labels(tier, operation, way))}
        for way in (slow, fast)
    ]
    ratios = [ratio_of(times[0][number], times[1][number]) for number in times[0] if number in times[1]]
    return Gain(statistics.median(ratios), min(ratios), max(ratios), len(ratios)) if ratios else None


def totals_ways_of(run: PerformanceRun) -> list[str]:
    """Return the ways to a provider's total (`vocabulary.TOTALS`) that the run measured."""
    return [way for way in TOTALS if run.select(section="totals", scenario=PROVIDER, contestant=way, counts=True)]


def depths_of(run: PerformanceRun) -> list[int]:
    """Return the depths measured, ascending."""
    return sorted({sample.depth for sample in run.samples if sample.section == "depth" and sample.depth is not None})


def depth_of(run: PerformanceRun, depth: int, paging: str) -> Statistics:
    """Return the figures of a page that starts after `depth` claims, read by one of `PAGINGS`."""
    return run.statistics(section="depth", depth=depth, contestant=paging)


def at_once(run: PerformanceRun, clients: int) -> tuple[Statistics, Throughput]:
    """Return the figures of a page, and the rates, for this number of concurrent clients."""
    series = Series("concurrency", "page", clients=clients)
    return run.statistics(section="concurrency", clients=clients), run.throughput(series)


def service_of(run: PerformanceRun, load: int) -> Statistics:
    """Return the figures of the open loop's pages, timed from when each was sent instead of when it was due."""
    samples = run.select(section="open_loop", load=load)
    return statistics_of(replace(s, ms=s.service_ms) for s in samples if s.service_ms is not None)


def phase_of(run: PerformanceRun, phase: str) -> Statistics:
    """Return the figures of the pages read in one of `PHASES`: before, during, or after the feed."""
    return run.statistics(section="live", contestant=phase)


def clients_at_their_limit(run: PerformanceRun, clients: int) -> bool:
    """Return whether the clients' machine had almost no CPU left with this number of concurrent clients."""
    busy = [level.machine_cpu for level in run.levels if level.clients == clients and level.machine_cpu is not None]
    return any(cpus >= BUSY * run.conditions.machine.cpus for cpus in busy)
