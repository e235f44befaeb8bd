"""Read consecutive parts of a result at once in threads, ahead of the caller, who gets the claims in order.

Two things make this fast. The server works on several cursors at once. And claims are decoded one by one, as the caller
takes them: thousands of decoded claims in memory would keep Python's garbage collector as busy as decoding them.
"""

import datetime as dt
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

import bson
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument

from ..claims.document import BEGIN, ID
from ..store.index import IndexVariant
from ..store.store import ClaimStore
from .answer import answer
from .filters import ClaimQuery
from .under_way import QueryEnded, endable
from .walk import walk

_BATCHES = 4  # per part, and the most that a part holds ahead of the caller
_SOON = 0.05
_GOODBYE_SECONDS = 1


def read_parts(
    store: ClaimStore, ask: Callable[[], ClaimQuery], batch: int, streams: int
) -> Generator[dict[str, Any], None, None]:
    """Yield the claims of a query in order, reading several parts of the result at once.

    Args:
        store: the store.
        ask: builds the query from what the store knows.
        batch: claims per round trip.
        streams: number of reading threads.

    Raises:
        PbmError: as `walk` raises it, at the same claim.
    """
    query = ask()
    if query.any_type or query.hint is None:  # begin dates cannot divide the claims, or only with a scan
        yield from walk(store, store.collection, ask, batch)
        return
    options, readers = store.collection.codec_options, _Readers(store, ask, batch, streams)
    try:
        readers.start()
        is_last = False
        while not is_last:
            part, has_more = readers.parts.get(), True
            while has_more:
                claims = part.next_batch()
                with store.errors_explained():
                    for claim in claims:
                        yield bson.decode(claim.raw, options)
                part.room.put(None)
                has_more = len(claims) == batch
            is_last = part.is_last
            readers.room.put(None)
    finally:
        readers.close()


# All waiting is on a SimpleQueue. Items can be put there from anywhere, even by a generator that is garbage-collected
# in the middle of another thread's work, when that thread may hold a lock.
@dataclass(eq=False)
class _Part:
    """One part of the result, on its way from the thread that reads it to the caller."""

    room: queue.SimpleQueue = field(default_factory=queue.SimpleQueue)  # one item for each batch that may be read
    batches: queue.SimpleQueue = field(default_factory=queue.SimpleQueue)  # only the last is not full; or an exception
    is_last: bool = False

    def __post_init__(self):
        for _ in range(_BATCHES):
            self.room.put(None)

    def next_batch(self) -> list[RawBSONDocument]:
        batch = self.batches.get()
        if isinstance(batch, BaseException):
            try:
                raise batch
            finally:
                del batch  # its traceback holds this frame
        return batch


class _Readers:
    """The reading threads. They don't refer to the generator, so it can be garbage-collected, which ends them."""

    def __init__(self, store: ClaimStore, ask: Callable[[], ClaimQuery], batch: int, streams: int):
        self.parts: queue.SimpleQueue[_Part] = queue.SimpleQueue()  # in order
        self.room: queue.SimpleQueue = queue.SimpleQueue()  # one item for each part that may be started
        self._store, self._ask, self._batch = store, ask, batch
        self._options = store.collection.codec_options.with_options(document_class=RawBSONDocument)
        self._in_memory: deque[_Part] = deque(maxlen=streams + 1)
        self._cutting = threading.Lock()
        self._start: Any = None  # begin date where the next part starts
        self._variant: IndexVariant | None = None
        self._is_divided = self._is_closed = False
        self._ends: dict[threading.Thread, Callable[[], None]] = {}
        # Daemon threads: at exit, Python would wait for non-daemon threads before a stream could be closed.
        self._threads = [threading.Thread(target=self._read, name="iter_claims", daemon=True) for _ in range(streams)]
        for _ in range(streams + 1):
            self.room.put(None)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the threads and their queries on the server."""
        self._is_closed = True
        for room in (*(self.room for _ in self._threads), *(part.room for part in self._in_memory.copy())):
            room.put(None)
        deadline = time.monotonic() + _GOODBYE_SECONDS
        for thread in self._threads:
            if not thread.is_alive() or thread is threading.current_thread():  # the generator was collected there
                continue
            thread.join(_SOON)
            # Repeat: the thread may not have reached the server yet, or be between two queries.
            while thread.is_alive() and time.monotonic() < deadline:
                self._ends.get(thread, lambda: None)()
                thread.join(_SOON)

    def _read(self) -> None:
        part = None
        try:
            with self._store.errors_explained(), endable(self._store) as end:
                self._ends[threading.current_thread()] = end
                claims = self._store.collection.with_options(codec_options=self._options)
                while True:
                    self.room.get()
                    with self._cutting:
                        if self._is_divided:
                            return
                        self.parts.put(part := _Part())
                        self._in_memory.append(part)
                        ask = self._cut(part)
                    with closing(walk(self._store, claims, ask, self._batch, self._variant)) as walked:
                        has_more = True
                        while has_more:
                            part.room.get()
                            if self._is_closed:
                                return
                            part.batches.put(batch := list(islice(walked, self._batch)))
                            has_more = len(batch) == self._batch
        except BaseException as error:
            if part is None:
                self.parts.put(part := _Part())
            part.batches.put(error)

    def _cut(self, part: _Part) -> Callable[[], ClaimQuery]:
        """Cut off the next part, and return the function that builds its query."""
        start = self._start
        query, stop = answer(self._store, partial(self._ask_between, start, None), self._find_cut)
        self._variant = self._variant or query.variant
        self._start, part.is_last = stop, stop is None
        self._is_divided = part.is_last
        return partial(self._ask_between, start, stop)

    def _ask_between(self, start: Any, stop: Any) -> ClaimQuery:
        if self._is_closed:
            raise QueryEnded("The stream was closed.")
        return replace(self._ask(), part=(start, stop))

    def _find_cut(self, query: ClaimQuery) -> tuple[ClaimQuery, Any]:
        """Return the query, and the begin date where a part that fits in its batches stops; None if all of it fits."""
        # Keep only the conditions on index fields, so that no claim is read to find the cut.
        decided = {name: condition for name, condition in query.filter().items() if name in query.variant.fields}
        skip = self._batch * _BATCHES - 1  # leaves the last batch not full, which shows that the part has ended
        while query.hint is not None:
            found = self._store.collection.find_one(
                decided, {BEGIN: 1, ID: 0}, sort=query.sort(), skip=skip, hint=query.hint
            )
            date = found and found.get(BEGIN)
            if not isinstance(date, dt.datetime | DatetimeMS):
                break
            if date != query.part[0]:
                return query, date
            skip *= 2  # all of these claims begin at the same instant
        return query, None
