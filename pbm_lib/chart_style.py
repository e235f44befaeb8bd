"""The style of the charts, and the marks that they are drawn with."""

import functools
import io
import math
import textwrap
from collections.abc import Callable
from importlib.resources import files
from typing import Any, TypeVar

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import FuncFormatter, LogLocator
from matplotlib.transforms import Affine2D, Bbox

# MongoDB's green, blue, and grays, and a purple that color-blind readers can tell from the green. Shapes differ, too.
GREEN, PURPLE, BLUE = "#00684A", "#8F3FC0", "#016BF8"
SLATE, GREY, INK, LINE = "#3D4F58", "#6B787F", "#1C2D38", "#E3E8E6"
THEME = {
    "green": (GREEN, "#00ED64"),
    "purple": (PURPLE, "#D6A9FF"),
    "blue": (BLUE, "#5BB4FF"),
    "slate": (SLATE, "#C1C7C6"),
    "grey": (GREY, "#9BA7AD"),
    "ink": (INK, "#F0F4F3"),
    "line": (LINE, "#2F4350"),
}
"""Maps the name of a color to its value on a light page and on a dark page."""
MARKS = ((GREEN, "o"), (PURPLE, "D"), (SLATE, "s"), (GREY, "^"))
"""Color and shape of the first to fourth item that a chart compares. The first item is the demo's own method."""
LOOKS = {
    "first_page": (GREEN, "o", "-"),
    "next_page": (SLATE, "s", "--"),
    "deep_page": (GREY, "^", ":"),
    "count": (BLUE, "v", "-"),
}
"""Color, shape, and line style of each operation, the same in every chart."""
_STYLE = mpl.rc_params_from_file(files(__package__) / "pbm.mplstyle", use_default_template=False)
_TITLE_INCHES, _LINE_INCHES, _LETTERS_PER_INCH, _LABEL_INCHES = 0.3, 0.17, 13.5, 0.165
_AXIS_INCHES, _MARGIN_INCHES, _LETTER_INCHES = (0.82, 0.48), 0.1, 0.08
_PADDING_INCHES = 0.16  # around a chart, on its card
_DOT = 1.002  # ratio of a dot's two ends: a line of length 0 would not be drawn
_Drawn = TypeVar("_Drawn")


def styled(draw: Callable[..., _Drawn]) -> Callable[..., _Drawn]:
    """Make a function that draws or saves a chart use the charts' style, regardless of the notebook's settings."""

    @functools.wraps(draw)
    def drawn(*arguments: Any, **options: Any) -> _Drawn:
        defaults = {name: value for name, value in mpl.rcParamsDefault.items() if name != "backend"}
        with mpl.rc_context({**defaults, **_STYLE}):
            return draw(*arguments, **options)

    return drawn


def to_svg(figure: Figure) -> str:
    """Return a figure as an SVG element for an HTML page, with letters as text and colors as CSS variables.

    The page must define `--green` and the other names in `THEME`.
    """
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    text = _saved(figure, format="svg", transparent=True, metadata=nothing, dpi=200).decode()
    for name, (light, _) in THEME.items():
        text = text.replace(light.lower(), f"var(--{name})")
    return text[text.index("<svg") :]


def to_png(figure: Figure) -> bytes:
    """Return a figure as a PNG that is large enough for a slide."""
    return _saved(figure, format="png", metadata={"Software": None}, dpi=200)


@styled
def card_png(figure: Figure) -> bytes:
    """Return a figure as a PNG for a notebook, on a rounded white card that keeps it legible on a dark page."""
    width, height = figure.get_size_inches()
    whole = Bbox.from_extents(-_PADDING_INCHES, -_PADDING_INCHES, width + _PADDING_INCHES, height + _PADDING_INCHES)
    card = FancyBboxPatch(
        (-_PADDING_INCHES / 2, -_PADDING_INCHES / 2), width + _PADDING_INCHES, height + _PADDING_INCHES,
        boxstyle=f"round,pad={_PADDING_INCHES / 2}", facecolor="white", edgecolor="none", zorder=-1,
        transform=Affine2D().scale(1 / width, 1 / height) + figure.transFigure,
    )  # fmt: skip
    figure.add_artist(card, clip=False)
    try:
        return _saved(figure, format="png", dpi=110, facecolor="none", bbox_inches=whole)
    finally:
        card.remove()


@styled
def _saved(figure: Figure, *, dpi: int, **options: Any) -> bytes:
    if figure.get_layout_engine() is not None:
        figure.set_dpi(dpi)  # letter widths vary slightly with the resolution
        # Lay the figure out only once: layout takes as long as drawing, and a report draws each chart twice.
        figure.get_layout_engine().execute(figure)
        figure.set_layout_engine("none")
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=dpi, **options)
    return buffer.getvalue()


class Chart(Figure):
    """A figure that shows itself in a notebook, without pyplot and its global state."""

    def _repr_png_(self) -> bytes:
        return card_png(self)


