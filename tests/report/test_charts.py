"""What the charts draw: each mark is where its own series puts it, on runs whose figures all differ."""

import itertools
from dataclasses import replace

import pytest
from chart_marks import charted_run, dots, ends, height, is_empty, lines, marks, slower, ticks, without
from fake_runs import DEPTH

from pbm_lib import concurrency_chart, keyset_chart, latency_by_tier_chart, plans_chart
from pbm_lib.chart_style import GREEN, GREY, PURPLE, SLATE
from pbm_lib.report.charts import CHARTS

PUBLIC = {
    "latency_by_tier": latency_by_tier_chart,
    "plans": plans_chart,
    "keyset": keyset_chart,
    "concurrency": concurrency_chart,
}
TITLES = {
    "latency_by_tier": ["Provider only", "Date range, first page"],
    "plans": ["Date range, total", "Date range, every operation"],
    "keyset": ["Provider only"],
    "concurrency": ["Rate", "Latency of a page"],
}


@pytest.fixture(scope="module")
def run(make_config):
    return charted_run(make_config())


@pytest.fixture(scope="module")
def baseline(run):
    return slower(run)


@pytest.fixture(scope="module")
def alone(run):
    """Every chart of the run, by name."""
    return {name: draw(run) for name, draw in PUBLIC.items()}


@pytest.fixture(scope="module")
def beside(run, baseline):
    """Every chart of the run with the baseline, by name."""
    return {name: draw(run, baseline) for name, draw in PUBLIC.items()}


def approx(values):
    return pytest.approx(list(values))


# By depth


def test_depth_joins_the_medians_of_keyset_and_of_skip(alone, beside):
    (panel,), (compared,) = alone["keyset"].axes, beside["keyset"].axes
    for color, marker, paging in ((GREEN, "o", "keyset"), (PURPLE, "D", "skip")):
        medians = list(DEPTH[paging].values())
        own = ((marker, "-"), [0, 1, 2], approx(medians))
        assert lines(panel, color) == [own]
        theirs = (("None", ":"), [0, 1, 2], approx(7 * median for median in medians))
        assert lines(compared, color) == [own, theirs]


def test_every_page_at_a_depth_is_a_dot_on_its_own_side(alone, beside, run):
    for panel in (*alone["keyset"].axes, *beside["keyset"].axes):
        for color, paging, shift in ((GREEN, "keyset", -0.06), (PURPLE, "skip", 0.06)):
            assert dots(panel, color) == [
                (
                    [place + shift] * 7,
                    [s.ms for s in run.select(section="depth", contestant=paging, depth=depth) if s.counts],
                )
                for place, depth in enumerate(DEPTH[paging])
            ]


def test_both_ways_to_a_depth_are_named_at_their_ends(alone, beside):
    keyset, skip = ("keyset 9.6 ms", GREEN, 2), ("skip/limit 400 ms", PURPLE, 2)
    assert [end[:3] for end in ends(alone["keyset"].axes[0])] == [keyset, skip]
    assert [end[:3] for end in ends(beside["keyset"].axes[0])] == [
        keyset, ("keyset, baseline 67 ms", GREEN, 2), skip, ("skip/limit, baseline 2.8 s", PURPLE, 2),
    ]  # fmt: skip


def test_the_axes_of_depth(alone):
    (panel,) = alone["keyset"].axes
    assert ticks(panel.xaxis) == ([0, 1, 2], ["0", "1K", "2.7K"])
    assert (panel.get_xscale(), panel.get_yscale()) == ("linear", "log")
    assert panel.get_xlabel() == "claims before the page (3K provider)"
    assert panel.get_ylabel() == "ms per page, log scale"
    assert panel.get_xlim() == (-0.4, 2.4)
    low, high = panel.get_ylim()
    assert all(low < ms < high for color in (GREEN, PURPLE) for _, y in dots(panel, color) for ms in y)


def test_a_depth_that_only_one_way_reached_is_on_the_axis(run, baseline):
    (panel,) = keyset_chart(without(run, section="depth", contestant="skip", depth=2_700), baseline).axes
    assert ticks(panel.xaxis)[1] == ["0", "1K", "2.7K"]
    own, theirs = lines(panel, PURPLE)
    assert (own[1], theirs[1]) == ([0, 1], [0, 1, 2])
    assert lines(panel, GREEN)[0][1] == [0, 1, 2]
    assert ("skip/limit 24 ms", PURPLE, 1) in [end[:3] for end in ends(panel)]


def test_labels_are_as_high_as_the_ends_of_their_lines(beside):
    for panel in (beside["keyset"].axes[0], beside["concurrency"].axes[1]):
        found = sorted((y[-1], x[-1]) for color in (GREEN, PURPLE) for _, x, y in lines(panel, color))
        assert [end[2:] for end in ends(panel)] == [(x, pytest.approx(height(panel, x, y))) for y, x in found]


# By the number of clients

PAGES_PER_S = [101 / 2.02, 181 / 2.5]
P50 = [12.0, 13.0]
P95 = [12.0 * (96 / 51) ** 2, 13.0 * (172 / 91) ** 2]  # squares: the one at p95 over the one at the median
LEVELS = [1, 2]


