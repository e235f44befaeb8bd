"""Panels by provider size: each mark is where its own series puts it, on runs whose figures all differ."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import pytest
from chart_marks import charted_run, dots, edges, ends, height, lines, slower, ticks, without
from fake_runs import LATENCY, RANGES, application, fake_run
from matplotlib.colors import same_color

from pbm_lib import latency_by_tier_chart, plans_chart
from pbm_lib.chart_style import BLUE, GREEN, GREY, PURPLE, SLATE
from pbm_lib.display import milliseconds

PUBLIC = {"latency_by_tier": latency_by_tier_chart, "plans": plans_chart}
SIZES = {"3K": 3_000, "300": 300, "60": 60}
OPERATIONS = {  # words, color, marker, line
    "count": ("total", BLUE, "v", "-"),
    "first_page": ("first page", GREEN, "o", "-"),
    "next_page": ("next page", SLATE, "s", "--"),
    "deep_page": ("deep page", GREY, "^", ":"),
}
WAYS = {
    ("unbounded", "three_field"): ("unbounded", PURPLE, "D", "-"),
    ("bounded", "three_field"): ("bounded", GREEN, "o", "-"),
    ("bounded", "overlap"): ("overlap index", SLATE, "s", "--"),
}
CALLS = {("unbounded", "three_field"): 7, ("bounded", "three_field"): 121, ("bounded", "overlap"): 9}


class Curve(NamedTuple):
    """What one line of a panel must show: its look, its median in ms by tier, its calls per tier, and their labels."""

    words: str
    color: str
    marker: str
    line: str
    medians: dict[str, float]
    calls: int
    labels: Callable[[str], dict[str, str]]


def operation_curves(scenario):
    return [
        Curve(*look, LATENCY[scenario, name], 121, lambda tier, name=name: application(tier, name, scenario))
        for name, look in OPERATIONS.items()
    ]


def way_curves(operation):
    def labels(tier, query, index):
        common = {"section": "ranges", "scenario": "range", "tier": tier, "operation": operation}
        return {**common, "contestant": query, "index": index}

    return [
        Curve(*look, RANGES.get((operation, *way), LATENCY["range", operation]), CALLS[way],
              lambda tier, way=way: labels(tier, *way))
        for way, look in WAYS.items()
    ]  # fmt: skip


PANELS = {
    ("latency_by_tier", 0): operation_curves("provider"),
    ("latency_by_tier", 1): way_curves("first_page"),
    ("plans", 0): way_curves("count"),
    ("plans", 1): operation_curves("range"),
}
by_size = pytest.mark.parametrize(("name", "number"), PANELS)
of_operations = pytest.mark.parametrize(("name", "number"), [("latency_by_tier", 0), ("plans", 1)])
of_ways = pytest.mark.parametrize(("name", "number"), [("latency_by_tier", 1), ("plans", 0)])


@pytest.fixture(scope="module")
def run(make_config):
    return charted_run(make_config())


@pytest.fixture(scope="module")
def baseline(run):
    return slower(run)


@pytest.fixture(scope="module")
def alone(run):
    """Both charts of the run, by name."""
    return {name: draw(run) for name, draw in PUBLIC.items()}


@pytest.fixture(scope="module")
def beside(run, baseline):
    """Both charts of the run with the baseline, by name."""
    return {name: draw(run, baseline) for name, draw in PUBLIC.items()}


@pytest.fixture(scope="module")
def on_overlap(run):
    """Both charts of the same run as if its config had the other index."""
    return {name: draw(on_the_overlap_index(run)) for name, draw in PUBLIC.items()}


@pytest.fixture(scope="module")
def beside_overlap(run, baseline):
    """Both charts of the run with a baseline whose config has the other index."""
    return {name: draw(run, on_the_overlap_index(baseline)) for name, draw in PUBLIC.items()}


def approx(values):
    return pytest.approx(list(values))


def percentile(median, calls, share):
    """Return a percentile of `calls` squares with this median, interpolated between the two nearest ranks."""
    unit, place = median / ((calls + 1) / 2) ** 2, share * (calls - 1)
    below = int(place) + 1
    return unit * (below**2 + (place % 1) * ((below + 1) ** 2 - below**2))


def on_the_overlap_index(run):
    """Return the same run as if its config had the other index. The two indexes swap places."""
    other = {"three_field": "overlap", "overlap": "three_field", None: None}
    samples = tuple(replace(sample, index=other[sample.index]) for sample in run.samples)
    return replace(run, samples=samples, settings=replace(run.settings, index="overlap"))


def with_tiers(run, *tiers):
    """Return the run as if it had measured only these tiers."""
    performance = replace(run.settings.performance, tiers_to_test=tiers, targets={})
    samples = tuple(sample for sample in run.samples if sample.tier in (None, *tiers))
    return replace(run, samples=samples, settings=replace(run.settings, performance=performance))


@by_size
def test_a_line_joins_the_medians_of_its_series_at_the_size_of_each_tier(alone, name, number):
    panel = alone[name].axes[number]
    for curve in PANELS[name, number]:
        medians = approx(curve.medians[tier] for tier in SIZES)
        assert lines(panel, curve.color) == [((curve.marker, curve.line), list(SIZES.values()), medians)]


@by_size
def test_a_band_holds_nine_calls_in_ten_from_p5_to_p95(alone, name, number):
    panel = alone[name].axes[number]
    for area, curve in zip(panel.collections, PANELS[name, number], strict=True):
        expected = {
            SIZES[tier]: tuple(pytest.approx(percentile(median, curve.calls, share)) for share in (0.05, 0.95))
            for tier, median in curve.medians.items()
        }
        assert edges(area) == (expected if curve.calls >= 20 else {})
        *color, alpha = area.get_facecolor()[0]
        assert same_color(color, curve.color) and 0 < alpha < 0.2


@pytest.mark.parametrize(("calls", "covered"), [(19, {300, 60}), (20, {3_000, 300, 60})])
def test_fewer_than_20_calls_have_no_band_and_bolder_dots(run, calls, covered):
    labels = application("3K", "next_page", "provider")
    few = replace(run, samples=(*without(run, **labels).samples, *run.select(counts=True, **labels)[:calls]))
    panel = latency_by_tier_chart(few).axes[0]
    (band,) = [area for area in panel.collections if same_color(area.get_facecolor()[0][:3], SLATE)]
    assert set(edges(band)) == covered
    assert [len(x) for x, _ in dots(panel, SLATE)] == [calls, 121, 121]
    at_3k, *others = [
        line.get_alpha() for line in panel.lines if line.get_color() == SLATE and len(line.get_xdata()) > 3
    ]
    assert (at_3k > others[0]) == (calls < 20) and others[0] == others[1] < 0.5


@by_size
def test_every_call_that_counts_is_a_dot_near_the_middle_of_its_tier(alone, run, name, number):
    for curve in PANELS[name, number]:
        drawn = dots(alone[name].axes[number], curve.color)
        for (x, y), (tier, size) in zip(drawn, SIZES.items(), strict=True):
            samples = [sample.ms for sample in run.select(**curve.labels(tier)) if sample.counts]
            assert (y, len(y)) == (samples, curve.calls)
            shifts = [math.log10(each / size) for each in x]
            assert -0.031 < min(shifts) < -0.01 and 0.01 < max(shifts) < 0.031
            assert sum(shifts) / len(shifts) == pytest.approx(0, abs=0.01)


@by_size
def test_each_line_has_its_name_and_its_median_at_its_right_end(alone, name, number):
    written = ends(alone[name].axes[number])
    curves = sorted(PANELS[name, number], key=lambda curve: curve.medians["3K"])
    assert [end[:3] for end in written] == [
        (f"{curve.words} {milliseconds(curve.medians['3K'])}", curve.color, 3_000) for curve in curves
    ]


@of_ways
def test_labels_are_as_high_as_the_ends_of_lines_that_are_apart(alone, name, number):
    panel = alone[name].axes[number]
    medians = sorted(curve.medians["3K"] for curve in PANELS[name, number])
    assert [end[3] for end in ends(panel)] == approx(height(panel, 3_000, median) for median in medians)


@by_size
def test_the_axes_are_logarithmic_and_the_same_in_every_panel(alone, name, number):
    panel = alone[name].axes[number]
    assert (panel.get_xscale(), panel.get_yscale()) == ("log", "log")
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("claims per provider", "ms, log scale")
    assert ticks(panel.xaxis) == (list(SIZES.values()), list(SIZES))
    assert not len(panel.xaxis.get_minorticklocs())
    assert panel.get_xlim() == (pytest.approx(40), pytest.approx(4_500))
    everything = [
        ms
        for (chart, place), curves in PANELS.items()
        for curve in curves
        for _, y in dots(alone[chart].axes[place], curve.color)
        for ms in y
    ]
    assert panel.get_ylim() == (pytest.approx(min(everything) / 1.6), pytest.approx(max(everything) * 1.6))


@by_size
def test_a_baseline_adds_its_medians_as_crosses_and_changes_no_other_mark(alone, beside, name, number):
    panel, before = beside[name].axes[number], alone[name].axes[number]
    for curve in PANELS[name, number]:
        own, theirs = lines(panel, curve.color)
        assert [own] == lines(before, curve.color)
        assert theirs == (("x", "--"), list(SIZES.values()), approx(7 * curve.medians[tier] for tier in SIZES))
        assert dots(panel, curve.color) == dots(before, curve.color)
    assert [end[:3] for end in ends(panel)] == [end[:3] for end in ends(before)]
    limits = panel.get_ylim()
    assert {each.get_ylim() for figure in beside.values() for each in figure.axes} == {limits}
    assert limits[0] < min(y for line in panel.lines for y in line.get_ydata())
    assert limits[1] > max(y for color in (GREEN, BLUE, SLATE, GREY) for _, _, ys in lines(panel, color) for y in ys)


def as_schema_1(run):
    """Return the same run by the older method, which measured all of the application's calls in one section."""
    old = {"section": "latency", "contestant": None, "index": None}
    called = {
        id(sample)
        for (scenario, operation), medians in LATENCY.items()
        for tier in medians
        for sample in run.select(**application(tier, operation, scenario))
    }
    samples = tuple(replace(sample, **old) if id(sample) in called else sample for sample in run.samples)
    return replace(run, samples=samples, method=1)


