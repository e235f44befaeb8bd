"""The charts of a run, a matplotlib Figure each. The title states the finding, and is computed from the samples."""

from __future__ import annotations

from matplotlib.figure import Figure

from ..display import NOT_MEASURED, milliseconds, times
from ..measure.run import PerformanceRun
from .findings import concurrency_finding, depths_of, keyset_finding, latency_finding, plans_finding, rates
from .style import (
    BLUE,
    GREEN,
    GREY,
    MOST_MARKS,
    ORANGE,
    PURPLE,
    figure_titled,
    legend,
    plain_ticks,
    row_place,
    strip,
    styled,
    write,
)

_OPERATIONS = {"count": "count", "first_page": "first page", "next_page": "next page", "deep_page": "deep page"}
_SCENARIOS = {"provider": "Provider only", "range": "Provider and date range"}


@styled
def latency_by_tier_chart(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Figure:
    """Return the latency of counts and pages by tier, every sample a point, p95 written on, on a log axis.

    Args:
        run: the run.
        baseline: a run to compare with; its p95 is a cross.

    Returns:
        A figure with a panel for each scenario.
    """
    rows = [(operation, tier) for operation in _OPERATIONS for tier in run.tiers]
    figure = figure_titled(latency_finding(run), width=8.6, height=1.5 + 0.235 * (len(rows) + 3))
    panels = figure.subplots(1, 2, sharey=True, sharex=True)
    for panel, (scenario, title) in zip(panels, _SCENARIOS.items(), strict=True):
        panel.set_title(title)
        panel.set_xscale("log")
        for number, (operation, tier) in enumerate(rows):
            place = row_place(number, len(run.tiers))
            labels = {"section": "latency", "operation": operation, "tier": tier, "scenario": scenario}
            good = run.select(counts=True, **labels)
            if not good:
                axis = panel.get_yaxis_transform()
                panel.text(0.02, place, NOT_MEASURED, transform=axis, va="center", color=GREY, fontsize=8)
                continue
            color = (BLUE, ORANGE, GREEN, PURPLE)[list(_OPERATIONS).index(operation)]
            strip(panel, good, place, color, "o", marks=len(run.samples))
            p95, slowest = run.statistics(**labels).p95, max(sample.ms for sample in good)
            text = milliseconds(p95)
            panel.plot([p95] * 2, [place - 0.34, place + 0.34], color="black", linewidth=1.6)
            if baseline and (theirs := baseline.statistics(**labels)).n:
                panel.plot(theirs.p95, place, "x", color=GREY, markersize=7, markeredgewidth=1.8)
                slowest, text = max(slowest, theirs.p95), f"{text} ({milliseconds(theirs.p95)})"
            panel.annotate(text, (slowest, place), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8)
        panel.set_xlabel("ms, log scale")
        plain_ticks(panel.xaxis)
        left, right = panel.get_xlim()
        panel.set_xlim(left, right * (6 if baseline else 2.2))  # room for what is written beside the slowest
    places = [row_place(number, len(run.tiers)) for number in range(len(rows))]
    panels[0].set_yticks(places, [f"{_OPERATIONS[operation]}  {tier:>4}" for operation, tier in rows])
    panels[0].set_ylim(places[-1] + 0.7, -0.7)
    marks = [("o", GREY, "one call"), ("|", "black", "p95")]
    legend(figure, [*marks, ("x", GREY, "p95 of the baseline, in brackets")] if baseline else marks)
    return figure


@styled
def plans_chart(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Figure:
    """Return the bounded against the plain plan, every sample a point, medians joined, on a log axis.

    Args:
        run: the run.
        baseline: a run to compare with; its medians are crosses.

    Returns:
        A figure with a panel for the first page and one for the count.
    """
    figure = figure_titled(plans_finding(run), width=8.6, height=1.7 + 0.42 * len(run.tiers))
    panels = figure.subplots(1, 2, sharey=True, sharex=True)
    for panel, operation in zip(panels, ("first_page", "count"), strict=True):
        panel.set_title(f"{_OPERATIONS[operation].capitalize()}, date range")
        panel.set_xscale("log")
        for place, tier in enumerate(run.tiers):
            labels = {"section": "plans", "operation": operation, "tier": tier}
            medians = {}
            for plan, color, marker in (("bounded", BLUE, "o"), ("plain", ORANGE, "D")):
                if good := run.select(counts=True, contestant=plan, **labels):
                    strip(panel, good, place, color, marker, size=26, spread=0.0, marks=len(run.samples))
                    medians[plan] = run.statistics(contestant=plan, **labels).p50
                if baseline and (theirs := baseline.statistics(contestant=plan, **labels)).n:
                    panel.plot(theirs.p50, place + 0.25, "x", color=color, markersize=7, markeredgewidth=1.8)
            if len(medians) == 2:
                panel.plot(list(medians.values()), [place] * 2, color="#BBBBBB", linewidth=2.5, zorder=0)
                middle = (medians["bounded"] * medians["plain"]) ** 0.5
                gain = medians["plain"] / medians["bounded"]
                ratio = f"{times(gain)} times" if gain > 1.1 else "no gain"
                panel.annotate(
                    ratio, (middle, place), xytext=(0, 5), textcoords="offset points", ha="center", fontsize=8.5
                )
        panel.set_xlabel("ms, log scale")
        plain_ticks(panel.xaxis)
    panels[0].set_yticks(range(len(run.tiers)), [f"{tier} claims" for tier in run.tiers])
    panels[0].set_ylim(len(run.tiers) - 0.4, -0.6)
    marks = [("o", BLUE, "bounded plan, one call"), ("D", ORANGE, "plain plan, one call")]
    legend(figure, [*marks, ("x", GREY, "medians of the baseline")] if baseline else marks)
    return figure


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
    figure = figure_titled(keyset_finding(run), width=7.2, height=4.0)
    panel = figure.subplots()
    panel.set_yscale("log")
    for name, words, color, marker in (("keyset", "keyset", BLUE, "o"), ("skip", "skip/limit", ORANGE, "D")):
        labels = {"section": "depth", "contestant": name}
        for source, line in ((run, "-"), (baseline, "--")):
            found = [] if source is None else [(d, source.statistics(depth=d, **labels)) for d in depths]
            medians = [(depths.index(depth), figures.p50) for depth, figures in found if figures.n]
            if not medians:
                continue
            panel.plot(*zip(*medians, strict=True), line, color=color, linewidth=1.8)
            place, value = medians[-1]
            text = f"{words}{', baseline' if source is baseline else ''}: {milliseconds(value)}"
            offset = (16, 0) if source is run else (16, -12)
            panel.annotate(
                text, (place, value), xytext=offset, textcoords="offset points", va="center", color=color,
                fontweight="bold" if source is run else "normal",
            )  # fmt: skip
        for place, depth in enumerate(depths):
            shift = -0.06 if name == "keyset" else 0.06
            times_ = [sample.ms for sample in run.select(counts=True, depth=depth, **labels)]
            panel.scatter(
                [place + shift] * len(times_), times_, s=18, color=color, marker=marker, alpha=0.55, linewidth=0,
                rasterized=len(run.samples) > MOST_MARKS,
            )  # fmt: skip
    panel.set_xticks(range(len(depths)), [f"{depth:,}" for depth in depths])
    panel.set_xlim(-0.4, max(len(depths) - 1, 0) + 1.6)
    panel.set_xlabel(f"claims before the page (provider with {run.tiers[0]} claims)")
    panel.set_ylabel("ms a page, log scale")
    plain_ticks(panel.yaxis)
    return figure


@styled
def concurrency_chart(run: PerformanceRun, baseline: PerformanceRun | None = None) -> Figure:
    """Return pages a second and the latency of a page, by the number of clients at work at once.

    Args:
        run: the run.
        baseline: a run to compare with; dashed.

    Returns:
        A figure with a panel for the rate and one for p50 and p95.
    """
    figure = figure_titled(concurrency_finding(run), width=8.6, height=3.6)
    rate, latency = figure.subplots(1, 2)
    rate.set_title("Pages a second")
    latency.set_title("Latency of a page, ms")
    for source, line in ((run, "-"), (baseline, "--")):
        levels = [] if source is None else sorted({level.clients for level in source.levels})
        levels = [clients for clients in levels if source.statistics(section="concurrency", clients=clients).n]
        if not levels:
            continue
        pages = [rates(source, clients)[0] for clients in levels]
        figures = [source.statistics(section="concurrency", clients=clients) for clients in levels]
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
        panel.set_xlabel("clients at once")
        panel.set_xscale("log", base=2)
        ticks = sorted({level.clients for source in (run, baseline) if source for level in source.levels})
        panel.set_xticks(ticks, [str(tick) for tick in ticks])
        panel.minorticks_off()
        panel.margins(x=0.16)
        highest = max([value for line in panel.lines for value in line.get_ydata()], default=1)
        panel.set_ylim(0, 1.2 * highest)  # room for the figures that are written above the points
    return figure
