"""End a query on the server that nobody waits for any more. Left alone, it slows down whatever is measured next."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from ..errors import PbmError
from ..store.store import ClaimStore

_END_SECONDS = 1  # for the server to end a query; whoever waits goes on without it after that
_AGAIN_SECONDS = 0.05
_end_current: ContextVar[Callable[[], None] | None] = ContextVar("_end_current", default=None)


class QueryEnded(PbmError):
    """A query was ended before its answer, because something else was wanted meanwhile."""


@contextmanager
def endable(store: ClaimStore) -> Iterator[Callable[[], None]]:
    """Run the queries of a block so that they can be ended, and end them if the block is interrupted.

    The server ends a find or an aggregate by itself when its client has gone, but not an explain.

    Yields:
        A function that ends on the server whatever the block runs just then; call it from another thread.
    """
    if (outer := _end_current.get()) is not None:
        yield outer
        return
    client = store.collection.database.client
    with client.start_session(causal_consistency=False) as session:
        name = session.session_id

        def kill() -> None:
            # Every user may end sessions of their own. Where the server does not let them, the query goes on.
            with suppress(PyMongoError), pymongo.timeout(_END_SECONDS):
                client.admin.command("killSessions", [name])

        def end() -> None:
            Context().run(kill)  # not within the session that the caller's block is bound to

        token = _end_current.set(end)
        try:
            with session.bind(end_session=False):
                yield end
        except Exception:
            raise
        except BaseException:  # Ctrl-C, or the notebook's button
            end()
            raise
        finally:
            _end_current.reset(token)


@dataclass(eq=False)
class _Query:
    subject: Any
    end: Callable[[], None]
    is_ended: bool = False
    done: threading.Event = field(default_factory=threading.Event)


class UnderWay:
    """The queries that one reader waits for, in whichever threads."""

    def __init__(self):
        self._queries: list[_Query] = []
        self._lock = threading.Lock()

    @contextmanager
    def query(
        self, store: ClaimStore, subject: Any, *, ends: Callable[[Any], bool] = lambda _: False
    ) -> Iterator[None]:
        """Run a block's queries, after those that began before it and whose subject `ends` have ended.

        Raises:
            QueryEnded: a later block ended this one.
        """
        with endable(store) as end:
            mine = _Query(subject, end)
            with self._lock:
                earlier = [query for query in self._queries if ends(query.subject)]
                self._queries.append(mine)
            try:
                _end(earlier)
                yield
            except Exception:
                if mine.is_ended:
                    raise QueryEnded("The query was ended, because something else was asked for.") from None
                raise
            finally:
                with self._lock:
                    self._queries.remove(mine)
                mine.done.set()


def _end(queries: list[_Query]) -> None:
    for query in queries:
        query.is_ended = True
        deadline = time.monotonic() + _END_SECONDS
        # Again and again: it may not have reached the server yet, or be between two queries of its block.
        while not query.done.is_set() and time.monotonic() < deadline:
            query.end()
            query.done.wait(_AGAIN_SECONDS)
