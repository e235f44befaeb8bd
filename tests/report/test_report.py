"""The page of the report: it is self-contained, tells the whole story, and shows two runs side by side."""

import csv
import re
from dataclasses import replace

import pytest
from fake_runs import application, complete_run, series
from processes import run_python
from report_page import Page

from pbm_lib import (
    PbmError,
    concurrency_chart,
    keyset_chart,
    latency_by_tier_chart,
    plans_chart,
    run_performance,
    write_report,
)
from pbm_lib.chart_style import plain_ticks, to_svg
from pbm_lib.report.charts import CHARTS
from pbm_lib.report.findings import arrivals_finding, totals_finding, volume_finding
from pbm_lib.report.first_page import headline, key_figures, lead, limits
from pbm_lib.report.page import render_page

IN_ORDER = [
    chart for name in ("latency_by_tier", "keyset", "plans", "concurrency") for chart in CHARTS if chart.name == name
]
DRAWERS = (latency_by_tier_chart, plans_chart, keyset_chart, concurrency_chart)
SECTIONS = [
    "Keyset vs. skip/limit",
    "Ways to query a date range",
    "Ways to get a total",
    "Concurrent clients",
    "While claims arrive",
    "Size and cost",
    "Targets",
    "What was measured, and where",
    "Cold and warm",
    "Reading a whole provider",
    "Method and limits",
    "All figures",
    "What the server reports for each query",
]
"""The sections below the first page. The only heading on the first page is that of its chart."""


@pytest.fixture(scope="module")
def config(make_config):
    targets = {"first_page_p95_ms": {"3K": 60, "60": 50}, "count_p95_ms": {"3K": 130}}
    return make_config({"performance": {"targets": targets}})


@pytest.fixture(scope="module")
def good(config):
    return complete_run(config)


