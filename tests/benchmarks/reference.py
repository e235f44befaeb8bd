"""The reference: the query as a good programmer first writes it, in bare pymongo, with none of pbm_lib's techniques."""

import datetime as dt
from typing import Any, Self

from pymongo import MongoClient

from pbm_lib import ClaimStore
from pbm_lib.claims.document import BEGIN, END, ID, TIN

INDEX = {TIN: 1, BEGIN: 1, END: 1, ID: 1}
ORDER = {BEGIN: 1, END: 1, ID: 1}

Question = tuple[str] | tuple[str, dt.date, dt.date]
"""A TIN, optionally with the first and the last day of a range."""


class Reference:
    """Pages and totals on the index {tin, begin, end, _id}.

    Uses the unbounded overlap filter, sorted by (begin, end, _id), and sends no hint. Later pages use a keyset `$or`
    below an `$and`; the total is one `count_documents`. A page asks for one extra claim, to learn whether another page
    follows.
    """

    def __init__(self, store: ClaimStore):
        self.client = MongoClient(store.uri)
        self.claims = self.client[store.config.mongodb.database][store.config.mongodb.collection]
        self.size = store.config.query.default_page_size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def first_page(self, question: Question) -> list[dict[str, Any]]:
        return self._page(_overlap(question))

    def next_page(self, question: Question, claim: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the page that follows a claim."""
        begin, end, _id = claim[BEGIN], claim[END], claim[ID]
        behind = [
            {BEGIN: {"$gt": begin}},
            {BEGIN: begin, END: {"$gt": end}},
            {BEGIN: begin, END: end, ID: {"$gt": _id}},
        ]
        return self._page({"$and": [_overlap(question), {"$or": behind}]})

    def total(self, question: Question) -> int:
        return self.claims.count_documents(_overlap(question))

    def claim_at(self, question: Question, place: int) -> dict[str, Any]:
        """Return the sort fields of the claim at a position in the result, counted from 0."""
        return self.claims.find_one(_overlap(question), ORDER, sort=ORDER, skip=place)

    def forget_plans(self) -> None:
        """Clear the server's plan cache for the collection."""
        self.claims.database.command("planCacheClear", self.claims.name)

    def _page(self, filter_: dict[str, Any]) -> list[dict[str, Any]]:
        return self.claims.find(filter_, sort=ORDER, limit=self.size + 1).to_list()[: self.size]


def _overlap(question: Question) -> dict[str, Any]:
    tin, *window = question
    if not window:
        return {TIN: tin}
    first, last = (dt.datetime.combine(day, dt.time()) for day in window)
    return {TIN: tin, BEGIN: {"$lte": last}, END: {"$gte": first}}