@of_operations
def test_a_baseline_of_schema_1_is_compared_by_what_an_application_called(run, baseline, name, number):
    panel = PUBLIC[name](run, as_schema_1(baseline)).axes[number]
    for curve in PANELS[name, number]:
        _, (_, _, theirs) = lines(panel, curve.color)
        assert theirs == approx(7 * curve.medians[tier] for tier in SIZES)


@of_operations
def test_a_baseline_on_another_index_is_compared_by_what_its_application_calls(beside_overlap, name, number):
    for curve in PANELS[name, number]:
        _, (_, _, theirs) = lines(beside_overlap[name].axes[number], curve.color)
        assert theirs == approx(7 * curve.medians[tier] for tier in SIZES)


@of_ways
def test_a_baseline_on_another_index_is_compared_way_by_way(beside_overlap, name, number):
    panel = beside_overlap[name].axes[number]
    unbounded, bounded, overlap = PANELS[name, number]
    assert len(lines(panel, unbounded.color)) == 1  # the baseline has no unbounded query on the index of the run
    for curve, same in ((bounded, overlap), (overlap, bounded)):
        _, (_, _, theirs) = lines(panel, curve.color)
        assert theirs == approx(7 * same.medians[tier] for tier in SIZES)


def test_a_baseline_is_drawn_at_the_tiers_that_both_measured(run, baseline):
    (panel, _) = latency_by_tier_chart(with_tiers(run, "3K", "300"), with_tiers(baseline, "300", "60")).axes
    for curve in PANELS["latency_by_tier", 0]:
        own, theirs = lines(panel, curve.color)
        assert (own[1], theirs[1:]) == ([3_000, 300], ([300], approx([7 * curve.medians["300"]])))


