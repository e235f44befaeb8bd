"""One query at a time: while a figure is taken, no other query of this process slows the server down."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass

from ..errors import PbmError
from ..store.store import ClaimStore
from .under_way import QueryEnded, endable

_END_SECONDS = 1.0  # for the server to end a query; whoever waits goes on beside it after that
_WAIT_SECONDS = 120.0  # for a query that nobody may end
_AGAIN_SECONDS = 0.05


@dataclass(eq=False)
class Turn:
    """A block of queries.

    Attributes:
        owner: who waits for it; None if nobody may end it.
        end: ends on the server whatever it runs just then.
        alone: whether no other block's queries were running when it began.
        error: what it ends with, if somebody stopped it.
    """

    owner: object
    end: Callable[[], None]
    alone: bool = True
    error: PbmError | None = None

    def stop(self, error: PbmError) -> None:
        """End its query, and wait up to a second until the server has done so.

        Args:
            error: what the block ends with.
        """
        deadline = time.monotonic() + _END_SECONDS
        self.error = error
        # Again and again: it may not have reached the server yet, or be between two queries of its block.
        while self in _running and time.monotonic() < deadline:
            self.end()
            with _changed:
                _changed.wait_for(lambda: self not in _running, _AGAIN_SECONDS)


_running: list[Turn] = []
_next: list[Turn] = []  # before whose beginning no other turn begins
_changed = threading.Condition()
_current: ContextVar[Turn | None] = ContextVar("_current", default=None)


@contextmanager
def turn(store: ClaimStore | None = None, owner: object = None, *, ends_earlier: bool = False) -> Iterator[Turn]:
    """Run a block's queries while those of no other block run. Within a turn, it is that turn.

    Args:
        store: that the block asks, where the turn may be ended.
        owner: who may end it.
        ends_earlier: end the queries that this owner waits for instead of waiting for them. One that the server does
            not end within a second goes on beside the block's.

    Raises:
        QueryEnded: its owner ended this block.
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
    """Wait until nothing else runs, but for what this turn's owner has ended and the server has not."""
    if ends_earlier:
        with _changed:
            _next.append(mine)
        end_turns(mine.owner)

    def is_free() -> bool:
        if ends_earlier:
            return all(each.owner is mine.owner for each in _running)
        return not _running and not _next

    with _changed:
        _changed.wait_for(is_free, _WAIT_SECONDS)
        if ends_earlier:
            _next.remove(mine)
        mine.alone = not _running
        _running.append(mine)


def end_turns(owner: object) -> None:
    """End the queries that an owner waits for, and wait up to a second for each until the server has done so."""
    with _changed:
        earlier = [each for each in _running if each.owner is owner]
    for each in earlier:
        each.stop(QueryEnded("The query was ended because another one was requested."))
