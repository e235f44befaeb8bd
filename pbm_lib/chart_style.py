"""How the charts look, and the marks that they are made of."""

import functools
import io
import textwrap
from collections.abc import Callable
from importlib.resources import files
from typing import Any, TypeVar

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator

# Okabe and Ito's palette: told apart by colour-blind readers, and by lightness in a grey print. Shapes differ as well.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#AA4499", "#6E6E6E"
MARKS = ((BLUE, "o"), (ORANGE, "D"), (GREEN, "s"), (PURPLE, "^"), ("#56B4E9", "v"), ("#E69F00", "P"))
"""Colour and shape of the first, second, third ... thing that a chart compares."""
_STYLE = mpl.rc_params_from_file(files(__package__) / "pbm.mplstyle", use_default_template=False)
MOST_MARKS = 3_000
"""Above so many points they are drawn as a picture within the SVG, which would else grow to megabytes."""
_Drawn = TypeVar("_Drawn")


def styled(draw: Callable[..., _Drawn]) -> Callable[..., _Drawn]:
    """Let a chart be drawn, or saved, in the charts' style, whatever the notebook has set."""

    @functools.wraps(draw)
    def drawn(*arguments: Any, **options: Any) -> _Drawn:
        defaults = {name: value for name, value in mpl.rcParamsDefault.items() if name != "backend"}
        with mpl.rc_context({**defaults, **_STYLE}):
            return draw(*arguments, **options)

    return drawn


def to_svg(figure: Figure) -> bytes:
    """Return a figure as SVG; its letters are outlines, so that it needs no font."""
    return _saved(figure, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")), dpi=200)


def to_png(figure: Figure) -> bytes:
    """Return a figure as PNG, large enough for a slide."""
    return _saved(figure, format="png", metadata={"Software": None}, dpi=200)


@styled
def _saved(figure: Figure, *, dpi: int, **options: Any) -> bytes:
    if figure.get_layout_engine() is not None:
        figure.set_dpi(dpi)  # letters are a little wider or narrower at another resolution
        # Laid out once: it takes as long as drawing does, and a report draws each chart twice.
        figure.get_layout_engine().execute(figure)
        figure.set_layout_engine("none")
    buffer = io.BytesIO()
    figure.savefig(buffer, facecolor="white", dpi=dpi, **options)
    return buffer.getvalue()


class Chart(Figure):
    """A figure that shows itself in a notebook, without pyplot and its global state."""

    def _repr_png_(self) -> bytes:
        return _saved(self, format="png", dpi=110)


def figure_titled(title: str, *, width: float, height: float) -> Figure:
    """Return an empty figure, in inches, under its title; the title is wrapped to its width."""
    figure = Chart(figsize=(width, height), layout="constrained")
    figure.suptitle(
        textwrap.fill(title, int(width * 10.3)), x=0.01, ha="left", fontsize=11.5, fontweight="bold", color="#222222"
    )
    return figure


def row_place(number: int, group: int) -> float:
    """Rows of one operation stand together, with a gap before the next one's."""
    return number + 0.7 * (number // group)


def strip(panel, times: list[float], place: float, color: str, marker: str, *, size=9, spread=0.24, in_all=0) -> None:
    """Draw each time of a chart that has so many points `in_all` as one, shifted so that equal ones are seen."""
    shifts = [spread * (((7 * number) % 11) / 5 - 1) for number in range(len(times))]
    panel.scatter(
        times, [place + shift for shift in shifts], s=size, color=color, marker=marker,
        alpha=0.6, linewidth=0, rasterized=in_all > MOST_MARKS,
    )  # fmt: skip


def write(panel, x: float, y: float, text: str, *, below: bool = False) -> None:
    """Write a figure above its point, or below it."""
    offset, side = ((0, -6), "top") if below else ((0, 6), "bottom")
    panel.annotate(text, (x, y), xytext=offset, textcoords="offset points", ha="center", va=side, fontsize=8.5)


def plain_ticks(axis) -> None:
    """Label a log axis 0.1, 1, 10, 1,000 and not in powers; where few of these are in sight, 2 and 5 as well."""

    def plain(value: float, _: int) -> str:
        return f"{value:,.0f}" if value >= 1 else f"{value:g}"

    def plain_if_few(value: float, place: int) -> str:
        low, high = sorted(axis.get_view_interval())
        return plain(value, place) if high < 200 * low else ""

    axis.set_major_formatter(FuncFormatter(plain))
    axis.set_minor_locator(LogLocator(subs=(2, 5)))
    axis.set_minor_formatter(FuncFormatter(plain_if_few))


def legend(figure: Figure, marks: list[tuple[str, str, str]]) -> None:
    """Explain the marks, (marker, colour, words) each, below the panels."""
    handles = [
        Line2D(
            [], [], marker=marker, color=color, label=text, linestyle="none",
            markeredgewidth=1.8 if marker in "x|" else 0,
        )
        for marker, color, text in marks
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles))
