"""Other ways to a provider's total than counting to the end: up to a cap, and in one call with the page."""

from dataclasses import replace
from functools import partial

from pymongo.errors import ExecutionTimeout

from ..errors import PbmError
from ..store.store import ClaimStore
from .answer import answer
from .filters import ClaimQuery, make_query
from .find import page_of
from .keyset import BEGINNING
from .page import ClaimPage

CAP = 10_000
"""Up to so many claims are counted where "more than 10,000" is answer enough."""


class TimeLimitPassed(PbmError):
    """The server ended a command that took longer than it was allowed to."""


def count_up_to(store: ClaimStore, tin: str, cap: int = CAP) -> int:
    """Return the number of a provider's claims if it is no more than the cap, else the cap plus one."""

    def count(query: ClaimQuery) -> int:
        return store.collection.count_documents(query.filter(), limit=cap + 1, **query.hinted)

    return answer(store, partial(make_query, store, tin, None, None), count)


def page_and_total(store: ClaimStore, tin: str, *, seconds: float) -> ClaimPage:
    """Return the first page of a provider's claims with their total, both from one aggregate with `$facet`.

    To count, that fetches every claim of the provider; `find_claims` answers the same with two queries.

    Args:
        store: an open store.
        tin: the billing provider's TIN, nine digits.
        seconds: how long the server may take.

    Raises:
        TimeLimitPassed: it takes longer.
    """
    limit = store.config.query.default_page_size

    def read(query: ClaimQuery) -> ClaimPage:
        pipeline = [
            {"$match": query.filter()},
            {"$sort": dict(query.sort())},
            {"$facet": {"page": [{"$limit": limit + 1}], "total": [{"$count": "claims"}]}},
        ]
        try:
            with store.collection.aggregate(pipeline, maxTimeMS=int(seconds * 1000), **query.hinted) as found:
                facets = found.next()
        except ExecutionTimeout:
            raise TimeLimitPassed(f"$facet was stopped after {seconds:g} s.") from None
        total = sum(count["claims"] for count in facets["total"])  # of no claims there is none
        return replace(page_of(facets["page"], limit, BEGINNING, query), total=total)

    return answer(store, partial(make_query, store, tin, None, None), read)
