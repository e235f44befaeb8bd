"""The charts of a run, a matplotlib Figure each, and the table of them: a chart more is one record at the end."""

from collections.abc import Callable
from typing import NamedTuple

from matplotlib.figure import Figure

from ..arguments import checked
from ..chart_style import (
    BLUE,
    GREY,
    MARKS,
    MOST_MARKS,
    ORANGE,
    figure_titled,
    legend,
    plain_ticks,
    row_place,
    strip,
    styled,
    write,
)
from ..display import NOT_MEASURED, milliseconds, times
from ..errors import PbmError
from ..measure.run import PerformanceRun
from ..vocabulary import BOUNDED, BY_TIER, CONTESTANTS, OPERATIONS, PAGINGS, SCENARIOS, UNBOUNDED
from . import chart_texts as texts
from .figures import (
    Way,
    at_once,
    depth_of,
    depths_of,
    drawable,
    gain_of,
    latency_of,
    range_labels,
    range_of,
    ways_of,
)


@checked(PbmError)
@styled
def latency_by_tier_chart(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Figure:
    """Return the latency of counts and pages by tier, every sample a point, p95 written on, on a log axis.

    Args:
        run: the run.
        baseline: a run to compare with; its p95 is a cross.

    Returns:
        A figure with a panel for each scenario.
    """
    rows = [(operation, tier) for operation in BY_TIER for tier in run.tiers]
    run, baseline = drawable(run), drawable(baseline)
    figure = figure_titled(texts.latency_finding(run), width=8.6, height=1.5 + 0.235 * (len(rows) + 3))
    panels = figure.subplots(1, 2, sharey=True, sharex=True)
    for panel, (scenario, asked) in zip(panels, SCENARIOS.items(), strict=True):
        panel.set_title(asked.title)
        panel.set_xscale("log")
        for number, (operation, tier) in enumerate(rows):
            place = row_place(number, len(run.tiers))
            labels = run.latency_labels(tier, operation, scenario)
            good = run.select(counts=True, **labels)
            if not good:
                axis = panel.get_yaxis_transform()
                panel.text(0.02, place, NOT_MEASURED, transform=axis, va="center", color=GREY, fontsize=8)
                continue
            color, _ = MARKS[list(BY_TIER).index(operation)]
            strip(panel, [sample.ms for sample in good], place, color, "o", in_all=len(run.samples))
            p95, slowest = latency_of(run, tier, operation, scenario).p95, max(sample.ms for sample in good)
            text = milliseconds(p95)
            panel.plot([p95] * 2, [place - 0.34, place + 0.34], color="black", linewidth=1.6)
            if baseline and (theirs := latency_of(baseline, tier, operation, scenario)).n:
                panel.plot(theirs.p95, place, "x", color=GREY, markersize=7, markeredgewidth=1.8)
                slowest, text = max(slowest, theirs.p95), f"{text} ({milliseconds(theirs.p95)})"
            panel.annotate(text, (slowest, place), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8)
        panel.set_xlabel("ms, log scale")
        plain_ticks(panel.xaxis)
    left, right = panels[0].get_xlim()  # of both
    panels[0].set_xlim(left, right * (6 if baseline else 2.2))  # room for what is written beside the slowest
    places = [row_place(number, len(run.tiers)) for number in range(len(rows))]
    panels[0].set_yticks(places, [f"{OPERATIONS[operation].words}  {tier:>4}" for operation, tier in rows])
    panels[0].set_ylim(places[-1] + 0.7, -0.7)
    marks = [("o", GREY, "one call"), ("|", "black", "p95")]
    legend(figure, [*marks, ("x", GREY, "p95 of the baseline, in brackets")] if baseline else marks)
    return figure


@checked(PbmError)
@styled
def plans_chart(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Figure:
    """Return the ways to ask for a date range, every sample a point, medians joined, on a log axis.

    Args:
        run: the run.
        baseline: a run to compare with; its medians are crosses.

    Returns:
        A figure with a panel for the first page and one for the count.
    """
    run, baseline = drawable(run), drawable(baseline)
    ways = ways_of(run)
    # The application's own way is blue, as everywhere; the unbounded query orange, the other index green.
    bounded, unbounded = Way(BOUNDED, run.settings.index), Way(UNBOUNDED, run.settings.index)
    colors = {bounded: MARKS[0], unbounded: MARKS[1]}
    looks = {way: colors.get(way, MARKS[2]) for way in ways}
    figure = figure_titled(texts.plans_finding(run), width=8.6, height=1.7 + 0.46 * len(run.tiers))
    panels = figure.subplots(1, 2, sharey=True, sharex=True)
    for panel, operation in zip(panels, ("first_page", "count"), strict=True):
        panel.set_title(f"{OPERATIONS[operation].words.capitalize()}, date range")
        panel.set_xscale("log")
        for place, tier in enumerate(run.tiers):
            medians = {}
            for way, (color, marker) in looks.items():
                labels = range_labels(tier, operation, way)
                if good := run.select(counts=True, **labels):
                    strip(
                        panel,
                        [sample.ms for sample in good],
                        place,
                        color,
                        marker,
                        size=11,
                        spread=0.0,
                        in_all=len(run.samples),
                    )
                    medians[way] = run.statistics(**labels).p50
                    panel.plot([medians[way]] * 2, [place - 0.3, place + 0.3], color=color, linewidth=2)
                if baseline and (theirs := range_of(baseline, tier, operation, way)).n:
                    panel.plot(theirs.p50, place + 0.25, "x", color=color, markersize=7, markeredgewidth=1.8)
            if len(medians) > 1:
                panel.plot(
                    [min(medians.values()), max(medians.values())],
                    [place] * 2,
                    color="#BBBBBB",
                    linewidth=2.5,
                    zorder=0,
                )
            if gain := gain_of(run, tier, operation, unbounded, bounded):
                ratio = "no gain" if 0.9 < gain.median <= 1.1 else f"{times(gain.median)} times"
                middle = (medians[bounded] * medians[unbounded]) ** 0.5
                panel.annotate(
                    ratio, (middle, place), xytext=(0, 4), textcoords="offset points", ha="center", fontsize=8.5
                )
        panel.set_xlabel("ms, log scale")
        plain_ticks(panel.xaxis)
    panels[0].set_yticks(range(len(run.tiers)), [f"{tier} claims" for tier in run.tiers])
    panels[0].set_ylim(len(run.tiers) - 0.4, -0.6)
    marks = [(marker, color, way.words(run)) for way, (color, marker) in looks.items()]
    marks.append(("|", GREY, "median"))
    legend(figure, [*marks, ("x", GREY, "medians of the baseline")] if baseline else marks)
    return figure


@checked(PbmError)
@styled
def keyset_chart(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Figure:
    """Return a page by keyset against one by skip/limit at growing depth, every sample a point, on a log axis.

    Args:
        run: the run.
        baseline: a run to compare with; its medians are dashed.

    Returns:
        A figure with one panel.
    """
    depths = depths_of(run)
    run, baseline = drawable(run), drawable(baseline)
    figure = figure_titled(texts.keyset_finding(run), width=7.2, height=4.0)
    panel = figure.subplots()
    panel.set_yscale("log")
    for paging, (color, marker), shift in zip(PAGINGS, MARKS, (-0.06, 0.06), strict=False):
        for source, line in ((run, "-"), (baseline, "--")):
            found = [] if source is None else [(depth, depth_of(source, depth, paging)) for depth in depths]
            medians = [(depths.index(depth), figures.p50) for depth, figures in found if figures.n]
            if not medians:
                continue
            panel.plot(*zip(*medians, strict=True), line, color=color, linewidth=1.8)
            place, value = medians[-1]
            text = f"{CONTESTANTS[paging]}{', baseline' if source is baseline else ''}: {milliseconds(value)}"
            offset = (16, 0) if source is run else (16, -12)
            panel.annotate(
                text, (place, value), xytext=offset, textcoords="offset points", va="center", color=color,
                fontweight="bold" if source is run else "normal",
            )  # fmt: skip
        for place, depth in enumerate(depths):
            good = run.select(counts=True, section="depth", contestant=paging, depth=depth)
            panel.scatter(
                [place + shift] * len(good), [sample.ms for sample in good], s=18, color=color, marker=marker,
                alpha=0.55, linewidth=0, rasterized=len(run.samples) > MOST_MARKS,
            )  # fmt: skip
    panel.set_xticks(range(len(depths)), [f"{depth:,}" for depth in depths])
    panel.set_xlim(-0.4, max(len(depths) - 1, 0) + 1.6)
    panel.set_xlabel(f"claims before the page (provider with {run.tiers[0]} claims)")
    panel.set_ylabel("ms per page, log scale")
    plain_ticks(panel.yaxis)
    return figure


@checked(PbmError)
@styled
def concurrency_chart(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Figure:
    """Return pages per second and the latency of a page, by the number of concurrent clients.

    Args:
        run: the run.
        baseline: a run to compare with; dashed.

    Returns:
        A figure with a panel for the rate and one for p50 and p95.
    """
    run, baseline = drawable(run), drawable(baseline)
    figure = figure_titled(texts.concurrency_finding(run), width=8.6, height=3.6)
    rate, latency = figure.subplots(1, 2)
    rate.set_title("Pages per second")
    latency.set_title("Page latency, ms")
    for source, line in ((run, "-"), (baseline, "--")):
        levels = [] if source is None else sorted({level.clients for level in source.levels})
        levels = [clients for clients in levels if at_once(source, clients)[0].n]
        if not levels:
            continue
        figures, throughputs = zip(*(at_once(source, clients) for clients in levels), strict=True)
        pages = [throughput.pages_per_s for throughput in throughputs]
        highest = 0.0
        rate.plot(levels, pages, line, marker="o", color=BLUE)
        for name, color, marker in (("p95", ORANGE, "D"), ("p50", BLUE, "o")):
            values = [getattr(statistics, name) for statistics in figures]
            highest = max(highest, *values)
            latency.plot(levels, values, line, marker=marker, color=color)
            if source is run:
                for clients, value in zip(levels, values, strict=True):
                    text = f"{value:,.0f}" if value >= 9.95 else f"{value:.1f}"
                    # Below, so that it does not meet p95's, but not on the axis.
                    write(latency, clients, value, text, below=name == "p50" and value > 0.2 * highest)
            text = name if source is run else f"{name}, baseline"
            latency.annotate(
                text, (levels[-1], values[-1]), xytext=(7, 0), textcoords="offset points", color=color, va="center"
            )
        if source is run:
            for clients, value in zip(levels, pages, strict=True):
                write(rate, clients, value, f"{value:,.0f}")
    for panel in (rate, latency):
        panel.set_xlabel("concurrent clients")
        panel.set_xscale("log", base=2)
        ticks = sorted({level.clients for source in (run, baseline) if source for level in source.levels})
        panel.set_xticks(ticks, [str(tick) for tick in ticks])
        panel.minorticks_off()
        panel.margins(x=0.16)
        highest = max([value for line in panel.lines for value in line.get_ydata()], default=1)
        panel.set_ylim(0, 1.2 * highest)  # room for the figures that are written above the points
    return figure


class RunChart(NamedTuple):
    """A chart of the report: the name of its file, who draws it, its title, and what it shows in words."""

    name: str
    draw: Callable[[PerformanceRun, PerformanceRun | None], Figure]
    finding: Callable[[PerformanceRun], str]
    described: Callable[[PerformanceRun], str]


CHARTS = (
    RunChart("latency_by_tier", latency_by_tier_chart, texts.latency_finding, texts.latency_described),
    RunChart("plans", plans_chart, texts.plans_finding, texts.plans_described),
    RunChart("keyset", keyset_chart, texts.keyset_finding, texts.keyset_described),
    RunChart("concurrency", concurrency_chart, texts.concurrency_finding, texts.concurrency_described),
)
"""Every chart of the report; `report.html.j2` says where each stands, by its name."""
