"""Chart panels with provider size on the x axis: one line per operation, or per way to ask for a date range."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..chart_style import GREY, LOOKS, MARKS, dots, label_ends, plain_ticks
from ..display import NOT_MEASURED, milliseconds
from ..measure.run import PerformanceRun
from ..measure.sampling import FEWEST
from ..vocabulary import BOUNDED, BY_TIER, UNBOUNDED
from .figures import Way, range_labels, ways_of

_SHIFT = 0.03  # of a decade: how far points spread to either side of their tier's size
_APART = 4  # a tier is named if the one named before it has at least this many times the claims


class _Curve(NamedTuple):
    """One line of a panel: its name, its look, and a function that returns its samples' labels in a run at a tier."""

    words: str
    color: str
    marker: str
    line: str
    labels: Callable[[PerformanceRun, str], Mapping[str, Any]]


def draw_operations(panel, run: PerformanceRun, baseline: PerformanceRun | None, scenario: str) -> None:
    """Draw how long each operation takes, as an application calls it, by provider size.

    Args:
        panel: the matplotlib Axes to draw on.
        run: the run, without times of 0 ms.
        baseline: a run to compare with, drawn as crosses at its medians, joined by dotted lines; None for none.
        scenario: one of `vocabulary.SCENARIOS`.
    """
    curves = [
        _Curve(operation.words, *LOOKS[name], lambda of, tier, name=name: of.latency_labels(tier, name, scenario))
        for name, operation in BY_TIER.items()
    ]
    _draw(panel, run, baseline, curves)


def draw_ways(panel, run: PerformanceRun, baseline: PerformanceRun | None, operation: str) -> None:
    """Draw how long each way to ask for a date range takes, by provider size.

    Args:
        panel: the matplotlib Axes to draw on.
        run: the run, without times of 0 ms.
        baseline: a run to compare with, drawn as crosses at its medians, joined by dotted lines; None for none.
        operation: "first_page" or "count".
    """
    own = run.settings.index
    ours, theirs, other = MARKS[:3]
    looks = {Way(BOUNDED, own): (*ours, "-"), Way(UNBOUNDED, own): (*theirs, "-")}
    curves = [
        _Curve(way.short(run), *looks.get(way, (*other, "--")),
               lambda _, tier, way=way: range_labels(tier, operation, way))
        for way in ways_of(run)
    ]  # fmt: skip
    _draw(panel, run, baseline, curves)


def _draw(panel, run: PerformanceRun, baseline: PerformanceRun | None, curves: list[_Curve]) -> None:
    panel.set_xscale("log")
    panel.set_yscale("log")
    sizes = {tier: run.claims_per_provider(tier) for tier in run.tiers}
    ends = []
    for words, color, marker, line, labels in curves:
        times = _times(run, labels)
        if not times:
            continue
        xs = [sizes[tier] for tier in times]
        low, medians, high = np.array([np.percentile(found, (5, 50, 95)) for found in times.values()]).T
        for tier, found in times.items():
            shifts = [sizes[tier] * 10 ** (_SHIFT * (((7 * number) % 11) / 5 - 1)) for number in range(len(found))]
            dots(panel, shifts, found, color, alpha=0.25 if len(found) >= FEWEST else 0.6)
        # With fewer calls, the range that holds 90% of them is not known.
        enough = [len(found) >= FEWEST for found in times.values()]
        panel.fill_between(xs, low, high, where=enough, color=color, alpha=0.12, linewidth=0)
        panel.plot(xs, medians, line, color=color, marker=marker, markersize=4.5, linewidth=1.8)
        ends.append((xs[0], medians[0], f"{words} {milliseconds(medians[0])}", color))
        if baseline and (theirs := _times(baseline, labels, run.tiers)):
            middle = [float(np.median(found)) for found in theirs.values()]
            panel.plot([sizes[tier] for tier in theirs], middle, "x", linestyle=(0, (1, 2)), color=color, markersize=6)
    panel.set_xticks(list(sizes.values()), _apart(sizes))
    panel.minorticks_off()
    panel.set_xlim(min(sizes.values()) / 1.5, max(sizes.values()) * 1.5)
    panel.set_ylim(*_span(run, baseline))
    panel.set_xlabel("claims per provider")
    panel.set_ylabel("ms, log scale")
    plain_ticks(panel.yaxis)
    if ends:
        label_ends(panel, ends)
    else:
        panel.text(0.5, 0.5, NOT_MEASURED, transform=panel.transAxes, ha="center", color=GREY)


def _times(
    run: PerformanceRun, labels: Callable[[PerformanceRun, str], Mapping[str, Any]], tiers: tuple[str, ...] = ()
) -> dict[str, list[float]]:
    """The times of a curve by tier, largest tier first, without the tiers that have none."""
    found = {tier: run.select(counts=True, **labels(run, tier)) for tier in run.tiers if not tiers or tier in tiers}
    return {tier: [sample.ms for sample in samples] for tier, samples in found.items() if samples}


def _apart(sizes: dict[str, int]) -> list[str]:
    """The names of the tiers, largest first; a name is empty if it would be too close to the one before it to read."""
    names, written = [], math.inf
    for tier, size in sizes.items():
        readable = size <= written / _APART
        names.append(tier if readable else "")
        written = size if readable else written
    return names


def _span(*runs: PerformanceRun | None) -> tuple[float, float]:
    """The limits of the y axis, the same for every panel so that panels side by side can be compared."""
    times = [
        sample.ms
        for run in runs
        if run is not None
        for sample in run.samples
        if sample.counts and sample.tier and sample.operation in BY_TIER and sample.section != "cold"
    ]
    return (min(times) / 1.6, max(times) * 1.6) if times else (1.0, 1_000.0)
