"""Performance runs with made-up samples; everything else about them is plausible."""

import datetime as dt
from dataclasses import replace
from typing import Any

from pbm_lib import Config, PerformanceRun
from pbm_lib.measure.conditions import Conditions, Machine
from pbm_lib.measure.records import Arrivals, Check, Level, OfferedRate, QueryCost, Rollup, RunSettings
from pbm_lib.measure.samples import Sample
from pbm_lib.store.footprint import Footprint

START = dt.datetime(2026, 11, 22, 8, 15, tzinfo=dt.UTC)
_GOLDEN = (5**0.5 - 1) / 2
FOOTPRINT = Footprint(
    claims=3_000_000,
    data_bytes=2_400_000_000,
    storage_bytes=600_000_000,
    index_bytes={"_id_": 60_000_000, "claims_by_provider": 90_000_000},
    cached_data_bytes=430_000_000,
    cached_index_bytes=40_000_000,
    leaf_page_kb=16,
)

# Medians in ms of the series in `good_samples`.
LATENCY = {
    ("provider", "count"): {"3K": 31.0, "300": 13.0, "60": 3.2},
    ("provider", "first_page"): {"3K": 6.1, "300": 5.3, "60": 4.7},
    ("provider", "next_page"): {"3K": 7.4, "300": 6.6, "60": 5.8},
    ("provider", "deep_page"): {"3K": 9.2, "300": 8.4, "60": 7.9},
    ("range", "count"): {"3K": 23.0, "300": 17.0, "60": 2.9},
    ("range", "first_page"): {"3K": 14.0, "300": 12.0, "60": 11.0},
    ("range", "next_page"): {"3K": 19.0, "300": 16.0, "60": 15.0},
    ("range", "deep_page"): {"3K": 27.0, "300": 22.0, "60": 21.0},
}
# The medians of the bounded query with the config's index are in LATENCY.
RANGES = {
    ("first_page", "unbounded", "three_field"): {"3K": 700.0, "300": 420.0, "60": 200.0},
    ("first_page", "bounded", "overlap"): {"3K": 4.5, "300": 4.3, "60": 4.1},
    ("count", "unbounded", "three_field"): {"3K": 800.0, "300": 330.0, "60": 18.0},
    ("count", "bounded", "overlap"): {"3K": 6.5, "300": 3.3, "60": 1.8},
}
TOTALS = {"capped": {"3K": 2.1, "300": 1.9, "60": 1.7}, "rollup": {"3K": 1.1, "300": 1.3, "60": 1.5}}
FACET = {"3K": [350.0], "300": [45.0, 41.0, 57.0, 43.0]}
COLD = {"cold": {"3K": 64.0, "300": 51.0, "60": 8.2}, "warm": {"3K": 3.4, "300": 3.6, "60": 2.6}}
LIVE = {"before": 3.1, "during": 5.9, "after": 3.3}
ARRIVALS = Arrivals(
    offered=500.0,
    achieved=498.2,
    pages_offered=30.0,
    burst_offered=1_000.0,
    burst_achieved=991.0,
    fed=3_975,
    removed=3_975,
    left=0,
    seen=1_234,
    checked=45_678,
    lost=0,
    repeated=0,
)
DEPTH = {"keyset": {0: 8.0, 1_000: 8.8, 2_700: 9.6}, "skip": {0: 11.0, 1_000: 24.0, 2_700: 400.0}}


def fake_run(config: Config, samples: list[Sample], **changes: Any) -> PerformanceRun:
    """A complete run on a local server with these samples; keywords change its fields."""
    parts: dict[str, Any] = {
        "id": "20261122T081500Z-1a2b3c4d",
        "complete": True,
        "started": START,
        "ended": START + dt.timedelta(seconds=90),
        "settings": RunSettings(
            performance=config.performance,
            data_generation=config.data_generation,
            atlas=config.atlas,
            index="three_field",
            page_size=100,
        ),
        "conditions": Conditions(
            server_version="6.0.5",
            topology="standalone",
            host_kind="local",
            cache_bytes=2**29,
            indexes={"claims_by_provider": "billingProvider.providerTin: 1, serviceBeginDate: 1, _id: 1"},
            max_claim_days=30,
            provider_claims={"3K": 3_000, "300": 300, "60": 60},
            machine=Machine(2, "A processor", 8 * 2**30, "Linux 6.1 x86_64", "3.11.7"),
            pymongo="4.20.0",
            pbm_lib="0.1.0",
            git_commit=None,
        ),
        "footprint": FOOTPRINT,
        "checks": (Check("ranges", "3K", "first_page", "unbounded", 3, 3),),
        "levels": (Level(1, 2.02, 0.4, 0.5, 1.0), Level(2, 2.5, 0.9, 0.7, 1.6)),
        "offered": (OfferedRate(25, 2, 18.0, 5.06, 0.2, 0.3), OfferedRate(75, 2, 54.0, 1.9, 0.5, 0.6)),
        "rollup": Rollup(START, 36, 3_000),
        "arrivals": ARRIVALS,
        "samples": tuple(samples),
    }
    return PerformanceRun(**{**parts, **changes})


