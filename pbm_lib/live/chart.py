"""The chart of a watch: page times, arriving claims, elections, and errors."""

import math

import numpy as np
from matplotlib.figure import Figure

from ..arguments import checked
from ..chart_style import GREEN, GREY, INK, LINE, PURPLE, dots, figure_titled, legend, plain_ticks, styled
from ..display import LEAST_MS, milliseconds, quantity
from ..errors import PbmError
from .watch import Watch

_SLICES = 60


@checked(PbmError)
@styled
def watch_chart(watch: Watch) -> Figure:
    """Chart the time of each page of a watch, with a mark for each election and each error.

    If claims were fed, a second panel below shows how many arrived per second.

    Args:
        watch: a result of `watch_pages`.

    Returns:
        A figure with one or two panels.
    """
    figure = figure_titled(_title(watch), _subtitle(watch), width=7.2, height=3.9 if watch.feed_offered else 2.9)
    if watch.feed_offered:
        panel, below = figure.subplots(2, sharex=True, height_ratios=(3, 1))
        _draw_feed(below, watch)
    else:
        panel = below = figure.subplots()
    panel.set_yscale("log")
    times = [max(page.ms, LEAST_MS) for page in watch.pages]
    dots(panel, [page.at for page in watch.pages], times, GREEN, size=3.2, alpha=0.6)
    failed = [sample for sample in watch.samples if sample.error]
    if failed:
        panel.plot(
            [sample.at for sample in failed], [max(sample.ms, LEAST_MS) for sample in failed], "x", color=PURPLE,
            markersize=6, markeredgewidth=1.6,
        )  # fmt: skip
    for number, election in enumerate(watch.elections):
        for each in {panel, below}:
            each.axvline(election.at, color=PURPLE, linewidth=1.2, linestyle="--")
        panel.annotate(
            "new primary" if number == 0 else "", (election.at, 1), xycoords=("data", "axes fraction"),
            xytext=(4, -2), textcoords="offset points", va="top", color=PURPLE, fontsize=8.5,
        )  # fmt: skip
    panel.set_ylabel("ms per page, log scale")
    plain_ticks(panel.yaxis)
    below.set_xlim(0, max(watch.seconds, 0.001))
    below.set_xlabel("seconds")
    marks = [("o", GREEN, "a page, from when it was due")]
    legend(figure, [*marks, *([("x", PURPLE, "a page that failed")] if failed else [])])
    return figure


def _draw_feed(panel, watch: Watch) -> None:
    cuts = np.linspace(0, watch.seconds, min(_SLICES, max(math.floor(watch.seconds), 1)) + 1)
    moments, claims = [*zip(*watch.feed, strict=True)] if watch.feed else [(), ()]
    arrived, _ = np.histogram(np.clip(moments, 0, watch.seconds), cuts, weights=claims)
    panel.stairs(arrived / np.diff(cuts), cuts, color=INK, fill=True, facecolor=LINE, edgecolor=GREY)
    panel.axhline(watch.feed_offered, color=GREY, linewidth=1, linestyle="--")
    panel.set_ylim(0)
    panel.set_ylabel("claims/s")
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def _title(watch: Watch) -> str:
    if watch.lost or watch.repeated:
        return "Claims were lost or repeated"
    if not watch.checked:
        return "No page arrived"
    if watch.elections:
        return "No claim lost while the primary changed"
    return f"No claim lost while {'claims arrived' if watch.fed else 'pages were read'}"


def _subtitle(watch: Watch) -> str:
    sentences = [
        f"{quantity(len(watch.pages), 'page')} in {watch.seconds:,.1f} s: p50 {milliseconds(watch.p50_ms)}, p95 "
        f"{milliseconds(watch.p95_ms)}, longest gap {milliseconds(watch.longest_gap_ms)}.",
        f"{quantity(watch.checked, 'claim')} checked: {watch.lost:,} lost, {watch.repeated:,} repeated.",
    ]
    if watch.feed_offered:
        sentences.append(f"{quantity(watch.fed, 'claim')} arrived, {watch.feed_achieved:,.0f} per second.")
    return " ".join(sentences)