def test_what_a_baseline_did_not_measure_is_left_out(run, baseline):
    one_tier_less = without(baseline, section="latency", operation="next_page", tier="300")
    panel = latency_by_tier_chart(run, without(one_tier_less, operation="deep_page")).axes[0]
    assert len(lines(panel, GREY)) == 1
    _, theirs = lines(panel, SLATE)
    medians = LATENCY["provider", "next_page"]
    assert theirs[1:] == ([3_000, 60], approx([7 * medians["3K"], 7 * medians["60"]]))
    assert len(lines(panel, GREEN)) == len(lines(panel, BLUE)) == 2


@pytest.mark.parametrize("gone", WAYS)
def test_a_way_that_was_not_measured_is_in_no_panel(run, gone):
    query, index = gone
    left = without(run, section="ranges", contestant=query, index=index)
    for name, number in (("latency_by_tier", 1), ("plans", 0)):
        panel = PUBLIC[name](left).axes[number]
        words, color, *_ = WAYS[gone]
        assert not lines(panel, color) and not dots(panel, color)
        assert len(panel.collections) == 2
        kept = {each for each, *_ in WAYS.values()} - {words}
        assert {text.rsplit(" ", 2)[0] for text, *_ in ends(panel)} == kept


@pytest.mark.parametrize(("gone", "left"), [("300", ["3K", "60"]), ("3K", ["300", "60"]), ("60", ["3K", "300"])])
def test_an_operation_that_a_tier_lacks_is_joined_and_named_without_it(run, gone, left):
    panel = latency_by_tier_chart(without(run, section="latency", operation="next_page", tier=gone)).axes[0]
    medians = LATENCY["provider", "next_page"]
    ((_, x, y),) = lines(panel, SLATE)
    assert (x, y) == ([SIZES[tier] for tier in left], approx(medians[tier] for tier in left))
    assert len(dots(panel, SLATE)) == 2
    assert [set(edges(area)) for area in panel.collections].count(set(x)) == 1
    (named,) = [end for end in ends(panel) if end[1] == SLATE]
    assert named[:3] == (f"next page {milliseconds(medians[left[0]])}", SLATE, SIZES[left[0]])
    assert ticks(panel.xaxis)[1] == list(SIZES)


