"""The tables of the report, cell by cell, on runs whose figures all differ, so that no two cells can be mixed up."""

import datetime as dt
from dataclasses import replace

import pytest
from fake_runs import FOOTPRINT, START, complete_run, fake_run, good_samples, skewed_baseline, skewed_run

from pbm_lib import size_cluster, targets_frame
from pbm_lib.report.comparison_tables import concurrency_table
from pbm_lib.report.table import Estimate, Table
from pbm_lib.report.tables import (
    conditions_table,
    figures_table,
    sizes_table,
    summary_frame,
    targets_table,
    tiers_table,
)

WIDE = "n < 72: too few for an upper bound on p95; wide spread: IQR 182% of median"
WIDER = "wide spread: IQR 197% of median"
DASH = "\u2013"


@pytest.fixture(scope="module")
def config(make_config):
    targets = {"first_page_p95_ms": {"3K": 50}, "count_p95_ms": {"60": 150}, "next_page_p95_ms": {"300": 33}}
    return make_config({"performance": {"targets": targets}})


@pytest.fixture(scope="module")
def run(config):
    return skewed_run(config)


@pytest.fixture(scope="module")
def baseline(config):
    return skewed_baseline(config)


def cells(table: Table) -> list[str]:
    """Return the columns and the rows, one line each, with bars between the cells."""
    assert {len(row) for row in table.rows} == {len(table.columns)}
    return [" | ".join(row) for row in (table.columns, *table.rows)]


def test_targets_cell_by_cell(run, baseline):
    alone, beside = cells(targets_table(run)), cells(targets_table(run, baseline))
    assert alone == [
        "operation | tier | scenario | verdict | note | target | p95 | 95% interval | n",
        f"first page | 3K | date range | missed | {WIDE} | 50 ms | 80 ms | from 65 ms | 21",
        f"next page | 300 |  | not measured |  | 33 ms | {DASH} | {DASH} | 0",
        f"total | 60 | date range | met | {WIDER} | 150 ms | 132 ms | 121 ms to 144 ms | 121",
    ]
    # With 21 samples, no p95 has an upper end, so there is no ratio.
    more = ["p95 of the baseline | ratio", f"64 ms | {DASH}", f"{DASH} | {DASH}", f"16 ms | {DASH}"]
    assert beside == [f"{row} | {added}" for row, added in zip(alone, more, strict=True)]
    assert targets_frame(run).loc[0].tolist() == alone[1].split(" | ")


def test_conditions_cell_by_cell(config):
    run = fake_run(config, good_samples())
    machine = replace(run.conditions.machine, cpus=8, cpu_model=None, memory_bytes=16 * 2**30)
    conditions = replace(
        run.conditions,
        server_version="8.2.4",
        topology="replica set",
        host_kind="Atlas",
        cache_bytes=2**30,
        indexes={"a": "b: 1"},
        max_claim_days=45,
        machine=machine,
        pymongo="4.21.0",
        pbm_lib="0.2.0",
        git_commit="0123456789abcdef-dirty",
    )
    settings = replace(run.settings, page_size=50)
    other = replace(
        run,
        id="20261121T081500Z-00000000",
        complete=False,
        started=START - dt.timedelta(days=1),
        ended=START,
        conditions=conditions,
        settings=settings,
        footprint=replace(FOOTPRINT, claims=7, cached_data_bytes=None, leaf_page_kb=None),
        samples=tuple(replace(sample, ms=3 * sample.ms) for sample in run.samples),
    )
    alone, beside = cells(conditions_table(run)), cells(conditions_table(run, other))
    assert alone == [
        " | this run",
        "Run | 20261122T081500Z-1a2b3c4d",
        "Started / duration | 2026-11-22 08:15 UTC, 90 s",
        "Server | MongoDB 6.0.5, standalone, local. MongoDB ended support for version 6.0 in July 2025.",
        "Cache | 0.5 GB",
        "Cache contents after the page queries | 430.0 MB of claims, 40.0 MB of index keys",
        "Ping | 1.0 ms (median), 3.6 ms (p95)",
        "Claims | 3,000,000; providers of 3K, 300, 60",
        "Leaf pages | 16 KB",
        "Indexes | claims_by_provider {billingProvider.providerTin: 1, serviceBeginDate: 1, _id: 1}",
        "Longest claim allowed | 30 days",
        "Page, window | 100 claims, 90 days",
        "Client's machine | 2 CPUs (A processor), 8 GB of memory, Linux 6.1 x86_64",
        "Software | Python 3.11.7, pymongo 4.20.0, pbm_lib 0.1.0",
        "Seed | 7 (queries), 20261122 (claims)",
    ]
    more = [
        "baseline",
        "20261121T081500Z-00000000 (incomplete)",
        "2026-11-21 08:15 UTC, 86400 s",
        "MongoDB 8.2.4, replica set, Atlas",
        "1 GB",
        DASH,
        "3.0 ms (median), 11 ms (p95)",
        "7; providers of 3K, 300, 60",
        "unknown",
        "a {b: 1}",
        "45 days",
        "50 claims, 90 days",
        "8 CPUs (model unknown), 16 GB of memory, Linux 6.1 x86_64",
        "Python 3.11.7, pymongo 4.21.0, pbm_lib 0.2.0 (0123456789ab-dirty)",
        "7 (queries), 20261122 (claims)",
    ]
    assert beside == [f"{row} | {added}" for row, added in zip(alone, more, strict=True)]


