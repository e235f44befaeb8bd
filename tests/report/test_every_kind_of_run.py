"""Reports of runs that lack something (killed, few permissions, schema 1). Each page says what is true of its run."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from fake_runs import complete_run
from report_page import Page

from pbm_lib import PerformanceRun, run_performance
from pbm_lib.measure.records import Check
from pbm_lib.report.charts import CHARTS
from pbm_lib.report.page import render_page

SCHEMA_1 = Path(__file__).parents[1] / "measure" / "schema_1_run.json"
ALWAYS = [
    "Keyset vs. skip/limit",
    "Ways to query a date range",
    "Concurrent clients",
    "Size and cost",
    "Targets",
    "What was measured, and where",
    "Method and limits",
]
"""The sections of every report, below its first page. A section whose chart has nothing to show says so."""

_HOLE = re.compile(r"\bNone\b(?! of)|\bnan\b|\{\{|\{%|[,:;] ?\.|\.\.| ,|\(\)|not measured (to|of|as)\b")


@pytest.fixture(scope="module")
def complete(make_config):
    return complete_run(make_config())


def page_of(run, baseline=None):
    """Return a run's page, after a check for empty tables, gaps in the text, and charts without a title."""
    page = Page(render_page(run, baseline))
    assert all(len(rows) > 1 for rows in page.tables.values()), page.tables
    assert all(len(row) == len(rows[0]) for rows in page.tables.values() for row in rows)
    for words in (page.text, *(picture["aria-label"] for picture in page.pictures)):
        assert not _HOLE.search(words), _HOLE.search(words)
    latency, plans, keyset, concurrency = CHARTS
    drawn = [chart for chart in (latency, keyset, plans, concurrency) if chart.described(run)]
    for picture, chart in zip(page.pictures, drawn, strict=True):
        assert picture["aria-label"].startswith(f"{chart.title(run)}. {chart.subtitle(run)}")
    for chart in CHARTS:
        assert f"{chart.title(run)} {chart.subtitle(run)}" in page.text
    assert ("Lines join the medians, each faint point" in page.text) == (latency in drawn)
    return page


def below(page):
    """Return the headings of the sections below the first page, in order."""
    return list(page.sections)[1:]


NOTHING_DRAWN = (
    "Latency by provider size Not measured.", "Keyset vs. skip/limit Not measured.",
    "Ways to query a date range Not compared.", "Concurrent clients Not measured.",
)  # fmt: skip


def test_a_run_that_was_killed_after_its_cold_pages(complete):
    cold = tuple(complete.select(section="cold"))
    killed = replace(
        complete,
        complete=False,
        samples=cold,
        levels=(),
        offered=(),
        checks=(),
        costs=(),
        rollup=None,
        arrivals=None,
        index_uses={},
    )
    page = page_of(killed)
    assert below(page) == [*ALWAYS[:6], "Cold and warm", ALWAYS[6], "All figures"]
    assert page.text.count("Incomplete run: no page latency was measured") == 2  # also in the browser's title
    assert "The run was stopped before its end." in page.text
    assert "This run was stopped before its end, so not all of this took place." in page.text
    assert page.pictures == [] and all(words in page.text for words in NOTHING_DRAWN)
    assert list(page.tables) == [
        "Size of 3,000,000 claims",
        "Atlas tiers",
        "p95 and its 95% interval against the target set before the run, in the scenario that decides the verdict",
        "The run",
        "First page of a date range",
        "Time per call, with 95% intervals. Claims/s and MB/s count all calls together.",
    ]
    says_nothing_of(page, "ping took", "Concurrent clients are", "fixed rates", "ways to query a range ran",
                    "read the same pages", "clients share", "rollup", "unbounded query ran")  # fmt: skip


def test_a_run_that_was_killed_before_its_first_sample(complete):
    footprint = replace(complete.footprint, claims=0)
    killed = replace(
        complete, complete=False, samples=(), levels=(), offered=(), checks=(), costs=(), rollup=None, arrivals=None,
        index_uses={}, footprint=footprint,
    )  # fmt: skip
    page = page_of(killed)
    assert below(page) == ALWAYS
    assert "There were no claims to measure." in page.sections["Size and cost"]
    assert page.pictures == [] and all(words in page.text for words in NOTHING_DRAWN)
    assert dict(page.tables["The run"][1:])["Ping"] == "not measured"
    # A complete run compared with it shows no figures of the baseline.
    beside = page_of(replace(complete, notes=()), baseline=killed)
    assert "baseline " not in beside.sections[next(iter(beside.sections))]
    assert not any("ratio" in rows[0] for rows in beside.tables.values())


PARTS = ["cold", "latency", "concurrency", "open_loop", "depth", "totals", "volume", "ranges", "live"]


