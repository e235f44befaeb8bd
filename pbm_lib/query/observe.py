"""A page as an application reads it, with the request sent, its time, and what the server examined for it."""

import datetime as dt
import weakref
from dataclasses import dataclass
from functools import partial

from ..arguments import checked
from ..display import ShownAsFacts, milliseconds
from ..errors import InvalidQuery
from ..store.store import ClaimStore
from ..vocabulary import OLDEST, query_words
from ..working import working
from .examined import examined
from .explain import QueryPlan
from .filters import Question
from .find import find_claims
from .page import ClaimPage
from .request import RequestListener
from .stopwatch import timed


class Observer:
    """A store on its own client, whose requests are recorded.

    Args:
        store: an open store.

    Attributes:
        store: the same claims; it closes with the observer, or when the observer is garbage-collected.
        listener: records the requests.
    """

    def __init__(self, store: ClaimStore):
        self.listener = RequestListener()
        self.store = store.reopened(event_listeners=[self.listener])
        self.close = weakref.finalize(self, self.store.close)


@dataclass(frozen=True, repr=False)
class ObservedPage(ShownAsFacts):
    """A page, read as an application would read it.

    Attributes:
        question: provider and dates.
        page: the page.
        ms: how long the application waited for it.
        plan: how the server answered it.
    """

    question: Question
    page: ClaimPage
    ms: float
    plan: QueryPlan
    code_facts = QueryPlan.code_facts

    def facts(self) -> dict[str, str]:
        """Return facts about this page, label to value."""
        facts = self.plan.facts()
        facts.pop("Time on the server")
        one_more = " (the page, plus one claim to see whether another page follows)" if self.page.next_cursor else ""
        return {**facts, "Returned": facts["Returned"] + one_more, "Time": milliseconds(self.ms)}


@checked(InvalidQuery)
def observe_claims(
    store: ClaimStore,
    tin: str,
    service_date_start: dt.date | None = None,
    service_date_end: dt.date | None = None,
    *,
    page_size: int | None = None,
    cursor: str | None = None,
    last: bool = False,
    order: str = OLDEST,
    bounded: bool = True,
) -> ObservedPage:
    """Read a page as `find_claims` does, and return it with its time and what the server examined for it.

    A slow query is not run again to find what it examined: the server's log has the numbers, if the user may read it.
    Otherwise, an explain runs for no longer than a second.

    Args:
        store: an open store.
        tin: the billing provider's TIN, nine digits.
        service_date_start: first service date, inclusive; None for no limit.
        service_date_end: last service date, inclusive; None for no limit.
        page_size: claims on the page; None for `query.default_page_size`.
        cursor: `next_cursor` or `prev_cursor` of a page of the same query; None for the first page.
        last: read the last page.
        order: "oldest" or "newest" claims first.
        bounded: use the bound D if the server enforces it.

    Returns:
        The page, its time, and its plan.

    Raises:
        InvalidQuery: an argument is invalid; the message names it.
        InvalidCursor: the cursor is damaged or belongs to a different query, or the index has changed since.
        ServerUnavailable: the server cannot be reached.

    Example:
        >>> unbounded = observe_claims(store, tin, start, end, bounded=False)
        >>> bound_card(unbounded, observe_claims(store, tin, start, end))
    """
    question = Question(tin, service_date_start, service_date_end)
    observer = Observer(store)
    try:
        read = partial(
            find_claims, observer.store, *question, page_size=page_size, cursor=cursor, last=last, order=order,
            with_total=False, bounded=bounded,
        )  # fmt: skip
        with working(f"Running the {query_words(bounded)}"), observer.listener.listening() as requests:
            page, ms = timed(observer.store, read)
        plan = examined(observer.store, requests[-1], bounded=bounded and observer.store.bounded)
    finally:
        observer.close()
    return ObservedPage(question, page, ms, plan)
