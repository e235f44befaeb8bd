"""The figures that charts, sentences and tables of the report share."""

import statistics
from dataclasses import replace
from typing import NamedTuple

from ..display import LEAST_MS
from ..measure.run import PerformanceRun
from ..measure.samples import Series, Statistics, statistics_of
from ..measure.summary import Throughput
from ..vocabulary import BOUNDED, CONTESTANTS, INDEX_WORDS, INDEXES, PROVIDER, RANGE, TOTALS, UNBOUNDED

BUSY = 0.85
"""Where so much of the processors is in use, a rate says what this machine can do, not what a server can."""


class Way(NamedTuple):
    """One way to ask for a date range: which query, with which variant of the index."""

    query: str
    index: str

    def words(self, run: PerformanceRun) -> str:
        """The way in words: with the config's index as the query alone."""
        other = "" if self.index == run.settings.index else f" on the {INDEX_WORDS[self.index]}"
        return CONTESTANTS[self.query] + other

    def short(self, run: PerformanceRun) -> str:
        """The way in a word or two: the query, or, where it is the other one, the index."""
        return self.query if self.index == run.settings.index else INDEX_WORDS[self.index]


class Gain(NamedTuple):
    """How many times as long one way takes as another for the same question: median, least, most, and how many."""

    median: float
    least: float
    most: float
    n: int


def asks_the_same(run: PerformanceRun, baseline: PerformanceRun) -> bool:
    """Whether both runs ask the same of as many claims, in the same way, so that a ratio of times says something."""

    def asked(run: PerformanceRun) -> tuple:
        sizes = {tier: run.claims_per_provider(tier) for tier in run.tiers}
        return run.settings.page_size, run.settings.performance.window_days, run.method, run.footprint.claims, sizes

    *ours, our_sizes = asked(run)
    *theirs, their_sizes = asked(baseline)
    return ours == theirs and all(our_sizes[tier] == their_sizes[tier] for tier in our_sizes.keys() & their_sizes)


def ratio_of(ms: float, other_ms: float) -> float:
    """Return how many times as long as another a time is, also where the other is 0 ms."""
    return max(ms, LEAST_MS) / max(other_ms, LEAST_MS)


def drawable(run: PerformanceRun | None) -> PerformanceRun | None:
    """Return the run with the times of 0 ms, for which an axis has no place, as the least that is told from none."""
    if run is None or all(sample.ms > 0 for sample in run.samples):
        return run
    return replace(run, samples=tuple(replace(sample, ms=max(sample.ms, LEAST_MS)) for sample in run.samples))


def latency_of(run: PerformanceRun, tier: str, operation: str, scenario: str) -> Statistics:
    """Return an operation's figures at a tier, as an application calls it."""
    return run.statistics(**run.latency_labels(tier, operation, scenario))


def ways_of(run: PerformanceRun) -> list[Way]:
    """Return the ways to ask for a date range that the run measured: the obvious one first, the other index last."""
    own = run.settings.index
    ways = [Way(UNBOUNDED, own), Way(BOUNDED, own), *(Way(BOUNDED, index) for index in INDEXES if index != own)]
    return [way for way in ways if run.select(section="ranges", contestant=way.query, index=way.index, counts=True)]


def range_labels(tier: str, operation: str, way: Way) -> dict[str, str]:
    """Return the labels of the samples of a way to ask for a date range."""
    return {
        "section": "ranges",
        "scenario": RANGE,
        "tier": tier,
        "operation": operation,
        "contestant": way.query,
        "index": way.index,
    }


def range_of(run: PerformanceRun, tier: str, operation: str, way: Way) -> Statistics:
    """Return the figures of a way to ask for a date range."""
    return run.statistics(**range_labels(tier, operation, way))


def gain_of(run: PerformanceRun, tier: str, operation: str, slow: Way, fast: Way) -> Gain | None:
    """Return how many times as long the first way takes, window by window that both ran; None if there is no such."""
    times = [
        {s.iteration: s.ms for s in run.select(counts=True, **range_labels(tier, operation, way))}
        for way in (slow, fast)
    ]
    ratios = [ratio_of(times[0][number], times[1][number]) for number in times[0] if number in times[1]]
    return Gain(statistics.median(ratios), min(ratios), max(ratios), len(ratios)) if ratios else None


def totals_ways_of(run: PerformanceRun) -> list[str]:
    """Return the ways to a provider's total that the run measured, of `vocabulary.TOTALS`."""
    return [way for way in TOTALS if run.select(section="totals", scenario=PROVIDER, contestant=way, counts=True)]


def depths_of(run: PerformanceRun) -> list[int]:
    """Return the depths measured, ascending."""
    return sorted({sample.depth for sample in run.samples if sample.section == "depth" and sample.depth is not None})


def depth_of(run: PerformanceRun, depth: int, paging: str) -> Statistics:
    """Return the figures of a page behind so many claims, by one of `PAGINGS`."""
    return run.statistics(section="depth", depth=depth, contestant=paging)


def at_once(run: PerformanceRun, clients: int) -> tuple[Statistics, Throughput]:
    """Return the figures of a page, and the rates, of so many clients at once."""
    series = Series("concurrency", "page", clients=clients)
    return run.statistics(section="concurrency", clients=clients), run.throughput(series)


def service_of(run: PerformanceRun, load: int) -> Statistics:
    """Return the figures of the open loop's pages from when each was sent, not from when it was meant to be."""
    samples = run.select(section="open_loop", load=load)
    return statistics_of(replace(s, ms=s.service_ms) for s in samples if s.service_ms is not None)


def phase_of(run: PerformanceRun, phase: str) -> Statistics:
    """Return the figures of the pages that were read in one of `PHASES`: before, while or after claims arrived."""
    return run.statistics(section="live", contestant=phase)


def clients_at_their_limit(run: PerformanceRun, clients: int) -> bool:
    """Whether the machine of the clients had next to no processor left while so many were at work."""
    busy = [level.machine_cpu for level in run.levels if level.clients == clients and level.machine_cpu is not None]
    return any(cpus >= BUSY * run.conditions.machine.cpus for cpus in busy)
