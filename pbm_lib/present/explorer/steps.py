"""The explorer's steps through a provider's claims."""

import datetime as dt
from dataclasses import replace
from typing import Any, Self

from ...arguments import checked
from ...errors import InvalidQuery
from ...query.explain import QueryPlan
from ...query.filters import checked_page_size, make_query
from ...query.jump import cursor_at
from ...store.store import ClaimStore
from ...vocabulary import NEWEST
from .moments import Asked
from .state import ExplorerState

_SAME: Any = type("Same", (), {"__repr__": lambda self: "as before"})()
_DAY = dt.timedelta(days=1)


class ExplorerSteps(ExplorerState):
    """The explorer's steps, called from code or by a click."""

    @checked(InvalidQuery)
    def __init__(self, store: ClaimStore, *, seconds: float = 60.0):
        super().__init__(store, seconds)
        self.first()

    @checked(InvalidQuery)
    def choose(
        self,
        *,
        tin: str = _SAME,
        service_date_start: dt.date | None = _SAME,
        service_date_end: dt.date | None = _SAME,
        page_size: int = _SAME,
        order: str = _SAME,
        bounded: bool = _SAME,
        count_each_page: bool = _SAME,
    ) -> Self:
        """Change the choice, and read the page for it.

        A change of provider, dates, page size, or order goes to the first page. Any other change reads the same page
        again, so that the bounded and the unbounded query can be compared.

        Args:
            tin: the billing provider's TIN, nine digits.
            service_date_start: first service date, inclusive; None for no limit.
            service_date_end: last service date, inclusive; None for no limit.
            page_size: claims on a page.
            order: "oldest" or "newest" claims first.
            bounded: whether to use the bound D.
            count_each_page: whether to count the total with every page instead of once.

        Returns:
            This explorer.

        Raises:
            InvalidQuery: a value is invalid; the message names it.
            ServerUnavailable: the server cannot be reached.
        """
        shown = self.shown
        asked = _given(tin=tin, start=service_date_start, end=service_date_end)
        how = _given(page_size=page_size, order=order, bounded=bounded, count_each_page=count_each_page)
        choice = replace(shown.choice, question=shown.choice.question._replace(**asked), **how)
        # Check each value on its own before accepting it. Check the order of the dates later: someone who moves a range
        # changes one end of it first.
        make_query(self.store, *choice.question._replace(end=None), order=choice.order, fresh=False)
        make_query(self.store, *choice.question._replace(start=None), order=choice.order, fresh=False)
        checked_page_size(self.store, choice.page_size)
        if not asked and set(how) <= {"bounded", "count_each_page"}:
            return self._read(choice, shown.asked, shown.place)
        return self._read(choice)

    def first(self) -> Self:
        """Read the first page, and have the total counted again.

        Returns:
            This explorer.

        Raises:
            InvalidQuery: the chosen dates are not in order.
            ServerUnavailable: the server cannot be reached.
        """
        return self._read(self.shown.choice)

    def last(self) -> Self:
        """Read the last page, from the end of the index, which takes as long as reading the first one.

        If the total is known, this is the page that a walk from the first page ends with; otherwise, it is a full page.

        Returns:
            This explorer.

        Raises:
            InvalidQuery: the chosen dates are not in order.
            ServerUnavailable: the server cannot be reached.
        """
        shown = self.shown
        size = shown.choice.page_size
        if shown.total is not None:
            size = shown.total % size or size
        return self._read(shown.choice, Asked(last=True, size=size), None)

    def next(self) -> Self:
        """Read the next page.

        Returns:
            This explorer.

        Raises:
            InvalidQuery: there is no next page.
            ServerUnavailable: the server cannot be reached.
        """
        shown = self.shown
        if shown.page is None or shown.page.next_cursor is None:
            raise InvalidQuery("There is no next page: this is the last one. Go back with previous() or first().")
        before = None if shown.place is None else shown.place + len(shown.page)
        return self._read(shown.choice, Asked(shown.page.next_cursor), before)

    def previous(self) -> Self:
        """Read the previous page.

        Returns:
            This explorer.

        Raises:
            InvalidQuery: there is no previous page.
            ServerUnavailable: the server cannot be reached.
        """
        shown = self.shown
        if shown.page is None or shown.page.prev_cursor is None:
            raise InvalidQuery("There is no previous page: this is the first one. Continue with next().")
        before = None if shown.place is None else shown.place - shown.choice.page_size
        self._read(shown.choice, Asked(shown.page.prev_cursor), before)
        return self if len(self.page) else self.first()  # empty after a jump to the very first claim

    @checked(InvalidQuery)
    def jump(self, service_date: dt.date) -> Self:
        """Read the page that begins with the first claim on or after a service date (newest first: on or before it).

        A keyset page begins at a value in the index, so it can begin at a date. It cannot begin at page N, because the
        claims on all pages before it would have to be counted.

        Args:
            service_date: the date to jump to.

        Returns:
            This explorer. If no claim begins on or after the date (newest first: on or before it), it shows the last
            page.

        Raises:
            InvalidQuery: the date is invalid, or the chosen dates are not in order.
            ServerUnavailable: the server cannot be reached.
        """
        choice = self.shown.choice
        day = dt.datetime(service_date.year, service_date.month, service_date.day)
        edge = min(day, dt.datetime.max - 2 * _DAY) + _DAY if choice.order == NEWEST else day
        self._read(choice, Asked(cursor_at(self.store, choice.question, edge, order=choice.order)), None)
        if len(self.page):
            return self
        self.last()
        side = "on or before" if choice.order == NEWEST else "on or after"
        self._moments.add(self.shown, notice=f"No claim begins {side} {service_date}. This is the last page.")
        return self

    def cancel(self) -> Self:
        """Cancel the running query on the server, and go back to the page shown before. Call it from another thread.

        Returns:
            This explorer.
        """
        self._moments.cancel()
        self._asker.stop()
        return self

    def explain(self) -> QueryPlan:
        """Return the plan of the page: what the server did for it.

        Returns:
            The plan.

        Raises:
            InvalidQuery: there is no page.
            ServerUnavailable: the server cannot be reached.
        """
        self._asker.examine()
        if self.shown.examined is None:
            raise InvalidQuery("There is no page to explain. Choose one first, for example with first().")
        return self.shown.examined

    def clear_log(self) -> Self:
        """Empty the log of requests.

        Returns:
            This explorer.
        """
        self._moments.clear_log()
        return self


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not _SAME}
