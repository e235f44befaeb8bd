"""All claims of a billing provider as a stream, which goes on where a connection or a cursor was lost."""

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
from ..errors import InvalidQuery, PbmError
from ..store.retry import is_dropped
from ..store.store import ClaimStore
from ..vocabulary import OLDEST
from .answer import lost_its_index
from .filters import ClaimQuery, checked_page_size, make_query
from .find import key_of
from .keyset import BEGINNING, Boundary

_STREAM_BATCH = 1_000
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
        order: as in `find_claims`.
        bounded: as in `find_claims`.

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
    stream = _stream(store, ask, batch)
    _streams.add(stream)
    return stream


def _stream(store: ClaimStore, ask: Callable[[], ClaimQuery], batch: int) -> Iterator[dict[str, Any]]:
    last: dict[str, Any] | None = None
    failed_at: Any = _stream  # no claim: the first failure is never the second one at the same place
    variant = None
    while True:
        with store.errors_explained():
            query = ask()
            if last is not None and query.variant != variant:
                raise PbmError(
                    f"The index of {query.collection} was changed during the walk from {variant.name} to "
                    f"{query.variant.name}, and with it the order of claims. Begin again."
                )
            variant, boundary = query.variant, BEGINNING if last is None else Boundary("next", key_of(last, query))
            try:
                with store.collection.find(
                    query.filter(boundary), sort=query.sort(boundary), hint=query.hint, batch_size=batch
                ) as claims:
                    for last in claims:
                        yield last
                return
            except PyMongoError as error:
                if failed_at is last or not (is_dropped(error) or lost_its_index(error)):
                    raise  # twice at the same claim is no passing trouble
                failed_at = last
                if lost_its_index(error):
                    store.refresh()


@atexit.register
def _close_streams() -> None:
    """Give back the cursors of iterators that are alive at exit; the driver cannot once Python takes modules apart."""
    for stream in list(_streams):
        # The server may be gone, and a thread that is not waited for may be in the middle of a step.
        with pymongo.timeout(_GOODBYE_SECONDS), suppress(PbmError, PyMongoError, ValueError):
            stream.close()
