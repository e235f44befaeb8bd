"""The query of the demo: all claims of one billing provider, optionally in a range of service dates.

Answers are exact and in the order (serviceBeginDate, _id). A range matches every claim that overlaps it. Two plans give
the same answer: the plain one asks just that; the bounded one also uses that no claim lasts longer than D days.
"""

import atexit
import datetime as dt
import weakref
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from ..arguments import checked
from ..claims.document import BEGIN, ID
from ..errors import InvalidQuery, PbmError
from ..store.retry import again_if_dropped, is_dropped
from ..store.store import ClaimStore
from ..vocabulary import BOUNDED
from .any_type import is_sortable
from .cursor import decode_cursor, encode_cursor
from .filters import ClaimQuery, checked_page_size, make_query
from .keyset import Boundary, sort_order
from .page import ClaimPage

_STREAM_BATCH = 1_000
_GOODBYE_SECONDS = 1
_streams: weakref.WeakSet[Generator] = weakref.WeakSet()


@checked(InvalidQuery)
def find_claims(
    store: ClaimStore,
    tin: str,
    service_date_start: dt.date | None = None,
    service_date_end: dt.date | None = None,
    *,
    page_size: int | None = None,
    cursor: str | None = None,
    with_total: bool = True,
    plan: str = BOUNDED,
) -> ClaimPage:
    """Return one page of a billing provider's claims.

    A claim matches a range of service dates if it overlaps it: begins on or before its end and ends on or after its
    start, both inclusive. Pages follow each other by keyset: a page begins right after the last claim of the page
    before, in the order (serviceBeginDate, _id), wherever that is.

    While others write, a caller may rely on this: a claim that is there during the whole walk, and whose dates do not
    change, is on exactly one page. A claim that is inserted behind the walk, or deleted ahead of it, is not seen; one
    whose serviceBeginDate moves may be seen twice or not at all. `total` is counted after the page is read.

    The bounded plan is as exact as its bound, which the server enforces; `ClaimStore` says how a longer claim can get
    in all the same, and what then.

    Args:
        store: an open store.
        tin: the billing provider's TIN, nine digits.
        service_date_start: first service date, inclusive; a date, or a datetime (naive means UTC). None: no limit.
        service_date_end: last service date, inclusive; a date means the whole day. None: no limit.
        page_size: claims on the page, 1 to `query.max_page_size`; None takes `query.default_page_size`.
        cursor: `next_cursor` or `prev_cursor` of a page of the same query; None for the first page.
        with_total: count the whole result as well, in a query of its own.
        plan: "bounded" uses the bound D where the server enforces it; "plain" never does. Same answer.

    Returns:
        The page.

    Raises:
        InvalidQuery: an argument is not accepted; the message names it.
        InvalidCursor: the cursor is damaged or belongs to another query.
        ServerUnavailable: the server went away.
    """
    ask = partial(make_query, store, tin, service_date_start, service_date_end, plan=plan)
    identity = ask(fresh=False).identity
    limit = checked_page_size(store, page_size)
    boundary = None if cursor is None else decode_cursor(cursor, identity)
    with store.errors_explained():
        found = _read(store, ask(), boundary, limit + 1)
    total = count_claims(store, tin, service_date_start, service_date_end, plan=plan) if with_total else None
    return _page(found, limit, boundary, identity, total)


@checked(InvalidQuery)
def count_claims(
    store: ClaimStore,
    tin: str,
    service_date_start: dt.date | None = None,
    service_date_end: dt.date | None = None,
    *,
    plan: str = BOUNDED,
) -> int:
    """Return the exact number of a billing provider's claims, optionally in a range of service dates.

    Args:
        store: an open store.
        tin: the billing provider's TIN, nine digits.
        service_date_start: first service date, inclusive; None: no limit.
        service_date_end: last service date, inclusive; None: no limit.
        plan: as in `find_claims`.

    Returns:
        Claims in the result. With the bounded plan it is the sum of two counts, which a write between them can skew.

    Raises:
        InvalidQuery: an argument is not accepted; the message names it.
        ServerUnavailable: the server went away.
    """
    query = make_query(store, tin, service_date_start, service_date_end, plan=plan)
    with store.errors_explained():
        return sum(again_if_dropped(partial(store.collection.count_documents, part)) for part in query.count_filters())


