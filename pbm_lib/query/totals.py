"""Alternatives to a full count of a provider's claims: a count up to a cap, and a total in one call with the page."""

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
"""Where to stop counting if "more than 10,000" is a good enough answer."""


class TimeLimitPassed(PbmError):
    """The server ended a command that exceeded its time limit."""


def count_up_to(store: ClaimStore, tin: str, cap: int = CAP) -> int:
    """Return a provider's number of claims, or the cap plus one if there are more than the cap."""

    def count(query: ClaimQuery) -> int:
        return store.collection.count_documents(query.filter(), limit=cap + 1, **query.hinted)

    return answer(store, partial(make_query, store, tin, None, None), count)


def page_and_total(store: ClaimStore, tin: str, *, seconds: float) -> ClaimPage:
    """Return the first page of a provider's claims with their total, both from one aggregate with `$facet`.

    To count them, the aggregate fetches every claim of the provider. `find_claims` gives the same answer with two
    queries.

    Args:
        store: an open store.
        tin: the billing provider's TIN, nine digits.
        seconds: time limit on the server.

    Raises:
        TimeLimitPassed: the server takes longer.
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
        total = sum(count["claims"] for count in facets["total"])  # empty if there are no claims
        return replace(page_of(facets["page"], limit, BEGINNING, query), total=total)

    return answer(store, partial(make_query, store, tin, None, None), read)
