"""Ask the server, and ask once more where the index that the query names has gone meanwhile."""

from collections.abc import Callable
from typing import TypeVar

from pymongo.errors import OperationFailure, PyMongoError

from ..errors import PbmError
from ..store.retry import QUERY_PLAN_KILLED, again_if_dropped
from ..store.store import ClaimStore
from .filters import ClaimQuery

_BAD_VALUE = 2
_TRIES = 5
_Answer = TypeVar("_Answer")


def answer(store: ClaimStore, ask: Callable[[], ClaimQuery], read: Callable[[ClaimQuery], _Answer]) -> _Answer:
    """Return what `read` makes of the query.

    A query names its index, so that no other one takes over. Where that one was dropped or switched, the store learns
    which is there, and the query is made anew for it.

    Args:
        store: the store.
        ask: makes the query from what the store knows.
        read: asks the server for it.

    Raises:
        PbmError: the index was switched every time the query ran.
        ServerUnavailable: the server went away.
    """
    for _ in range(_TRIES):
        with store.errors_explained():
            query = ask()
            try:
                return again_if_dropped(lambda query=query: read(query))
            except OperationFailure as error:
                if not lost_its_index(error):
                    raise
        store.refresh()
    raise PbmError(
        f"The index of {store.collection.full_name} keeps being switched. Wait until that has ended, then run the "
        "query again."
    )


def lost_its_index(error: PyMongoError) -> bool:
    """Whether the index that a query names was dropped, before the query or while it ran."""
    if not isinstance(error, OperationFailure):
        return False
    return error.code == QUERY_PLAN_KILLED or (error.code == _BAD_VALUE and "hint provided does not" in str(error))