@pytest.fixture(scope="module")
def written(good, tmp_path_factory):
    return write_report(good, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(written):
    return Page.of(written.html)


@pytest.mark.parametrize("zero", ["all", "bounded", "keyset"])
def test_times_of_0_ms_divide_nothing_by_zero(good, tmp_path, zero):
    run = replace(good, samples=tuple(replace(s, ms=0.0) if zero in ("all", s.contestant) else s for s in good.samples))
    texts = (text for chart in CHARTS for text in (chart.title, chart.subtitle, chart.described))
    for said in (*texts, headline, lead, key_figures, volume_finding):
        assert said(run)
    for draw in DRAWERS:
        to_svg(draw(run))
    if zero == "all":
        write_report(run, baseline=run, output_dir=tmp_path)


def test_the_page_requests_nothing_from_the_network(written):
    text = written.html.read_text(encoding="utf-8")
    page = Page(text)
    assert page.links and all(link.startswith("#") for link in page.links)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form", "img", "image"} & set(page.tags)
    # The names of XML vocabularies are URLs that nothing opens. Drawings refer only to their own parts.
    assert not re.search(r"@import|@font-face|javascript:", text)
    assert set(re.findall(r"https?://[^\"]+", text)) <= {
        "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink",
    }  # fmt: skip
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", text))


def test_ids_are_unique_and_every_link_leads_to_one(written):
    text = written.html.read_text(encoding="utf-8")
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    linked = {*Page(text).links, *re.findall(r"url\(([^)]*)\)", text)}
    assert {link.removeprefix("#") for link in linked} <= set(ids)


def test_every_chart_has_its_title_and_its_figures_as_text(page, good):
    latency, plans, keyset, concurrency = CHARTS
    described = []
    for picture, chart in zip(page.pictures, (latency, keyset, plans, concurrency), strict=True):
        said = f"{chart.title(good)}. {chart.subtitle(good)} "
        assert said.strip() in page.text.replace(chart.title(good), f"{chart.title(good)}.")
        assert picture["aria-label"].startswith(said)
        described.append(picture["aria-label"].removeprefix(said))
    assert described == [
        "Lines join the medians by provider size on logarithmic axes: every operation for a provider alone, and the "
        "first page of a date range by each query. p95 of the first page of a date range: 3K 50 ms, 300 43 ms, 60 39 "
        "ms.",
        "Median of a page, by keyset and by skip/limit: after 0 claims 8.0 ms and 11 ms, after 1,000 claims 8.8 ms and "
        "24 ms, after 2,700 claims 9.6 ms and 400 ms.",
        "Median of the first page: at 3K unbounded query 700 ms, bounded query 14 ms, bounded query on the overlap "
        "index 4.5 ms; at 300 unbounded query 420 ms, bounded query 12 ms, bounded query on the overlap index 4.3 ms; "
        "at 60 unbounded query 200 ms, bounded query 11 ms, bounded query on the overlap index 4.1 ms.",
        "The table below has the figures: pages per second, and p50 and p95 of a page, by number of clients.",
    ]


def test_the_page_tells_the_whole_story(written, page, good):
    assert list(page.sections)[1:] == SECTIONS
    for words in (
        f"{headline(good)} {lead(good)}",
        "Before you rely on it",
        limits(good),
        "MongoDB 6.0.5, standalone, local",
        "The server's cache was 0.5 GB, the same as an Atlas M10. Its CPU, disk, and network are not those of an "
        "Atlas tier.",
        "M10 is the smallest tier that holds 3,000,000 claims",
        "M10 is enough for a demo.",
        "The working set is all indexes (150.0 MB)",
        "AWS us-east-1 list prices as of 2026-09-15.",
        "A ping took 1.0 ms (median of 121)",
        "Server and client shared one machine with 2 CPUs",
        arrivals_finding(good),
        "This run changed none of them, and removed the 3,975 that it fed.",
        volume_finding(good),
        totals_finding(good),
        "by the server's own count: _id_ 0, claims_by_provider 4,321.",
        *(
            part
            for card in key_figures(good)
            for part in (f"{card.text} {card.what}", *card.against.split("\n"), card.basis)
        ),
    ):
        assert (words in page.text) == (words != "Before you rely on it"), words
    assert written.html.read_text(encoding="utf-8").count('<td class="good">met</td>') == 3
    method = page.sections["Method and limits"]
    for words in (
        "Each operation ran up to 3 times, after 1 warm-up. The unbounded query ran as often as fits into 1 s, but at "
        "least 2 times for a first page, and half as often for a total.",
        "neither always came second",
        "Concurrent clients are processes, each with its own connections.",
        "The fixed rates are shares of the highest rate",
        "The concurrent clients share the machine's CPUs with the server.",
    ):
        assert words in method, words


def test_the_method_claims_no_more_samples_of_pages_and_totals_than_there_are(good):
    labels = application("300", "count", "provider")
    few = tuple(sample for sample in good.samples if sample not in good.select(**labels)[71:])
    settings = replace(good.settings, performance=replace(good.settings.performance, samples=110))
    assert "but at least 20 times. The" in Page(render_page(replace(good, samples=few, settings=settings))).text


def test_people_and_next_steps_are_shown_where_they_are_given(good, page):
    assert "MongoDB claims demo, 2026-11-22 08:15 UTC" in page.text and "Next steps" not in page.text
    people = {"customer": " A & B Health ", "presenter": "Dana <Reyes>", "next_steps": "Measure it on an M30."}
    named = Page(render_page(good, **people)).text
    assert "MongoDB claims demo for A & B Health, presented by Dana <Reyes>, 2026-11-22 08:15 UTC" in named
    assert "Next steps. Measure it on an M30." in named


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"samples": 110, "seconds_per_series": 2.5, "warmup": 3, "unbounded_samples": 6},
            "Each operation ran up to 110 times, after 3 warm-ups. A slow one ran as often as fits into 2.5 s, but at "
            "least 20 times, and the application's own pages and totals at least 72 times, the minimum for a verdict. "
            "The unbounded query ran as often as fits into 2.5 s, but at least 6 times for a "
            "first page, and half as often for a total. Calls that",
        ),
        (
            {"samples": 20, "warmup": 0, "unbounded_samples": 20},
            "Each operation ran up to 20 times, after 0 warm-ups. Calls that",
        ),
    ],
)
def test_the_method_says_how_often_each_operation_ran(good, changes, said):
    settings = replace(good.settings, performance=replace(good.settings.performance, **changes))
    assert said in Page(render_page(replace(good, settings=settings))).text


def test_the_charts_and_the_summary_are_files_for_slides(written, good):
    assert [file.name for file in written.charts] == [
        "latency_by_tier.png",
        "plans.png",
        "keyset.png",
        "concurrency.png",
    ]
    for file in written.charts:
        assert file.read_bytes().startswith(b"\x89PNG\r\n")
    with written.summary.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == len(good.series())
    measured = "total, date range, three-field index"
    wanted = {"section": "ranges", "measured": measured, "tier": "3K", "contestant": "unbounded"}
    (row,) = [row for row in rows if wanted.items() <= row.items()]
    assert (row["n"], row["p50"], row["p95"], row["note"]) == (
        "7", "800.0", "2255.0", "n < 72: too few for an upper bound on p95; wide spread: IQR 150% of median",
    )  # fmt: skip


def test_the_same_run_makes_the_same_page(written, good, tmp_path):
    again = write_report(good, tmp_path)
    assert again.html.read_bytes() == written.html.read_bytes()
    assert again.charts[0].read_bytes() == written.charts[0].read_bytes()


