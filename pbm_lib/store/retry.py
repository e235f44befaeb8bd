"""Reads that are made once more where the connection was lost on the way."""

from collections.abc import Callable
from typing import TypeVar

from pymongo.errors import AutoReconnect, CursorNotFound, OperationFailure, PyMongoError, ServerSelectionTimeoutError

QUERY_PLAN_KILLED = 175
"""The server's error code for a query whose index was dropped while it ran."""
_Answer = TypeVar("_Answer")


def again_if_dropped(read: Callable[[], _Answer]) -> _Answer:
    """Read, and once more if that ended halfway."""
    try:
        return read()
    except PyMongoError as error:
        if not is_dropped(error):
            raise
    return read()


def is_dropped(error: PyMongoError) -> bool:
    """Whether a read ended halfway for a reason that a second one does not meet."""
    if isinstance(error, ServerSelectionTimeoutError):
        return False  # nobody answered for as long as one waits
    if isinstance(error, OperationFailure) and error.code == QUERY_PLAN_KILLED:
        return True
    return isinstance(error, AutoReconnect | CursorNotFound)
