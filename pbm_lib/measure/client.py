"""The client process: it asks for pages on its own connections, one after another or at times fixed beforehand."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import NamedTuple

from ..config import Config, PerformanceConfig
from ..errors import ConnectionString, PbmError, remember_secret
from ..query.filters import Question
from ..query.find import find_claims
from ..query.jump import cursor_at
from ..query.stopwatch import Stopwatch
from ..spawn import obey_parent
from ..store.server import ServerInfo
from ..store.store import ClaimStore
from .mix import PAGES, Place, Walk, places, walks
from .questions import Questions

FAILURES = 3
"""A client gives up after this many failures in a row."""
_THREADS = 4


@dataclass(frozen=True)
class Job:
    """What a client does after its warm-up, from the common start.

    Attributes:
        name: part of the seed from which its questions are drawn.
        seconds: how long it works.
        arrivals: when its calls are due, in seconds from the start, in order, whether or not earlier calls have ended
            (open loop). None: each call begins when the previous one has ended (closed loop).
        overtime: in the open loop, a call that has not begun this many seconds after the end is dropped.
    """

    name: str
    seconds: float
    arrivals: tuple[float, ...] | None = None
    overtime: float = 0.0


class Call(NamedTuple):
    """One call, as it is sent to the parent process.

    Attributes:
        at: when it began, in seconds from the common start; in the open loop, when it was due.
        ms: how long it took from then, in ms.
        service_ms: in the open loop, how long it took from when it actually began, in ms.
        claims: claims returned; None if it failed.
        retries: failed commands that the driver sent again.
        error: kind of error, if it failed.
    """

    at: float
    ms: float
    service_ms: float | None
    claims: int | None
    retries: int
    error: str | None

    @property
    def end(self) -> float:
        """When it ended, in seconds from the common start."""
        return self.at + self.ms / 1000


@dataclass(frozen=True)
class Outcome:
    """What a client has done.

    Attributes:
        calls: its calls, in the order they ended.
        cpu_seconds: processor time of its whole process, from the common start to its last answer.
        unasked: number of calls that were due but never began.
    """

    calls: list[Call]
    cpu_seconds: float
    unasked: int = 0

    @property
    def seconds(self) -> float:
        """Time from the common start to its last answer; 0 if there is none."""
        return max((call.end for call in self.calls), default=0.0)

    @property
    def gave_up(self) -> bool:
        """Whether its last `FAILURES` calls all failed, so that it stopped asking."""
        return _failed_in_a_row(self.calls)


def serve(
    pipe: Connection, uri: ConnectionString, config: Config, server: ServerInfo, settings: PerformanceConfig
) -> None:
    """Run a client process: do each job that arrives through the pipe, until the pipe is closed.

    Once it has connected, it sends an empty list of calls. When it receives a `Job`, it warms up and sends the calls
    made for that. Then it receives the time to start, on `time.perf_counter`, which all processes of a machine share,
    and sends the `Outcome` at the end. If a PbmError occurs, it sends the error in place of an answer, and ends.
    """
    obey_parent()
    remember_secret(uri)
    watch = Stopwatch()
    try:
        with watch.opened(uri, config, server, _THREADS) as store:
            pipe.send([])
            while True:
                try:
                    job = pipe.recv()
                except EOFError:
                    return
                loop = _ClosedLoop if job.arrivals is None else _OpenLoop
                client = loop(watch, store, settings, job)
                pipe.send(client.warm_up())
                pipe.send(client.work(pipe.recv()))
    except PbmError as error:
        pipe.send(error)


class _Client:
    """Asks for pages and keeps their times: what both loops share."""

    threads = 1

    def __init__(self, watch: Stopwatch, store: ClaimStore, settings: PerformanceConfig, job: Job):
        self._watch, self._store, self._job = watch, store, job
        self._settings, self._tiers = settings, settings.tiers_to_test
        self._start = time.perf_counter()
        self._calls: list[Call] = []

    def warm_up(self) -> list[Call]:
        """Open the connections, with one walk per thread; return the calls made."""
        drawn = walks(self._questions("warm-up"), self._tiers)
        self._in_threads([partial(self._walk, next(drawn)) for _ in range(self.threads)])
        self._calls, calls = [], self._calls
        return calls

    def work(self, start: float) -> Outcome:
        """Do the job, beginning at `start`."""
        self._start = start
        _sleep_until(start)
        began = time.process_time()
        self._work()
        cpu_seconds = time.process_time() - began
        asked = len(self._calls) if self._job.arrivals is None else len(self._job.arrivals)
        return Outcome(self._calls, cpu_seconds, asked - len(self._calls))

    def _work(self) -> None:
        raise NotImplementedError

    def _questions(self, part: str) -> Questions:
        return Questions(self._store.config, self._settings, f"{self._job.name}, {part}")

    def _walk(self, walk: Walk, until: float = math.inf) -> None:
        """Walk through pages; none begins after `until`."""
        cursor = None
        for _ in range(PAGES):
            cursor = self._ask(walk.question, cursor)
            if cursor is None or time.perf_counter() >= until:
                break

    def _ask(self, question: Question, cursor: str | None, meant: float | None = None) -> str | None:
        """Ask for a page, and return the cursor of the next one; None if there is none or the call failed."""
        timing = self._watch.time(lambda: find_claims(self._store, *question, cursor=cursor, with_total=False))
        ended = time.perf_counter() - self._start
        page = timing.answer
        # Keep only the number of claims: thousands of pages would fill the memory.
        outcome = (None if page is None else len(page), timing.retries, timing.error)
        if meant is None:
            self._calls.append(Call(ended - timing.ms / 1000, timing.ms, None, *outcome))
        else:
            self._calls.append(Call(meant, (ended - meant) * 1000, timing.ms, *outcome))
        return None if page is None else page.next_cursor

    def _in_threads(self, calls: Sequence[Callable[[], None]]) -> None:
        threads = [threading.Thread(target=call) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


class _ClosedLoop(_Client):
    """Makes one walk after another without a pause."""

    def _work(self) -> None:
        until = self._start + self._job.seconds
        for walk in walks(self._questions("walks"), self._tiers):
            self._walk(walk, until)
            if time.perf_counter() >= until or _failed_in_a_row(self._calls):
                break


class _OpenLoop(_Client):
    """Asks at the times that the job sets: each thread takes the next one, waits for it, and asks."""

    threads = _THREADS

    def __init__(self, watch: Stopwatch, store: ClaimStore, settings: PerformanceConfig, job: Job):
        super().__init__(watch, store, settings, job)
        drawn = places(self._questions("places"), self._tiers, store.config.query.default_page_size)
        self._turns = iter([(meant, *self._located(place)) for meant, place in zip(job.arrivals, drawn, strict=False)])
        self._one_by_one = threading.Lock()

    def _located(self, place: Place) -> tuple[Question, str | None]:
        question, begin = place
        return question, None if begin is None else cursor_at(self._store, question, begin)

    def _work(self) -> None:
        self._in_threads([self._take_turns] * self.threads)

    def _take_turns(self) -> None:
        latest = self._start + self._job.seconds + self._job.overtime
        while True:
            with self._one_by_one:
                turn = next(self._turns, None)
            if turn is None:
                break
            meant, question, cursor = turn
            _sleep_until(self._start + meant)
            if time.perf_counter() > latest or _failed_in_a_row(self._calls):
                break
            self._ask(question, cursor, meant)


def _failed_in_a_row(calls: list[Call]) -> bool:
    return len(calls) >= FAILURES and all(call.error for call in calls[-FAILURES:])


def _sleep_until(moment: float) -> None:
    time.sleep(max(moment - time.perf_counter(), 0.0))
