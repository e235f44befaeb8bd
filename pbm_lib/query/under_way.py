"""End a query on the server if nobody waits for it anymore. Otherwise, it slows down whatever is measured next."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context, ContextVar

import pymongo
from pymongo.errors import PyMongoError

from ..errors import PbmError
from ..store.store import ClaimStore

_END_SECONDS = 1
_end_current: ContextVar[Callable[[], None] | None] = ContextVar("_end_current", default=None)


class QueryEnded(PbmError):
    """A query was ended before it was answered, because its answer was no longer needed."""


@contextmanager
def endable(store: ClaimStore) -> Iterator[Callable[[], None]]:
    """Run the queries of a block so that they can be ended, and end them if the block is interrupted.

    The server ends a find or an aggregate on its own when the client is gone, but not an explain.

    Yields:
        A function that ends whatever the block is running on the server; call it from another thread.
    """
    if (outer := _end_current.get()) is not None:
        yield outer
        return
    client = store.collection.database.client
    with client.start_session(causal_consistency=False) as session:
        name = session.session_id

        def kill() -> None:
            # Every user may end their own sessions. If the server does not allow it, the query continues.
            with suppress(PyMongoError), pymongo.timeout(_END_SECONDS):
                client.admin.command("killSessions", [name])

        def end() -> None:
            Context().run(kill)  # outside the session that the caller's block is bound to

        token = _end_current.set(end)
        try:
            with session.bind(end_session=False):
                yield end
        except Exception:
            raise
        except BaseException:  # Ctrl-C, or the notebook's stop button
            end()
            raise
        finally:
            _end_current.reset(token)
