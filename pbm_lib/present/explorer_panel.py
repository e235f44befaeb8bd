"""The explorer's controls in JupyterLab: ipywidgets that call its steps and show what comes of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from ..claims.roster import list_providers
from ..errors import PbmError
from ..vocabulary import PLANS
from .explorer_view import Choice, Shown, figures_html, headline_html, is_quick, page_html, queries_html

_PAGE_SIZES = (10, 25, 50, 100, 250, 500, 1_000)


class ExplorerPanel:
    """Controls, and below them the page.

    A step runs in a thread of its own, since the kernel hears no click while a handler runs; widgets may be changed
    from any thread. The explorer sees to it that an answer that comes too late is not shown.

    Args:
        explorer: whose steps the controls call, and which tells `refresh` what to show.
    """

    def __init__(self, explorer: Any):
        self._explorer = explorer
        self._config = explorer.store.config
        self._syncing: int | None = None
        self._choice: Choice | None = None
        self._tier = _dropdown("Tier", [tier.name for tier in self._config.data_generation.tiers], "11em")
        self._provider = _dropdown("Provider", [], "30em")
        self._start, self._end = _date("From"), _date("to")
        self._all_dates = widgets.Button(description="All dates", layout=widgets.Layout(width="7em"))
        self._size = _dropdown("Page size", [], "11em")
        self._plan = widgets.ToggleButtons(
            options=[(f"{plan} plan", plan) for plan in PLANS],
            tooltips=["with the bound on how long a claim lasts", "the date range alone"],
            style={"button_width": "9em"}, layout=widgets.Layout(margin="2px 2px 2px 1.5em"),
        )  # fmt: skip
        self._first, self._previous, self._next = (
            widgets.Button(description=text, layout=widgets.Layout(width="8em"))
            for text in ("First page", "Previous", "Next")
        )
        self._explain = widgets.Button(
            description="Ask what it examined", tooltip="runs the page's query once more, on the server",
            layout=widgets.Layout(width="14em"),
        )  # fmt: skip
        wide = widgets.Layout(width="auto", min_width="0")  # 100% would leave out a widget's own margins
        self._head, self._figures, self._page, self._queries = (widgets.HTML(layout=wide) for _ in range(4))
        self._connect()
        self.refresh(explorer.shown)
        row = widgets.Layout(flex_flow="row wrap", align_items="center")
        self._box = widgets.VBox(
            [
                widgets.Box([self._tier, self._provider, self._size], layout=row),
                widgets.Box([self._start, self._end, self._all_dates, self._plan], layout=row),
                widgets.Box([self._first, self._previous, self._next, self._explain], layout=row),
                self._head, self._figures, self._page, self._queries,
            ],
            layout=widgets.Layout(width="100%", overflow="hidden"),
        )  # fmt: skip

    def view(self) -> dict[str, Any]:
        """Return what shows the panel in a notebook."""
        kind = "application/vnd.jupyter.widget-view+json"
        return {kind: self._box._repr_mimebundle_()[kind]}

    def run(self, step: Callable[..., Any], **arguments: Any) -> threading.Thread:
        """Start a step in a thread of its own, and what follows its page.

        Args:
            step: a method of the explorer.
            arguments: its arguments.

        Returns:
            The thread.
        """

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
        """Show a moment of the explorer; called under its lock, from any thread.

        Args:
            shown: the moment.
        """
        self._syncing = threading.get_ident()  # what changes in this thread now is not the reader's doing
        try:
            self._set_controls(shown)
            store = self._explorer.store
            self._head.value = headline_html(store, shown)
            self._figures.value = figures_html(shown)
            self._page.value = "" if shown.page is None else page_html(shown.page)
            self._queries.value = queries_html(store, shown)
        finally:
            self._syncing = None

    def _set_controls(self, shown: Shown) -> None:
        choice, page = shown.choice, shown.page
        self._previous.disabled = shown.reading or page is None or page.prev_cursor is None
        self._next.disabled = shown.reading or page is None or page.next_cursor is None
        asked = page is None or shown.reading or shown.examined is not None or is_quick(shown)
        self._explain.layout.display = "none" if asked else None
        self._explain.disabled = shown.explaining
        if choice == self._choice:
            return  # what the reader has just set is on its way; an answer to what was set before may not undo it
        self._choice = choice
        tiers = {provider.tin: provider.tier for provider in list_providers(self._config)}
        tier = tiers.get(choice.tin)
        if tier is not None:
            self._tier.value = tier
            _set_options(self._provider, [(f"{p.name} · {p.tin}", p.tin) for p in list_providers(self._config, tier)])
        else:
            _set_options(self._provider, [(choice.tin, choice.tin)])
        self._provider.value = choice.tin
        self._start.value, self._end.value = choice.dates
        sizes = {*_PAGE_SIZES, self._config.query.default_page_size, choice.page_size}
        most = self._config.query.max_page_size
        _set_options(self._size, [(f"{size:,}", size) for size in sorted(sizes) if size <= most])
        self._size.value, self._plan.value = choice.page_size, choice.plan

    def _connect(self) -> None:
        explorer = self._explorer
        steps = {
            self._first: explorer.first, self._previous: explorer.previous, self._next: explorer.next,
            self._explain: explorer.explain,
        }  # fmt: skip
        for button, step in steps.items():
            button.on_click(lambda _, step=step: self.run(step))
        self._all_dates.on_click(lambda _: self._choose(start=None, end=None))
        self._on_value(self._tier, lambda tier: self._choose(tin=list_providers(self._config, tier)[0].tin))
        self._on_value(self._provider, lambda tin: self._choose(tin=tin))
        self._on_value(self._start, lambda day: self._choose(start=day), is_date=True)
        self._on_value(self._end, lambda day: self._choose(end=day), is_date=True)
        self._on_value(self._size, lambda size: self._choose(page_size=size))
        self._on_value(self._plan, lambda plan: self._choose(plan=plan))

    def _choose(self, **changes: Any) -> None:
        self.run(self._explorer.choose, **changes)

    def _on_value(self, control: widgets.Widget, then: Callable[[Any], None], *, is_date: bool = False) -> None:
        def changed(change: Any) -> None:
            if self._syncing == threading.get_ident():
                return
            # A date picker reports a year while it is typed: 0002, 0020, 0202.
            if is_date and change.new is not None and change.new.year < 1_000:
                return
            then(change.new)

        control.observe(changed, "value")


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
