"""The claim explorer of notebook 03: a provider's claims to click through, a thin skin over the queries."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from IPython import get_ipython

from ..claims.roster import list_providers
from ..errors import InvalidQuery, PbmError
from ..measure.stopwatch import timed
from ..query.explain import QueryPlan, explain_claims
from ..query.filters import checked_page_size, make_query
from ..query.find import count_claims, find_claims
from ..query.page import ClaimPage
from ..store.store import ClaimStore
from ..vocabulary import BOUNDED
from .explorer_panel import ExplorerPanel
from .explorer_view import Choice, Shown, is_quick, static_html, static_text

_SAME: Any = type("Same", (), {"__repr__": lambda self: "as before"})()


class ClaimExplorer:
    """The claims of a billing provider, to click through in JupyterLab and to step through anywhere.

    In a notebook that somebody looks at it shows as a panel of controls; headless, in exports and in a shell as a table
    of the current page. The page is shown as soon as it is there; the total follows.

    Args:
        store: an open store. The first page of the first provider is read at once.

    Raises:
        ServerUnavailable: the server went away.
    """

    def __init__(self, store: ClaimStore):
        self.store = store
        provider = list_providers(store.config)[0]
        self._shown = Shown(Choice(provider.tin, None, None, store.config.query.default_page_size, BOUNDED))
        self._lock = threading.RLock()
        self._turn = 0
        self._counts: dict[tuple, Future] = {}
        self._panel: Any = None
        self.first()

    def choose(
        self,
        *,
        tin: str = _SAME,
        start: dt.date | None = _SAME,
        end: dt.date | None = _SAME,
        page_size: int = _SAME,
        plan: str = _SAME,
    ) -> ClaimExplorer:
        """Change some of what is chosen, and read the page for it.

        Another provider, other dates or another page size lead to the first page; another plan reads the same page
        again, so that the two can be compared.

        Args:
            tin: the billing provider's TIN, nine digits.
            start: first service date, inclusive; None: no limit.
            end: last service date, inclusive; None: no limit.
            page_size: claims on a page.
            plan: "bounded" or "plain".

        Returns:
            This explorer.

        Raises:
            InvalidQuery: a value is not accepted; the message names it.
            ServerUnavailable: the server went away.
        """
        given = {"tin": tin, "start": start, "end": end, "page_size": page_size, "plan": plan}
        changes = {name: value for name, value in given.items() if value is not _SAME}
        shown = self._shown
        choice = replace(shown.choice, **changes)
        # Each value by itself is checked before it is taken. That the dates are in order is checked after: who moves a
        # range changes one end of it first.
        make_query(self.store, choice.tin, choice.start, None, plan=choice.plan)
        make_query(self.store, choice.tin, None, choice.end, plan=choice.plan)
        checked_page_size(self.store, choice.page_size)
        if set(changes) == {"plan"}:
            return self._read(choice, shown.cursor, shown.before)
        return self._read(choice)

    def first(self) -> ClaimExplorer:
        """Read the first page, and let the total be counted anew.

        Returns:
            This explorer.

        Raises:
            InvalidQuery: the chosen dates are not in order.
            ServerUnavailable: the server went away.
        """
        return self._read(self._shown.choice)

    def next(self) -> ClaimExplorer:
        """Read the next page.

        Returns:
            This explorer.

        Raises:
            InvalidQuery: there is none.
            ServerUnavailable: the server went away.
        """
        shown = self._shown
        if shown.page is None or shown.page.next_cursor is None:
            raise InvalidQuery("There is no next page: this is the last one. Go back with previous() or first().")
        return self._read(shown.choice, shown.page.next_cursor, shown.before + len(shown.page))

    def previous(self) -> ClaimExplorer:
        """Read the page before.

        Returns:
            This explorer.

        Raises:
            InvalidQuery: there is none.
            ServerUnavailable: the server went away.
        """
        shown = self._shown
        if shown.page is None or shown.page.prev_cursor is None:
            raise InvalidQuery("There is no page before: this is the first one. Go on with next().")
        return self._read(shown.choice, shown.page.prev_cursor, shown.before - shown.choice.page_size)

    def explain(self) -> QueryPlan:
        """Return what the server examines for the page. It runs the page's query once more, if not asked before.

        Returns:
            The plan.

        Raises:
            InvalidQuery: the choice is no query.
            ServerUnavailable: the server went away.
        """
        shown = self._shown
        if shown.examined is not None:
            return shown.examined
        choice = shown.choice
        self._show_of(shown, explaining=True)
        try:
            plan = explain_claims(
                self.store, choice.tin, *choice.dates, page_size=choice.page_size, cursor=shown.cursor, plan=choice.plan
            )
        except PbmError as error:
            self._show_of(shown, error=str(error), explaining=False)
            raise
        self._show_of(shown, examined=plan, explaining=False)
        return plan

    @property
    def page(self) -> ClaimPage | None:
        """The page that is shown; None where there is no answer."""
        return self._shown.page

    @property
    def page_ms(self) -> float | None:
        """Time of the page in ms, as the client waited for it."""
        return self._shown.page_ms

    @property
    def total(self) -> int:
        """Claims in the whole result; counted when first asked for, not page by page."""
        return self._count(self._shown.choice)[0]

    @property
    def count_ms(self) -> float:
        """Time of that count in ms."""
        return self._count(self._shown.choice)[1]

    @property
    def error(self) -> str | None:
        """Why the choice has no answer, or only a part of one, in a sentence; None if all went well."""
        return self._shown.error

    @property
    def shown(self) -> Shown:
        """This moment, as one frozen value."""
        return self._shown

    def follow_up(self) -> None:
        """Bring what follows a page: what it examined, if it was quick, and the total. Errors are shown, not raised."""
        shown = self._shown
        if shown.page is None:
            return
        try:
            if is_quick(shown):
                self.explain()
            self._count(shown.choice)
        except PbmError as error:
            self._show_of(shown, error=str(error))

    def __repr__(self) -> str:
        self.follow_up()
        return static_text(self.store, self._shown)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        if not _is_watched():
            self.follow_up()
            return self._static_bundle()
        if self._panel is None:
            self._panel = ExplorerPanel(self)
        # The total of a quick count is then also in what is saved with the notebook.
        self._panel.run(self.follow_up).join(timeout=1)
        return {**self._static_bundle(), **self._panel.view()}

    def _static_bundle(self) -> dict[str, str]:
        shown = self._shown
        return {"text/plain": static_text(self.store, shown), "text/html": static_html(self.store, shown)}

    def _read(self, choice: Choice, cursor: str | None = None, before: int = 0) -> ClaimExplorer:
        with self._lock:
            self._turn += 1
            turn, old = self._turn, self._shown
            if cursor is None:
                self._forget_count(choice)
            total, count_ms = self._counted(choice)
            self._show(
                choice=choice, total=total, count_ms=count_ms, examined=None, error=None,
                reading=True, explaining=False,
                page=old.page if choice.answer == old.choice.answer else None,
            )  # fmt: skip
        try:
            page, page_ms = timed(
                lambda: find_claims(
                    self.store, choice.tin, *choice.dates, page_size=choice.page_size, cursor=cursor,
                    with_total=False, plan=choice.plan,
                )
            )  # fmt: skip
        except PbmError as error:
            with self._lock:
                if turn == self._turn:
                    # After a failed step one still stands on the page before it; after another choice, on none.
                    page = old.page if choice == old.choice else None
                    self._show(page=page, error=_sentence(error, choice), reading=False)
            raise
        with self._lock:
            if turn == self._turn:  # else something else was asked for meanwhile
                self._show(
                    page=page, page_ms=page_ms, cursor=cursor, before=max(before, 0) if page.prev_cursor else 0,
                    reading=False,
                )  # fmt: skip
        return self

    def _count(self, choice: Choice) -> tuple[int, float]:
        """One count for each question, however many pages, threads and readers ask for its total."""
        key = (choice.answer, choice.plan)
        with self._lock:
            known = self._counts.get(key)
            mine = self._counts.setdefault(key, Future()) if known is None else None
        if mine is None:
            return known.result()
        try:
            mine.set_result(timed(lambda: count_claims(self.store, choice.tin, *choice.dates, plan=choice.plan)))
        except BaseException as error:  # an interrupt too: nobody may wait for a count that is not under way
            with self._lock:
                self._counts.pop(key, None)
            mine.set_exception(error)
            raise
        with self._lock:
            if key == (self._shown.choice.answer, self._shown.choice.plan):
                total, count_ms = mine.result()
                self._show(total=total, count_ms=count_ms)
        return mine.result()

    def _counted(self, choice: Choice) -> tuple[int, float] | tuple[None, None]:
        known = self._counts.get((choice.answer, choice.plan))
        return known.result() if known is not None and known.done() else (None, None)

    def _forget_count(self, choice: Choice) -> None:
        known = self._counts.get((choice.answer, choice.plan))
        if known is not None and known.done():
            del self._counts[choice.answer, choice.plan]

    def _show_of(self, shown: Shown, **changes: Any) -> None:
        """Show more of the same page; a page that is gone needs it no longer."""
        with self._lock:
            if self._shown.page is shown.page and self._shown.choice == shown.choice:
                self._show(**changes)

    def _show(self, **changes: Any) -> None:
        with self._lock:
            self._shown = replace(self._shown, **changes)
            if self._panel is not None:
                self._panel.refresh(self._shown)


def _sentence(error: PbmError, choice: Choice) -> str:
    start, end = choice.dates
    if isinstance(error, InvalidQuery) and start and end and end < start:
        return f"The last service date, {end}, is before the first, {start}. Choose a later last date."
    return str(error)


def _is_watched() -> bool:
    """Whether a notebook's page asked for this cell: it names the cell, a headless run does not.

    A headless copy must not hold the panel: opened later, it would say that the widget's model is not found.
    """
    try:
        return "cellId" in get_ipython().get_parent()["metadata"]
    except (ImportError, AttributeError, KeyError):
        return False  # no notebook at all
