"""Run a query on the server, and run it again if the index that it names was dropped or switched."""

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
    """Return the result of `read` for the query.

    A query names its index, so that the server uses no other. If that index was dropped or switched, the store is
    refreshed, and the query is built again for the index that exists now.

    Args:
        store: the store.
        ask: builds the query from what the store knows.
        read: runs the query on the server.

    Raises:
        PbmError: the index was switched every time the query ran.
        ServerUnavailable: the server cannot be reached.
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
