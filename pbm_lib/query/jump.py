"""To a page that nobody walked to: cursors by place or by depth, and skip/limit, to compare with."""

import datetime as dt
from typing import Any

from bson import ObjectId

from ..claims.document import BEGIN, ID, TIN
from ..store.store import ClaimStore
from .cursor import encode_cursor
from .filters import Question, make_query
from .keyset import Boundary, sort_order

_FIRST_ID = ObjectId("0" * 24)


def cursor_at(store: ClaimStore, question: Question, begin: dt.datetime, _id: ObjectId = _FIRST_ID) -> str:
    """Return the token of the page behind a place: the claim of this begin date and `_id`, there or not."""
    return encode_cursor(Boundary("next", (begin, _id)), make_query(store, *question, fresh=False).identity)


def cursor_after(store: ClaimStore, tin: str, depth: int) -> str | None:
    """Return the token of the page behind so many claims of a provider, who has more; None for depth 0."""
    if not depth:
        return None
    with store.errors_explained():
        before = store.collection.find_one({TIN: tin}, {BEGIN: 1}, sort=sort_order(None), skip=depth - 1)
    return cursor_at(store, Question(tin), before[BEGIN], before[ID])


def skip_page(store: ClaimStore, tin: str, depth: int, size: int) -> list[dict[str, Any]]:
    """Return the page behind so many claims of a provider by skip/limit, which walks past all of them."""
    with store.errors_explained():
        found = store.collection.find({TIN: tin}, sort=sort_order(None), skip=depth, limit=size, batch_size=size)
        return found.to_list()
