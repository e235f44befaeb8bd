"""The explorer's controls in JupyterLab: ipywidgets that call its steps and show what comes of them."""

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from ..claims.roster import list_providers
from ..errors import PbmError
from ..vocabulary import BOUNDED, CONTESTANTS, UNBOUNDED
from .explorer_moments import Choice, Shown
from .explorer_steps import ExplorerSteps
from .explorer_view import figures_html, headline_html, page_html, queries_html

_PAGE_SIZES = (10, 25, 50, 100, 250, 500, 1_000)


class ExplorerPanel:
    """Controls, and below them the page.

    A step runs in a thread of its own, since the kernel hears no click while a handler runs; widgets may be changed
    from any thread. Whoever makes a panel sees to it that `refresh` is told of each moment.

    Attributes:
        tier, provider, size, start, end, bounded: what is chosen; their `value` says it.
        all_dates, first, previous, next, explain: buttons.
        head, figures, page, queries: what is shown, as HTML.
    """

    def __init__(self, explorer: ExplorerSteps):
        self._explorer = explorer
        self._config = explorer.store.config
        self._refreshing: int | None = None
        self._choice: Choice | None = None
        self.tier = _dropdown("Tier", [tier.name for tier in self._config.data_generation.tiers], "11em")
        self.provider = _dropdown("Provider", [], "30em")
        self.size = _dropdown("Page size", [], "11em")
        self.start, self.end = _date("From"), _date("to")
        self.all_dates = _button("All dates", "7em")
        self.bounded = widgets.ToggleButtons(
            options=[(CONTESTANTS[BOUNDED], True), (CONTESTANTS[UNBOUNDED], False)],
            tooltips=["with the bound on how long a claim lasts", "the date range alone"],
            style={"button_width": "10em"}, layout=widgets.Layout(margin="2px 2px 2px 1.5em"),
        )  # fmt: skip
        self.first, self.previous, self.next = (_button(text, "8em") for text in ("First page", "Previous", "Next"))
        self.explain = _button("Ask what it examined", "14em")
        self.explain.tooltip = "runs the page's query once more, on the server"
        wide = widgets.Layout(width="auto", min_width="0")  # 100% would leave out a widget's own margins
        self.head, self.figures, self.page, self.queries = (widgets.HTML(layout=wide) for _ in range(4))
        row = widgets.Layout(flex_flow="row wrap", align_items="center")
        self._box = widgets.VBox(
            [
                widgets.Box([self.tier, self.provider, self.size], layout=row),
                widgets.Box([self.start, self.end, self.all_dates, self.bounded], layout=row),
                widgets.Box([self.first, self.previous, self.next, self.explain], layout=row),
                self.head, self.figures, self.page, self.queries,
            ],
            layout=widgets.Layout(width="100%", overflow="hidden"),
        )  # fmt: skip
        self._connect()

    def view(self) -> dict[str, Any]:
        """Return what shows the panel in a notebook."""
        kind = "application/vnd.jupyter.widget-view+json"
        return {kind: self._box._repr_mimebundle_()[kind]}

    def run(self, step: Callable[..., object], **arguments: Any) -> threading.Thread:
        """Start a step of the explorer in a thread of its own, and what follows its page."""

        def work() -> None:
            try:
                step(**arguments)
            except PbmError:
                return  # the explorer shows it
            self._explorer.follow_up()

        thread = threading.Thread(target=work, name=f"explorer {step.__name__}", daemon=True)
        thread.start()
        return thread

    def refresh(self, shown: Shown) -> None:
        """Show a moment of the explorer; called for one at a time, from any thread."""
        self._refreshing = threading.get_ident()  # what changes in this thread now is not the reader's doing
        try:
            self._set_controls(shown)
            store = self._explorer.store
            self.head.value = headline_html(store, shown)
            self.figures.value = figures_html(shown)
            self.page.value = "" if shown.page is None else page_html(shown.page)
            self.queries.value = queries_html(store, shown)
        finally:
            self._refreshing = None

    def _set_controls(self, shown: Shown) -> None:
        choice, page = shown.choice, shown.page
        self.previous.disabled = shown.reading or page is None or page.prev_cursor is None
        self.next.disabled = shown.reading or page is None or page.next_cursor is None
        asked = page is None or shown.reading or shown.examined is not None or shown.is_quick
        self.explain.layout.display = "none" if asked else None
        self.explain.disabled = shown.explaining
        if choice == self._choice:
            return  # what the reader has just set is on its way; an answer to what was set before may not undo it
        self._choice = choice
        tin, start, end = choice.question
        tiers = {provider.tin: provider.tier for provider in list_providers(self._config)}
        providers = []
        if tin in tiers:
            self.tier.value = tiers[tin]
            providers = [(f"{p.name} · {p.tin}", p.tin) for p in list_providers(self._config, tiers[tin])]
        _set_options(self.provider, providers or [(tin, tin)])
        self.provider.value, self.start.value, self.end.value = tin, start, end
        most = self._config.query.max_page_size
        sizes = {*_PAGE_SIZES, self._config.query.default_page_size, choice.page_size}
        _set_options(self.size, [(f"{size:,}", size) for size in sorted(sizes) if size <= most])
        self.size.value, self.bounded.value = choice.page_size, choice.bounded

    def _connect(self) -> None:
        explorer = self._explorer
        for button, step in (
            (self.first, explorer.first),
            (self.previous, explorer.previous),
            (self.next, explorer.next),
            (self.explain, explorer.explain),
        ):
            button.on_click(lambda _, step=step: self.run(step))
        self.all_dates.on_click(lambda _: self.run(explorer.choose, service_date_start=None, service_date_end=None))
        self._on_value(self.tier, lambda tier: {"tin": list_providers(self._config, tier)[0].tin})
        self._on_value(self.provider, lambda tin: {"tin": tin})
        self._on_value(self.start, lambda day: {"service_date_start": day})
        self._on_value(self.end, lambda day: {"service_date_end": day})
        self._on_value(self.size, lambda size: {"page_size": size})
        self._on_value(self.bounded, lambda bounded: {"bounded": bounded})

    def _on_value(self, control: widgets.Widget, chosen: Callable[[Any], dict[str, Any]]) -> None:
        def changed(change: dict[str, Any]) -> None:
            value = change["new"]
            if self._refreshing == threading.get_ident():
                return
            # A date picker reports a year while it is typed: 0002, 0020, 0202.
            if isinstance(value, dt.date) and value.year < 1_000:
                return
            self.run(self._explorer.choose, **chosen(value))

        control.observe(changed, "value")


def _button(text: str, width: str) -> widgets.Button:
    return widgets.Button(description=text, layout=widgets.Layout(width=width))


def _dropdown(text: str, options: list, width: str) -> widgets.Dropdown:
    return widgets.Dropdown(
        description=text, options=options, layout=widgets.Layout(width=width), style={"description_width": "initial"}
    )


def _date(text: str) -> widgets.DatePicker:
    return widgets.DatePicker(
        description=text, layout=widgets.Layout(width="13em"), style={"description_width": "initial"}
    )


def _set_options(control: widgets.Dropdown, options: list[tuple[str, Any]]) -> None:
    if list(control.options) != options:
        control.options = options
