"""What the charts draw: each mark where its own series says, on runs no two of whose figures are equal."""

import statistics
from dataclasses import replace

import pytest
from fake_runs import DEPTH, LATENCY, RANGES, application, fake_run, good_samples
from matplotlib.colors import same_color
from matplotlib.markers import MarkerStyle

from pbm_lib import concurrency_chart, keyset_chart, latency_by_tier_chart, plans_chart
from pbm_lib.chart_style import BLUE, GREEN, GREY, ORANGE
from pbm_lib.display import milliseconds, times as times_words

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
            samples = run.select(**application(tier, operation, scenario))
            assert len(samples) == 121
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


WAYS = {  # in the order of the legend: colour, shape of a point, words
    ("unbounded", "three_field"): (ORANGE, "D", "unbounded query"),
    ("bounded", "three_field"): (BLUE, "o", "bounded query"),
    ("bounded", "overlap"): (GREEN, "s", "bounded query on the overlap index"),
}


def median_of(operation, tier, way):
    """The median of one way to ask for a range, as the fake run was made of it."""
    return RANGES[(operation, *way)][tier] if (operation, *way) in RANGES else LATENCY["range", operation][tier]


def ways_to(operation, tier, run):
    """The times of each way, by the way, in the order of the windows."""
    labels = {"section": "ranges", "operation": operation, "tier": tier}
    return {
        (query, index): [sample.ms for sample in run.select(contestant=query, index=index, **labels)]
        for query, index in WAYS
    }


def legend_of(figure):
    """What the legend says: words, colour, shape."""
    (legend,) = figure.legends
    marks = zip(legend.get_texts(), legend.legend_handles, strict=True)
    return [(text.get_text(), mark.get_color(), mark.get_marker()) for text, mark in marks]


@pytest.mark.parametrize(("number", "operation"), [(0, "first_page"), (1, "count")])
def test_date_ranges_are_drawn_way_by_way_with_their_medians_and_the_gain(run, baseline, number, operation):
    figure = plans_chart(run, baseline)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [f"{tier} claims" for tier in TIERS]
    panel = figure.axes[number]
    assert panel.get_title(loc="left") == ("First page, date range", "Count, date range")[number]
    drawn = [points.get_offsets().tolist() for points in panel.collections]
    times = [
        (place, way, of_way)
        for place, tier in enumerate(TIERS)
        for way, of_way in ways_to(operation, tier, run).items()
    ]
    assert drawn == [[[ms, place] for ms in of_way] for place, _, of_way in times]
    for points, (_, way, of_way) in zip(panel.collections, times, strict=True):
        assert len(of_way) == {"unbounded": 7, "bounded": 121 if way[1] == "three_field" else 9}[way[0]]
        assert same_color(points.get_facecolor()[0][:3], WAYS[way][0])
        shape = MarkerStyle(WAYS[way][1])
        outline = shape.get_path().transformed(shape.get_transform())
        assert points.get_paths()[0].vertices.tolist() == outline.vertices.tolist()
    bars = [line for line in panel.lines if len(set(line.get_xdata())) == 1 and len(line.get_xdata()) == 2]
    assert [(line.get_color(), line.get_xdata()[0], tuple(line.get_ydata())) for line in bars] == [
        (WAYS[way][0], pytest.approx(median_of(operation, TIERS[place], way)), (place - 0.3, place + 0.3))
        for place, way, _ in times
    ]
    joined = [line for line in panel.lines if same_color(line.get_color(), "#BBBBBB")]
    medians = [[median_of(operation, tier, way) for way in WAYS] for tier in TIERS]
    assert [tuple(line.get_xdata()) for line in joined] == [approx((min(three), max(three))) for three in medians]
    assert [list(line.get_ydata()) for line in joined] == [[place] * 2 for place in range(3)]
    # Of the first seven windows, which alone both queries were asked; written between the medians of these two.
    gains = []
    for place, tier in enumerate(TIERS):
        unbounded, bounded, _ = ways_to(operation, tier, run).values()
        gain = statistics.median(slow / fast for slow, fast in zip(unbounded, bounded, strict=False))
        middle = (medians[place][0] * medians[place][1]) ** 0.5
        gains.append((f"{times_words(gain)} times", (pytest.approx(middle), place)))
    assert texts(panel) == gains
    assert crosses(panel) == [
        (WAYS[way][0], pytest.approx(7 * median_of(operation, TIERS[place], way)), place + 0.25)
        for place, way, _ in times
    ]


def test_the_legend_of_date_ranges_names_each_way(run, baseline):
    ways = [(words, color, marker) for color, marker, words in WAYS.values()]
    assert legend_of(plans_chart(run)) == [*ways, ("median", GREY, "|")]
    assert legend_of(plans_chart(run, baseline)) == [
        *ways,
        ("median", GREY, "|"),
        ("medians of the baseline", GREY, "x"),
    ]


@pytest.mark.parametrize("gone", WAYS)
def test_a_way_that_was_not_measured_is_in_no_panel_and_not_in_the_legend(run, gone):
    kept = tuple(s for s in run.samples if (s.contestant, s.index) != gone)
    figure = plans_chart(replace(run, samples=kept))
    left = [(words, color, marker) for way, (color, marker, words) in WAYS.items() if way != gone]
    assert legend_of(figure) == [*left, ("median", GREY, "|")]
    for panel in figure.axes:
        assert len(panel.collections) == 2 * 3
        assert not any(same_color(line.get_color(), WAYS[gone][0]) for line in panel.lines)
        assert len(panel.texts) == (3 if gone == ("bounded", "overlap") else 0)  # a gain needs both queries


@pytest.mark.parametrize(
    ("factor", "written"), [(0.5, "0.5 times"), (0.95, "no gain"), (1.05, "no gain"), (1.2, "1.2 times")]
)
def test_a_gain_that_is_none_is_not_written_as_one(run, factor, written):
    kept = [s for s in run.samples if s.contestant != "unbounded"]
    own = run.select(section="ranges", contestant="bounded", index="three_field")
    slower = [replace(sample, ms=factor * sample.ms, contestant="unbounded") for sample in own]
    for panel in plans_chart(replace(run, samples=(*kept, *slower))).axes:
        assert [text for text, _ in texts(panel)] == [written] * 3


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


def test_concurrent_clients_are_drawn_with_rate_p50_and_p95(run, baseline):
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
    kept = tuple(sample for sample in run.samples if sample.tier != "300")
    chart = latency_by_tier_chart(replace(run, samples=kept))
    for panel in chart.axes:
        shown = [text.get_text() for text in panel.texts]
        assert [number for number, text in enumerate(shown) if text == "not measured"] == [1, 4, 7, 10]
        assert len(shown) == 12
    gone = [text for text in chart.axes[0].texts if text.get_text() == "not measured"]
    assert all(same_color(text.get_color(), GREY) for text in gone)
