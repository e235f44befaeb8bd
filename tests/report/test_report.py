"""The report: words and titles of known samples, and a page that stands alone."""

import base64
import csv
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from fake_runs import around, fake_run, good_samples, series
from processes import run_python

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
from pbm_lib.measure.records import Check
from pbm_lib.measure.targets import target_results
from pbm_lib.report.chart_texts import concurrency_finding, keyset_finding, latency_finding, plans_finding
from pbm_lib.report.findings import headline, key_figures, problems, volume_finding


@pytest.fixture(scope="module")
def config(make_config):
    targets = {"first_page_p95_ms": {"3K": 60, "60": 50}, "count_p95_ms": {"3K": 130}}
    return make_config({"performance": {"targets": targets}})


@pytest.fixture(scope="module")
def good(config):
    return fake_run(config, good_samples())


def with_times(run, times, **labels):
    """The run, with other times for the samples with these labels."""
    kept = [s for s in run.samples if not all(getattr(s, name) == value for name, value in labels.items())]
    return replace(run, samples=(*kept, *series(times, **labels)))


FIRST_PAGE = {"section": "latency", "tier": "3K", "scenario": "range", "operation": "first_page"}


@pytest.mark.parametrize("zero", ["all", "bounded", "keyset"])
def test_times_of_0_ms_divide_nothing_by_zero(good, tmp_path, zero):
    run = replace(good, samples=tuple(replace(s, ms=0.0) if zero in ("all", s.contestant) else s for s in good.samples))
    for said in (latency_finding, plans_finding, keyset_finding, concurrency_finding, key_figures, volume_finding):
        assert said(run)
    for drawn in (latency_by_tier_chart, plans_chart, keyset_chart, concurrency_chart):
        to_svg(drawn(run))
    if zero == "all":
        write_report(run, baseline=run, output_dir=tmp_path)


# Words


def test_a_good_run_has_a_good_headline(good):
    assert headline(good) == (
        "All 3 targets are met: the p95 of a page lies between 17 ms and 96 ms, 60 to 3K claims a provider."
    )
    assert problems(good) == []


def test_a_missed_target_is_in_the_headline(good):
    bad = with_times(good, around(30.0), **FIRST_PAGE)
    assert headline(bad) == (
        "1 of 3 targets are missed, by the most for first page at 3K: 107 ms against 60 ms; the p95 of a page lies "
        "between 17 ms and 107 ms, 60 to 3K claims a provider."
    )
    # By the most: 2.8 times its target, not the 320 ms that are 2.5 times a longer one.
    worse = with_times(bad, around(40.0), **{**FIRST_PAGE, "tier": "60"})
    worse = with_times(worse, around(90.0), **{**FIRST_PAGE, "operation": "count"})
    assert headline(worse).startswith(
        "3 of 3 targets are missed, by the most for first page at 60: 142 ms against 50 ms; "
    )


def test_a_target_that_is_not_decided_is_in_the_headline(good):
    open_ = with_times(good, around(16.0), **FIRST_PAGE)
    spread = "the p95 of a page lies between 17 ms and 96 ms, 60 to 3K claims a provider."
    assert headline(open_) == f"2 of 3 targets are met, 1 is not decided: {spread}"
    worse = with_times(open_, around(40.0), **{**FIRST_PAGE, "tier": "60"})
    assert headline(worse).startswith(
        "1 of 3 targets are missed, by the most for first page at 60: 142 ms against 50 ms; 1 is not decided; the p95"
    )
    few = replace(good, samples=tuple(sample for sample in good.samples if sample.iteration < 71))
    assert headline(few).startswith("None of 3 targets is decided: the p95")


def test_series_that_changed_during_the_run_are_a_problem(good):
    slower = with_times(good, [*around(14.0), *around(24.0)], **FIRST_PAGE)
    faster = with_times(slower, [*around(3.0), *around(1.0)], section="floor", operation="ping", claims=None)
    text = "series changed during the run, so that a p95 there is less certain than its interval says; most of all"
    (one,), (two,) = problems(slower), problems(faster)
    series = len(good.series())
    assert one == f"1 of {series} {text} first page, date range, 3K (not steady: second half 1.7 times the first)."
    assert two == f"2 of {series} {text} ping (not steady: first half 3.0 times the second)."