def test_a_run_of_one_tier_is_a_point_for_each_operation(run):
    one = with_tiers(run, "300")
    for name, draw in PUBLIC.items():
        for number, panel in enumerate(draw(one).axes):
            for curve in PANELS[name, number]:
                look = (curve.marker, curve.line)
                assert lines(panel, curve.color) == [(look, [300], approx([curve.medians["300"]]))]
            assert ticks(panel.xaxis) == ([300], ["300"])
            assert panel.get_xlim() == (200, 450)


@by_size
def test_with_the_overlap_index_in_the_config_the_application_uses_it(on_overlap, name, number):
    panel = on_overlap[name].axes[number]
    for curve in PANELS[name, number]:
        ((_, _, medians),) = lines(panel, curve.color)
        assert medians == approx(curve.medians[tier] for tier in SIZES)
    named = {color: text.rsplit(" ", 2)[0] for text, color, *_ in ends(panel)}
    other = {"overlap index": "three-field index"}
    assert named == {curve.color: other.get(curve.words, curve.words) for curve in PANELS[name, number]}


def test_the_smaller_of_two_tiers_close_together_has_no_name(make_config):
    sizes = {"small": 250, "4K": 4_000, "near": 251, "1500": 1_500, "600": 600, "1K": 1_000}
    tiers = [{"name": name, "claims_per_provider": claims, "providers": 1} for name, claims in sizes.items()]
    config = make_config(
        {
            "data_generation": {"target_volume": sum(sizes.values()), "tiers": tiers},
            "performance": {"tiers_to_test": list(sizes), "targets": {}},
        }
    )
    panel = latency_by_tier_chart(fake_run(config, [])).axes[0]
    # A tier is named if it is at most a quarter of the last one named. 1500, 600, and 251 are not.
    assert ticks(panel.xaxis) == ([4_000, 1_500, 1_000, 600, 251, 250], ["4K", "", "1K", "", "", "small"])