def test_a_baseline_is_next_to_every_figure_with_the_ratio(good, tmp_path):
    slower = replace(good, samples=tuple(replace(s, ms=s.ms * 4) for s in good.samples), id="20261121T081500Z-00000000")
    written = write_report(good, tmp_path, baseline=slower)
    text = Page.of(written.html).text
    assert "baseline 56 ms" in text and "baseline 38 ms" in text
    assert "differ in more than the server" not in text
    with written.summary.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    # With times this skewed, only long series have intervals that do not overlap.
    assert {row["p50_ratio"] for row in rows if int(row["n"]) > 100} == {"0.25"}
    assert {row["p50_ratio"] for row in rows if int(row["n"]) < 10} == {""}
    assert {row["p95_ratio"] for row in rows if int(row["n"]) > 100} == {"0.25"}
    assert {row["p95_ratio"] for row in rows if int(row["n"]) < 72} == {""}


def test_a_baseline_of_something_else_leaves_gaps_and_is_reported_to_differ(good):
    part = tuple(good.select(section="latency", tier="3K"))
    pages = replace(good.footprint, leaf_page_kb=None)
    conditions = replace(good.conditions, indexes={"b": "y: 1", "a": "x: 1, z: 1"})
    other = replace(
        good,
        settings=replace(good.settings, page_size=50),
        footprint=pages,
        conditions=conditions,
        samples=part,
        levels=(),
    )
    page = Page(render_page(good, other))
    assert "claims per page: 100 in this run, 50 in the baseline" in page.text
    assert "size of leaf pages in KB: 16 in this run, unknown in the baseline" in page.text
    assert (
        "indexes: billingProvider.providerTin: 1, serviceBeginDate: 1, _id: 1 in this run, x: 1, z: 1; y: 1 in the "
        "baseline"
    ) in page.text
    assert "So the report shows no ratios." in page.text
    assert not any("ratio" in rows[0] for rows in page.tables.values())
    assert "method:" not in page.text and "nan" not in page.text.lower()


def test_text_from_a_run_file_is_never_markup(good):
    hostile = "<script>alert(1)</script>"
    conditions = replace(good.conditions, server_version=f"6{hostile}")
    run = replace(good, notes=(hostile,), conditions=conditions, samples=())
    page = Page(render_page(run))
    assert "script" not in page.tags
    assert page.text.count(hostile) == 2
    assert hostile not in run._repr_html_()


def test_a_folder_that_cannot_be_written_is_rejected(good, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(PbmError, match="Choose another output folder"):
        write_report(good, tmp_path / "taken")


def test_a_report_needs_no_server(loaded_store, tmp_path):
    run = run_performance(
        loaded_store, output_dir=tmp_path, progress=False, samples=2, tiers=["300"], concurrency=[1], feed_per_second=50
    )
    program = (
        "import socket, sys\n"
        "def refuse(*arguments): raise AssertionError('the network was used')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "from pbm_lib import PerformanceRun, write_report\n"
        "print(write_report(PerformanceRun.load(sys.argv[1]), sys.argv[2]))"
    )
    done = run_python("-W", "error", "-c", program, run.path, tmp_path / "elsewhere")
    assert done.returncode == 0, done.stderr
    page = Page.of(tmp_path / "elsewhere" / "performance_report.html")
    assert headline(run) in page.text
    assert list(page.sections)[1:] == SECTIONS


def test_a_run_of_many_samples_does_not_make_a_large_page(good):
    labels = application("3K", "first_page", "range")
    many = series([10.0 + n / 1000 for n in range(9_000)], **labels)
    assert len(render_page(replace(good, samples=tuple(many))).encode()) < 1_000_000


@pytest.mark.parametrize("draw", DRAWERS)
def test_a_chart_shows_itself_in_a_notebook_and_leaves_the_global_style_unchanged(good, draw):
    import matplotlib as mpl

    before = mpl.rcParams["font.size"]
    figure = draw(good)
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert mpl.rcParams["font.size"] == before
    chart = dict(zip(DRAWERS, CHARTS, strict=True))[draw]
    title, subtitle = (" ".join(text.get_text().split()) for text in figure.texts)
    assert (title, subtitle) == (chart.title(good), chart.subtitle(good))


@pytest.mark.parametrize(
    ("low", "high", "written"),
    [
        (2.0, 9.0, {"2", "5"}),
        (2.1, 4.1, {"2.25", "2.5", "2.75", "3", "3.25", "3.5", "3.75", "4"}),  # where matplotlib uses equal steps
        (1.0, 150.0, {"2", "5", "20", "50"}),
        (1.0, 5_000.0, set()),
    ],
)
def test_a_log_axis_of_few_decades_has_enough_numbers(low, high, written):
    from matplotlib.figure import Figure

    axis = Figure().subplots().yaxis
    axis.axes.set_yscale("log")
    axis.axes.set_ylim(low, high)
    plain_ticks(axis)
    ticks = zip(axis.get_minorticklocs(), axis.get_minorticklabels(), strict=True)
    assert {label.get_text() for place, label in ticks if low <= place <= high} - {""} == written
