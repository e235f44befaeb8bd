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

_LOWEST_ID = ObjectId("0" * 24)


def cursor_at(store: ClaimStore, question: Question, begin: dt.datetime, *, order: str = OLDEST) -> str:
    """Return the cursor of the page whose first claim begins at or after an instant; newest first, before it.

    Args:
        store: an open store.
        question: provider and dates.
        begin: the instant, naive UTC; inclusive, or exclusive if the newest claims are first.
        order: "oldest" or "newest" claims first.
    """
    query = make_query(store, *question, order=order, fresh=False)
    # Sorts before every claim that begins at that instant, because a claim ends no earlier than it begins. Without our
    # rule, end dates and ids may be of any type, and null sorts before all of them.
    lowest = {BEGIN: begin, END: None, ID: None} if query.any_type else {BEGIN: begin, END: begin, ID: _LOWEST_ID}
    key = tuple(lowest[field] for field in query.variant.order)
    return encode_cursor(Boundary("next", key, inclusive=query.any_type and order == OLDEST), query)


def cursors_after(store: ClaimStore, tin: str, depth: int, *, pages: int = 1, size: int = 1) -> list[str | None]:
    """Return the cursors of consecutive pages after a provider's first `depth` claims; a single None for depth 0.

    Only the index is read, so the claims of these pages are as cold as before. The provider must have more claims than
    come before the last page.

    Args:
        store: an open store.
        tin: the billing provider's TIN, nine digits.
        depth: number of claims before the first of these pages.
        pages: number of pages.
        size: claims per page.
    """
    if not depth:
        return [None]

    def read(query: ClaimQuery) -> list[str | None]:
        fields, limit = dict.fromkeys(query.variant.order, 1), (pages - 1) * size + 1
        with store.collection.find(
            query.filter(), fields, sort=query.sort(), skip=depth - 1, limit=limit, hint=query.hint
        ) as found:
            last_claims = found.to_list()[::size]
        return [encode_cursor(Boundary("next", key_of(claim, query)), query) for claim in last_claims]

    return answer(store, partial(make_query, store, tin, None, None), read)


def skip_page(store: ClaimStore, tin: str, depth: int, size: int) -> list[dict[str, Any]]:
    """Return the page after a provider's first `depth` claims by skip/limit, which scans all of them."""

    def read(query: ClaimQuery) -> list[dict[str, Any]]:
        with store.collection.find(
            query.filter(), sort=query.sort(), skip=depth, limit=size, hint=query.hint, batch_size=size
        ) as found:
            return found.to_list()

    return answer(store, partial(make_query, store, tin, None, None), read)
