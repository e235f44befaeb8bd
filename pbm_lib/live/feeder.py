"""The feeder process: inserts arriving claims at a fixed rate, in small batches."""

import datetime as dt
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.errors import AutoReconnect, BulkWriteError, PyMongoError

from ..claims.generate import claim_generator
from ..config import Config
from ..errors import ConnectionString, PbmError, remember_secret
from ..load.worker import why_rejected
from ..spawn import obey_parent
from ..store.collection import claims_collection
from ..store.connection import open_client
from ..store.driver_errors import driver_error_kind, translated_driver_errors

_TICK_SECONDS = 0.1
_TELL_SECONDS = 0.5
_MOST = 1_000  # claims per batch
_SELECTION_MS = 5_000
_DUPLICATE_KEY = 11000


@dataclass(frozen=True)
class Told:
    """A report of what the feeder has done.

    Attributes:
        points: (moment on `time.perf_counter`, claims), one entry per acknowledged batch since the previous report.
        errors: how often each error has occurred since the start, by its description.
        is_last: whether the feeder has ended, so no report follows.
    """

    points: tuple[tuple[float, int], ...]
    errors: dict[str, int]
    is_last: bool


def feed(pipe: Connection, uri: ConnectionString, config: Config, rate: float) -> None:
    """Run the feeder process: insert `rate` claims per second until the parent sends anything.

    When it is ready, it sends None. The parent then sends (start, end), moments on `time.perf_counter`, which all
    processes of a machine share, or None if there is nothing to do. The feeder reports what it has done twice per
    second, and once more at the end. If it cannot work, it sends a PbmError that says why, and the process ends.
    """
    obey_parent()
    remember_secret(uri)
    with suppress(EOFError, OSError):  # the parent has ended or no longer listens
        try:
            with open_client(uri, serverSelectionTimeoutMS=_SELECTION_MS, maxPoolSize=1) as client:
                feeder = Feeder(claims_collection(client, config), config, rate)
                with translated_driver_errors():
                    client.admin.command("ping")
                pipe.send(None)
                if moments := pipe.recv():
                    _work(feeder, pipe, *moments)
                pipe.send(feeder.told(is_last=True))
        except PbmError as error:
            pipe.send(error)


def _work(feeder: "Feeder", pipe: Connection, start: float, end: float) -> None:
    tick = tell = start
    while not pipe.poll(max(tick - time.perf_counter(), 0.0)):
        now = time.perf_counter()
        feeder.insert_due(min(now, end) - start)
        tick = max(tick + _TICK_SECONDS, now)
        if now >= tell:
            pipe.send(feeder.told())
            tell = now + _TELL_SECONDS
    if time.perf_counter() >= end:  # insert what became due since the last tick
        feeder.insert_due(end - start)


class Feeder:
    """Inserts claims as they become due, with numbers that start at the target volume; catches up when it is late."""

    def __init__(self, claims: Collection, config: Config, rate: float):
        self._claims, self._rate = claims, rate
        self._generator = claim_generator(config.data_generation)
        self._first = self._next = config.data_generation.target_volume
        self._batch: list[RawBSONDocument] = []
        self._is_repeated = False  # the batch was sent before, with an unknown outcome
        self._points: list[tuple[float, int]] = []
        self._errors: Counter[str] = Counter()

    def insert_due(self, seconds: float) -> None:
        """Insert the claims that are due `seconds` after the start and not inserted yet, at most one batch."""
        stop = min(self._first + int(seconds * self._rate), self._next + _MOST)
        if not self._batch and stop > self._next:
            self._batch = self._generator.arriving(self._next, stop, dt.datetime.now(dt.UTC))
            self._next = stop
        if self._batch:
            self._insert()

    def told(self, *, is_last: bool = False) -> Told:
        """Return a report of what was done; its points are those since the previous report."""
        points, self._points = tuple(self._points), []
        return Told(points, dict(self._errors), is_last)

    def _insert(self) -> None:
        try:
            self._claims.insert_many(self._batch, ordered=False)
        except BulkWriteError as error:
            self._rejected(error.details)
        except AutoReconnect as error:  # the batch is resent at the next tick; its claims keep their _id
            self._errors[driver_error_kind(error)] += 1
            self._is_repeated = True
        except PyMongoError as error:
            self._errors[driver_error_kind(error)] += 1
            self._done(0)
        else:
            self._done(len(self._batch))

    def _rejected(self, details: dict) -> None:
        # Don't report the error's full details: they can contain claims.
        codes = Counter(problem["code"] for problem in details["writeErrors"])
        there = details["nInserted"]
        if self._is_repeated:
            there += codes.pop(_DUPLICATE_KEY, 0)
        elif codes.pop(_DUPLICATE_KEY, 0):
            self._errors["duplicate claims, because another watch is feeding them"] += 1
        for code in codes:
            self._errors[why_rejected(code, details["writeErrors"])] += 1
        if details["writeConcernErrors"]:
            code = details["writeConcernErrors"][0]["code"]
            self._errors[f"did not meet the connection string's write concern, code {code}"] += 1
            self._is_repeated = True
        else:
            self._done(there)

    def _done(self, claims: int) -> None:
        self._points.append((time.perf_counter(), claims))
        self._batch, self._is_repeated = [], False