def test_a_headline_on_few_samples_says_so(good):
    few = with_times(good, around(14.0, count=71), **FIRST_PAGE)
    assert headline(few).endswith("60 to 3K claims a provider, with too few samples for a firm p95.")


def test_answers_that_differ_come_before_every_time(good):
    bad = replace(good, checks=(Check("plans", "3K", "first_page", 3, 1), Check("depth", "3K", "page", 5, 5)))
    assert headline(bad).startswith("2 of 8 compared answers differ, so no time here counts; ")
    assert problems(bad) == ["Answers differ: first page on 3K (plans), 2 of 3 pairs."]
    title = plans_finding(replace(good, checks=(Check("plans", "3K", "count", 3, 2),)))
    assert title.endswith("BUT 1 of 3 answers differ")


def test_failures_and_retries_are_said(good):
    failed = series([900.0] * 2, error="AutoReconnect", **FIRST_PAGE) + series([80.0], retries=1, **FIRST_PAGE)
    bad = replace(good, samples=(*good.samples, *failed))
    assert headline(bad).startswith(f"2 of {len(bad.samples):,} calls failed. All 3 targets are met")
    assert problems(bad) == [
        "2 calls failed with AutoReconnect; they are in no percentile.",
        "1 calls were repeated by the driver; they are in no percentile.",
    ]
    assert bad.statistics(**FIRST_PAGE) == replace(good.statistics(**FIRST_PAGE), failed=2, retried=1)


def test_an_incomplete_run_says_so_first(good):
    assert headline(replace(good, complete=False)).startswith("Incomplete run: All 3 targets are met")
    nothing = replace(good, complete=False, samples=(), levels=(), checks=())
    assert headline(nothing) == "Incomplete run: it was stopped before a page had been measured."
    assert problems(nothing)[0].startswith("The run was stopped before its end")


def test_three_numbers(good):
    page, plans, cost = key_figures(good)
    assert (page.text, page.number) == ("50 ms", pytest.approx(14.0 * 13_225 / 3_721))
    assert page.label == "first page of a 90-day range at 3K claims (p95 of 121)"
    assert (plans.text, plans.number) == ("50 times", pytest.approx(50.0))
    assert plans.label == "as fast as the unbounded query for that page (medians of 5 and 7)"
    assert cost.text == "M10" and "$0.16 for a demo of 2 hours" in cost.label
    few = with_times(good, around(10.0, count=5), **FIRST_PAGE)
    assert key_figures(few)[0].label.endswith("(p95 of 5, few samples)")
    assert [figure.text for figure in key_figures(replace(good, samples=()))] == ["not measured", "not measured", "M10"]


def test_targets_take_the_slower_scenario_and_say_what_is_missing(good):
    slow = with_times(good, around(50.0), section="latency", tier="3K", scenario="provider", operation="count")
    first, small, count = target_results(slow)
    values = [pytest.approx(median * 13_225 / 3_721) for median in (14.0, 11.0, 50.0)]
    assert [result.value_ms for result in (first, small, count)] == values
    assert [result.scenario for result in (first, small, count)] == ["date range", "date range", "provider only"]
    assert [(result.tier, result.verdict, result.n) for result in (first, small, count)] == [
        ("3K", "met", 121), ("60", "met", 121), ("3K", "missed", 121),
    ]  # fmt: skip
    unmeasured = [result.verdict for result in target_results(replace(good, samples=()))]
    assert unmeasured == ["not measured"] * 3
    few = with_times(good, [10.0] * 4, **FIRST_PAGE)
    few = with_times(few, [1.0] * 4, **{**FIRST_PAGE, "scenario": "provider"})
    assert target_results(few)[0].note == "n < 72: p95 has no upper end"


