"""The steps through a provider's claims that the explorer takes, and what is shown after each."""

import datetime as dt
from dataclasses import replace
from typing import Any, Self

from ..arguments import checked
from ..claims.roster import list_providers
from ..errors import InvalidQuery, PbmError
from ..query.explain import QueryPlan, explain_claims
from ..query.filters import Question, checked_page_size, make_query
from ..query.find import find_claims
from ..query.page import ClaimPage
from ..query.stopwatch import timed
from ..query.under_way import QueryEnded, UnderWay
from ..store.store import ClaimStore
from .explorer_counts import Counts
from .explorer_moments import Choice, Moments, Shown

_SAME: Any = type("Same", (), {"__repr__": lambda self: "as before"})()
_PAGE = "page"  # what a query is for, else the question that it counts, and whether bounded


class ExplorerSteps:
    """The explorer without its looks: what a caller, or a click, may ask of it."""

    @checked(InvalidQuery)
    def __init__(self, store: ClaimStore):
        self.store = store
        question = Question(list_providers(store.config)[0].tin)
        self._moments = Moments(Choice(question, store.config.query.default_page_size, True))
        self._under_way = UnderWay()
        self._counts = Counts(self._under_way)
        self.first()

    @checked(InvalidQuery)
    def choose(
        self,
        *,
        tin: str = _SAME,
        service_date_start: dt.date | None = _SAME,
        service_date_end: dt.date | None = _SAME,
        page_size: int = _SAME,
        bounded: bool = _SAME,
    ) -> Self:
        """Change some of what is chosen, and read the page for it.

        Another provider, other dates or another page size lead to the first page; the other query reads the same page
        again, so that the two can be compared.

        Args:
            tin: the billing provider's TIN, nine digits.
            service_date_start: first service date, inclusive; None: no limit.
            service_date_end: last service date, inclusive; None: no limit.
            page_size: claims on a page.
            bounded: whether to use the bound D.

        Returns:
            This explorer.

        Raises:
            InvalidQuery: a value is not accepted; the message names it.
            ServerUnavailable: the server went away.
        """
        shown = self.shown
        asked = _given(tin=tin, start=service_date_start, end=service_date_end)
        how = _given(page_size=page_size, bounded=bounded)
        choice = replace(shown.choice, question=shown.choice.question._replace(**asked), **how)
        # Each value by itself is checked before it is taken. That the dates are in order is checked after: who moves a
        # range changes one end of it first.
        make_query(self.store, *choice.question._replace(end=None), bounded=choice.bounded, fresh=False)
        make_query(self.store, *choice.question._replace(start=None), bounded=choice.bounded, fresh=False)
        checked_page_size(self.store, choice.page_size)
        if not asked and set(how) == {"bounded"}:
            return self._read(choice, shown.cursor, shown.before)
        return self._read(choice)

    def first(self) -> Self:
        """Read the first page, and let the total be counted anew.

        Returns:
            This explorer.

        Raises:
            InvalidQuery: the chosen dates are not in order.
            ServerUnavailable: the server went away.
        """
        return self._read(self.shown.choice)

    def next(self) -> Self:
        """Read the next page.

        Returns:
            This explorer.

        Raises:
            InvalidQuery: there is none.
            ServerUnavailable: the server went away.
        """
        shown = self.shown
        if shown.page is None or shown.page.next_cursor is None:
            raise InvalidQuery("There is no next page: this is the last one. Go back with previous() or first().")
        return self._read(shown.choice, shown.page.next_cursor, shown.before + len(shown.page))

    def previous(self) -> Self:
        """Read the page before.

        Returns:
            This explorer.

        Raises:
            InvalidQuery: there is none.
            ServerUnavailable: the server went away.
        """
        shown = self.shown
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
        shown = self.shown
        if shown.examined is not None:
            return shown.examined
        choice = shown.choice
        self._moments.add(shown, explaining=True)
        try:
            with self._under_way.query(self.store, _PAGE):
                plan = explain_claims(
                    self.store,
                    *choice.question,
                    page_size=choice.page_size,
                    cursor=shown.cursor,
                    bounded=choice.bounded,
                )
        except PbmError as error:
            wrong = None if isinstance(error, QueryEnded) else str(error)
            self._moments.add(shown, error=wrong, explaining=False)
            raise
        self._moments.add(shown, examined=plan, explaining=False)
        return plan

    @property
    def page(self) -> ClaimPage | None:
        """The page that is shown; None where there is no answer."""
        return self.shown.page

    @property
    def page_ms(self) -> float | None:
        """Time of the page in ms, as the client waited for it."""
        return self.shown.page_ms

    @property
    def total(self) -> int:
        """Claims in the whole result; counted when first asked for, not page by page."""
        return self._count(self.shown.choice)[0]

    @property
    def count_ms(self) -> float:
        """Time of that count in ms."""
        return self._count(self.shown.choice)[1]

    @property
    def error(self) -> str | None:
        """Why the choice has no answer, or only a part of one, in a sentence; None if all went well."""
        return self.shown.error

    @property
    def shown(self) -> Shown:
        """This moment, as one frozen value."""
        return self._moments.now

    def follow_up(self) -> None:
        """Bring what follows a page: what it examined, if it was quick, and the total. Errors are shown, not raised."""
        shown = self.shown
        if shown.page is None:
            return
        try:
            if shown.is_quick:
                self.explain()
            self._count(shown.choice)
        except QueryEnded:
            return
        except PbmError as error:
            self._moments.add(shown, error=str(error))

    def _read(self, choice: Choice, cursor: str | None = None, before: int = 0) -> Self:
        if cursor is None:
            self._counts.forget(choice.question, choice.bounded)
        step = self._moments.begin(choice, *self._counts.known(choice.question, choice.bounded))
        # What was asked before is not waited for any more, but a total of the same claims is.
        total_of = (choice.question, choice.bounded)
        try:
            with self._under_way.query(self.store, _PAGE, ends=lambda subject: subject != total_of):
                page, page_ms = timed(
                    self.store,
                    lambda: find_claims(
                        self.store, *choice.question, page_size=choice.page_size, cursor=cursor,
                        with_total=False, bounded=choice.bounded,
                    ),
                )  # fmt: skip
        except PbmError as error:
            self._moments.fail(step, _sentence(error, choice.question))
            raise
        before = max(before, 0) if page.prev_cursor else 0
        self._moments.end(step, page=page, page_ms=page_ms, cursor=cursor, before=before)
        return self

    def _count(self, choice: Choice) -> tuple[int, float]:
        total, count_ms = self._counts.count(self.store, choice.question, choice.bounded)
        self._moments.add_total(choice, total, count_ms)
        return total, count_ms


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not _SAME}


def _sentence(error: PbmError, question: Question) -> str:
    _, start, end = question
    if type(error) is InvalidQuery and start and end:  # each by itself was accepted, so it is their order
        return f"The last service date, {end}, is before the first, {start}. Choose a later last date."
    return str(error)
