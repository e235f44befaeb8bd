"""The comparison tables, cell by cell, on runs whose figures all differ."""

from dataclasses import replace

import pytest
from fake_runs import ARRIVALS, LIVE, around, complete_run, fake_run, series, skewed_baseline, skewed_run

from pbm_lib import PbmError, comparison_frame, table as table_of
from pbm_lib.measure.records import Level, OfferedRate, QueryCost
from pbm_lib.measure.samples import Sample
from pbm_lib.report.comparison_tables import (
    arrivals_table,
    cold_table,
    concurrency_table,
    costs_table,
    examined_table,
    open_loop_table,
    ranges_table,
    totals_table,
)
from pbm_lib.report.table import Table

KNOWN = "ranges, totals, cold, clients, rates, live, examined, costs, figures"
DASH, X = "\u2013", "\N{MULTIPLICATION SIGN}"


@pytest.fixture(scope="module")
def config(make_config):
    return make_config()


def cells(table: Table) -> list[str]:
    """Return the columns and the rows, one line each, with bars between the cells."""
    assert {len(row) for row in table.rows} <= {len(table.columns)}
    return [" | ".join(row) for row in (table.columns, *table.rows)]


def windows(times, query, index, tier="3K", operation="first_page"):
    labels = {"section": "ranges", "scenario": "range", "tier": tier, "operation": operation, "index": index}
    return [Sample(ms=ms, iteration=number, contestant=query, **labels) for number, ms in times.items()]


RANGES = [
    *windows({0: 800.0, 1: 1_000.0}, "unbounded", "three_field"),
    *windows({0: 30.0, 1: 20.0, 2: 40.0}, "bounded", "three_field"),
    *windows({1: 6.0, 2: 3.0}, "bounded", "overlap"),
    *windows({5: 7.0}, "bounded", "three_field", "60", "count"),
]


def test_ways_to_a_range_cell_by_cell(config):
    assert cells(ranges_table(fake_run(config, RANGES))) == [
        "operation | tier | unbounded query, p50 (n) | bounded query, p50 (n) | "
        "bounded query on the overlap index, p50 (n) | speedup, bounded query: median (least to most, n) | "
        "speedup, bounded query on the overlap index: median (least to most, n)",
        # 800 over 30 and 1,000 over 20; 1,000 over 6.
        f"first page | 3K | 900 ms (2) | 30 ms (3) | 4.5 ms (2) | 38{X} (27 to 50, 2) | 167{X} (167 to 167, 1)",
        f"total | 60 | {DASH} | 7.0 ms (1) | {DASH} | {DASH} | {DASH}",
    ]
    assert ranges_table(fake_run(config, RANGES)).texts == 2


def test_without_the_unbounded_query_both_indexes_are_compared(config):
    bounded = [sample for sample in RANGES if sample.contestant == "bounded"]
    assert cells(ranges_table(fake_run(config, bounded)))[:2] == [
        "operation | tier | bounded query, p50 (n) | bounded query on the overlap index, p50 (n) | "
        "speedup, bounded query on the overlap index: median (least to most, n)",
        f"first page | 3K | 30 ms (3) | 4.5 ms (2) | 8.3{X} (3.3 to 13, 2)",  # 20 over 6, 40 over 3
    ]
    run = fake_run(config, bounded)
    swapped = replace(run, settings=replace(run.settings, index="overlap"))
    assert cells(ranges_table(swapped))[:2] == [
        "operation | tier | bounded query, p50 (n) | bounded query on the three-field index, p50 (n) | "
        "speedup, bounded query on the three-field index: median (least to most, n)",
        f"first page | 3K | 4.5 ms (2) | 30 ms (3) | 0.2{X} (0.1 to 0.3, 2)",
    ]
    one = [sample for sample in bounded if sample.index == "three_field"]
    assert cells(ranges_table(fake_run(config, one))) == [
        "operation | tier | bounded query, p50 (n)",
        "first page | 3K | 30 ms (3)",
        "total | 60 | 7.0 ms (1)",
    ]