@pytest.mark.parametrize("ended", ["latency", "open_loop", "totals", "volume"])
def test_a_run_that_was_killed_within_a_later_part(complete, ended):
    measured = {"floor", *PARTS[: PARTS.index(ended) + 1]}
    killed = replace(
        complete,
        complete=False,
        samples=tuple(sample for sample in complete.samples if sample.section in measured),
        levels=complete.levels if "concurrency" in measured else (),
        offered=complete.offered if "open_loop" in measured else (),
        checks=tuple(check for check in complete.checks if check.section in measured),
        costs=(),
        rollup=complete.rollup if "totals" in measured else None,
        arrivals=None,
        index_uses={},
    )
    page = page_of(killed)
    optional = {"Ways to get a total": "totals", "Reading a whole provider": "volume"}
    assert {heading for heading in optional if heading in page.sections} == {
        heading for heading, section in optional.items() if section in measured
    }
    for words, section in {
        "Concurrent clients are processes": "concurrency", "The fixed rates are": "open_loop",
        "Keyset and skip/limit read the same pages": "depth", "A rollup holds": "totals",
        "All ways to query a range": "ranges",
    }.items():  # fmt: skip
        assert (words in page.text) == (section in measured), words


def says_nothing_of(page, *words):
    """Assert that none of these words is on the page, in its text or in the descriptions of its pictures."""
    everything = " ".join([page.text, *(picture["aria-label"] for picture in page.pictures)]).lower()
    assert [each for each in words if each.lower() in everything] == []


def test_a_run_of_a_user_who_can_only_read(complete):
    notes = ("The overlap index was not compared: no right to build it.", "Totals: no rollup was built. No right.")
    kept = [s for s in complete.samples if s.index != "overlap" and s.contestant != "rollup" and s.section != "live"]
    reader = replace(
        complete,
        samples=tuple(kept),
        checks=tuple(check for check in complete.checks if check.against not in ("overlap", "rollup")),
        costs=tuple(cost for cost in complete.costs if cost.variant != "overlap"),
        rollup=None,
        arrivals=None,
        index_uses={},
        notes=notes,
    )
    page = page_of(reader)
    assert [heading for heading in below(page) if heading not in ALWAYS] == [
        "Ways to get a total", "Cold and warm", "Reading a whole provider", "All figures",
        "What the server reports for each query",
    ]  # fmt: skip
    method = page.sections["Method and limits"]
    assert f"Notes from the run {notes[0]} {notes[1]} Limits" in method
    rest = replace(reader, notes=())
    says_nothing_of(
        page_of(rest),
        "overlap index",
        "rollup",
        "two indexes",
        "Notes from the run",
        "arrive",
        "the feed",
        "that it fed",
    )
    assert "All ways to query a range ran on the same windows" in method


def test_a_real_run_of_a_user_who_can_only_read(as_user, tmp_path):
    run = run_performance(
        as_user("reader"),
        samples=2,
        warmup=0,
        concurrency=[1],
        concurrency_seconds=0.2,
        feed_per_second=50,
        output_dir=tmp_path,
        progress=False,
    )
    assert run.complete and run.rollup is None and run.arrivals is None
    page = page_of(PerformanceRun.load(run.path))
    assert "Uses of each index" not in page.text
    for note in (
        "The overlap index was not compared: ",
        "Totals: no rollup was built. ",
        "$indexStats",
        "Pages while claims arrive: not measured. The database user lacks permission",
    ):
        assert note in page.sections["Method and limits"]
    assert page.tables["The total of a provider: median, and the number of calls"][0] == [
        "tier", "count_documents, p50 (n)", "capped count, p50 (n)", "$facet, p50 (n)",
    ]  # fmt: skip
    figures = page.tables["Time per call, with 95% intervals. Claims/s and MB/s count all calls together."]
    assert len(figures) > 20 and not any("overlap" in cell or "rollup" in cell for row in figures for cell in row)


def test_a_run_without_the_unbounded_query_names_what_it_compares(complete):
    kept = tuple(sample for sample in complete.samples if sample.contestant != "unbounded")
    page = page_of(replace(complete, samples=kept))
    assert "Medians, and the speedup over the bounded query on the date ranges that both ran" in page.tables
    assert "neither always came second." in page.text
    says_nothing_of(page, "The unbounded query ran", "The unbounded query had")
    one = tuple(sample for sample in kept if sample.index != "overlap")
    page = page_of(replace(complete, samples=one))
    assert "Medians" in page.tables
    says_nothing_of(page, "All ways to query a range", "speedup over the bounded")


def test_a_run_without_clients_says_nothing_about_them(complete):
    kept = tuple(sample for sample in complete.samples if sample.section not in ("concurrency", "open_loop"))
    page = page_of(replace(complete, samples=kept, levels=(), offered=()))
    assert len(page.pictures) == 3 and NOTHING_DRAWN[3] in page.text
    says_nothing_of(page, "processes", "threads", "fixed rates", "clients share")


@pytest.mark.parametrize(
    ("kind", "said", "unsaid"),
    [
        ("local", "Server and client shared one machine with 2 CPUs", ""),
        ("remote", "Its CPU, disk, and network are not those of an Atlas tier.", "clients share the machine's CPUs"),
        ("Atlas", "The server's cache was 0.5 GB. ", "not those of an Atlas tier"),
    ],
)
def test_the_page_says_where_the_server_ran(complete, kind, said, unsaid):
    run = replace(complete, conditions=replace(complete.conditions, host_kind=kind, topology="replica set"))
    page = page_of(run)
    assert said in page.text
    says_nothing_of(page, "single node", *([unsaid, "shared one machine"] if kind != "local" else []))