def series(times: list[float], **labels: Any) -> list[Sample]:
    """One sample per time in ms, with 100 claims each unless the labels say otherwise."""
    return [Sample(ms=ms, iteration=n, **{"claims": 100, **labels}) for n, ms in enumerate(times)]


def good_samples() -> list[Sample]:
    """Samples of every section: pages about equally fast at every tier, slow unbounded queries, slow deep skip/limit.

    Every series has a different median, and its min, mean, median, p95 and max all differ. A text that shows the wrong
    statistic, or the wrong series, therefore shows a wrong number.
    """
    found = series(around(1.0), section="floor", operation="ping", claims=None)
    for (scenario, operation), medians in LATENCY.items():
        for tier, median in medians.items():
            found += series(around(median), **application(tier, operation, scenario))
    for (operation, contestant, index), medians in RANGES.items():
        for tier, median in medians.items():
            labels = {"section": "ranges", "tier": tier, "scenario": "range", "operation": operation, "index": index}
            calls = 9 if contestant == "bounded" else 7
            found += series(around(median, count=calls), contestant=contestant, **labels)
    for section, scenario, operation, by_contestant in (
        ("totals", "provider", "count", TOTALS), ("cold", "range", "first_page", COLD),
    ):  # fmt: skip
        for contestant, medians in by_contestant.items():
            for tier, median in medians.items():
                labels = {"section": section, "tier": tier, "scenario": scenario, "operation": operation}
                found += series(around(median, count=31), contestant=contestant, **labels)
    for tier, times in FACET.items():
        labels = {"section": "totals", "tier": tier, "scenario": "provider", "operation": "page_and_total"}
        found += series(times, contestant="facet", **labels)
    found += series([1_700.0], section="totals", operation="build", contestant="rollup", claims=3_000)
    found += series([2_300.0], section="ranges", operation="build", index="overlap", claims=3_000_000)
    for contestant, medians in DEPTH.items():
        for depth, median in medians.items():
            labels = {"section": "depth", "operation": "page", "tier": "3K", "scenario": "provider", "depth": depth}
            found += series(around(median, count=7), contestant=contestant, **labels)
    found += series(around(12.0, count=101), section="concurrency", operation="page", clients=1, claims=70)
    found += series(around(13.0, count=181), section="concurrency", operation="page", clients=2, claims=80)
    for load, median in ((25, 14.0), (75, 17.0)):
        labels = {"section": "open_loop", "operation": "page", "clients": 2, "load": load}
        found += series(around(median, count=91), claims=60, service_ms=5.0, **labels)
    for contestant, median in LIVE.items():
        found += series(around(median), section="live", operation="page", contestant=contestant)
    for contestant, median in (("one_stream", 1_200.0), ("two_streams", 700.0)):
        labels = {"section": "volume", "operation": "stream", "tier": "3K", "scenario": "provider"}
        found += series(around(median, count=3), claims=3_000, bytes=2_000_000, contestant=contestant, **labels)
    return found


def complete_run(config: Config, **changes: Any) -> PerformanceRun:
    """A run like the default one: every section, every check, the query costs from explain, and index uses."""
    checks = (
        *(Check("ranges", "3K", "first_page", against, 7, 7) for against in ("unbounded", "overlap")),
        *(Check("totals", "3K", "count", against, 31, 31) for against in ("capped", "rollup")),
        Check("totals", "300", "page_and_total", "facet", 4, 4),
        Check("depth", "3K", "page", "skip", 21, 21),
        Check("volume", "3K", "stream", "two_streams", 3, 3),
    )
    stages = ("LIMIT", "FETCH", "IXSCAN")
    costs = (
        QueryCost("first_page", "3K", "range", "bounded", "three_field", "by_provider", stages, 190, 191, 101, 2),
        QueryCost("count", "60", "provider", "bounded", "three_field", "by_provider", ("COUNT_SCAN",), 61, 0, 60, 0),
        QueryCost("first_page", "3K", "range", "unbounded", "three_field", "by_provider", stages, 1_301, 1_302, 101, 9),
        QueryCost("first_page", "3K", "range", "bounded", "overlap", "by_overlap", stages, 107, 102, 101, 1),
    )
    parts = {"checks": checks, "costs": costs, "index_uses": {"_id_": 0, "claims_by_provider": 4_321}}
    return fake_run(config, good_samples(), **{**parts, **changes})


def application(tier: str, operation: str, scenario: str) -> dict[str, str]:
    """Labels of an operation's samples, as an application calls it; the fake runs have the three-field index."""
    labels = {"tier": tier, "operation": operation, "scenario": scenario}
    if scenario == "range" and operation in ("count", "first_page"):
        return {**labels, "section": "ranges", "contestant": "bounded", "index": "three_field"}
    if scenario == "provider" and operation == "count":
        return {**labels, "section": "totals", "contestant": "count_documents"}
    return {**labels, "section": "latency"}