def total(times, contestant, tier="3K", operation="count"):
    labels = {"section": "totals", "scenario": "provider", "tier": tier, "operation": operation}
    return series(times, contestant=contestant, **labels)


TOTALS = [
    *total([30.0, 10.0, 50.0], "count_documents"),
    *total([2.0, 4.0], "capped"),
    *total([1.0], "rollup"),
    *total([400.0, 600.0], "facet", operation="page_and_total"),
    *total([7.0], "count_documents", "60"),
    *total([8.0], "facet", "60", "page_and_total"),
    *series([9_000.0], section="totals", operation="build", contestant="rollup"),
]


def test_ways_to_a_total_cell_by_cell(config):
    assert cells(totals_table(fake_run(config, TOTALS))) == [
        "tier | count_documents, p50 (n) | capped count, p50 (n) | rollup, p50 (n) | $facet, p50 (n)",
        "3K | 30 ms (3) | 3.0 ms (2) | 1.0 ms (1) | 500 ms (2)",
        f"60 | 7.0 ms (1) | {DASH} | {DASH} | 8.0 ms (1)",
    ]


def test_a_way_to_a_total_that_was_not_measured_has_no_column(config):
    kept = [s for s in TOTALS if s.contestant not in ("rollup", "facet") or s.operation == "build"]
    assert cells(totals_table(fake_run(config, kept))) == [
        "tier | count_documents, p50 (n) | capped count, p50 (n)",
        "3K | 30 ms (3) | 3.0 ms (2)",
        f"60 | 7.0 ms (1) | {DASH}",
    ]


def test_cold_and_warm_cell_by_cell(config):
    labels = {"section": "cold", "scenario": "range", "operation": "first_page"}
    samples = [
        *series([60.0, 20.0, 40.0] * 10, tier="3K", contestant="cold", **labels),
        *series([3.0, 5.0] * 10, tier="3K", contestant="warm", **labels),
        *series([9.0], tier="300", contestant="cold", **labels),
        *series([1.0], tier="60", contestant="warm", **labels),
    ]
    assert cells(cold_table(fake_run(config, samples))) == [
        "tier | cold, p50 | cold, p95 | warm, p50 | warm, p95 | n",
        "3K | 40 ms | 60 ms | 4.0 ms | 5.0 ms | 30, 20",
        f"300 | 9.0 ms | {DASH} | {DASH} | {DASH} | 1, 0",
    ]


def test_clients_cell_by_cell(config):
    run = skewed_run(config, levels=(Level(1, 2.1, 0.44, 0.36, 0.91), Level(2, 2.05, 1.25)))
    baseline = skewed_baseline(config)
    alone, beside = cells(concurrency_table(run)), cells(concurrency_table(run, baseline))
    assert alone == [
        "clients | duration | pages/s | claims/s | client CPUs | server CPUs | total CPUs | p50 | p95 | n",
        "1 | 2.1 s | 10 | 700 | 0.4 | 0.4 | 0.9 | 60 ms | 200 ms | 21",
        f"2 | 2.0 s | 20 | 1,600 | 1.2 | {DASH} | {DASH} | 31 ms | 106 ms | 41",
    ]
    more = [
        "pages/s of the baseline | p95 of the baseline | ratio",
        f"7 | 320 ms | {DASH}",
        f"5 | 356 ms | {DASH}",
    ]
    assert beside == [f"{row} | {added}" for row, added in zip(alone, more, strict=True)]


def test_a_baseline_without_these_clients_leaves_gaps(config):
    run, baseline = skewed_run(config), skewed_baseline(config)
    fewer = replace(
        baseline, levels=baseline.levels[:1], samples=tuple(s for s in baseline.samples if s.clients in (None, 1))
    )
    (*_, last) = cells(concurrency_table(run, fewer))
    assert last == " | ".join(
        ["2", "2.0 s", "20", "1,600", DASH, DASH, DASH, "31 ms", "106 ms", "41", DASH, DASH, DASH]
    )