def test_what_is_not_known_about_a_run_is_shown_as_such(config):
    run = fake_run(config, [])
    conditions = replace(run.conditions, cache_bytes=None, max_claim_days=None)
    rows = dict(conditions_table(replace(run, conditions=conditions)).rows)
    assert {label: rows[label] for label in ("Cache", "Ping", "Longest claim allowed")} == {
        "Cache": "not readable", "Ping": "not measured", "Longest claim allowed": DASH,
    }  # fmt: skip


def test_figures_name_every_method_and_index_in_words(config):
    rows = figures_table(complete_run(config)).rows
    named = {(row[0], row[2]) for row in rows if row[1] in ("300", "") and row[0] not in ("ping",)}
    index = {way: f"{way} index" for way in ("three-field", "overlap")}
    both = [("unbounded query", "three-field"), ("bounded query", "three-field"), ("bounded query", "overlap")]
    pages = [f"{page} page, {scenario}" for page in ("next", "deep") for scenario in ("provider only", "date range")]
    assert named == {
        *(
            (f"{operation}, date range, {index[name]}", way)
            for operation in ("first page", "total")
            for way, name in both
        ),
        *((page, "") for page in ("first page, provider only", *pages)),
        *(("total, provider only", way) for way in ("count_documents", "capped count", "rollup")),
        ("page and total in one call, provider only", "$facet"),
        ("build", "rollup"),
        ("build, overlap index", ""),
        *(("first page, date range", visit) for visit in ("cold", "warm")),
        *(("page", f"{phase} the feed") for phase in ("before", "during", "after")),
        *((f"page, {clients}", "") for clients in ("1 concurrent client", "2 concurrent clients")),
        *((f"page, 2 concurrent clients, {load}% of their highest rate", "") for load in (25, 75)),
    }


def test_tiers_cell_by_cell(run):
    assert cells(tiers_table(size_cluster(run, claims=50_000_000, hours=3))) == [
        "tier | holds the claims | storage used | cache used by indexes | cache used by the working set, at least | "
        "USD per hour | USD per month | USD for 3 hours | price",
        "M10 | no | 125.0% | 465.7% | 1,800.6% | 0.08 | 58 | 0.24 | confirmed",
        "M20 | no | 62.5% | 232.8% | 900.3% | 0.20 | 146 | 0.60 | to be confirmed",
        "M30 | no | 31.2% | 116.4% | 450.1% | 0.54 | 394 | 1.62 | confirmed",
        "M40 (smallest) | yes | 15.6% | 29.1% | 112.5% | 1.04 | 759 | 3.12 | to be confirmed",
        "M50 | yes | 7.8% | 14.6% | 56.3% | 2.00 | 1,460 | 6.00 | to be confirmed",
        "M60 | yes | 3.9% | 7.3% | 28.1% | 3.95 | 2,884 | 11.85 | to be confirmed",
        "M80 | yes | 1.7% | 3.6% | 14.1% | 7.30 | 5,329 | 21.90 | to be confirmed",
    ]


def test_sizes_cell_by_cell(run, baseline):
    alone, beside = cells(sizes_table(run)), cells(sizes_table(run, baseline))
    assert alone == [
        " | this run | per million claims",
        "claims as BSON, uncompressed | 2.40 GB | 800.0 MB",
        "claims on disk, compressed | 600.0 MB | 200.0 MB",
        "indexes on disk | 150.0 MB | 50.0 MB",
        "claims and indexes on disk | 750.0 MB | 250.0 MB",
    ]
    more = ["size of the baseline", "1.50 GB", "480.0 MB", "100.0 MB", "580.0 MB"]
    assert beside == [f"{row} | {added}" for row, added in zip(alone, more, strict=True)]