def figure_titled(title: str, subtitle: str = "", *, width: float, height: float) -> Figure:
    """Return an empty figure below a title and a subtitle that wraps to the figure's width.

    Args:
        title: one line.
        subtitle: the numbers behind the title.
        width: in inches.
        height: in inches, without the title and subtitle.
    """
    lines = textwrap.wrap(subtitle, int(width * _LETTERS_PER_INCH))
    header = _TITLE_INCHES + _LINE_INCHES * (len(lines) + 0.7)
    figure = Chart(figsize=(width, height + header))
    figure.set_layout_engine("constrained", rect=(0, 0, 1, height / (height + header)))
    for text, inches, look in (
        (title, 0.08, {"fontsize": 11.5, "fontweight": "bold", "color": INK}),
        ("\n".join(lines), 0.05 + _TITLE_INCHES, {"fontsize": 9, "color": SLATE, "linespacing": 1.35}),
    ):
        figure.text(0.01, 1 - inches / (height + header), text, ha="left", va="top", **look)
    return figure


def place(panels: dict[Any, float], width: float, height: float) -> None:
    """Position panels of equal size, either in one figure or each in its own.

    Leave room for the axes and for the text to the right of each panel. This takes a fraction of the time that a layout
    engine needs.

    Args:
        panels: maps each panel to the left edge of its part of the figure, in inches. Everything written outside the
            panel's axes must already be drawn.
        width: of each part, in inches.
        height: of each part, from the bottom of the figure, in inches.
    """
    written = max((len(text.get_text()) for panel in panels for text in panel.texts), default=0)
    right = _MARGIN_INCHES + written * _LETTER_INCHES
    for panel, left in panels.items():
        top = _LABEL_INCHES + _MARGIN_INCHES if panel.get_title(loc="left") else _MARGIN_INCHES
        all_width, all_height = panel.figure.get_size_inches()
        panel.set_position([
            (left + _AXIS_INCHES[0]) / all_width,
            _AXIS_INCHES[1] / all_height,
            (width - _AXIS_INCHES[0] - right) / all_width,
            (height - _AXIS_INCHES[1] - top) / all_height,
        ])  # fmt: skip


def dots(panel, x: list[float], y: list[float], color: str, *, size: float = 2.2, alpha: float = 0.25) -> None:
    """Draw a dot for each pair of values (y above 0), all as one line: thousands of markers would make a large file."""
    xs = [value for each in x for value in (each, each, math.nan)]
    ys = [value for each in y for value in (each, each * _DOT, math.nan)]
    panel.plot(xs, ys, color=color, alpha=alpha, linewidth=size, solid_capstyle="round", snap=False, zorder=1.5)


def label_ends(panel, ends: list[tuple[float, float, str, str]]) -> None:
    """Write a label (x, y, text, color) next to the end of each line, with enough space between labels to read them.

    The panel's scales and limits must be final.
    """
    within = panel.transData + panel.transAxes.inverted()
    gap = _LABEL_INCHES * panel.figure.dpi / panel.get_window_extent().height
    ordered = sorted((within.transform((x, y))[1], x, text, color) for x, y, text, color in ends)
    places = [place for place, *_ in ordered]
    for number in range(1, len(places)):
        places[number] = max(places[number], places[number - 1] + gap)
    highest = 1.0
    for number in reversed(range(len(places))):
        places[number] = min(places[number], highest)
        highest = places[number] - gap
    for (_, x, text, color), place in zip(ordered, places, strict=True):
        panel.annotate(
            text, (x, place), xycoords=("data", "axes fraction"), xytext=(8, 0), textcoords="offset points",
            va="center", color=color, fontweight="bold", fontsize=9,
        )  # fmt: skip


def write(panel, x: float, y: float, text: str) -> None:
    """Write a number above its point."""
    panel.annotate(text, (x, y), xytext=(0, 6), textcoords="offset points", ha="center", va="bottom", fontsize=8.5)


def plain_ticks(axis) -> None:
    """Label a log axis 0.1, 1, 10, 1,000 instead of with powers; if few of these are in view, label 2 and 5 as well."""

    def plain(value: float, _: int) -> str:
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

    def plain_if_few(value: float, place: int) -> str:
        low, high = sorted(axis.get_view_interval())
        return plain(value, place) if high < 200 * low else ""

    axis.set_major_formatter(FuncFormatter(plain))
    axis.set_minor_locator(LogLocator(subs=(2, 5)))
    axis.set_minor_formatter(FuncFormatter(plain_if_few))


def legend(figure: Figure, marks: list[tuple[str, str, str]]) -> None:
    """Add a legend below the panels, with one (marker, color, words) per entry."""
    handles = [
        Line2D(
            [], [], marker=marker, color=color, label=text, linestyle="none",
            markeredgewidth=1.8 if marker in "x|" else 0,
        )
        for marker, color, text in marks
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles))
