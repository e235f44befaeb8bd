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

    One server cursor streams them; when the connection breaks or the cursor is lost, it is opened again behind the
    last claim yielded, so none that stands still is lost or repeated. An iterator that is left early gives its cursor
    back when it is closed or collected.

    Two streams or more yield the same claims in the same order, faster: threads read consecutive parts of the result
    ahead of the caller, each with a cursor of its own. Parts are cut where serviceBeginDate changes, so claims of one
    instant are read by one thread. In a collection without our validator or without the index there is one stream.

    Args:
        store: an open store.
        tin: the billing provider's TIN, nine digits.
        service_date_start: first service date, inclusive; None: no limit.
        service_date_end: last service date, inclusive; None: no limit.
        page_size: claims a round trip, 1 to `query.max_page_size`; None takes 1,000 or the maximum, if lower.
        order: as in `find_claims`.
        bounded: as in `find_claims`.
        streams: parts of the result to read at once, 1 to 8. A stream keeps up to four round trips of claims ahead in
            memory, and one such lot more is kept in all.

    Yields:
        Claim documents.

    Raises:
        InvalidQuery: an argument is not accepted; raised by the call, not by the first step.
        PbmError: the index was switched meanwhile, and with it the order.
        ServerUnavailable: the server went away and did not come back.
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
    """Give back the cursors of iterators that are alive at exit; the driver cannot once Python takes modules apart."""
    for stream in list(_streams):
        # The server may be gone, and a thread that is not waited for may be in the middle of a step.
        with pymongo.timeout(_GOODBYE_SECONDS), suppress(PbmError, PyMongoError, ValueError):
            stream.close()