def test_fixed_rates_cell_by_cell(config):
    labels = {"section": "open_loop", "operation": "page", "clients": 2}
    samples = [
        Sample(ms=ms, service_ms=sent, iteration=n, load=load, **labels)
        for load, times in {25: [(10.0, 2.0), (30.0, 6.0), (20.0, 3.0)] * 40, 75: [(400.0, 8.0), (600.0, 7.0)]}.items()
        for n, (ms, sent) in enumerate(times)
    ]
    rates = (
        OfferedRate(25, 2, 12.0, 0.5, 0.26, 0.31, 0.62),
        OfferedRate(50, 2, 20.0, 1.0),
        OfferedRate(75, 2, 36.0, 0.25),
    )
    assert cells(open_loop_table(fake_run(config, samples, offered=rates))) == [
        "share of the highest rate | offered/s | achieved/s | p50 | p95 | p99 | p50 from send | p99 from send | "
        "client CPUs | server CPUs | total CPUs | n",
        "25% | 12 | 240 | 20 ms | 30 ms | 30 ms | 3.0 ms | 6.0 ms | 0.3 | 0.3 | 0.6 | 120",
        f"50% | 20 | 0 | {DASH} | {DASH} | {DASH} | {DASH} | {DASH} | {DASH} | {DASH} | {DASH} | 0",
        f"75% | 36 | 8 | 500 ms | {DASH} | {DASH} | 7.5 ms | {DASH} | {DASH} | {DASH} | {DASH} | 2",
    ]


def phases(**times):
    labels = {"section": "live", "operation": "page"}
    return [sample for phase, ms in times.items() for sample in series(ms, contestant=phase, **labels)]


def test_pages_while_claims_arrive_cell_by_cell(config):
    columns = "pages | claims/s | p50 | p50 interval | p95 | p95 interval | max | n | p95 / before"
    run = fake_run(config, phases(**{phase: around(median) for phase, median in LIVE.items()}))
    assert cells(arrivals_table(run)) == [
        columns,
        f"before the feed | {DASH} | 3.1 ms | 2.1 ms to 4.3 ms | 11 ms | 10 ms to 12 ms | 12 ms | 121 | {DASH}",
        f"during the feed | 498 | 5.9 ms | 4.0 ms to 8.2 ms | 21 ms | 19 ms to 23 ms | 23 ms | 121 | 1.9{X}",
        f"after the feed | {DASH} | 3.3 ms | 2.2 ms to 4.6 ms | 12 ms | 11 ms to 13 ms | 13 ms | 121 | similar",
    ]


def test_few_pages_while_claims_arrive_have_no_ratio(config):
    few = fake_run(config, phases(during=[20.0, 40.0], before=[10.0] * 30), arrivals=None)
    assert [(row[0], row[1], row[-2], row[-1]) for row in arrivals_table(few).rows] == [
        ("before the feed", DASH, "30", DASH),
        ("during the feed", DASH, "2", DASH),
    ]
    fed = replace(few, arrivals=ARRIVALS)
    assert [row[1] for row in arrivals_table(fed).rows] == [DASH, "498"]


def cost(query, variant, numbers, server_ms=None, **changes):
    labels = {"operation": "first_page", "tier": "3K", "scenario": "range", "index": "by_provider", **changes}
    labels = {"stages": ("LIMIT", "FETCH", "IXSCAN"), **labels}
    keys, documents, returned = numbers
    examined = {"keys_examined": keys, "docs_examined": documents, "returned": returned}
    return QueryCost(query=query, variant=variant, server_ms=server_ms, **examined, **labels)


