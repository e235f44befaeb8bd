"""The explorer's controls (ipywidgets) and their style."""

from typing import Any

import ipywidgets as widgets

from ...chart_style import THEME
from ...config import Config
from ...vocabulary import BOUNDED, CONTESTANTS, NEWEST, OLDEST, UNBOUNDED

PAGE_SIZES = (10, 25, 50, 100, 250, 500, 1_000)
_ROW = {"flex_flow": "row wrap", "align_items": "center", "grid_gap": "2px 10px"}
_COLORS = {
    name: "".join(f"--pbm-{color}:{THEME[color][place]};" for color in ("green", "purple"))
    for place, name in enumerate(("light", "dark"))
}
STYLE = f"""<style>
.pbm-explorer {{{_COLORS["light"]}}}
[data-jp-theme-light="false"] .pbm-explorer {{{_COLORS["dark"]}}}
.pbm-explorer .widget-html-content {{line-height:1.4}}
.pbm-explorer .widget-toggle-buttons {{display:flex;align-items:center;gap:6px}}
.pbm-explorer .widget-toggle-button.mod-active {{background:#00684A;color:#fff;font-weight:600}}
.pbm-explorer .pbm-query .widget-toggle-button.mod-active:last-child {{background:#8F3FC0}}
.pbm-explorer button.mod-warning {{background:#B45309;color:#fff;font-weight:600}}
.pbm-explorer button.mod-warning:disabled {{background:var(--jp-layout-color2,#eee);color:inherit;font-weight:400}}
.pbm-explorer .pbm-message {{display:flow-root;min-height:34px}}
.pbm-explorer .pbm-page {{min-height:316px;transition:opacity .15s}}
.pbm-explorer .pbm-log {{min-height:13em}}
.pbm-explorer .pbm-page.pbm-waiting {{opacity:.3;transition:opacity .2s .25s}}
.pbm-explorer .pbm-place {{font-weight:600}}
</style>"""
"""Dimming starts after a quarter of a second, so a page that arrives sooner is never dimmed. Parts that come and go
have a minimum height, so that nothing below them moves."""
WHY_A_DATE = (
    "A date, not a page number: a keyset page begins at a value in the index. For page N, the server would have to "
    "walk past every page before it."
)


class Controls:
    """The widgets that a reader sets and clicks.

    Attributes:
        tier, provider, size, order, start, end, bounded, count_each_page, jump_to: inputs; `value` is what is chosen.
        all_dates, first, previous, next, last, cancel, clear: buttons.
    """

    def __init__(self, config: Config):
        data = config.data_generation
        self.tier = _dropdown("Tier", [tier.name for tier in data.tiers], "9em")
        self.provider = _dropdown("Provider", [], "26em")
        self.size = _dropdown("Page size", [], "10em")
        self.order = _toggle(
            {"Oldest first": OLDEST, "Newest first": NEWEST}, ["", "the same index, read backward"], "9em"
        )
        self.start = _date("From")
        self.end = _date("to")
        self.all_dates = _button("All dates", "7em")
        self.bounded = _toggle(
            {CONTESTANTS[BOUNDED]: True, CONTESTANTS[UNBOUNDED]: False},
            ["with the bound on how long a claim lasts", "the date range alone"],
            "12em",
        )
        self.bounded.add_class("pbm-query")
        self.first, self.previous, self.next, self.last = (
            _button(text, "6em") for text in ("First", "Previous", "Next", "Last")
        )
        self.jump_to = _date("Jump to")
        self.cancel = _button("Cancel", "6em", "warning")
        self.count_each_page = _toggle({"once": False, "with each page": True}, ["", ""], "11em", "Count the total")
        self.clear = _button("Clear log", "7em")


def row(*parts: widgets.Widget) -> widgets.Box:
    """Return widgets side by side, wrapped onto several lines if there is not enough room."""
    return widgets.Box(parts, layout=widgets.Layout(**_ROW))


def set_options(control: widgets.Dropdown, options: list[tuple[str, Any]]) -> None:
    """Set a dropdown's options; options that have not changed are not sent to the browser again."""
    if list(control.options) != options:
        control.options = options


def _button(text: str, width: str, style: str = "") -> widgets.Button:
    return widgets.Button(description=text, button_style=style, layout=widgets.Layout(width=width))


def _dropdown(text: str, options: list, width: str) -> widgets.Dropdown:
    return widgets.Dropdown(
        description=text, options=options, layout=widgets.Layout(width=width), style={"description_width": "initial"}
    )


def _toggle(options: dict[str, Any], tooltips: list[str], width: str, text: str = "") -> widgets.ToggleButtons:
    return widgets.ToggleButtons(
        options=list(options.items()), tooltips=tooltips, description=text,
        style={"button_width": width, "description_width": "initial"},
    )  # fmt: skip


def _date(text: str) -> widgets.DatePicker:
    return widgets.DatePicker(
        description=text, layout=widgets.Layout(width="15em"), style={"description_width": "initial"}
    )
