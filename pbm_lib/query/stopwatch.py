"""Time one call, and tell whether it failed or was retried by the driver."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo.errors import PyMongoError
from pymongo.monitoring import CommandListener, TopologyListener

from ..config import Config
from ..errors import ConnectionString, PbmError
from ..store.driver_errors import driver_error_kind
from ..store.server import ServerInfo
from ..store.store import ClaimStore, open_known
from .turns import turn


def timed(store: ClaimStore, call: Callable[[], Any]) -> tuple[Any, float]:
    """Time a call to a store while no other query of this process runs. Errors are not caught.

    Returns:
        The call's answer, and its time in ms.
    """
    with turn():
        store.keep_fresh(before_timing=True)
        started = time.perf_counter()
        answer = call()
        return answer, (time.perf_counter() - started) * 1000


@dataclass(frozen=True)
class Timing:
    """One call: its answer, its time in ms, commands that failed on the way, and the kind of error it ended with."""

    answer: Any
    ms: float
    retries: int = 0
    error: str | None = None


class Stopwatch:
    """Times calls on its own client, where it sees commands that fail and are retried.

    A retried read returns as usual, only later; the driver reports the failure only to its listeners.
    """

    def __init__(self) -> None:
        self._listener = _FailedCommands()
        self._store: ClaimStore

    def measured(self, store: ClaimStore, clients: int, listeners: Sequence[TopologyListener] = ()) -> ClaimStore:
        """Open the same claims on a new client that this stopwatch listens to.

        Args:
            store: an open store.
            clients: the most calls that will run at once.
            listeners: more listeners for that client.

        Returns:
            A store like the one given; the caller closes it.
        """
        self._store = store.reopened(**self._options(clients, listeners))
        return self._store

    def opened(self, uri: ConnectionString, config: Config, server: ServerInfo, clients: int) -> ClaimStore:
        """Open the claims on a known server, as `measured` does, but without an open store.

        Raises:
            ServerUnavailable: the server cannot be reached.
        """
        self._store = open_known(uri, config, server, **self._options(clients))
        return self._store

    def _options(self, clients: int, listeners: Sequence[TopologyListener] = ()) -> dict[str, Any]:
        return {"event_listeners": [self._listener, *listeners], "maxPoolSize": max(clients, 1) + 1}

    def time(self, call: Callable[[], Any], store: ClaimStore | None = None) -> Timing:
        """Make a call to the measured store and time that call alone. A server error is noted, not raised.

        Args:
            call: the call to time.
            store: the store that it queries, if that is another one on the same client.
        """
        failed_before = self._listener.count
        started = time.perf_counter()
        try:
            (store or self._store).keep_fresh(before_timing=True)
            failed_before = self._listener.count
            started = time.perf_counter()
            answer = call()
        except (PbmError, PyMongoError) as error:
            ms = (time.perf_counter() - started) * 1000
            return Timing(None, ms, max(self._listener.count - failed_before - 1, 0), _kind(error))
        ms = (time.perf_counter() - started) * 1000
        return Timing(answer, ms, self._listener.count - failed_before)


class _FailedCommands(CommandListener):
    """Counts failed commands per thread: the driver calls a listener on the thread that made the call."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    @property
    def count(self) -> int:
        """Failed commands on this thread so far."""
        return getattr(self._of_thread, "count", 0)

    def started(self, event: Any) -> None:
        pass

    def succeeded(self, event: Any) -> None:
        pass

    def failed(self, event: Any) -> None:
        self._of_thread.count = self.count + 1


def _kind(error: PbmError | PyMongoError) -> str:
    if isinstance(error, PyMongoError):
        return driver_error_kind(error)
    return error.driver_error or type(error).__name__