COSTS = (
    cost("bounded", "three_field", (1, 2, 3), 4, tier="60", operation="count", scenario="provider", stages=("COUNT",)),
    cost("bounded", "three_field", (11, 12, 13), 1_014),
    cost("bounded", "three_field", (21, 22, 23), tier="300"),
    cost("bounded", "three_field", (31, 32, 33), operation="next_page"),
    cost("bounded", "three_field", (41, 42, 43), scenario="provider"),
    cost("unbounded", "three_field", (5_001, 5_002, 53), 0, index=None, stages=()),
    cost("bounded", "overlap", (61, 62, 63), 7),
    cost("bounded", None, (71, 72, 73), 8, index="an_old_one"),
)


def test_what_the_server_examined_cell_by_cell(config):
    assert cells(examined_table(fake_run(config, [], costs=COSTS))) == [
        "query | index | index keys examined | documents examined | claims returned",
        "bounded query | three-field index | 11 | 12 | 13",
        "unbounded query | none | 5,001 | 5,002 | 53",
        "bounded query | overlap index | 61 | 62 | 63",
        "bounded query | an_old_one | 71 | 72 | 73",
    ]


def test_costs_cell_by_cell(config):
    stages = "LIMIT < FETCH < IXSCAN"
    assert cells(costs_table(fake_run(config, [], costs=COSTS))) == [
        "operation | tier | scenario | query | index | stages | index keys examined | documents examined | returned | "
        "server time in ms",
        f"first page | 3K | date range | bounded query | three-field index | {stages} | 11 | 12 | 13 | 1,014",
        f"next page | 3K | date range | bounded query | three-field index | {stages} | 31 | 32 | 33 | {DASH}",
        f"first page | 3K | provider only |  | three-field index | {stages} | 41 | 42 | 43 | {DASH}",
        f"first page | 3K | date range | unbounded query | none | {DASH} | 5,001 | 5,002 | 53 | 0",
        f"first page | 3K | date range | bounded query | overlap index | {stages} | 61 | 62 | 63 | 7",
        f"first page | 3K | date range | bounded query | an_old_one | {stages} | 71 | 72 | 73 | 8",
        f"first page | 300 | date range | bounded query | three-field index | {stages} | 21 | 22 | 23 | {DASH}",
        "total | 60 | provider only |  | three-field index | COUNT | 1 | 2 | 3 | 4",
    ]


def test_costs_of_a_tier_that_was_not_selected_keep_their_place(config):
    run = fake_run(config, [], costs=COSTS)
    performance = replace(run.settings.performance, tiers_to_test=("60",))
    tiers = [row[1] for row in costs_table(replace(run, settings=replace(run.settings, performance=performance))).rows]
    assert tiers == ["3K"] * 6 + ["300", "60"]


PARTS = {
    "ranges": ranges_table,
    "totals": totals_table,
    "cold": cold_table,
    "clients": concurrency_table,
    "rates": open_loop_table,
    "live": arrivals_table,
    "examined": examined_table,
    "costs": costs_table,
}


@pytest.mark.parametrize("part", PARTS)
def test_a_frame_is_the_table_of_the_report(config, part):
    run = complete_run(config)
    frame, table = comparison_frame(run, part), PARTS[part](run)
    assert tuple(frame.columns) == table.columns
    assert [tuple(row) for row in frame.to_numpy()] == list(table.rows) and table.rows
    assert frame.columns.is_unique and table_of(frame).to_html()  # as the notebook shows it


@pytest.mark.parametrize("part", PARTS)
def test_a_frame_of_what_was_not_measured_has_no_rows(config, part):
    frame = comparison_frame(fake_run(config, [], levels=(), offered=()), part)
    assert frame.empty and len(frame.columns)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("plans", f"part must be one of {KNOWN}, got 'plans'."),
        ("", f"part must be one of {KNOWN}, got ''."),
        (None, "part must be the name of a comparison, such as 'ranges', got None."),
        (["costs"], r"part must be the name of a comparison, such as 'ranges', got \['costs'\]\."),
    ],
)
def test_an_unknown_part_is_rejected(config, part, message):
    with pytest.raises(PbmError, match=message):
        comparison_frame(fake_run(config, []), part)