def test_figures_cell_by_cell(run, baseline):
    alone, beside = cells(figures_table(run)), cells(figures_table(run, baseline))
    none, own = f"{DASH} | {DASH}", ", three-field index"
    assert alone == [
        "measured | tier | method | note | n | p50 | p50 interval | p95 | p95 interval | max | claims/s | MB/s",
        f"first page, provider only | 3K |  | {WIDE} | 21 | 12 ms | 3.6 ms to 26 ms | 40 ms | from 32 ms | 44 ms | "
        f"{none}",
        f"total, date range{own} | 3K | unbounded query | {WIDE} | 21 | 363 ms | 108 ms to 768 ms | 1.2 s | from 972 "
        f"ms | 1.3 s | {none}",
        f"first page, date range{own} | 3K | bounded query | {WIDE} | 21 | 24 ms | 7.2 ms to 51 ms | 80 ms | from 65 "
        f"ms | 88 ms | {none}",
        f"total, date range{own} | 60 | bounded query | {WIDER} | 121 | 37 ms | 25 ms to 52 ms | 132 ms | 121 ms to "
        f"144 ms | 146 ms | {none}",
        f"page, 1 concurrent client |  |  | {WIDE} | 21 | 60 ms | 18 ms to 128 ms | 200 ms | from 162 ms | 220 ms | "
        f"700 | {DASH}",
        f"page, 2 concurrent clients |  |  | {WIDE.replace('182', '190')} | 41 | 31 ms | 14 ms to 55 ms | 106 ms | "
        f"from 91 ms | 118 ms | 1,600 | {DASH}",
        f"whole provider streamed, provider only | 3K | one stream | {WIDE} | 21 | 121 ms | 36 ms to 256 ms | 400 ms | "
        "from 324 ms | 441 ms | 19,027 | 12.7",
    ]
    more = [
        "p50 of the baseline | ratio | p95 of the baseline | ratio | claims/s of the baseline",
        f"4.0 ms | similar | 24 ms | {none}",
        f"27 ms | 13.64 | 160 ms | {none}",
        f"11 ms | similar | 64 ms | {none}",
        f"2.7 ms | 13.98 | 16 ms | {none}",
        f"53 ms | similar | 320 ms | {DASH} | 630",
        f"56 ms | similar | 356 ms | {DASH} | 300",
        f"13 ms | similar | 80 ms | {DASH} | 118,064",
    ]
    assert beside == [f"{row} | {added}" for row, added in zip(alone, more, strict=True)]


@pytest.mark.parametrize(
    ("ours", "theirs", "ratio"),
    [
        ((10, 9, 11), (5, 4, 6), 2.0),
        ((5, 4, 6), (10, 9, 11), 0.5),
        ((10, 6, 14), (5, 4, 6), None),  # they touch
        ((5, 4, 6), (6, 5.5, 7), None),
        ((10, 6.01, 14), (5, 4, 6), 2.0),
        ((10, 9, None), (5, 4, 6), None),
        ((10, 9, 11), (5, None, 6), None),
        ((10, 9, 11), (None, None, None), None),
        ((10, 9, 11), (0, 0, 0), None),
    ],
)
def test_a_ratio_needs_intervals_that_do_not_overlap(ours, theirs, ratio):
    assert Estimate(*ours).over(Estimate(*theirs)) == ratio


@pytest.mark.parametrize("part", ["page", "window", "claims", "method", "tier"])
def test_there_are_no_ratios_of_runs_that_measured_different_things(run, baseline, part):
    settings, performance = baseline.settings, baseline.settings.performance
    generation = settings.data_generation
    fewer = (replace(generation.tiers[0], claims_per_provider=2_000), *generation.tiers[1:])
    other = {
        "page": replace(baseline, settings=replace(settings, page_size=50)),
        "window": replace(baseline, settings=replace(settings, performance=replace(performance, window_days=30))),
        "claims": replace(baseline, footprint=replace(baseline.footprint, claims=2_999_999)),
        "method": replace(baseline, method=1),
        "tier": replace(baseline, settings=replace(
            settings, data_generation=replace(generation, tiers=fewer, target_volume=generation.target_volume - 1_000)
        )),
    }[part]  # fmt: skip
    assert "ratio" in figures_table(run, baseline).columns
    for table in (targets_table, figures_table, concurrency_table):
        columns = table(run, other).columns
        assert "ratio" not in columns and "p95 of the baseline" in columns
        cells(table(run, other))
    assert summary_frame(run, other)[["p50_ratio", "p95_ratio"]].isna().all(axis=None)


def test_the_summary_has_the_figures_of_both_runs_and_their_ratios(run, baseline):
    summary = summary_frame(run, baseline)
    streamed = summary[summary["section"] == "volume"].iloc[0]
    names = [f"{name}{end}" for name in ("p50", "p95", "max", "claims_per_s") for end in ("", "_baseline")]
    assert streamed[names].tolist() == [121, 13.31, 400, 80, 441, 92.61, 19_027, 118_064]
    assert summary["p50_ratio"].fillna(0).tolist() == [0, 13.636, 0, 13.989, 0, 0, 0]
    assert summary["p95_ratio"].isna().all()
    assert "max_ratio" not in summary
    longer = replace(baseline, samples=tuple(replace(sample, ms=7 * sample.ms) for sample in run.samples))
    assert summary_frame(run, longer)["p95_ratio"].fillna(0).tolist() == [0, 0, 0, 0.143, 0, 0, 0]
