"""The explorer in JupyterLab: its controls call its steps, and the results appear below the controls."""

import datetime as dt
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import ipywidgets as widgets

from ...claims.roster import list_providers
from ...errors import PbmError
from ...query.page import ClaimPage
from ...query.request import Request
from .controls import PAGE_SIZES, STYLE, WHY_A_DATE, Controls, row, set_options
from .log import log_html
from .moments import Choice, Moments, Shown
from .steps import ExplorerSteps
from .view import FAINT, figures_html, headline_html, page_html, place_text, queries_html, strip_html

_TICK_SECONDS = 0.1
_BEGIN_SECONDS, _SOON_SECONDS = 1.0, 0.002
_FIRST_YEAR = 1_000  # a date picker reports a year while it is being typed: 0002, 0020, 0202


class ExplorerPanel:
    """The explorer's controls, with the page below them.

    Each step runs in its own thread, because the kernel receives no clicks while a handler runs. Widgets may be changed
    from any thread.

    Args:
        explorer: the explorer whose steps the controls call.
        moments: the explorer's moments.

    Attributes:
        controls: the widgets that a reader sets and clicks.
        head, place, figures, strip, page, queries, log: the widgets that show the output, as HTML.
    """

    def __init__(self, explorer: ExplorerSteps, moments: Moments):
        self._explorer, self._moments = explorer, moments
        self._config = explorer.store.config
        self._refreshing: int | None = None
        self._choice: Choice | None = None
        self._ticked_since: float | None = None
        self._shown_page: ClaimPage | None = None
        self._shown_log: tuple[Request, ...] | None = None
        self.controls = controls = Controls(self._config)
        wide = widgets.Layout(width="auto", min_width="0")  # 100% would not account for a widget's margins
        self.head, self.page, self.queries, self.log = (widgets.HTML(layout=wide) for _ in range(4))
        # These are wide from the start, so that a growing text never wraps onto the next line and moves what is below.
        self.place = widgets.HTML(layout=widgets.Layout(flex="1 1 21em"))
        self.strip = widgets.HTML(layout=widgets.Layout(min_width="21em"))
        self.figures = widgets.HTML(layout=widgets.Layout(flex="1 1 30em", min_width="0"))
        self.figures.add_class("pbm-figures")
        self.place.add_class("pbm-place")
        self.page.add_class("pbm-page")
        self.log.add_class("pbm-log")
        data = self._config.data_generation
        # Give the limits as text: an ipywidgets date picker has them in Python, but its calendar does not show them.
        days = (
            f"<span style='white-space:nowrap'>{day}</span>"
            for day in (data.first_service_date, data.last_service_date)
        )
        ends = f"Claims begin between {' and '.join(days)}."
        dates = widgets.HTML(
            f"<div style='{FAINT};font-size:0.85em'>{WHY_A_DATE} {ends}</div>", layout=widgets.Layout(flex="1 1 24em")
        )
        self._box = widgets.VBox(
            [
                widgets.HTML(STYLE, layout=widgets.Layout(display="none")),
                row(controls.tier, controls.provider, controls.size, controls.order),
                row(controls.start, controls.end, controls.all_dates, controls.bounded),
                self.head,
                row(self.figures, self.strip),
                row(
                    controls.first, controls.previous, controls.next, controls.last, controls.cancel, self.place
                ),
                row(controls.jump_to, dates),
                self.page,
                row(controls.count_each_page, controls.clear),
                self.log,
                self.queries,
            ],
            layout=widgets.Layout(width="100%", overflow="hidden"),
        )  # fmt: skip
        self._box.add_class("pbm-explorer")
        self._connect()
        moments.listen(self.refresh)

    def view(self) -> dict[str, Any]:
        """Return the MIME bundle that shows the panel in a notebook."""
        kind = "application/vnd.jupyter.widget-view+json"
        return {kind: self._box._repr_mimebundle_()[kind]}

    def run(self, step: Callable[..., object], **arguments: Any) -> threading.Thread:
        """Start a step of the explorer, and what follows its page, in a new thread.

        The call returns once the step has begun (but after at most a second), so that of two clicks, the later one is
        the later step.
        """
        before, ended = self._moments.step, threading.Event()

        def work() -> None:
            with suppress(PbmError):  # the explorer shows the error
                step(**arguments)
            ended.set()
            self._explorer.follow_up()

        thread = threading.Thread(target=work, name=f"explorer {step.__name__}", daemon=True)
        thread.start()
        deadline = time.monotonic() + _BEGIN_SECONDS
        while self._moments.step == before and time.monotonic() < deadline and not ended.wait(_SOON_SECONDS):
            pass
        return thread

    def refresh(self, shown: Shown) -> None:
        """Show a moment of the explorer. Called for one moment at a time, on any thread."""
        self._refreshing = threading.get_ident()  # changes on this thread during the refresh are not the reader's
        try:
            self._set_controls(shown)
            store = self._explorer.store
            self.head.value = headline_html(store, shown)
            self.place.value = place_text(shown)
            self.figures.value = figures_html(shown)
            self.strip.value = strip_html(shown) if shown.times else ""
            if shown.page is not self._shown_page:
                self._shown_page = shown.page
                self.page.value = "" if shown.page is None else page_html(shown.page)
            (self.page.add_class if shown.reading else self.page.remove_class)("pbm-waiting")
            self.queries.value = queries_html(store, shown)
            if shown.log is not self._shown_log:
                self._shown_log = shown.log
                self.log.value = log_html(shown)
        finally:
            self._refreshing = None
        if shown.waiting_since not in (None, self._ticked_since):
            self._ticked_since = shown.waiting_since
            threading.Thread(target=self._tick, args=(shown.waiting_since,), name="stopwatch", daemon=True).start()

    def _tick(self, since: float) -> None:
        """Keep the stopwatch running for as long as the query that began at `since` is awaited."""

        def show(shown: Shown) -> bool:
            is_awaited = shown.waiting_since == since
            if is_awaited:
                self.figures.value = figures_html(shown)
            return is_awaited

        while self._moments.look(show):
            time.sleep(_TICK_SECONDS)

    def _set_controls(self, shown: Shown) -> None:
        choice, page, controls = shown.choice, shown.page, self.controls
        none = page is None
        controls.previous.disabled = controls.first.disabled = shown.reading or none or page.prev_cursor is None
        controls.next.disabled = controls.last.disabled = shown.reading or none or page.next_cursor is None
        controls.jump_to.disabled = none
        controls.cancel.disabled = shown.waiting_since is None
        if not shown.reading:
            controls.jump_to.value = None  # so that the same date can be chosen again
        if choice == self._choice:
            return  # the reader may have just set a control: an answer to an earlier choice must not undo that
        self._choice = choice
        tin, start, end = choice.question
        tiers = {provider.tin: provider.tier for provider in list_providers(self._config)}
        providers = []
        if tin in tiers:
            controls.tier.value = tiers[tin]
            providers = [(f"{p.name} · {p.tin}", p.tin) for p in list_providers(self._config, tiers[tin])]
        set_options(controls.provider, providers or [(tin, tin)])
        controls.provider.value, controls.start.value, controls.end.value = tin, start, end
        most = self._config.query.max_page_size
        sizes = {*PAGE_SIZES, self._config.query.default_page_size, choice.page_size}
        set_options(controls.size, [(f"{size:,}", size) for size in sorted(sizes) if size <= most])
        controls.size.value, controls.order.value = choice.page_size, choice.order
        controls.bounded.value, controls.count_each_page.value = choice.bounded, choice.count_each_page

    def _connect(self) -> None:
        explorer, controls = self._explorer, self.controls
        for button, step in (
            (controls.first, explorer.first),
            (controls.previous, explorer.previous),
            (controls.next, explorer.next),
            (controls.last, explorer.last),
            (controls.cancel, explorer.cancel),
            (controls.clear, explorer.clear_log),
        ):
            button.on_click(lambda _, step=step: self.run(step))
        choose = explorer.choose
        controls.all_dates.on_click(lambda _: self.run(choose, service_date_start=None, service_date_end=None))
        self._on_value(controls.tier, lambda tier: self.run(choose, tin=list_providers(self._config, tier)[0].tin))
        self._on_value(controls.provider, lambda tin: self.run(choose, tin=tin))
        self._on_value(controls.start, lambda day: self.run(choose, service_date_start=day))
        self._on_value(controls.end, lambda day: self.run(choose, service_date_end=day))
        self._on_value(controls.size, lambda size: self.run(choose, page_size=size))
        self._on_value(controls.order, lambda order: self.run(choose, order=order))
        self._on_value(controls.bounded, lambda bounded: self.run(choose, bounded=bounded))
        self._on_value(controls.count_each_page, lambda each: self.run(choose, count_each_page=each))
        self._on_value(controls.jump_to, lambda day: day and self.run(explorer.jump, service_date=day))

    def _on_value(self, control: widgets.Widget, chosen: Callable[[Any], object]) -> None:
        def changed(change: dict[str, Any]) -> None:
            value = change["new"]
            if self._refreshing == threading.get_ident():
                return
            if isinstance(value, dt.date):
                if value.year < _FIRST_YEAR:
                    return
                if (within := self._within_the_data(value)) != value:
                    control.value = within  # this triggers `changed` again
                    return
            chosen(value)

        control.observe(changed, "value")

    def _within_the_data(self, day: dt.date) -> dt.date:
        """Return the day, or the nearest one in the data. The date picker's own limits do not reach the browser."""
        data = self._config.data_generation
        return min(max(day, data.first_service_date), data.last_service_date + dt.timedelta(days=data.max_claim_days))
