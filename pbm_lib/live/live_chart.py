"""A small live chart of a running watch, in a notebook: one output, redrawn every second."""

import math
import time
from collections.abc import Sequence

from ..chart_style import GREEN, GREY, INK, LINE, PURPLE
from ..display import show_in_notebook
from .elections import Elections
from .walker import PageSample

_EVERY_SECONDS = 1.0
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 640, 190, 44, 26, 24
_MARGIN = 12  # of the card around the chart; part of the picture, because browsers cut off an SVG's padding
_LOW, _HIGH = 0.5, 10_000  # ms
_MOST_BARS, _BAR_SECONDS = 60, 0.5
_FEED_HEIGHT = 36
_POINTS = 1_200


class LiveChart:
    """Shows each page as a point, by when it was due and how long it took, with marks for errors and elections.

    Bars show arriving claims. Outside a notebook, it shows nothing. It builds the SVG by hand, which takes only a few
    ms: the walker waits for it, and any page that becomes due in that time is late.

    Args:
        seconds: duration of the watch.
        feed_rate: claims due to arrive per second.
    """

    def __init__(self, seconds: float, feed_rate: float):
        self._seconds, self._feed_rate = seconds, feed_rate
        self._bar_count = min(max(int(seconds / _BAR_SECONDS), 1), _MOST_BARS)
        self._draw_at = 0.0
        self._handle = show_in_notebook(_Svg(self._drawn([], [], [])))

    def update(
        self,
        samples: Sequence[PageSample],
        feed: Sequence[tuple[float, int]],
        elections: Elections,
        start: float,
        *,
        now: bool = False,
    ) -> None:
        """Redraw the chart if a second has passed since the last time.

        Args:
            samples: the pages requested so far.
            feed: (moment on `time.perf_counter`, claims), one entry per batch that arrived.
            elections: the changes of primary.
            start: start of the watch, on `time.perf_counter`.
            now: redraw even if less than a second has passed.
        """
        if self._handle is None or not (now or time.monotonic() >= self._draw_at):
            return
        self._draw_at = time.monotonic() + _EVERY_SECONDS
        arrived = [(at - start, claims) for at, claims in feed]
        changes = [election.at for election in elections.since(start)]
        self._handle.update(_Svg(self._drawn(samples, arrived, changes)))

    def _drawn(self, samples: Sequence[PageSample], feed: Sequence[tuple[float, int]], changes: Sequence[float]) -> str:
        shown = samples[:: max(math.ceil(len(samples) / _POINTS), 1)]
        failed = [sample for sample in samples if sample.error]
        parts = [
            _text(0, 12, "While it runs: each page, in ms", INK, bold=True),
            *(self._line(ms) for ms in (1, 10, 100, 1_000)),
            *self._bars(feed),
            _path("".join(f"M{self._x(page.at)} {self._y(page.ms)}h.01" for page in shown if not page.error), GREEN, 4),
            _path("".join(f"M{self._x(page.at) - 3} {_TOP}l6 6m0 -6l-6 6" for page in failed), PURPLE, 1.6),
            _path("".join(f"M{self._x(at)} {_TOP}V{_HEIGHT - _BOTTOM}" for at in changes), PURPLE, 1.2),
            _text(_WIDTH, _HEIGHT - 6, f"{self._seconds:g} s", GREY, anchor="end"),
            _text(_LEFT, _HEIGHT - 6, "0", GREY),
        ]
        if self._feed_rate:
            parts.append(_text(_WIDTH / 2, _HEIGHT - 6, "bars: claims arriving", GREY, anchor="middle"))
        width, height = _WIDTH + 2 * _MARGIN, _HEIGHT + 2 * _MARGIN
        size = f'width="{width}" height="{height}" viewBox="{-_MARGIN} {-_MARGIN} {width} {height}"'
        look = 'font-family="sans-serif" font-size="11" style="background:white;border-radius:8px"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {look}>{"".join(parts)}</svg>'

    def _bars(self, feed: Sequence[tuple[float, int]]) -> list[str]:
        bars = self._bar_count
        claims = [0] * bars
        for at, count in feed:
            claims[min(max(int(at / self._seconds * bars), 0), bars - 1)] += count
        most = max(*claims, self._feed_rate * self._seconds / bars, 1)
        width, base = (_WIDTH - _LEFT) / bars, _HEIGHT - _BOTTOM
        heights = [count / most * _FEED_HEIGHT for count in claims]
        return [
            f'<rect x="{_LEFT + number * width:.1f}" y="{base - height:.1f}" width="{width - 1:.1f}" '
            f'height="{height:.1f}" fill="{LINE}"/>'
            for number, height in enumerate(heights)
            if height
        ]

    def _line(self, ms: float) -> str:
        y = self._y(ms)
        return _path(f"M{_LEFT} {y}H{_WIDTH}", LINE, 1) + _text(_LEFT - 6, y + 4, f"{ms:,}", GREY, anchor="end")

    def _x(self, seconds: float) -> float:
        return round(_LEFT + min(seconds / self._seconds, 1) * (_WIDTH - _LEFT), 1)

    def _y(self, ms: float) -> float:
        part = math.log(min(max(ms, _LOW), _HIGH) / _LOW) / math.log(_HIGH / _LOW)
        return round(_HEIGHT - _BOTTOM - part * (_HEIGHT - _BOTTOM - _TOP), 1)


class _Svg:
    """An SVG picture that a notebook can show."""

    def __init__(self, text: str):
        self._text = text

    def __repr__(self) -> str:
        return "A chart of the pages so far"

    def _repr_svg_(self) -> str:
        return self._text


def _path(path: str, color: str, width: float) -> str:
    return (
        f'<path d="{path}" stroke="{color}" stroke-width="{width}" stroke-linecap="round" fill="none"/>' if path else ""
    )


def _text(x: float, y: float, text: str, color: str, *, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x}" y="{y}" fill="{color}" text-anchor="{anchor}"{weight}>{text}</text>'
