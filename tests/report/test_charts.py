"""What the charts draw: each mark where its own series says, on runs no two of whose figures are equal."""

from dataclasses import replace

import pytest
from fake_runs import DEPTH, LATENCY, RANGES, fake_run, good_samples
from matplotlib.colors import same_color

from pbm_lib import concurrency_chart, keyset_chart, latency_by_tier_chart, plans_chart
from pbm_lib.chart_style import BLUE, GREY, ORANGE
from pbm_lib.display import milliseconds

TIERS = ("3K", "300", "60")
OPERATIONS = {"count": "count", "first_page": "first page", "next_page": "next page", "deep_page": "deep page"}
P95 = 13_225 / 3_721  # over the median, of 121 such samples


@pytest.fixture(scope="module")
def run(make_config):
    return fake_run(make_config(), good_samples())


@pytest.fixture(scope="module")
def baseline(run):
    """The same series, each 7 times as long; 1.5 times as long at work with 1 client, and 2 with 2."""
    longer = tuple(replace(sample, ms=7 * sample.ms) for sample in run.samples)
    levels = tuple(replace(level, seconds=level.seconds * (1 + level.clients / 2)) for level in run.levels)
    return replace(run, samples=longer, levels=levels)


def texts(panel):
    """What is written in a panel: the text, and the point that it belongs to."""
    return [(text.get_text(), getattr(text, "xy", None)) for text in panel.texts]


def lines(panel, color, style="-"):
    """The y values of the lines of a colour and style that have more than one point, in the order drawn."""
    found = [line for line in panel.lines if same_color(line.get_color(), color) and line.get_linestyle() == style]
    return [list(line.get_ydata()) for line in found if len(line.get_ydata()) > 1]


def crosses(panel):
    """Where the crosses of a baseline are: colour, x and y."""
    found = [line for line in panel.lines if line.get_marker() == "x"]
    return [(line.get_color(), line.get_xdata()[0], line.get_ydata()[0]) for line in found]


def approx(values):
    return pytest.approx(list(values))


def rows_of(panel, scenario):
    """Each row of a panel of the chart of latency: operation, tier, its place, its median."""
    names = [f"{words}  {tier:>4}" for words in OPERATIONS.values() for tier in TIERS]
    assert [label.get_text() for label in panel.get_yticklabels()] == names
    rows = [(operation, tier) for operation in OPERATIONS for tier in TIERS]
    places = panel.get_yticks()
    return [(*row, place, LATENCY[scenario, row[0]][row[1]]) for row, place in zip(rows, places, strict=True)]


@pytest.mark.parametrize(("number", "scenario"), [(0, "provider"), (1, "range")])
def test_latency_is_drawn_row_by_row_with_its_p95(run, baseline, number, scenario):
    alone, beside = (latency_by_tier_chart(run, other).axes[number] for other in (None, baseline))
    rows = rows_of(latency_by_tier_chart(run).axes[0], scenario)
    for panel in (alone, beside):
        bars = [line for line in panel.lines if line.get_color() == "black"]
        assert [bar.get_xdata()[0] for bar in bars] == approx(median * P95 for *_, median in rows)
        assert [sum(bar.get_ydata()) / 2 for bar in bars] == approx(place for _, _, place, _ in rows)
        for points, (operation, tier, place, _) in zip(panel.collections, rows, strict=True):
            samples = run.select(section="latency", scenario=scenario, operation=operation, tier=tier)
            assert points.get_offsets()[:, 0].tolist() == [sample.ms for sample in samples]
            assert points.get_offsets()[:, 1].mean() == pytest.approx(place, abs=0.3)
    assert [text for text, _ in texts(alone)] == [milliseconds(median * P95) for *_, median in rows]
    assert [text for text, _ in texts(beside)] == [
        f"{milliseconds(median * P95)} ({milliseconds(7 * median * P95)})" for *_, median in rows
    ]
    assert crosses(alone) == []
    assert [(x, y) for _, x, y in crosses(beside)] == [
        (pytest.approx(7 * median * P95), pytest.approx(place)) for _, _, place, median in rows
    ]


