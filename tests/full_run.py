"""A made-up run as large as one with the project's own config.yaml: its seven tiers, series and many samples."""

from dataclasses import replace

from fake_runs import DEPTH, fake_run, series, skewed

from pbm_lib import Config, PerformanceRun
from pbm_lib.measure.records import Check, Level, OfferedRate, QueryCost
from pbm_lib.measure.samples import Sample
from pbm_lib.vocabulary import BY_TIER

_BOUNDED = {"contestant": "bounded", "index": "three_field"}
_OVERLAP = {"contestant": "bounded", "index": "overlap"}
_UNBOUNDED = {"contestant": "unbounded", "index": "three_field"}
_DEPTHS = (0, 1_000, 10_000, 100_000, 900_000)
_STAGES = ("LIMIT", "PROJECTION_DEFAULT", "FETCH", "SORT_MERGE", "IXSCAN", "IXSCAN")


def full_run(config: Config) -> PerformanceRun:
    """A complete run with about as many samples as a measured one, and at least as many rows.

    Args:
        config: the project's own settings.
    """
    sizes = {tier.name: tier.claims_per_provider for tier in config.data_generation.tiers}
    samples = series(_spread(0.7, 110), section="floor", operation="ping", claims=None)
    for tier, size in sizes.items():
        samples += _of_tier(config, tier, size)
    (largest,) = (tier for tier, size in sizes.items() if size == max(sizes.values()))
    for contestant in DEPTH:
        for depth in _DEPTHS:
            labels = {"tier": largest, "scenario": "provider", "depth": depth, "contestant": contestant}
            median = 3.5 + (depth / 1_800 if contestant == "skip" else 0)
            samples += series(_times(config, median), section="depth", operation="page", **labels)
    clients, loads = config.performance.concurrency, (25, 50, 75)
    for number in clients:
        samples += series(_spread(4.0 + 3 * number, 600), section="concurrency", operation="page", clients=number)
    for load in loads:
        labels = {"section": "open_loop", "operation": "page", "clients": 4, "load": load, "service_ms": 5.0}
        samples += series(_spread(6.0 + load / 20, 450), **labels)
    for contestant, median in (("before", 4.1), ("during", 7.3), ("after", 4.4)):
        samples += series(_spread(median, 120), section="live", operation="page", contestant=contestant)
    for contestant, median in (("one_stream", 6_000.0), ("two_streams", 3_000.0)):
        labels = {"section": "volume", "operation": "stream", "tier": "100K", "scenario": "provider"}
        samples += series([median, 1.1 * median], contestant=contestant, bytes=68_000_000, **labels)
    run = fake_run(
        config,
        samples,
        checks=tuple(Check("ranges", tier, "first_page", "overlap", 110, 110) for tier in sizes),
        levels=tuple(Level(number, 5.0, 0.2 * number, 1.2, 1.9) for number in clients),
        offered=tuple(OfferedRate(load, 4, 1.5 * load, 5.0, 0.2, 0.6, 1.1) for load in loads),
        costs=_costs(sizes),
        index_uses={"_id_": 0, "claims_by_provider": 12_190, "claims_by_provider_overlap": 2_189},
        notes=("Tier 1K, date range: most results fit on one page, so next and deep pages were not measured.",),
    )
    return replace(run, conditions=replace(run.conditions, provider_claims=sizes))


def _of_tier(config: Config, tier: str, size: int) -> list[Sample]:
    """The samples of one tier, from every part of the run that queries a tier's providers."""
    least, found = config.performance.unbounded_samples, []
    medians = [
        ("latency", "provider", "first_page", {}, 3.4),
        ("latency", "provider", "next_page", {}, 4.0),
        ("latency", "provider", "deep_page", {}, 3.7),
        ("latency", "range", "next_page", {}, 7.0 + size**0.5 / 55),
        ("latency", "range", "deep_page", {}, 6.0),
        ("ranges", "range", "first_page", _BOUNDED, 6.0 + size**0.5 / 18),
        ("ranges", "range", "first_page", _OVERLAP, 7.5),
        ("ranges", "range", "first_page", _UNBOUNDED, 20 + size / 250),
        ("ranges", "range", "count", _BOUNDED, 2.0 + size / 4_500),
        ("ranges", "range", "count", _OVERLAP, 2.2 + size / 22_000),
        ("ranges", "range", "count", _UNBOUNDED, 18 + size / 330),
        ("totals", "provider", "count", {"contestant": "count_documents"}, 1.5 + size / 2_000),
        ("totals", "provider", "count", {"contestant": "capped"}, 10.0),
        ("totals", "provider", "count", {"contestant": "rollup"}, 1.8),
        ("totals", "provider", "page_and_total", {"contestant": "facet"}, size / 100),
        ("cold", "range", "first_page", {"contestant": "cold"}, 12.0 + size**0.5 / 9),
        ("cold", "range", "first_page", {"contestant": "warm"}, 6.0 + size**0.5 / 18),
    ]
    for section, scenario, operation, labels, median in medians:
        few = least if labels in (_UNBOUNDED, {"contestant": "facet"}) else 20
        times = _times(config, median, least=few)
        found += series(times, section=section, scenario=scenario, operation=operation, tier=tier, **labels)
    return found


def _times(config: Config, median: float, *, least: int = 20) -> list[float]:
    """As many times as fit into the configured seconds per series."""
    fitting = int(1_000 * config.performance.seconds_per_series / median)
    return _spread(median, min(config.performance.samples, max(least, fitting)))


def _spread(median: float, count: int) -> list[float]:
    """Times spread widely enough that each row of a table has a note."""
    return skewed(2 * median / (count + 1), power=1, count=count)


def _costs(sizes: dict[str, int]) -> tuple[QueryCost, ...]:
    ways = [("provider", "bounded", "three_field")]
    ways += [("range", query, index) for query, index in (("bounded", "three_field"), ("bounded", "overlap"),
                                                         ("unbounded", "three_field"))]  # fmt: skip
    return tuple(
        QueryCost(operation, tier, scenario, query, variant, "claims_by_provider", _STAGES, size, size, 100, 308)
        for tier, size in sizes.items()
        for scenario, query, variant in ways
        for operation in BY_TIER
    )
