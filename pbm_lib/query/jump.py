"""Jump to a page without walking to it: cursors by date or by depth, and skip/limit for comparison."""

import datetime as dt
from functools import partial
from typing import Any

from bson import ObjectId

from ..claims.document import BEGIN, END, ID
from ..store.store import ClaimStore
from ..vocabulary import OLDEST
from .answer import answer
from .cursor import encode_cursor
from .filters import ClaimQuery, Question, make_query
from .find import key_of
from .keyset import Boundary


def cursor_at(store: ClaimStore, question: Question, begin: dt.datetime, *, order: str = OLDEST) -> str:
    """Return the cursor of the page whose first claim begins at or after an instant; newest first, before it.

    Args:
        store: an open store.
        question: provider and dates.
        begin: the instant, naive UTC; inclusive, or exclusive if the newest claims are first.
        order: "oldest" or "newest" claims first.
    """
    query = make_query(store, *question, order=order, fresh=False)
    # Sorts before every claim that begins at that instant, because a claim ends no earlier than it begins.
    lowest = {BEGIN: begin, END: begin, ID: ObjectId("0" * 24)}
    return encode_cursor(Boundary("next", tuple(lowest[field] for field in query.variant.order)), query)


def cursor_after(store: ClaimStore, tin: str, depth: int) -> str | None:
    """Return the cursor of the page after a provider's first `depth` claims; None for depth 0.

    The provider must have more claims than that.
    """
    if not depth:
        return None

    def read(query: ClaimQuery) -> str:
        fields = dict.fromkeys(query.variant.order, 1)
        claim = store.collection.find_one(query.filter(), fields, sort=query.sort(), skip=depth - 1, hint=query.hint)
        return encode_cursor(Boundary("next", key_of(claim, query)), query)

    return answer(store, partial(make_query, store, tin, None, None), read)


def skip_page(store: ClaimStore, tin: str, depth: int, size: int) -> list[dict[str, Any]]:
    """Return the page after a provider's first `depth` claims by skip/limit, which scans all of them."""

    def read(query: ClaimQuery) -> list[dict[str, Any]]:
        with store.collection.find(
            query.filter(), sort=query.sort(), skip=depth, limit=size, hint=query.hint, batch_size=size
        ) as found:
            return found.to_list()

    return answer(store, partial(make_query, store, tin, None, None), read)
