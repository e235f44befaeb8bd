"""The feed on the watch's side: starts the feeder process, reads its reports, ends it, and removes the fed claims."""

import multiprocessing
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Self

import pymongo

from ..errors import FeedError, PbmError, ServerUnavailable
from ..load.fed import count_fed, remove_fed_claims
from ..load.state import LoadRecord
from ..spawn import spawning
from ..store.store import ClaimStore
from .feeder import Told, feed

_READY_SECONDS = 90.0
_END_SECONDS = 3.0
_REMOVE_SECONDS = 15.0  # an election takes up to 12 s
_SETTLE_SECONDS = 0.3


class Feed:
    """Feeds claims during a `with` block and removes them after it, however the block ends.

    With a rate of 0, it does nothing.

    Args:
        store: a store whose claims are loaded.
        rate: claims per second.

    Attributes:
        rate: claims due per second.
        points: (moment on `time.perf_counter`, claims), one entry per batch that the server acknowledged.
        errors: how often each error occurred, by its description.
        removed: claims removed after the block.
        notes: anything else to report.
    """

    def __init__(self, store: ClaimStore, rate: float):
        self._store, self.rate = store, rate
        self.points: list[tuple[float, int]] = []
        self.errors: dict[str, int] = {}
        self.removed = 0
        self.notes: list[str] = []
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._is_over = not rate

    def __enter__(self) -> Self:
        if self.rate:
            try:
                remove_fed_claims(self._store)
            except ServerUnavailable:
                raise
            except PbmError as error:
                raise FeedError(
                    f"feed_per_second: claims cannot be fed. {error} To watch without a feed, pass feed_per_second=0."
                ) from None
            try:
                self._start()
            except BaseException:
                self._end()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._end()
        except KeyboardInterrupt:
            self._end()
            raise

    @property
    def claims(self) -> int:
        """Claims that the server has acknowledged, according to the feeder's reports so far."""
        return sum(claims for _, claims in self.points)

    def begin(self, start: float, end: float) -> None:
        """Tell the feeder to insert claims from `start` to `end`, both on `time.perf_counter`."""
        if self._pipe:
            with suppress(OSError):  # the feeder has ended; `listen` will find out
                self._pipe.send((start, end))

    def listen(self, seconds: float = 0.0) -> None:
        """Read the reports that the feeder has sent, and those that it sends within `seconds`."""
        deadline = time.monotonic() + seconds
        while not self._is_over and self._pipe.poll(max(deadline - time.monotonic(), 0.0)):
            told = self._received()
            if isinstance(told, PbmError):
                self._is_over = True
                self.notes.append(f"The feed stopped: {told}")
            elif told:
                self.points += told.points
                self.errors = told.errors
                self._is_over = told.is_last

    def _start(self) -> None:
        spawn = multiprocessing.get_context("spawn")  # a MongoClient does not survive a fork
        self._pipe, theirs = spawn.Pipe()
        arguments = (theirs, self._store.uri, self._store.config, self.rate)
        self._process = spawn.Process(target=feed, args=arguments, daemon=True)
        try:
            with spawning():
                self._process.start()
        except OSError as error:
            raise PbmError(f"This machine could not start the feeder process ({error.strerror}).") from None
        finally:
            theirs.close()  # now only the feeder holds this end, so the pipe closes when the feeder ends
        if not self._pipe.poll(_READY_SECONDS):
            raise PbmError(f"The feeder process was not ready after {_READY_SECONDS:.0f} seconds. Run the call again.")
        ready = self._received()
        if isinstance(ready, PbmError):
            raise ready
        if self._is_over:
            raise PbmError(f"{self.notes[-1]} Find out what ended it, then run the call again.")

    def _received(self) -> Told | PbmError | None:
        try:
            return self._pipe.recv()
        except (EOFError, OSError):
            self._is_over = True
            self._process.join(_END_SECONDS)
            self.notes.append(
                f"The feeder process was killed or ran out of memory (exit code {self._process.exitcode}) after "
                f"reporting {self.claims:,} claims."
            )
        return None

    def _end(self) -> None:
        if self._process is None:
            return
        if not self._is_over:
            with suppress(OSError):
                self._pipe.send(None)
            self.listen(_END_SECONDS)
        if self._process.pid is not None:
            self._process.join(_SETTLE_SECONDS)
            if self._process.is_alive():  # it is waiting for a server that does not answer
                self._process.kill()
                self._process.join(_END_SECONDS)
            if self._process.exitcode:
                time.sleep(_SETTLE_SECONDS)  # the server may still be writing the feeder's last batch
        self._pipe.close()
        self._is_over = True
        self._remove()
        self._process = None

    def _remove(self) -> None:
        deadline = time.monotonic() + _REMOVE_SECONDS
        while True:
            try:
                with pymongo.timeout(max(deadline - time.monotonic(), 1.0)):
                    self.removed += remove_fed_claims(self._store)
                    with self._store.errors_explained():
                        left = count_fed(self._store, LoadRecord(self._store))
                if not left:
                    return
                problem = f"{left:,} remain"
            except PbmError as error:
                problem = str(error).rstrip(".")
            if time.monotonic() >= deadline:
                self.notes.append(
                    f"The fed claims could not be removed ({problem}). When the server responds again, run "
                    "remove_fed_claims(store)."
                )
                return
            time.sleep(_SETTLE_SECONDS)
