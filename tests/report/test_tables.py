"""The tables of the report, cell by cell, on runs whose figures all differ: no cell can show another's figure."""

import datetime as dt
from dataclasses import replace

import pytest
from fake_runs import FOOTPRINT, START, complete_run, fake_run, good_samples, skewed_baseline, skewed_run

from pbm_lib import size_cluster, targets_frame
from pbm_lib.report.tables import (
    Table,
    conditions_table,
    figures_table,
    sizes_table,
    summary_frame,
    targets_table,
    tiers_table,
)

WIDE = "n < 72: p95 has no upper end; wide spread: IQR 182% of median"
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
    """Columns and rows, a line each, with bars between the cells."""
    assert {len(row) for row in table.rows} == {len(table.columns)}
    return [" | ".join(row) for row in (table.columns, *table.rows)]


def test_targets_cell_by_cell(run, baseline):
    alone, beside = cells(targets_table(run)), cells(targets_table(run, baseline))
    assert alone == [
        "operation | tier | scenario | verdict | note | target | p95 | 95% interval | n",
        f"first page | 3K | date range | missed | {WIDE} | 50 ms | 80 ms | from 65 ms | 21",
        f"next page | 300 |  | not measured |  | 33 ms | {DASH} | {DASH} | 0",
        f"count | 60 | date range | met | {WIDER} | 150 ms | 132 ms | 121 ms to 144 ms | 121",
    ]
    more = ["p95 of the baseline | ratio", "64 ms | 1.25", f"{DASH} | {DASH}", "16 ms | 8.27"]
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
        "Server | MongoDB 6.0.5, standalone, local. MongoDB ended its support of version 6.0 in July 2025.",
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
        "Seed | 7 (questions), 20261122 (claims)",
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
        "7 (questions), 20261122 (claims)",
    ]
    assert beside == [f"{row} | {added}" for row, added in zip(alone, more, strict=True)]


def test_what_is_not_known_of_a_run_is_said_so(config):
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
            for operation in ("first page", "count")
            for way, name in both
        ),
        *((page, "") for page in ("first page, provider only", *pages)),
        *(("count, provider only", way) for way in ("count_documents", "capped count", "rollup")),
        ("page and total in one call, provider only", "$facet"),
        ("build", "rollup"),
        ("build, overlap index", ""),
        *(("first page, date range", visit) for visit in ("cold", "warm")),
        *((f"page, {clients}", "") for clients in ("1 concurrent client", "2 concurrent clients")),
        *((f"page, 2 concurrent clients, {load}% of their highest rate", "") for load in (25, 75)),
    }


def test_tiers_cell_by_cell(run):
    assert cells(tiers_table(size_cluster(run, claims=50_000_000, hours=3))) == [
        "tier | holds the claims | storage taken | cache taken by indexes | cache taken by the working set, at least | "
        "USD per hour | USD per month | USD for 3 hours | price",
        "M10 | no | 125.0% | 465.7% | 1,800.6% | 0.08 | 58 | 0.24 | confirmed",
        "M20 | no | 62.5% | 232.8% | 900.3% | 0.20 | 146 | 0.60 | to be confirmed",
        "M30 | no | 31.2% | 116.4% | 450.1% | 0.54 | 394 | 1.62 | confirmed",
        "M40 (cheapest that holds them) | yes | 15.6% | 29.1% | 112.5% | 1.04 | 759 | 3.12 | to be confirmed",
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
    more = ["size of the baseline | ratio", "1.50 GB | 1.60", "480.0 MB | 1.25", "100.0 MB | 1.50", "580.0 MB | 1.29"]
    assert beside == [f"{row} | {added}" for row, added in zip(alone, more, strict=True)]


def test_figures_cell_by_cell(run, baseline):
    alone, beside = cells(figures_table(run)), cells(figures_table(run, baseline))
    none, own = f"{DASH} | {DASH}", ", three-field index"
    assert alone == [
        "measured | tier | method | note | n | min | mean | p50 | p95 | max | claims/s | MB/s",
        f"first page, provider only | 3K |  | {WIDE} | 21 | 0.10 ms | 16 ms | 12 ms | 40 ms | 44 ms | {none}",
        f"count, date range{own} | 3K | unbounded query | {WIDE} | 21 | 3.0 ms | 473 ms | 363 ms | 1.2 s | 1.3 s | "
        f"{none}",
        f"first page, date range{own} | 3K | bounded query | {WIDE} | 21 | 0.20 ms | 32 ms | 24 ms | 80 ms | 88 ms | "
        f"{none}",
        f"count, date range{own} | 60 | bounded query | {WIDER} | 121 | 0.01 ms | 49 ms | 37 ms | 132 ms | 146 ms | "
        f"{none}",
        f"page, 1 concurrent client |  |  | {WIDE} | 21 | 0.50 ms | 79 ms | 60 ms | 200 ms | 220 ms | 700 | {DASH}",
        f"page, 2 concurrent clients |  |  | {WIDE.replace('182', '190')} | 41 | 0.07 ms | 41 ms | 31 ms | 106 ms | "
        f"118 ms | 1,600 | {DASH}",
        f"whole provider streamed, provider only | 3K | one stream | {WIDE} | 21 | 1.0 ms | 158 ms | 121 ms | 400 ms | "
        "441 ms | 19,027 | 12.7",
    ]
    more = [
        "p50 of the baseline | ratio | p95 of the baseline | ratio | claims/s of the baseline | ratio",
        f"4.0 ms | 3.03 | 24 ms | 1.67 | {none}",
        f"27 ms | 13.64 | 160 ms | 7.50 | {none}",
        f"11 ms | 2.27 | 64 ms | 1.25 | {none}",
        f"2.7 ms | 13.98 | 16 ms | 8.27 | {none}",
        "53 ms | 1.14 | 320 ms | 0.62 | 630 | 1.11",
        "56 ms | 0.56 | 356 ms | 0.30 | 300 | 5.33",
        "13 ms | 9.09 | 80 ms | 5.00 | 118,064 | 0.16",
    ]
    assert beside == [f"{row} | {added}" for row, added in zip(alone, more, strict=True)]


def test_the_summary_has_both_runs_figures_and_ours_over_theirs(run, baseline):
    summary = summary_frame(run, baseline)
    streamed = summary[summary["section"] == "volume"].iloc[0]
    names = [f"{name}{end}" for name in ("p50", "p95", "max", "claims_per_s") for end in ("", "_baseline", "_ratio")]
    assert streamed[names].tolist() == [
        121, 13.31, 9.091, 400, 80, 5, 441, 92.61, 4.762, 19_027, 118_064, 0.161,
    ]  # fmt: skip
