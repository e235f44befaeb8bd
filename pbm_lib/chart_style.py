"""How the charts look, and the marks that they are made of."""

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

# MongoDB's green, blue and greys, and a purple that color-blind readers tell from the green. Shapes differ as well.
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
"""Name of a color to how it looks on a light page and on a dark one."""
MARKS = ((GREEN, "o"), (PURPLE, "D"), (SLATE, "s"), (GREY, "^"))
"""Color and shape of the first, second, third, and fourth thing that a chart compares. The first is our own way."""
LOOKS = {
    "first_page": (GREEN, "o", "-"),
    "next_page": (SLATE, "s", "--"),
    "deep_page": (GREY, "^", ":"),
    "count": (BLUE, "v", "-"),
}
"""Color, shape, and line of an operation, the same in every chart."""
_STYLE = mpl.rc_params_from_file(files(__package__) / "pbm.mplstyle", use_default_template=False)
_TITLE_INCHES, _LINE_INCHES, _LETTERS_PER_INCH, _LABEL_INCHES = 0.3, 0.17, 13.5, 0.165
_AXIS_INCHES, _MARGIN_INCHES, _LETTER_INCHES = (0.82, 0.48), 0.1, 0.08
_PADDING_INCHES = 0.16  # of a chart's card
_DOT = 1.002  # the ends of a dot, one over the other: a line of length 0 is drawn by nobody
_Drawn = TypeVar("_Drawn")


def styled(draw: Callable[..., _Drawn]) -> Callable[..., _Drawn]:
    """Let a chart be drawn, or saved, in the charts' style, whatever the notebook has set."""

    @functools.wraps(draw)
    def drawn(*arguments: Any, **options: Any) -> _Drawn:
        defaults = {name: value for name, value in mpl.rcParamsDefault.items() if name != "backend"}
        with mpl.rc_context({**defaults, **_STYLE}):
            return draw(*arguments, **options)

    return drawn


def to_svg(figure: Figure) -> str:
    """Return a figure as an SVG element for an HTML page, whose letters are text and whose colors are CSS variables.

    The page gives `--green` and the other names of `THEME` their values.
    """
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    text = _saved(figure, format="svg", transparent=True, metadata=nothing, dpi=200).decode()
    for name, (light, _) in THEME.items():
        text = text.replace(light.lower(), f"var(--{name})")
    return text[text.index("<svg") :]


def to_png(figure: Figure) -> bytes:
    """Return a figure as PNG, large enough for a slide."""
    return _saved(figure, format="png", metadata={"Software": None}, dpi=200)


@styled
def card_png(figure: Figure) -> bytes:
    """Return a figure as PNG for a notebook: on a white card with rounded corners, so that it stands on a dark page."""
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
        figure.set_dpi(dpi)  # letters are a little wider or narrower at another resolution
        # Laid out once: it takes as long as drawing does, and a report draws each chart twice.
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
    """Return an empty figure under its title and subtitle, which is wrapped to its width.

    Args:
        title: a line.
        subtitle: the figures behind it.
        width: in inches.
        height: in inches, of what is below the title.
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
    """Give panels their places in a figure, or each in its own, all as large as each other.

    There is room for their axes and for what stands right of them. It takes a fraction of a layout engine's time.

    Args:
        panels: each with everything on it that is written outside of its axes, to where its part of its figure begins,
            in inches.
        width: of a part, in inches.
        height: of a part, from the bottom of the figure up, in inches.
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
    """Draw a point for each pair of values, y above 0: as one line, since thousands of marks make a large file."""
    xs = [value for each in x for value in (each, each, math.nan)]
    ys = [value for each in y for value in (each, each * _DOT, math.nan)]
    panel.plot(xs, ys, color=color, alpha=alpha, linewidth=size, solid_capstyle="round", snap=False, zorder=1.5)


def label_ends(panel, ends: list[tuple[float, float, str, str]]) -> None:
    """Write (x, y, text, color) beside the end of each line, far enough from each other to be read.

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
    """Write a figure above its point."""
    panel.annotate(text, (x, y), xytext=(0, 6), textcoords="offset points", ha="center", va="bottom", fontsize=8.5)


def plain_ticks(axis) -> None:
    """Label a log axis 0.1, 1, 10, 1,000 and not in powers; where few of these are in sight, 2 and 5 as well."""

    def plain(value: float, _: int) -> str:
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

    def plain_if_few(value: float, place: int) -> str:
        low, high = sorted(axis.get_view_interval())
        return plain(value, place) if high < 200 * low else ""

    axis.set_major_formatter(FuncFormatter(plain))
    axis.set_minor_locator(LogLocator(subs=(2, 5)))
    axis.set_minor_formatter(FuncFormatter(plain_if_few))


def legend(figure: Figure, marks: list[tuple[str, str, str]]) -> None:
    """Explain the marks, (marker, color, words) each, below the panels."""
    handles = [
        Line2D(
            [], [], marker=marker, color=color, label=text, linestyle="none",
            markeredgewidth=1.8 if marker in "x|" else 0,
        )
        for marker, color, text in marks
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles))