@pytest.mark.parametrize(("number", "operation"), [(0, "first_page"), (1, "count")])
def test_plans_are_drawn_with_both_medians_and_their_ratio(run, baseline, number, operation):
    ratios = {"first_page": ["50 times", "40 times", "21 times"], "count": ["20 times", "11 times", "6.0 times"]}
    figure = plans_chart(run, baseline)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [f"{tier} claims" for tier in TIERS]
    panel = figure.axes[number]
    assert [text for text, _ in texts(panel)] == ratios[operation]
    joined = [line for line in panel.lines if same_color(line.get_color(), "#BBBBBB")]
    medians = [(PLANS[operation, "bounded"][tier], PLANS[operation, "plain"][tier]) for tier in TIERS]
    assert [tuple(line.get_xdata()) for line in joined] == [approx(pair) for pair in medians]
    assert [line.get_ydata()[0] for line in joined] == [0, 1, 2]
    assert crosses(panel) == [
        (color, pytest.approx(7 * median), place + 0.25)
        for place, pair in enumerate(medians)
        for color, median in zip((BLUE, ORANGE), pair, strict=True)
    ]
    drawn = [points.get_offsets()[:, 0].tolist() for points in panel.collections]
    assert drawn == [
        [sample.ms for sample in run.select(section="plans", operation=operation, tier=tier, contestant=plan)]
        for tier in TIERS
        for plan in ("bounded", "plain")
    ]


def test_depth_is_drawn_by_the_medians_of_both_ways(run, baseline):
    (panel,) = keyset_chart(run, baseline).axes
    assert [label.get_text() for label in panel.get_xticklabels()] == ["0", "1,000", "2,700"]
    for color, way in ((BLUE, "keyset"), (ORANGE, "skip")):
        medians = list(DEPTH[way].values())
        assert lines(panel, color) == [approx(medians)]
        assert lines(panel, color, "--") == [approx(7 * median for median in medians)]
    written = [("keyset: 9.6 ms", 9.6), ("keyset, baseline: 67 ms", 67.2)]
    written += [("skip/limit: 400 ms", 400), ("skip/limit, baseline: 2.8 s", 2_800)]
    assert texts(panel) == [(text, (2, pytest.approx(value))) for text, value in written]
    drawn = [points.get_offsets()[:, 1].tolist() for points in panel.collections]
    assert drawn == [
        [sample.ms for sample in run.select(section="depth", contestant=way, depth=depth)]
        for way, medians in DEPTH.items()
        for depth in medians
    ]


def test_clients_at_once_are_drawn_with_rate_p50_and_p95(run, baseline):
    rate, latency = concurrency_chart(run, baseline).axes
    pages, theirs = [101 / 2.02, 181 / 2.5], [101 / 3.03, 181 / 5.0]
    assert (lines(rate, BLUE), lines(rate, BLUE, "--")) == ([approx(pages)], [approx(theirs)])
    assert [text for text, _ in texts(rate)] == ["50", "72"]
    # Of n squares around 1 as the median: the p95 of 101 is (96 / 51) ** 2, that of 181 is (172 / 91) ** 2.
    p50, p95 = [12.0, 13.0], [12.0 * (96 / 51) ** 2, 13.0 * (172 / 91) ** 2]
    assert (lines(latency, BLUE), lines(latency, ORANGE)) == ([approx(p50)], [approx(p95)])
    assert lines(latency, BLUE, "--") == [approx(7 * value for value in p50)]
    assert lines(latency, ORANGE, "--") == [approx(7 * value for value in p95)]
    assert [text for text, _ in texts(latency)] == [
        "43", "46", "p95", "12", "13", "p50", "p95, baseline", "p50, baseline",
    ]  # fmt: skip


def test_what_was_not_measured_is_written_in_its_row(run):
    kept = tuple(sample for sample in run.samples if (sample.section, sample.tier) != ("latency", "300"))
    chart = latency_by_tier_chart(replace(run, samples=kept))
    for panel in chart.axes:
        shown = [text.get_text() for text in panel.texts]
        assert [number for number, text in enumerate(shown) if text == "not measured"] == [1, 4, 7, 10]
        assert len(shown) == 12
    gone = [text for text in chart.axes[0].texts if text.get_text() == "not measured"]
    assert all(same_color(text.get_color(), GREY) for text in gone)
