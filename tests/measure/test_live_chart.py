"""The small chart that fills in a notebook while a run is in progress."""

import statistics
from dataclasses import replace
from types import SimpleNamespace

import IPython
import numpy as np
import pytest
from fake_runs import good_samples, series
from matplotlib.colors import same_color

from pbm_lib.chart_style import INK
from pbm_lib.measure.live_chart import LiveChart

TIERS = ("3K", "300", "60")
WORDS = {"count": "total", "first_page": "first page", "next_page": "next page", "deep_page": "deep page"}


@pytest.fixture
def shown(monkeypatch):
    """Every figure that the notebook has shown, in order."""
    figures = []

    def display(figure, *, display_id):
        figures.append(figure)
        return SimpleNamespace(update=figures.append)

    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setattr(IPython.display, "display", display)
    return figures


def drawn(figure, color):
    """Return the calls drawn in a color, row by row: their times, the place of the row, and their median."""
    (panel,) = figure.axes
    calls = [line for line in panel.lines if same_color(line.get_color(), color) and np.isnan(line.get_xdata()).any()]
    medians = {line.get_ydata()[0]: line.get_xdata()[0] for line in panel.lines if same_color(line.get_color(), INK)}
    rows = [(list(line.get_xdata()[::3]), set(line.get_ydata()[::3])) for line in calls]
    return [(times, place, medians[place]) for times, (place,) in rows]


def test_each_call_is_a_dot_in_the_row_of_its_tier_grouped_by_operation(shown):
    samples = good_samples()
    odd = {"section": "latency", "operation": "count", "tier": "3K"}
    left_out = series([7.0], **{**odd, "tier": "10K"}) + series([0.0], **odd)
    left_out += [
        replace(sample, **why) for why in ({"warmup": True}, {"error": "x"}) for sample in series([8.0], **odd)
    ]
    LiveChart(TIERS).update([*left_out, *samples])
    empty, figure = shown
    assert not [line for line in empty.axes[0].lines if len(line.get_xdata())]
    (panel,) = figure.axes
    assert panel.get_xscale() == "log"
    rows = [label.get_text() for label in panel.get_yticklabels()]
    assert rows == list(TIERS)
    (legend,) = figure.legends
    colors = {
        text.get_text(): mark.get_color() for text, mark in zip(legend.get_texts(), legend.legend_handles, strict=True)
    }
    assert list(colors) == list(WORDS.values()) and len(set(colors.values())) == 4
    places = []
    for operation, words in WORDS.items():
        by_tier = {
            tier: [sample.ms for sample in samples if (sample.operation, sample.tier) == (operation, tier)]
            for tier in TIERS
        }
        found = {round(place): (times, median) for times, place, median in drawn(figure, colors[words])}
        assert found == {row: (times, statistics.median(times)) for row, times in enumerate(by_tier.values())}
        places += [place for _, place, _ in drawn(figure, colors[words])]
    # Operations do not overlap, and each row shows them from the top in the order of the legend.
    assert all(places[row::3] == sorted(set(places[row::3])) for row in range(3))
    assert panel.get_ylim()[0] > max(places) and panel.get_ylim()[1] < min(places)  # the largest tier on top


def test_it_is_redrawn_occasionally_and_at_the_end(shown):
    chart = LiveChart(TIERS)
    samples = series([3.0], section="latency", operation="count", tier="60")
    for _ in range(5):
        chart.update(samples)
    assert len(shown) == 2
    chart.update(samples, now=True)
    assert len(shown) == 3


def test_outside_a_notebook_nothing_is_shown(shown, monkeypatch):
    for shell in (None, SimpleNamespace()):
        monkeypatch.setattr(IPython, "get_ipython", lambda shell=shell: shell)
        LiveChart(TIERS).update([], now=True)
    assert not shown
