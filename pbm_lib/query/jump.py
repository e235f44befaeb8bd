"""Cursors to a page that nobody walked to: by its place in the order, or by the number of claims before it."""

from __future__ import annotations

import datetime as dt

from bson import ObjectId

from ..claims.document import BEGIN, ID, TIN
from ..store.driver_errors import translated_driver_errors
from ..store.store import ClaimStore
from .cursor import encode_cursor
from .filters import Question, make_query
from .keyset import Boundary, sort_order

_FIRST_ID = ObjectId("0" * 24)


def cursor_at(store: ClaimStore, question: Question, begin: dt.datetime, _id: ObjectId = _FIRST_ID) -> str:
    """Return the token of the page behind a place: the claim of this begin date and `_id`, there or not."""
    return encode_cursor(Boundary("next", (begin, _id)), make_query(store, *question).identity)


def cursor_after(store: ClaimStore, tin: str, depth: int) -> str | None:
    """Return the token of the page behind so many claims of a provider, who has more; None for the first page."""
    if not depth:
        return None
    with translated_driver_errors():
        before = store.collection.find_one({TIN: tin}, {BEGIN: 1}, sort=sort_order(None), skip=depth - 1)
    return cursor_at(store, Question(tin), before[BEGIN], before[ID])