def test_the_rate_of_concurrent_clients_is_a_line_with_its_figures(alone, beside):
    panel, compared = alone["concurrency"].axes[0], beside["concurrency"].axes[0]
    own = (("o", "-"), LEVELS, approx(PAGES_PER_S))
    theirs = (("o", ":"), LEVELS, approx([101 / 3.03, 181 / 5.0]))
    assert (lines(panel, GREEN), lines(compared, GREEN)) == ([own], [own, theirs])
    for each in (panel, compared):
        assert [(text.get_text(), text.xy) for text in each.texts] == [
            ("50", (1, pytest.approx(PAGES_PER_S[0]))),
            ("72", (2, pytest.approx(PAGES_PER_S[1]))),
        ]


def test_the_latency_of_concurrent_clients_is_p50_and_p95(alone, beside):
    panel, compared = alone["concurrency"].axes[1], beside["concurrency"].axes[1]
    for color, marker, figures in ((GREEN, "o", P50), (PURPLE, "D", P95)):
        own = ((marker, "-"), LEVELS, approx(figures))
        theirs = ((marker, ":"), LEVELS, approx(7 * figure for figure in figures))
        assert (lines(panel, color), lines(compared, color)) == ([own], [own, theirs])
    p50, p95 = ("p50 13 ms", GREEN, 2), ("p95 46 ms", PURPLE, 2)
    assert [end[:3] for end in ends(panel)] == [p50, p95]
    assert [end[:3] for end in ends(compared)] == [
        p50, p95, ("p50, baseline 91 ms", GREEN, 2), ("p95, baseline 325 ms", PURPLE, 2),
    ]  # fmt: skip


def test_the_axes_of_clients(alone):
    for panel, words, highest in zip(
        alone["concurrency"].axes, ("pages per second", "ms per page"), (PAGES_PER_S[1], P95[1]), strict=True
    ):
        assert (panel.get_xscale(), panel.get_yscale()) == ("log", "linear")
        assert (panel.get_xlabel(), panel.get_ylabel()) == ("concurrent clients", words)
        assert ticks(panel.xaxis) == (LEVELS, ["1", "2"])
        assert not len(panel.xaxis.get_minorticklocs())
        assert panel.get_ylim() == (0, pytest.approx(1.2 * highest))
        left, right = panel.get_xlim()
        assert left < 1 and right > 2


def test_a_level_whose_calls_all_failed_is_on_no_axis_unless_the_baseline_has_it(run, baseline):
    failed = tuple(replace(s, error="NetworkTimeout") if s.clients == 2 else s for s in run.samples)
    for other, levels, named in ((None, [1], "p50 12 ms"), (baseline, LEVELS, "p50, baseline 91 ms")):
        figure = concurrency_chart(replace(run, samples=failed), other)
        for panel in figure.axes:
            assert lines(panel, GREEN)[0][1] == [1]
            assert ticks(panel.xaxis)[0] == levels
        assert (named, GREEN, levels[-1]) in [end[:3] for end in ends(figure.axes[1])]


# All of them


@pytest.mark.parametrize("name", PUBLIC)
def test_where_nothing_was_measured_each_panel_says_so(run, name):
    assert all(is_empty(panel) for panel in PUBLIC[name](replace(run, samples=(), levels=())).axes)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_baseline_in_which_nothing_was_measured_adds_nothing(run, alone, name):
    figure = PUBLIC[name](run, replace(run, samples=(), levels=()))
    assert [marks(panel) for panel in figure.axes] == [marks(panel) for panel in alone[name].axes]


@pytest.mark.parametrize("name", ["latency_by_tier", "keyset"])
def test_times_of_0_ms_are_drawn_as_one_microsecond(run, name):
    zero = replace(run, samples=tuple(replace(s, ms=0.0 if s.counts else s.ms) for s in run.samples))
    for panel in PUBLIC[name](zero, zero).axes:
        found = {y for color in (GREEN, PURPLE, SLATE, GREY) for _, _, ys in lines(panel, color) for y in ys}
        assert found == {0.001}
        assert panel.get_ylim()[0] < 0.001
        assert all(text.endswith(" 0.00 ms") for text, *_ in ends(panel))


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_the_page_has_the_same_panels_without_their_titles(run, baseline, beside, chart):
    whole = beside[chart.name]
    parts = chart.parts(run, baseline)
    assert [title for title, _ in parts] == TITLES[chart.name]
    for (title, figure), panel in zip(parts, whole.axes, strict=True):
        (part,) = figure.axes
        assert marks(part) == marks(panel)
        assert (part.get_title(loc="left"), panel.get_title(loc="left")) == ("", title)
        assert not figure.texts and not figure.get_suptitle()


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_a_chart_for_a_slide_has_its_title_and_the_figures_behind_it(run, alone, chart):
    title, subtitle = alone[chart.name].texts
    assert title.get_text() == chart.title(run)
    assert " ".join(subtitle.get_text().split()) == chart.subtitle(run)


@pytest.mark.parametrize("name", ["latency_by_tier", "keyset", "concurrency"])
def test_no_text_covers_anything_else(beside, name):
    figure = beside[name]
    figure.draw_without_rendering()
    around = [panel.get_tightbbox() for panel in figure.axes]  # including all text around it
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(around))
    _, subtitle = figure.texts
    for panel, box in zip(figure.axes, around, strict=True):
        assert min(box.x0, box.y0) > 0 and box.x1 < figure.bbox.x1 and box.y1 < subtitle.get_window_extent().y0
        assert all(0 <= height <= 1 for *_, height in ends(panel))
        words = [text.get_window_extent() for text in panel.texts]
        assert all(not one.overlaps(other) for one, other in itertools.combinations(words, 2))
