"""The charts of a run. A new chart is one more `RunChart`, listed in `CHARTS`."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from matplotlib.figure import Figure

from ..arguments import checked
from ..chart_style import (
    GREEN,
    GREY,
    MARKS,
    PURPLE,
    Chart,
    dots,
    figure_titled,
    label_ends,
    place,
    plain_ticks,
    styled,
    write,
)
from ..display import NOT_MEASURED, milliseconds, short_count
from ..errors import PbmError
from ..measure.run import PerformanceRun
from ..vocabulary import CONTESTANTS, PAGINGS, PROVIDER, RANGE, SCENARIOS
from . import chart_texts as texts
from .figures import at_once, depth_of, depths_of, drawable
from .size_panels import draw_operations, draw_ways

# In inches: the width and height of a panel, the height of its title, and the least width of a chart.
_WIDTH, _HEIGHT, _TITLE_HEIGHT, _LEAST_WIDTH = 4.4, 3.0, 0.2, 6.4


class Panel(NamedTuple):
    """A panel of a chart: its title, and a function that draws a run, and a baseline if any, on matplotlib Axes."""

    title: str
    draw: Callable[..., None]


class RunChart(NamedTuple):
    """A chart of the report.

    Attributes:
        name: name of the chart's file and of its place in the template.
        title: the chart's finding, in at most eight words.
        subtitle: the figures behind the finding.
        described: what the chart shows, for a reader who cannot see it; empty if it shows nothing.
        panels: the chart's panels, from left to right.
    """

    name: str
    title: Callable[[PerformanceRun], str]
    subtitle: Callable[[PerformanceRun], str]
    described: Callable[[PerformanceRun], str]
    panels: tuple[Panel, ...]

    @styled
    def whole(self, run: PerformanceRun, baseline: PerformanceRun | None = None) -> Figure:
        """Return all panels side by side under the title and subtitle, for a notebook or a slide."""
        width = max(_WIDTH, _LEAST_WIDTH / len(self.panels))
        size = {"width": width * len(self.panels), "height": _HEIGHT + _TITLE_HEIGHT}
        figure = figure_titled(self.title(run), self.subtitle(run), **size)
        figure.set_layout_engine("none")
        drawn = {}
        for number, panel in enumerate(self.panels):
            axes = figure.add_subplot(1, len(self.panels), number + 1)
            axes.set_title(panel.title)
            panel.draw(axes, drawable(run), drawable(baseline))
            drawn[axes] = number * width
        place(drawn, width, _HEIGHT + _TITLE_HEIGHT)
        return figure

    @styled
    def parts(self, run: PerformanceRun, baseline: PerformanceRun | None = None) -> list[tuple[str, Figure]]:
        """Return each panel's title, and the panel as a figure without it, for a page that shows titles as text."""
        drawn = []
        for panel in self.panels:
            axes = Chart(figsize=(_WIDTH, _HEIGHT)).subplots()
            panel.draw(axes, drawable(run), drawable(baseline))
            drawn.append(axes)
        place(dict.fromkeys(drawn, 0.0), _WIDTH, _HEIGHT)
        return [(panel.title, axes.figure) for panel, axes in zip(self.panels, drawn, strict=True)]


def _draw_depth(panel, run: PerformanceRun, baseline: PerformanceRun | None) -> None:
    depths = depths_of(run)
    panel.set_yscale("log")
    ends = []
    for paging, (color, marker), shift in zip(PAGINGS, MARKS, (-0.06, 0.06), strict=False):
        for number, depth in enumerate(depths):
            good = run.select(counts=True, section="depth", contestant=paging, depth=depth)
            dots(panel, [number + shift] * len(good), [sample.ms for sample in good], color, size=4, alpha=0.4)
        for source, line, words in ((run, "-", ""), (baseline, ":", ", baseline")):
            found = [] if source is None else [(depth, depth_of(source, depth, paging)) for depth in depths]
            medians = [(depths.index(depth), figures.p50) for depth, figures in found if figures.n]
            if medians:
                marked = {"marker": marker, "markersize": 4.5} if source is run else {}
                panel.plot(*zip(*medians, strict=True), line, color=color, linewidth=1.8, **marked)
                ends.append((*medians[-1], f"{CONTESTANTS[paging]}{words} {milliseconds(medians[-1][1])}", color))
    panel.set_xticks(range(len(depths)), [short_count(depth) for depth in depths])
    panel.set_xlim(-0.4, max(len(depths) - 1, 0) + 0.4)
    panel.set_xlabel(f"claims before the page ({run.tiers[0]} provider)")
    panel.set_ylabel("ms per page, log scale")
    plain_ticks(panel.yaxis)
    if ends:
        label_ends(panel, ends)
    else:
        _nothing(panel)