def test_answers_that_differ_are_on_the_page(complete):
    page = page_of(replace(complete, checks=(Check("ranges", "3K", "count", "overlap", 4, 3),)))
    assert (
        "Before you rely on it Answers differ: total at 3K (ranges), overlap index against the application's own way, "
        "1 of 4 pairs."
    ) in page.text


def test_a_run_that_fed_nothing_says_nothing_about_a_feed(complete):
    kept = tuple(sample for sample in complete.samples if sample.section != "live")
    page = page_of(replace(complete, samples=kept, arrivals=None))
    assert "While claims arrive" not in page.sections
    says_nothing_of(page, "arrive", "the feed", "that it fed", "burst")
    assert "No claim was written during the run, and no node failed." in page.text


def test_a_run_that_was_stopped_while_claims_arrived_shows_the_pages_that_it_read(complete):
    kept = tuple(sample for sample in complete.samples if sample.contestant != "after")
    page = page_of(replace(complete, samples=kept, arrivals=None, complete=False))
    (rows,) = [rows for caption, rows in page.tables.items() if caption.startswith("Pages at a fixed rate")]
    assert [row[0] for row in rows[1:]] == ["before the feed", "during the feed"]
    says_nothing_of(page, "claims were fed", "that it fed")


def test_claims_that_were_lost_while_others_arrived_are_on_the_page(complete):
    page = page_of(replace(complete, arrivals=replace(complete.arrivals, lost=2, left=7)))
    assert (
        "Before you rely on it Pages lost 2 claims and repeated 0, in 45,678 checks of claims that were present "
        "throughout, while other claims arrived. 7 of the fed claims could not be removed. Run "
        "remove_fed_claims(store)."
    ) in page.text


PROCESSES = ("clients are processes", "fixed rates", "each index was the first", "CPUs are those", "in turn")


@pytest.fixture(scope="module")
def schema_1():
    return PerformanceRun.load(SCHEMA_1)


def test_a_run_of_schema_1_says_how_it_was_measured(schema_1):
    page = page_of(schema_1)
    assert [heading for heading in below(page) if heading not in ALWAYS] == [
        "Reading a whole provider", "All figures", "What the server reports for each query",
    ]  # fmt: skip
    method = page.sections["Method and limits"]
    for words in (
        "Each operation ran 3 times, after 1 warm-up. All operations and tiers ran in one shuffled order (seed 7).",
        "The bounded query went first, so only the unbounded one could find the window's claims in the cache.",
        "Concurrent clients are threads of one Python process.",
        "the concurrent clients can be the bottleneck before the server is",
    ):
        assert words in method, words
    says_nothing_of(page, *PROCESSES, "rollup", "overlap index", "shares of", "$facet", "Cold is", "A slow one ran")
    clients = page.tables[next(caption for caption in page.tables if caption.startswith("Each client"))]
    assert [row[0] for row in clients[1:]] == ["1", "2"]


def test_a_baseline_of_schema_1_is_reported_as_measured_differently(complete, schema_1):
    page = page_of(complete, baseline=schema_1)
    assert (
        "method: clients as processes (schema 2) in this run, clients as threads (schema 1) in the baseline"
    ) in page.text
    assert "Concurrent clients are processes" in page.sections["Method and limits"]
    says_nothing_of(page, "threads of one Python process")
    targets = next(rows for caption, rows in page.tables.items() if caption.startswith("p95 and"))
    assert targets[0][-1] == "p95 of the baseline"
    theirs = schema_1.statistics(section="latency", tier="3K", operation="first_page", scenario="range")
    assert targets[1][-1] == f"{theirs.p95:.1f} ms"


def test_a_run_of_schema_1_with_a_baseline_of_today(complete, schema_1):
    page = page_of(schema_1, baseline=complete)
    assert (
        "method: clients as threads (schema 1) in this run, clients as processes (schema 2) in the baseline"
    ) in page.text
    says_nothing_of(page, *PROCESSES)
    assert "Concurrent clients are threads of one Python process." in page.text


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        ("checks", "operation", "dance", "checks.0.operation"),
        ("checks", "section", "magic", "checks.0.section"),
        ("checks", "tier", "9M", "no tier is named '9M'"),
        ("costs", "operation", "dance", "costs.0.operation"),
        ("costs", "tier", "9M", "no tier is named '9M'"),
    ],
)
def test_a_run_file_with_unknown_names_is_rejected(complete, tmp_path, part, key, value, message):
    content = json.loads(complete.save(tmp_path).read_text(encoding="utf-8"))
    content[part][0][key] = value
    file = tmp_path / "changed.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(Exception, match=re.escape(message)) as caught:
        PerformanceRun.load(file)
    assert type(caught.value).__name__ == "RunFileError"
