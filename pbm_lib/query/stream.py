"""All claims of a billing provider as a stream."""

import atexit
import datetime as dt
import weakref
from collections.abc import Generator, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from ..arguments import checked, in_short, not_accepted
from ..errors import InvalidQuery, PbmError
from ..store.store import ClaimStore
from ..vocabulary import OLDEST
from .filters import checked_page_size, make_query
from .parts import read_parts
from .walk import walk

_STREAM_BATCH = 1_000
_MOST_STREAMS = 8
_GOODBYE_SECONDS = 1
_streams: weakref.WeakSet[Generator] = weakref.WeakSet()


@checked(InvalidQuery)
def iter_claims(
    store: ClaimStore,
    tin: str,
    service_date_start: dt.date | None = None,
    service_date_end: dt.date | None = None,
    *,
    page_size: int | None = None,
    order: str = OLDEST,
    bounded: bool = True,
    streams: int = 1,
) -> Iterator[dict[str, Any]]:
    """Yield all claims of a billing provider, optionally in a range of service dates, in order.

    One server cursor streams the claims. If the connection or the cursor is lost, a new cursor continues after the last
    claim yielded, so no claim that stays unchanged is lost or repeated. An iterator that is not exhausted frees its
    cursor when it is closed or garbage-collected.

    Two or more streams yield the same claims in the same order, faster: threads read consecutive parts of the result
    ahead of the caller, each with its own cursor. Parts are cut where serviceBeginDate changes, so one thread reads all
    claims that begin at the same instant. A collection without the validator or the index is read in one stream.

    Args:
        store: an open store.
        tin: the billing provider's TIN, nine digits as text.
        service_date_start: first service date, inclusive; None for no limit.
        service_date_end: last service date, inclusive; None for no limit.
        page_size: claims per round trip, 1 to `query.max_page_size`; None for 1,000, or the maximum if it is lower.
        order: as in `find_claims`.
        bounded: as in `find_claims`.
        streams: parts of the result to read at once, 1 to 8. Each stream holds up to four round trips of claims in
            memory; all streams together hold one more set of four.

    Yields:
        Claim documents.

    Raises:
        InvalidQuery: an argument is invalid; raised by the call itself, not by the first iteration.
        PbmError: the index, and with it the order, was switched during the walk.
        ServerUnavailable: the server cannot be reached.

    Example:
        >>> for claim in iter_claims(store, tin, streams=2):
        ...     print(claim["_id"])
    """
    ask = partial(make_query, store, tin, service_date_start, service_date_end, bounded=bounded, order=order)
    ask(fresh=False)
    most = store.config.query.max_page_size
    batch = min(_STREAM_BATCH, most) if page_size is None else checked_page_size(store, page_size)
    if not 1 <= streams <= _MOST_STREAMS:
        raise not_accepted("streams", in_short(streams))
    stream = walk(store, store.collection, ask, batch) if streams == 1 else read_parts(store, ask, batch, streams)
    _streams.add(stream)
    return stream


@atexit.register
def _close_streams() -> None:
    """Free the cursors of iterators that are alive at exit; the driver cannot once Python tears down modules."""
    for stream in list(_streams):
        # The server may be gone, and a thread that nobody joins may be in the middle of an iteration.
        with pymongo.timeout(_GOODBYE_SECONDS), suppress(PbmError, PyMongoError, ValueError):
            stream.close()