def around(median: float, *, count: int = 121) -> list[float]:
    """An odd number of skewed times with this median; the p95 of 121 times is 13225/3721 of the median."""
    return skewed(median / ((count + 1) / 2) ** 2, count=count)


def skewed(unit: float, *, power: int = 2, count: int = 21) -> list[float]:
    """Times whose min, mean, median, p95 and max all differ: for 21 squares, 1, 157.7, 121, 400 and 441 units.

    Their order is spread by the golden ratio, as windows of service dates are. Any part of the series resembles the
    whole, and a window that is slow for one contestant is slow for the others too.
    """
    places = sorted(range(count), key=lambda place: (0.5 + place * _GOLDEN) % 1)
    numbers = {place: number for number, place in enumerate(places, start=1)}
    return [unit * numbers[place] ** power for place in range(count)]


SLOW = {
    "section": "ranges", "operation": "count", "tier": "3K", "scenario": "range", "contestant": "unbounded",
    "index": "three_field",
}  # fmt: skip
STREAM = {
    "section": "volume", "operation": "stream", "tier": "3K", "scenario": "provider", "contestant": "one_stream",
}  # fmt: skip


def cost(query: str, index: str | None, keys: int, documents: int, returned: int) -> QueryCost:
    """The cost that explain reports for a range page of the 3K provider."""
    return QueryCost(
        "first_page",
        "3K",
        "range",
        query,
        "three_field",
        index,
        ("LIMIT", "FETCH", "IXSCAN"),
        keys,
        documents,
        returned,
    )


def skewed_run(config: Config, **changes: Any) -> PerformanceRun:
    """A run with few series, whose values all differ from each other and from those of `skewed_baseline`."""
    samples = [
        *series(skewed(0.1), section="latency", operation="first_page", tier="3K", scenario="provider"),
        *series(skewed(0.2), **application("3K", "first_page", "range")),
        *series(skewed(0.01, count=121), **application("60", "count", "range")),
        *series(skewed(3.0), **SLOW),
        *series(skewed(0.5), section="concurrency", operation="page", clients=1, claims=70),
        *series(skewed(0.07, count=41), section="concurrency", operation="page", clients=2, claims=80),
        *series(skewed(1.0), claims=3_000, bytes=2_000_000, **STREAM),
    ]
    parts: dict[str, Any] = {
        "levels": (Level(1, 2.1), Level(2, 2.05)),
        "costs": (
            cost("bounded", "claims_by_provider", 1_234, 120, 101),
            cost("unbounded", None, 56_789, 4_321, 102),
        ),
        "offered": (),
        "rollup": None,
        "arrivals": None,
    }
    return fake_run(config, samples, **{**parts, **changes})


def skewed_baseline(config: Config) -> PerformanceRun:
    """A run of the same series as `skewed_run`, with different values and a different skew."""
    samples = [
        *series(skewed(0.003, power=3), section="latency", operation="first_page", tier="3K", scenario="provider"),
        *series(skewed(0.008, power=3), **application("3K", "first_page", "range")),
        *series(skewed(0.002, power=3), **application("60", "count", "range")),
        *series(skewed(0.02, power=3), **SLOW),
        *series(skewed(0.04, power=3), section="concurrency", operation="page", clients=1, claims=90),
        *series(skewed(0.006, power=3, count=41), section="concurrency", operation="page", clients=2, claims=60),
        *series(skewed(0.01, power=3), claims=3_000, bytes=1_000_000, **STREAM),
    ]
    return fake_run(
        config,
        samples,
        id="20261121T081500Z-00000000",
        levels=(Level(1, 3.0), Level(2, 8.2)),
        costs=(cost("bounded", "claims_by_provider", 77, 66, 55),),
        offered=(),
        rollup=None,
        arrivals=None,
        footprint=Footprint(
            claims=3_000_000,
            data_bytes=1_500_000_000,
            storage_bytes=480_000_000,
            index_bytes={"_id_": 40_000_000, "claims_by_provider": 60_000_000},
            cached_data_bytes=1,
            cached_index_bytes=2,
        ),
    )


FIRST_PAGE = application("3K", "first_page", "range")
"""The labels of the largest provider's first range page, as an application calls it."""


def with_times(run: PerformanceRun, times: list[float], **labels: Any) -> PerformanceRun:
    """The run, with these times for the samples with these labels."""
    kept = [s for s in run.samples if not all(getattr(s, name) == value for name, value in labels.items())]
    return replace(run, samples=(*kept, *series(times, **labels)))


def without(run: PerformanceRun, **labels: Any) -> PerformanceRun:
    """The run without the samples with these labels."""
    return with_times(run, [], **labels)