@pytest.mark.parametrize(
    ("times", "title"),
    [
        (around(14.0), "median 11 ms at 60, 14 ms at 3K, flat"),
        (around(40.0), "median 11 ms at 60, 40 ms at 3K, 3.6 times that for 50 times the claims"),
        (around(2.0), "median 11 ms at 60, 2.0 ms at 3K, faster for the larger provider"),
    ],
)
def test_the_title_of_the_latency_chart(good, times, title):
    all_claims = "First page of all claims: median 4.7 ms at 60, 6.1 ms at 3K, flat"
    assert latency_finding(with_times(good, times, **FIRST_PAGE)) == f"{all_claims}; of a date range: {title}"


def test_the_title_of_the_latency_chart_says_nothing_of_what_is_missing(good):
    half = replace(good, samples=tuple(s for s in good.samples if s.scenario == "range" and s.tier == "3K"))
    assert latency_finding(half) == "First page of a date range: median 14 ms at 3K"
    assert latency_finding(replace(good, samples=())) == "Latency by tier: no page was measured"


@pytest.mark.parametrize(
    ("plain", "verdict"),
    [
        (625.0, "50 times faster at 3K: first page 12 ms against 625 ms"),
        (12.6, "no faster at 3K: first page 12 ms against 13 ms"),
        (2.5, "5.0 times slower at 3K: first page 12 ms against 2.5 ms"),
    ],
)
def test_the_title_of_the_plans_chart(good, plain, verdict):
    labels = {"section": "plans", "tier": "3K", "scenario": "range", "operation": "first_page", "contestant": "plain"}
    title = plans_finding(with_times(good, around(plain, count=7), **labels))
    assert title == f"Bounded query {verdict}, the same answers in all 3 comparisons"


@pytest.mark.parametrize(
    ("keyset", "title"),
    [
        (9.6, "stay flat: 8.0 ms at the start, 9.6 ms 2,700 claims deep; skip/limit takes 400 ms there, 42 times that"),
        (500.0, "get slower: 8.0 ms at the start, 500 ms 2,700 claims deep; skip/limit takes 400 ms there, no slower"),
    ],
)
def test_the_title_of_the_keyset_chart(good, keyset, title):
    labels = {"section": "depth", "tier": "3K", "scenario": "provider", "operation": "page", "contestant": "keyset"}
    assert keyset_finding(with_times(good, around(keyset, count=7), depth=2_700, **labels)) == f"Keyset pages {title}"


def test_keyset_pages_that_are_slow_in_the_middle_are_not_called_flat(good):
    labels = {"section": "depth", "tier": "3K", "scenario": "provider", "operation": "page", "contestant": "keyset"}
    title = keyset_finding(with_times(good, around(30.0, count=7), depth=1_000, **labels))
    assert title.startswith(
        "Keyset pages vary: 8.0 ms at the start, 9.6 ms 2,700 claims deep, 8.0 ms to 30 ms between;"
    )


def test_a_rate_that_hardly_grows_is_no_gain(good):
    hardly = with_times(good, around(20.0, count=135), section="concurrency", operation="page", clients=2)
    assert "more clients get no more" in concurrency_finding(hardly)


@pytest.mark.parametrize(
    ("low", "high", "written"), [(2.0, 9.0, {"2", "5"}), (1.0, 150.0, {"2", "5", "20", "50"}), (1.0, 5_000.0, set())]
)
def test_a_log_axis_of_few_decades_has_enough_numbers(low, high, written):
    from matplotlib.figure import Figure

    axis = Figure().subplots().yaxis
    axis.axes.set_yscale("log")
    axis.axes.set_ylim(low, high)
    plain_ticks(axis)
    ticks = zip(axis.get_minorticklocs(), axis.get_minorticklabels(), strict=True)
    assert {label.get_text() for place, label in ticks if low <= place <= high} - {""} == written


def test_the_title_of_the_concurrency_chart(good):
    assert concurrency_finding(good) == "2 clients: 72 pages/s, 5,792 claims/s, 1.4 times the rate of 1; p95 46 ms"
    worse = with_times(good, around(60.0, count=51), section="concurrency", operation="page", clients=2)
    assert concurrency_finding(worse) == "1 client: 50 pages/s, 3,500 claims/s, more clients get no more; p95 43 ms"


