"""One query at a time: while one is measured, no other query of this process slows down the server."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass

from ..errors import PbmError
from ..store.store import ClaimStore
from .under_way import QueryEnded, endable

_END_SECONDS = 1.0  # for the server to end a query; after that, the waiting block runs alongside it
_WAIT_SECONDS = 120.0  # for a query that may not be ended
_AGAIN_SECONDS = 0.05


@dataclass(eq=False)
class Turn:
    """A block of queries.

    Attributes:
        owner: who waits for the block, and so may end it; None if nobody may.
        end: function that ends whatever the block is running on the server.
        alone: whether no other block's queries were running when it began.
        error: the error that the block ends with, if it was stopped.
    """

    owner: object
    end: Callable[[], None]
    alone: bool = True
    error: PbmError | None = None

    def stop(self, error: PbmError) -> None:
        """End the block's query, and wait up to a second for the server to do so.

        Args:
            error: the error that the block ends with.
        """
        deadline = time.monotonic() + _END_SECONDS
        self.error = error
        # Repeat: the block's query may not have reached the server yet, or the block may be between two queries.
        while self in _running and time.monotonic() < deadline:
            self.end()
            with _changed:
                _changed.wait_for(lambda: self not in _running, _AGAIN_SECONDS)


_running: list[Turn] = []
_next: list[Turn] = []  # no other turn begins before these
_changed = threading.Condition()
_current: ContextVar[Turn | None] = ContextVar("_current", default=None)


@contextmanager
def turn(store: ClaimStore | None = None, owner: object = None, *, ends_earlier: bool = False) -> Iterator[Turn]:
    """Run a block's queries while no other block's queries run. A nested block is part of the outer turn.

    Args:
        store: the store that the block queries, if the turn may be ended.
        owner: who may end the turn.
        ends_earlier: end the queries that this owner waits for, instead of letting them finish. A query that the server
            does not end within a second continues alongside the block's.

    Raises:
        QueryEnded: the owner ended this block.
    """
    if (outer := _current.get()) is not None:
        yield outer
        return
    with endable(store) if store is not None else nullcontext(lambda: None) as end:
        mine = Turn(owner, end)
        _begin(mine, ends_earlier)
        token = _current.set(mine)
        try:
            yield mine
        except Exception:
            if mine.error is not None:
                raise mine.error from None
            raise
        finally:
            _current.reset(token)
            with _changed:
                _running.remove(mine)
                _changed.notify_all()


def _begin(mine: Turn, ends_earlier: bool) -> None:
    """Wait until nothing else runs, except what this turn's owner ended and the server has not ended yet."""

    def is_free() -> bool:
        if ends_earlier:
            return all(each.owner is mine.owner for each in _running)
        return not _running and not _next

    with _ended_earlier(mine) if ends_earlier else nullcontext(), _changed:
        _changed.wait_for(is_free, _WAIT_SECONDS)
        mine.alone = not _running
        _running.append(mine)


@contextmanager
def _ended_earlier(mine: Turn) -> Iterator[None]:
    """End the owner's earlier turns, and let no other turn begin before this one until the block ends or is ended."""
    with _changed:
        _next.append(mine)
    try:
        end_turns(mine.owner)
        yield
    finally:
        with _changed:
            _next.remove(mine)
            _changed.notify_all()


def end_turns(owner: object) -> None:
    """End the queries that an owner waits for, and wait up to a second for the server to end each of them."""
    with _changed:
        earlier = [each for each in _running if each.owner is owner]
    for each in earlier:
        each.stop(QueryEnded("The query was ended because another one was requested."))
