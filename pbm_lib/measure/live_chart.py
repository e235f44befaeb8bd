"""A small chart in a notebook that fills in during a run: one output, redrawn every few seconds."""

import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from ..chart_style import INK, LOOKS, dots, figure_titled, legend, plain_ticks, styled
from ..display import show_in_notebook
from ..vocabulary import BY_TIER
from .samples import Sample

_EVERY_SECONDS = 3.0
_SHARE = 0.03  # of the run's time, at most, spent on drawing
_HEIGHT = 0.3  # a row's operations are spread over this part of the row's height, on both sides of its middle


class LiveChart:
    """A chart of each call so far, as a point by tier and time. It covers the operations measured at each tier.

    Outside a notebook, it shows nothing. In a notebook run by papermill, only its last state is kept.
    """

    def __init__(self, tiers: Sequence[str]):
        """Show an empty chart; `tiers` begins with the tier with the most claims per provider."""
        self._tiers = tiers
        self._draw_at = time.monotonic()
        self._handle = show_in_notebook(self._chart([]))

    def update(self, samples: Sequence[Sample], *, now: bool = False) -> None:
        """Redraw the chart with these samples if it is time to, or if `now` is set."""
        if self._handle is None or not (now or time.monotonic() >= self._draw_at):
            return
        began = time.monotonic()
        self._handle.update(self._chart(samples))
        ended = time.monotonic()
        self._draw_at = ended + max(_EVERY_SECONDS, (ended - began) / _SHARE)

    @styled
    def _chart(self, samples: Sequence[Sample]) -> Any:
        figure = figure_titled("While it runs: each call, in ms", width=6.4, height=0.9 + 0.27 * len(self._tiers))
        panel = figure.subplots()
        panel.set_xscale("log")
        panel.set_xlim(0.5, 10_000)
        times: dict[tuple[str, str], list[float]] = defaultdict(list)
        for sample in samples:
            if sample.counts and sample.ms > 0 and sample.operation in BY_TIER and sample.tier in self._tiers:
                times[sample.operation, sample.tier].append(sample.ms)
        for (operation, tier), found in times.items():
            color, *_ = LOOKS[operation]
            shift = _HEIGHT * (2 * list(BY_TIER).index(operation) / (len(BY_TIER) - 1) - 1)
            place = self._tiers.index(tier) + shift
            dots(panel, found, [place] * len(found), color, alpha=0.5)
            panel.plot(statistics.median(found), place, "|", color=INK, markersize=7, markeredgewidth=1.4)
        panel.set_yticks(range(len(self._tiers)), self._tiers)
        panel.set_ylim(len(self._tiers) - 0.4, -0.6)
        plain_ticks(panel.xaxis)
        legend(figure, [("o", LOOKS[name][0], operation.words) for name, operation in BY_TIER.items()])
        return figure