def _draw_rates(panel, run: PerformanceRun, baseline: PerformanceRun | None) -> None:
    for source, line in ((run, "-"), (baseline, ":")):
        levels = _levels(source)
        pages = [at_once(source, clients)[1].pages_per_s for clients in levels]
        panel.plot(levels, pages, line, marker="o", color=GREEN)
        if source is run:
            for clients, value in zip(levels, pages, strict=True):
                write(panel, clients, value, f"{value:,.0f}")
    _of_clients(panel, run, baseline)
    panel.set_ylabel("pages per second")


def _draw_latency_of_clients(panel, run: PerformanceRun, baseline: PerformanceRun | None) -> None:
    ends = []
    for source, line, words in ((run, "-", ""), (baseline, ":", ", baseline")):
        levels = _levels(source)
        figures = [at_once(source, clients)[0] for clients in levels]
        for name, color, marker in (("p95", PURPLE, "D"), ("p50", GREEN, "o")):
            values = [getattr(each, name) for each in figures]
            panel.plot(levels, values, line, marker=marker, markersize=4.5, color=color)
            if values:
                ends.append((levels[-1], values[-1], f"{name}{words} {milliseconds(values[-1])}", color))
    _of_clients(panel, run, baseline)
    panel.set_ylabel("ms per page")
    label_ends(panel, ends)


def _levels(run: PerformanceRun | None) -> list[int]:
    """The client counts that have figures, ascending."""
    levels = sorted({level.clients for level in run.levels}) if run else []
    return [clients for clients in levels if at_once(run, clients)[0].n]


def _of_clients(panel, *runs: PerformanceRun | None) -> None:
    """Finish a panel whose x axis is the number of clients."""
    panel.set_xlabel("concurrent clients")
    panel.set_xscale("log", base=2)
    ticks = sorted({clients for run in runs for clients in _levels(run)})
    panel.set_xticks(ticks, [str(tick) for tick in ticks])
    panel.minorticks_off()
    panel.margins(x=0.16)
    highest = max([value for line in panel.lines for value in line.get_ydata()], default=1)
    panel.set_ylim(0, 1.2 * highest)  # room for the figures above the points
    if not ticks:
        _nothing(panel)


def _nothing(panel) -> None:
    panel.text(0.5, 0.5, NOT_MEASURED, transform=panel.transAxes, ha="center", color=GREY)


_LATENCY = RunChart(
    "latency_by_tier", texts.latency_title, texts.latency_subtitle, texts.latency_described,
    (
        Panel(SCENARIOS[PROVIDER].title, partial(draw_operations, scenario=PROVIDER)),
        Panel("Date range, first page", partial(draw_ways, operation="first_page")),
    ),
)  # fmt: skip
_PLANS = RunChart(
    "plans", texts.plans_title, texts.plans_subtitle, texts.plans_described,
    (
        Panel("Date range, total", partial(draw_ways, operation="count")),
        Panel("Date range, every operation", partial(draw_operations, scenario=RANGE)),
    ),
)  # fmt: skip
_KEYSET = RunChart(
    "keyset", texts.keyset_title, texts.keyset_subtitle, texts.keyset_described, (Panel("Provider only", _draw_depth),)
)
_CONCURRENCY = RunChart(
    "concurrency", texts.concurrency_title, texts.concurrency_subtitle, texts.concurrency_described,
    (Panel("Rate", _draw_rates), Panel("Latency of a page", _draw_latency_of_clients)),
)  # fmt: skip
CHARTS = (_LATENCY, _PLANS, _KEYSET, _CONCURRENCY)
"""Every chart of the report; `report.html.j2` places each one by its name."""


@checked(PbmError)
def latency_by_tier_chart(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Figure:
    """Chart latency by provider size on two log axes; this is the main chart of the demo.

    Each line joins the medians. Its band holds 90% of the calls, from p5 to p95. Each faint point is one call.

    Args:
        run: the run.
        baseline: a run to compare with, drawn as crosses at its medians, joined by dotted lines; None for none.

    Returns:
        A figure with two panels: all operations for a provider alone, and the first page of a date range by each query.
    """
    return _LATENCY.whole(run, baseline)


@checked(PbmError)
def plans_chart(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Figure:
    """Chart date ranges by provider size, drawn like `latency_by_tier_chart`.

    Args:
        run: the run.
        baseline: a run to compare with, drawn as crosses at its medians, joined by dotted lines; None for none.

    Returns:
        A figure with two panels: the total of a range by each query, and all operations as an application calls them.
    """
    return _PLANS.whole(run, baseline)


@checked(PbmError)
def keyset_chart(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Figure:
    """Chart page latency by keyset and by skip/limit at increasing depth, one point per call, on a log axis.

    Args:
        run: the run.
        baseline: a run to compare with, its medians drawn as dotted lines; None for none.

    Returns:
        A figure with one panel.
    """
    return _KEYSET.whole(run, baseline)


@checked(PbmError)
def concurrency_chart(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Figure:
    """Chart pages per second and page latency by the number of concurrent clients.

    Args:
        run: the run.
        baseline: a run to compare with, drawn as dotted lines; None for none.

    Returns:
        A figure with two panels: the rate, and the p50 and p95 of a page.
    """
    return _CONCURRENCY.whole(run, baseline)