@checked(InvalidQuery)
def iter_claims(
    store: ClaimStore,
    tin: str,
    service_date_start: dt.date | None = None,
    service_date_end: dt.date | None = None,
    *,
    page_size: int | None = None,
    plan: str = BOUNDED,
) -> Iterator[dict[str, Any]]:
    """Yield all claims of a billing provider, optionally in a range of service dates, in order.

    One server cursor streams them; when the connection breaks or the cursor is lost, it is opened again behind the
    last claim yielded, so none that stands still is lost or repeated. An iterator that is left early gives its cursor
    back when it is closed or collected.

    Args:
        store: an open store.
        tin: the billing provider's TIN, nine digits.
        service_date_start: first service date, inclusive; None: no limit.
        service_date_end: last service date, inclusive; None: no limit.
        page_size: claims a round trip, 1 to `query.max_page_size`; None takes 1,000 or the maximum, if lower.
        plan: as in `find_claims`.

    Yields:
        Claim documents.

    Raises:
        InvalidQuery: an argument is not accepted; raised by the call, not by the first step.
        ServerUnavailable: the server went away and did not come back.
    """
    ask = partial(make_query, store, tin, service_date_start, service_date_end, plan=plan)
    ask(fresh=False)
    most = store.config.query.max_page_size
    batch = min(_STREAM_BATCH, most) if page_size is None else checked_page_size(store, page_size)
    stream = _stream(store, ask, batch)
    _streams.add(stream)
    return stream


def _read(store: ClaimStore, query: ClaimQuery, boundary: Boundary | None, size: int) -> list[dict[str, Any]]:
    # One batch holds the page (up to the server's 16 MB): retryable reads cover the first batch, not those after it.
    def read() -> list[dict[str, Any]]:
        filter_, order = query.filter(boundary), sort_order(boundary)
        with store.collection.find(filter_, sort=order, limit=size, batch_size=size) as found:
            return found.to_list()

    return again_if_dropped(read)


def _page(found: list, limit: int, boundary: Boundary | None, identity: list, total: int | None) -> ClaimPage:
    backward = boundary is not None and boundary.direction == "prev"
    more = len(found) > limit
    documents = found[:limit][::-1] if backward else found[:limit]

    def token(direction: str, claim: dict[str, Any]) -> str:
        return encode_cursor(Boundary(direction, _key_of(claim)), identity)

    ahead, behind = ("prev", "next") if backward else ("next", "prev")
    cursors: dict[str, str | None] = {"next": None, "prev": None}
    if documents:
        edges = {"prev": documents[0], "next": documents[-1]}
        cursors[ahead] = token(ahead, edges[ahead]) if more else None
        cursors[behind] = token(behind, edges[behind]) if boundary else None
    elif boundary:
        # Nothing is left on this side. The way back begins with the boundary claim itself, which a plain
        # "before it" would skip.
        cursors[behind] = encode_cursor(Boundary(behind, boundary.key, not boundary.inclusive), identity)
    return ClaimPage(tuple(documents), total, cursors["next"], cursors["prev"])


def _key_of(claim: dict[str, Any]) -> tuple[Any, Any]:
    begin, _id = claim.get(BEGIN), claim[ID]
    if not (is_sortable(begin) and is_sortable(_id)):
        raise PbmError(
            f"Claim {_id} has a {BEGIN} or an {ID} of type {type(begin).__name__}, {type(_id).__name__}, from which "
            "paging cannot go on. Correct that claim, or take another page_size."
        )
    return begin, _id


def _stream(store: ClaimStore, ask: Callable[[], ClaimQuery], batch: int) -> Iterator[dict[str, Any]]:
    last: dict[str, Any] | None = None
    failed_at: Any = _stream  # no claim: the first failure is never the second one at the same place
    while True:
        boundary = None if last is None else Boundary("next", _key_of(last))
        with store.errors_explained():
            try:
                filter_, order = ask().filter(boundary), sort_order(boundary)
                with store.collection.find(filter_, sort=order, batch_size=batch) as claims:
                    for last in claims:
                        yield last
                return
            except PyMongoError as error:
                if failed_at is last or not is_dropped(error):
                    raise  # twice at the same claim is no passing trouble
                failed_at = last


@atexit.register
def _close_streams() -> None:
    """Give back the cursors of iterators that are alive at exit; the driver cannot once Python takes modules apart."""
    for stream in list(_streams):
        # The server may be gone, and a thread that is not waited for may be in the middle of a step.
        with pymongo.timeout(_GOODBYE_SECONDS), suppress(PbmError, PyMongoError, ValueError):
            stream.close()
