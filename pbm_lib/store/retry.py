"""Retry a read once if it was cut off, for example because the connection was lost."""

from collections.abc import Callable
from typing import TypeVar

from pymongo.errors import AutoReconnect, CursorNotFound, OperationFailure, PyMongoError, ServerSelectionTimeoutError

QUERY_PLAN_KILLED = 175
"""The server's error code for a query whose index was dropped while it ran."""
_Answer = TypeVar("_Answer")


def again_if_dropped(read: Callable[[], _Answer]) -> _Answer:
    """Run a read, and run it once more if it was cut off."""
    try:
        return read()
    except PyMongoError as error:
        if not is_dropped(error):
            raise
    return read()


def is_dropped(error: PyMongoError) -> bool:
    """Return whether a read was cut off for a reason that should not stop a second read."""
    if isinstance(error, ServerSelectionTimeoutError):
        return False  # no server answered within the timeout
    if isinstance(error, OperationFailure) and error.code == QUERY_PLAN_KILLED:
        return True
    return isinstance(error, AutoReconnect | CursorNotFound)
