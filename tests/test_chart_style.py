"""How charts look: colors that all readers can tell apart, marks, labels, titles, and pictures as SVG and PNG."""

import itertools
import re
import struct
from importlib.resources import files

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from pbm_lib.chart_style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    LINE,
    MARKS,
    PURPLE,
    SLATE,
    THEME,
    dots,
    figure_titled,
    label_ends,
    legend,
    place,
    styled,
    to_png,
    to_svg,
)

LIGHT, DARK = 0, 1
TEMPLATE = (files("pbm_lib.report") / "templates" / "report.html.j2").read_text(encoding="utf-8")
PAGES, PALE = (re.findall(rf"--{name}: (#\w+)", TEMPLATE) for name in ("page", "pale"))
SRGB_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])
# Machado, Oliveira and Fernandes 2009, severity 1: how each kind of color vision transforms linear RGB.
SIGHT = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def linear(color):
    """Linear RGB of a color."""
    values = np.array(mpl.colors.to_rgb(color))
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(color, page):
    """The WCAG contrast ratio of text on its page."""
    darker, lighter = sorted((SRGB_TO_XYZ @ linear(each))[1] for each in (color, page))
    return (lighter + 0.05) / (darker + 0.05)


def lab(rgb):
    """The CIELAB value of a linear RGB color, under daylight."""
    ratios = SRGB_TO_XYZ @ np.clip(rgb, 0, 1) / WHITE
    x, y, z = np.where(ratios > 216 / 24_389, np.cbrt(ratios), (24_389 / 27 * ratios + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def boxes(figure, texts):
    """The boxes of texts in a figure, in pixels, once it is laid out."""
    figure.draw_without_rendering()
    return [text.get_window_extent() for text in texts]


def test_the_color_measures_agree_with_their_standards():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)  # the lightest gray that passes WCAG
    assert lab(linear("#ff0000")) == pytest.approx([53.2, 80.1, 67.2], abs=0.1)
    for matrix in SIGHT.values():  # gray looks the same to everyone
        assert matrix @ linear("#808080") == pytest.approx(linear("#808080"), abs=1e-4)


@pytest.mark.parametrize("page", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", [name for name in THEME if name != "line"])
def test_every_text_is_readable_on_its_page(name, page):
    assert contrast(THEME[name][page], PAGES[page]) >= 4.5


@pytest.mark.parametrize("page", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("sight", SIGHT)
def test_green_and_purple_are_distinct_in_every_kind_of_color_vision(sight, page):
    green, purple = (lab(SIGHT[sight] @ linear(THEME[name][page])) for name in ("green", "purple"))
    assert np.linalg.norm(green - purple) >= 30


def test_charts_are_drawn_in_the_colors_of_the_light_theme():
    light = [color for color, _ in THEME.values()]
    assert light == [GREEN, PURPLE, BLUE, SLATE, GREY, INK, LINE]
    assert len({color.lower() for pair in THEME.values() for color in pair}) == 14
    style = (files("pbm_lib") / "pbm.mplstyle").read_text(encoding="utf-8")
    drawn = re.findall(r": ([0-9A-F]{6})$", style, re.MULTILINE)
    assert drawn and {f"#{color}" for color in drawn} <= set(light)
    assert [color for color, _ in MARKS] == [GREEN, PURPLE, SLATE, GREY] and len({marker for _, marker in MARKS}) == 4


@pytest.fixture(scope="module")
def chart():
    """A chart with every color of the theme, a title, numbers, a label at the end of a line, and a legend."""

    @styled
    def draw():
        figure = figure_titled("A title & more", "What is behind it.", width=4.0, height=2.0)
        panel = figure.subplots()
        for y, (color, _) in enumerate(THEME.values()):
            panel.plot([0, 1], [y, y], color=color)
        panel.fill_between([0, 1], 0, 1, color=GREEN, alpha=0.12, linewidth=0)
        label_ends(panel, [(1, 1, "an end", PURPLE)])
        legend(figure, [("o", GREEN, "one call"), ("x", GREY, "baseline")])
        return figure

    return draw()


def test_an_svg_keeps_text_as_text_and_colors_by_name(chart):
    svg = to_svg(chart)
    assert svg.startswith("<svg") and svg.rstrip().endswith("</svg>")
    assert not re.search(r"#[0-9a-fA-F]{6}\b", svg)  # every color is a variable that the page can change
    assert set(re.findall(r"var\(--(\w+)\)", svg)) == set(THEME)
    assert re.search(r"<text [^>]*fill: var\(--purple\)[^>]*>an end<", svg)
    assert re.findall(r"fill: var\(--(\w+)\); fill-opacity: 0.12", svg) == ["green"]
    letters = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert {"A title &amp; more", "What is behind it.", "an end", "one call", "baseline", "0.0"} <= set(letters)
    assert "DejaVuSans" not in svg  # no glyph shapes
    assert re.search(r'id="patch_1">\s*<path d="[^"]*" style="fill: none[;"]', svg)
    assert "<metadata" not in svg
    assert to_svg(chart) == svg


def test_a_png_is_large_enough_for_a_slide(chart):
    picture = to_png(chart)
    width, height = struct.unpack(">II", picture[16:24])
    assert (width, height) == tuple((200 * chart.get_size_inches()).astype(int))
    assert b"Software" not in picture and to_png(chart) == picture


def test_the_legend_says_what_each_mark_is(chart):
    (found,) = chart.legends
    shown = zip(found.get_texts(), found.legend_handles, strict=True)
    assert [(text.get_text(), mark.get_marker(), mark.get_color()) for text, mark in shown] == [
        ("one call", "o", GREEN),
        ("baseline", "x", GREY),
    ]


def test_dots_are_one_line_that_touches_only_its_points():
    panel = Figure().subplots()
    dots(panel, [1.0, 2.0, 2.0], [10.0, 30.0, 20.0], PURPLE, size=4, alpha=0.4)
    (line,) = panel.lines
    none = pytest.approx(float("nan"), nan_ok=True)
    assert list(line.get_xdata()) == [1.0, 1.0, none, 2.0, 2.0, none, 2.0, 2.0, none]
    y = list(line.get_ydata())
    assert y[::3] == [10.0, 30.0, 20.0] and y[2::3] == [none] * 3
    # A dash of zero length would draw no cap; it must also be shorter than a dot is wide.
    assert all(low < high < 1.005 * low for low, high in zip(y[::3], y[1::3], strict=True))
    look = (line.get_color(), line.get_linewidth(), line.get_alpha(), line.get_solid_capstyle(), line.get_linestyle())
    assert look == (PURPLE, 4, 0.4, "round", "-")


@pytest.mark.parametrize(
    ("heights", "exact"),
    [
        ([1.0, 5.0, 9.0], True),
        ([5.0, 5.0, 5.0], False),
        ([5.2, 5.0, 5.1, 5.3], False),
        ([10.0, 9.9, 10.0, 9.8], False),
        ([0.0, 0.1, 0.0], False),
        ([9.99, 5.0, 0.01], True),
        ([9.7, 9.4, 9.1, 8.8, 2.0], False),
        ([4.0], True),
    ],
)
def test_labels_at_the_ends_of_lines_do_not_overlap_and_keep_the_lines_order(heights, exact):
    figure = Figure(figsize=(4, 3))
    panel = figure.subplots()
    panel.set_ylim(0, 10)
    given = [(2 + place, y, f"line {place}", (GREEN, PURPLE)[place % 2]) for place, y in enumerate(heights)]
    label_ends(panel, given)
    texts = {text.get_text(): text for text in panel.texts}
    assert len(texts) == len(heights)
    for x, y, words, color in given:
        place = texts[words].xy
        assert (texts[words].get_color(), place[0]) == (color, x)
        assert 0 <= place[1] <= 1
        assert place[1] == pytest.approx(y / 10, abs=1e-9 if exact else 0.3)
    for (_, low, one, _), (_, high, other, _) in itertools.permutations(given, 2):
        if low < high:
            assert texts[one].xy[1] < texts[other].xy[1]
    found = dict(zip(texts, boxes(figure, texts.values()), strict=True))
    assert all(not a.overlaps(b) for a, b in itertools.combinations(found.values(), 2))
    assert all(found[words].x0 > panel.transData.transform((x, y))[0] for x, y, words, _ in given)


def test_labels_on_a_log_axis_are_where_their_lines_end():
    panel = Figure().subplots()
    panel.set_yscale("log")
    panel.set_ylim(1, 1_000)
    label_ends(panel, [(0, 100, "high", GREEN), (0, 10, "low", GREEN)])
    assert {text.get_text(): text.xy[1] for text in panel.texts} == {
        "high": pytest.approx(2 / 3),
        "low": pytest.approx(1 / 3),
    }


@pytest.mark.parametrize("sentences", [0, 1, 3, 8])
@pytest.mark.parametrize("width", [6.4, 8.8])
def test_the_title_and_subtitle_are_above_the_panels(width, sentences):
    subtitle = " ".join(
        ["Median of the first page at 1M: unbounded query 4.6 s, bounded query 12 ms (n = 110)."] * sentences
    )

    @styled
    def draw():
        figure = figure_titled("Eight words are what a title may have", subtitle, width=width, height=3.0)
        panel = figure.subplots()
        panel.set_title("A panel")
        return figure, panel

    figure, panel = draw()
    title, below = figure.texts
    assert title.get_text() == "Eight words are what a title may have"
    assert " ".join(below.get_text().split()) == subtitle
    title_box, below_box = boxes(figure, (title, below))
    page = figure.bbox
    assert (title.get_fontweight(), title.get_fontsize() > below.get_fontsize()) == ("bold", True)
    for box in (title_box, below_box):
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and box.y1 <= page.y1
    top = panel.get_tightbbox().y1
    assert top < title_box.y0
    if sentences:
        assert top < below_box.y0 < below_box.y1 < title_box.y0
        assert below_box.width > 0.75 * page.width or sentences == 1  # it uses the available width
    assert panel.get_tightbbox().height / figure.dpi == pytest.approx(3.0, abs=0.3)  # regardless of what is above it


@pytest.mark.parametrize("titled", [False, True])
@pytest.mark.parametrize("words", ["p50 3 ms", "skip/limit, baseline 2.8 s"])
def test_panels_have_room_for_all_text_and_are_the_same_size(titled, words):
    figure = Figure(figsize=(10, 3.5))
    panels = {figure.add_subplot(1, 2, 1): 0.0, figure.add_subplot(1, 2, 2): 5.0}
    for panel in panels:
        panel.set_xlim(0, 1.1)  # lines end just before the panel's edge
        panel.set_ylim(0, 10_000)
        panel.set_xlabel("claims per provider")
        panel.set_ylabel("ms, log scale")
        panel.yaxis.set_major_formatter("{x:,.0f}")
        panel.set_title("A panel" if titled else "", loc="left")
    left, right = panels
    label_ends(left, [(1, 5_000, words, GREEN)])
    place(panels, 5.0, 3.0)
    figure.draw_without_rendering()
    for panel, begins in panels.items():
        around = panel.get_tightbbox()
        assert begins < around.x0 / figure.dpi and around.x1 / figure.dpi < begins + 5
        assert around.y0 > 0 and 2.7 < around.y1 / figure.dpi < 3
    assert left.get_position().size == pytest.approx(right.get_position().size)
    assert left.get_tightbbox().x1 / figure.dpi > 4.4  # no more room than the text needs