def test_the_sentence_on_volume(good):
    assert volume_finding(good) == (
        "All claims of a 3K provider streamed: 2,143 claims/s (1.4 MB/s of BSON), over 3 streams."
    )


# The page


class Page(HTMLParser):
    """What a page refers to, its text, and its pictures."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.pictures: list[dict[str, str]] = []
        self.text = ""
        self._silent = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        found = {name: value or "" for name, value in attributes}
        self.links += [found[name] for name in ("src", "href", "srcset", "data", "action", "poster") if name in found]
        if tag == "img":
            self.pictures.append(found)
        self._silent = tag == "style"

    def handle_data(self, data):
        if not self._silent:
            self.text += data


@pytest.fixture(scope="module")
def written(good, tmp_path_factory):
    return write_report(good, tmp_path_factory.mktemp("report"))


def test_the_page_asks_nothing_of_the_network(written):
    text = written.html.read_text(encoding="utf-8")
    page = Page(text)
    assert page.links and all(link.startswith("data:image/svg+xml;base64,") for link in page.links)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert not re.search(r"@import|@font-face|url\(|https?://|javascript:", text)
    for picture in page.pictures:
        svg = base64.b64decode(picture["src"].partition(",")[2]).decode()
        # Names of XML vocabularies are addresses that nobody opens; what is drawn refers to parts of itself alone.
        references = re.findall(r'(?:href|src)="([^"]*)"|url\(([^)]*)\)', svg)
        assert references and all((a or b).startswith(("#", "data:image/png;base64,")) for a, b in references)
        assert "<script" not in svg and "@import" not in svg


def test_every_chart_has_its_finding_and_its_figures_as_text(written, good):
    pictures = Page(written.html.read_text(encoding="utf-8")).pictures
    findings = (latency_finding, plans_finding, keyset_finding, concurrency_finding)
    assert len(pictures) == len(findings)
    described = []
    for picture, finding in zip(pictures, findings, strict=True):
        assert picture["alt"].startswith(finding(good))
        described.append(picture["alt"].removeprefix(f"{finding(good)}. "))
    assert described == [
        "Each call is a point on a logarithmic axis, by operation and tier, provider only on the left and with a date "
        "range on the right. p95 of the first page with a date range: 3K 50 ms, 300 43 ms, 60 39 ms.",
        "Median of the first page, bounded and unbounded query: 3K 12 ms and 625 ms, 300 10 ms and 420 ms, 60 9.5 ms "
        "and 200 ms.",
        "Median of a page, by keyset and by skip/limit: after 0 claims 8.0 ms and 11 ms, after 1,000 claims 8.8 ms and "
        "24 ms, after 2,700 claims 9.6 ms and 400 ms.",
        "The table below has the figures: pages a second, and p50 and p95 of a page, by clients at once.",
    ]


def test_the_page_tells_the_whole_story(written, good):
    text = " ".join(Page(written.html.read_text(encoding="utf-8")).text.split())
    for words in (
        headline(good),
        "Before you rely on it",
        "MongoDB 6.0.5, standalone, local",
        "The server's cache was 0.5 GB, as much as an Atlas M10 has; CPU, disk and network are the test machine's.",
        "M10 is the cheapest tier that holds 3,000,000 claims",
        "List prices of 2026-09-15",
        "A ping took 1.0 ms (median of 121)",
        "Server and client shared one machine with 2 CPUs",
        volume_finding(good),
    ):
        assert (words in text) == (words != "Before you rely on it"), words
    assert written.html.read_text(encoding="utf-8").count('<td class="good">met</td>') == 3


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
    wanted = {"section": "plans", "measured": "count, date range", "tier": "3K", "contestant": "plain"}
    (row,) = [row for row in rows if wanted.items() <= row.items()]
    assert (row["n"], row["p50"], row["p95"], row["note"]) == (
        "7", "800.0", "2255.0", "n < 72: p95 has no upper end; wide spread: IQR 150% of median",
    )  # fmt: skip


def test_the_same_run_makes_the_same_page(written, good, tmp_path):
    again = write_report(good, tmp_path)
    assert again.html.read_bytes() == written.html.read_bytes()
    assert again.charts[0].read_bytes() == written.charts[0].read_bytes()


@pytest.mark.parametrize("samples", [30, 0])
def test_an_incomplete_run_still_renders(good, tmp_path, samples):
    kept = tuple(good.select(section="latency"))[:samples]
    stopped = replace(good, complete=False, samples=kept, levels=(), plans=(), checks=())
    text = Page(write_report(stopped, tmp_path).html.read_text(encoding="utf-8")).text
    assert "Incomplete run: " in text
    assert "The run was stopped before its end" in text


def test_a_baseline_stands_beside_every_figure_with_the_ratio(good, tmp_path):
    slower = replace(good, samples=tuple(replace(s, ms=s.ms * 4) for s in good.samples), id="20261121T081500Z-00000000")
    written = write_report(good, tmp_path, baseline=slower)
    text = " ".join(Page(written.html.read_text(encoding="utf-8")).text.split())
    assert "baseline: 199 ms, ratio 0.25" in text
    assert "differ in more than the server" not in text
    with written.summary.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["p50_ratio"] for row in rows} == {row["p95_ratio"] for row in rows} == {"0.25"}
    assert {row["claims_per_s_ratio"] for row in rows if row["section"] == "volume"} == {"3.998"}  # 2,143 over 536


def test_a_baseline_of_something_else_leaves_gaps_and_is_said_to_differ(good, tmp_path):
    part = tuple(good.select(section="latency", tier="3K"))
    pages = replace(good.footprint, leaf_page_kb=None)
    other = replace(good, settings=replace(good.settings, page_size=50), footprint=pages, samples=part, levels=())
    text = Page(write_report(good, tmp_path, baseline=other).html.read_text(encoding="utf-8")).text
    assert "claims a page: 100 in this run, 50 in the baseline" in text
    assert "size of leaf pages in KB: 16 in this run, unknown in the baseline" in text
    assert "baseline: not measured" in text and "nan" not in text.lower()


def test_words_of_a_run_file_are_text_and_never_markup(good, tmp_path):
    hostile = "<script>alert(1)</script>"
    conditions = replace(good.conditions, server_version=f"6{hostile}")
    run = replace(good, notes=(hostile,), conditions=conditions, samples=())
    written = write_report(run, tmp_path).html.read_text(encoding="utf-8")
    assert "script" not in Page(written).tags
    assert Page(written).text.count(hostile) == 2
    assert hostile not in run._repr_html_()


def test_a_folder_that_cannot_be_written_is_refused(good, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(PbmError, match="Choose another output folder"):
        write_report(good, tmp_path / "taken")


def test_a_report_needs_no_server(loaded_store, tmp_path):
    run = run_performance(
        loaded_store, output_dir=tmp_path, progress=False, iterations=2, tiers=["300"], concurrency=[1]
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
    page = Page((tmp_path / "elsewhere" / "performance_report.html").read_text(encoding="utf-8"))
    assert headline(run) in page.text


def test_many_points_do_not_make_a_large_picture(good):
    many = with_times(good, [10.0 + n / 1000 for n in range(20_000)], **FIRST_PAGE)
    assert len(to_svg(latency_by_tier_chart(many))) < 1_000_000


@pytest.mark.parametrize("draw", [latency_by_tier_chart, plans_chart, keyset_chart, concurrency_chart])
def test_a_chart_shows_itself_in_a_notebook_and_leaves_its_style_alone(good, draw):
    import matplotlib as mpl

    before = mpl.rcParams["font.size"]
    figure = draw(good)
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert mpl.rcParams["font.size"] == before
    title = " ".join(figure.get_suptitle().split())
    assert title in {f(good) for f in (latency_finding, plans_finding, keyset_finding, concurrency_finding)}
