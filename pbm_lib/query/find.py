"""The query of the demo: all claims of one billing provider, optionally in a range of service dates.

Results are exact and in index order. A range matches every claim that overlaps it. Two queries give the same result:
the unbounded query asks for exactly that; the bounded query also uses the fact that no claim lasts longer than D days.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from ..arguments import checked
from ..claims.document import ID
from ..errors import InvalidQuery, PbmError
from ..store.index import IndexVariant
from ..store.store import ClaimStore
from ..vocabulary import OLDEST
from .answer import answer
from .any_type import is_sortable
from .cursor import IndexChanged, decode_cursor, encode_cursor
from .filters import ClaimQuery, checked_page_size, make_query
from .keyset import BEGINNING, END_OF_ALL, Boundary
from .page import ClaimPage


@checked(InvalidQuery)
def find_claims(
    store: ClaimStore,
    tin: str,
    service_date_start: dt.date | None = None,
    service_date_end: dt.date | None = None,
    *,
    page_size: int | None = None,
    cursor: str | None = None,
    last: bool = False,
    order: str = OLDEST,
    with_total: bool = True,
    bounded: bool = True,
) -> ClaimPage:
    """Return one page of a billing provider's claims.

    A claim matches a range of service dates if it overlaps the range: it begins on or before the range's end and ends
    on or after its start, both inclusive. Paging is by keyset: a page begins right after the last claim of the previous
    page. Pages are in index order (`store.variant.order`): by serviceBeginDate, then `_id`; with the overlap index, by
    serviceBeginDate, serviceEndDate, then `_id`.

    If others write during a walk, a claim that exists throughout, and whose dates do not change, is on exactly one
    page. A claim inserted behind the walk or deleted ahead of it is not seen. A claim whose serviceBeginDate changes
    may be seen twice or not at all. `total` is counted after the page is read.

    The bounded query is as exact as its bound, which the server enforces. See `ClaimStore` for how a longer claim can
    still get in, and what happens then.

    Args:
        store: an open store.
        tin: the billing provider's TIN, nine digits as text.
        service_date_start: first service date, inclusive: a date or a datetime (naive means UTC); None for no limit.
        service_date_end: last service date, inclusive; a date means the whole day; None for no limit.
        page_size: claims per page, 1 to `query.max_page_size`; None for `query.default_page_size`.
        cursor: `next_cursor` or `prev_cursor` of a page of the same query; None for the first page.
        last: return the last page: the last `page_size` claims, regardless of where other pages end.
        order: "oldest" or "newest" claims first; "newest" reads the index backward. A cursor is valid only
            with its own order.
        with_total: also count the whole result, in a separate query.
        bounded: use the bound D if the server enforces it. The result is the same either way.

    Returns:
        The page.

    Raises:
        InvalidQuery: an argument is invalid; the message names it.
        InvalidCursor: the cursor is damaged or belongs to a different query, or the index has changed since.
        ServerUnavailable: the server cannot be reached.

    Example:
        >>> page = find_claims(store, tin, page_size=50)
        >>> page = find_claims(store, tin, page_size=50, cursor=page.next_cursor)
    """
    ask = partial(make_query, store, tin, service_date_start, service_date_end, bounded=bounded, order=order)
    limit = checked_page_size(store, page_size)
    variant, boundary = first_look(store, ask, cursor, last=last)

    def read(query: ClaimQuery) -> ClaimPage:
        place = boundary if query.variant == variant else page_boundary(query, cursor, last=last)
        # Read the page in one batch (up to the server's 16 MB): retryable reads cover only the first batch.
        with store.collection.find(
            query.filter(place), sort=query.sort(place), hint=query.hint, limit=limit + 1, batch_size=limit + 1
        ) as found:
            return page_of(found.to_list(), limit, place, query)

    page = answer(store, ask, read)
    if not with_total:
        return page
    return replace(page, total=count_claims(store, tin, service_date_start, service_date_end, bounded=bounded))


@checked(InvalidQuery)
def count_claims(
    store: ClaimStore,
    tin: str,
    service_date_start: dt.date | None = None,
    service_date_end: dt.date | None = None,
    *,
    bounded: bool = True,
) -> int:
    """Return the exact number of a billing provider's claims, optionally in a range of service dates.

    Args:
        store: an open store.
        tin: the billing provider's TIN, nine digits as text.
        service_date_start: first service date, inclusive; None for no limit.
        service_date_end: last service date, inclusive; None for no limit.
        bounded: as in `find_claims`.

    Returns:
        The number of claims. With a start date, the bounded query adds two counts; a write in between can skew the sum.

    Raises:
        InvalidQuery: an argument is invalid; the message names it.
        ServerUnavailable: the server cannot be reached.

    Example:
        >>> total = count_claims(store, tin, dt.date(2025, 1, 1), dt.date(2025, 1, 31))
    """

    def count(query: ClaimQuery) -> int:
        return sum(store.collection.count_documents(part, **query.hinted) for part in query.count_filters())

    return answer(store, partial(make_query, store, tin, service_date_start, service_date_end, bounded=bounded), count)


def first_look(
    store: ClaimStore, ask: Callable[..., ClaimQuery], cursor: str | None, *, last: bool
) -> tuple[IndexVariant, Boundary]:
    """Return the index variant that sets the page's order, and where the page begins, without asking the server.

    An invalid argument is thus reported without a round trip. But if the cursor is from another index than the store
    knows of, the store may be outdated: it is refreshed, and the cursor is checked again.
    """
    for _ in range(2):
        query = ask(fresh=False)
        try:
            return query.variant, page_boundary(query, cursor, last=last)
        except IndexChanged as error:
            changed = error
            store.refresh()
    raise changed


def page_boundary(query: ClaimQuery, cursor: str | None, *, last: bool) -> Boundary:
    """Return where a page begins; raise InvalidQuery if both a cursor and `last` are given."""
    if cursor is None:
        return END_OF_ALL if last else BEGINNING
    if last:
        raise InvalidQuery("last=True cannot be combined with a cursor. Pass one or the other.")
    return decode_cursor(cursor, query)


def key_of(claim: dict[str, Any], query: ClaimQuery) -> tuple[Any, ...]:
    """Return a claim's place in the order; raise PbmError if paging cannot continue from it."""
    key = tuple(claim.get(field) for field in query.variant.order)
    for field, value in zip(query.variant.order, key, strict=True):
        if not is_sortable(value):
            raise PbmError(
                f"Claim {claim[ID]} has a {field} of type {type(value).__name__}, so paging cannot continue from it. "
                "Correct that claim, or use another page_size."
            )
    return key


def page_of(found: list[dict[str, Any]], limit: int, boundary: Boundary, query: ClaimQuery) -> ClaimPage:
    """Return the page with its cursors, given the claims found: those of the page, and at most one more."""
    backward, more = boundary.direction == "prev", len(found) > limit
    documents = found[:limit][::-1] if backward else found[:limit]

    def token(direction: str, claim: dict[str, Any]) -> str:
        return encode_cursor(Boundary(direction, key_of(claim, query)), query)

    ahead, behind = ("prev", "next") if backward else ("next", "prev")
    cursors: dict[str, str | None] = {"next": None, "prev": None}
    if documents:
        edges = {"prev": documents[0], "next": documents[-1]}
        cursors[ahead] = token(ahead, edges[ahead]) if more else None
        cursors[behind] = token(behind, edges[behind]) if boundary.key else None
    elif boundary.key:
        # No claims are left on this side. The way back begins with the boundary claim itself, which an exclusive
        # boundary would skip.
        cursors[behind] = encode_cursor(Boundary(behind, boundary.key, not boundary.inclusive), query)
    return ClaimPage(tuple(documents), None, cursors["next"], cursors["prev"])
