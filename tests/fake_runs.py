"""Performance runs with samples that a test has made up; everything else about them is plausible."""

import datetime as dt
from typing import Any

from pbm_lib import Config, PerformanceRun
from pbm_lib.measure.conditions import Conditions, Machine
from pbm_lib.measure.records import Check, Level, PlanCost, RunSettings
from pbm_lib.measure.samples import Sample
from pbm_lib.store.footprint import Footprint

START = dt.datetime(2026, 11, 22, 8, 15, tzinfo=dt.UTC)
FOOTPRINT = Footprint(
    claims=3_000_000,
    data_bytes=2_400_000_000,
    storage_bytes=600_000_000,
    index_bytes={"_id_": 60_000_000, "claims_by_provider": 90_000_000},
    cached_data_bytes=430_000_000,
    cached_index_bytes=40_000_000,
)


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
            covering_index=False,
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
        "checks": (Check("plans", "3K", "first_page", 3, 3),),
        "levels": (Level(1, 2.0), Level(2, 2.0)),
        "samples": tuple(samples),
    }
    return PerformanceRun(**{**parts, **changes})


def series(times: list[float], **labels: Any) -> list[Sample]:
    """One sample a time in ms; 100 claims each unless said otherwise."""
    return [Sample(ms=ms, iteration=n, **{"claims": 100, **labels}) for n, ms in enumerate(times)]


def good_samples() -> list[Sample]:
    """Samples of every section: pages of 10 ms at any tier, the plain plan 50 times slower, skip/limit slow if deep."""
    found = series([1.0] * 20, section="floor", operation="ping", claims=None)
    for tier in ("3K", "300", "60"):
        for scenario in ("provider", "range"):
            for operation in ("count", "first_page", "next_page", "deep_page"):
                labels = {"section": "latency", "tier": tier, "scenario": scenario, "operation": operation}
                found += series([10.0] * 20, **labels)
        for operation in ("count", "first_page"):
            labels = {"section": "plans", "tier": tier, "scenario": "range", "operation": operation}
            found += series([10.0] * 3, contestant="bounded", **labels)
            found += series([500.0] * 3, contestant="plain", **labels)
    for depth, skip in ((0, 8.0), (1_000, 20.0), (2_700, 400.0)):
        labels = {"section": "depth", "operation": "page", "tier": "3K", "scenario": "provider", "depth": depth}
        found += series([8.0] * 6, contestant="keyset", **labels) + series([skip] * 6, contestant="skip", **labels)
    for clients, calls in ((1, 100), (2, 180)):
        found += series([20.0] * calls, section="concurrency", operation="page", clients=clients)
    found += series([500.0] * 2, section="volume", operation="stream", tier="3K", claims=3_000, bytes=2_000_000)
    return found


def skewed(unit: float, *, power: int = 2, count: int = 21) -> list[float]:
    """Times whose min, mean, median, p95 and max all differ: of 21 squares 1, 157.7, 121, 400 and 441 units."""
    return [unit * number**power for number in range(1, count + 1)]


def skewed_run(config: Config, **changes: Any) -> PerformanceRun:
    """A run with few series, all of whose figures differ from each other and from those of `skewed_baseline`."""
    samples = [
        *series(skewed(0.1), section="latency", operation="first_page", tier="3K", scenario="provider"),
        *series(skewed(0.2), section="latency", operation="first_page", tier="3K", scenario="range"),
        *series(skewed(0.01), section="latency", operation="count", tier="60", scenario="range"),
        *series(skewed(3.0), section="plans", operation="count", tier="3K", scenario="range", contestant="plain"),
        *series(skewed(0.5), section="concurrency", operation="page", clients=1, claims=70),
        *series(skewed(0.07, count=41), section="concurrency", operation="page", clients=2, claims=80),
        *series(skewed(1.0), section="volume", operation="stream", tier="3K", claims=3_000, bytes=2_000_000),
    ]
    parts: dict[str, Any] = {
        "levels": (Level(1, 2.1), Level(2, 2.05)),
        "plans": (
            PlanCost("bounded", "3K", "first_page", "claims_by_provider", 1_234, 120, 101),
            PlanCost("plain", "3K", "first_page", None, 56_789, 4_321, 102),
        ),
    }
    return fake_run(config, samples, **{**parts, **changes})


def skewed_baseline(config: Config) -> PerformanceRun:
    """A run of the same series as `skewed_run`, with other figures, skewed in another way."""
    samples = [
        *series(skewed(0.003, power=3), section="latency", operation="first_page", tier="3K", scenario="provider"),
        *series(skewed(0.008, power=3), section="latency", operation="first_page", tier="3K", scenario="range"),
        *series(skewed(0.002, power=3), section="latency", operation="count", tier="60", scenario="range"),
        *series(
            skewed(0.02, power=3), section="plans", operation="count", tier="3K", scenario="range", contestant="plain"
        ),
        *series(skewed(0.04, power=3), section="concurrency", operation="page", clients=1, claims=90),
        *series(skewed(0.006, power=3, count=41), section="concurrency", operation="page", clients=2, claims=60),
        *series(skewed(0.01, power=3), section="volume", operation="stream", tier="3K", claims=3_000, bytes=1_000_000),
    ]
    return fake_run(
        config,
        samples,
        id="20261121T081500Z-00000000",
        levels=(Level(1, 3.0), Level(2, 8.2)),
        plans=(PlanCost("bounded", "3K", "first_page", "claims_by_provider", 77, 66, 55),),
        footprint=Footprint(
            claims=2_000_000,
            data_bytes=1_500_000_000,
            storage_bytes=480_000_000,
            index_bytes={"_id_": 40_000_000, "claims_by_provider": 60_000_000},
            cached_data_bytes=1,
            cached_index_bytes=2,
        ),
    )
