"""To a page that nobody walked to: cursors by place or by depth, and skip/limit, to compare with."""

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
    """Return the token of the page that begins with the first claim of this begin date or later; newest first, before.

    Args:
        store: an open store.
        question: provider and dates.
        begin: naive UTC; inclusive, newest first exclusive.
        order: "oldest" or "newest" claims first.
    """
    query = make_query(store, *question, order=order, fresh=False)
    # Before every claim of that instant, since a claim ends no earlier than it begins.
    lowest = {BEGIN: begin, END: begin, ID: ObjectId("0" * 24)}
    return encode_cursor(Boundary("next", tuple(lowest[field] for field in query.variant.order)), query)


def cursor_after(store: ClaimStore, tin: str, depth: int) -> str | None:
    """Return the token of the page behind so many claims of a provider, who has more; None for depth 0."""
    if not depth:
        return None

    def read(query: ClaimQuery) -> str:
        fields = dict.fromkeys(query.variant.order, 1)
        claim = store.collection.find_one(query.filter(), fields, sort=query.sort(), skip=depth - 1, hint=query.hint)
        return encode_cursor(Boundary("next", key_of(claim, query)), query)

    return answer(store, partial(make_query, store, tin, None, None), read)


def skip_page(store: ClaimStore, tin: str, depth: int, size: int) -> list[dict[str, Any]]:
    """Return the page behind so many claims of a provider by skip/limit, which walks past all of them."""

    def read(query: ClaimQuery) -> list[dict[str, Any]]:
        with store.collection.find(
            query.filter(), sort=query.sort(), skip=depth, limit=size, hint=query.hint, batch_size=size
        ) as found:
            return found.to_list()

    return answer(store, partial(make_query, store, tin, None, None), read)
