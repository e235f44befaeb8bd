"""The figures that charts, sentences and tables of the report share."""

from dataclasses import replace

from ..display import LEAST_MS
from ..measure.run import PerformanceRun
from ..measure.samples import Series, Statistics
from ..measure.summary import Throughput
from ..vocabulary import QUERIES


def ratio_of(ms: float, other_ms: float) -> float:
    """Return how many times as long as another a time is, also where the other is 0 ms."""
    return max(ms, LEAST_MS) / max(other_ms, LEAST_MS)


def drawable(run: PerformanceRun | None) -> PerformanceRun | None:
    """Return the run with the times of 0 ms, for which an axis has no place, as the least that is told from none."""
    if run is None or all(sample.ms > 0 for sample in run.samples):
        return run
    return replace(run, samples=tuple(replace(sample, ms=max(sample.ms, LEAST_MS)) for sample in run.samples))


def latency_of(run: PerformanceRun, tier: str, operation: str, scenario: str) -> Statistics:
    """Return an operation's figures at a tier."""
    return run.statistics(section="latency", tier=tier, operation=operation, scenario=scenario)


def plans_of(run: PerformanceRun, tier: str, operation: str) -> tuple[Statistics, ...]:
    """Return an operation's figures under each of `QUERIES`, for the same windows."""
    labels = {"section": "plans", "tier": tier, "operation": operation}
    return tuple(run.statistics(contestant=query, **labels) for query in QUERIES)


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
