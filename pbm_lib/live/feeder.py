"""The feeder process: inserts claims that arrive, at a fixed rate, in small batches."""

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
from ..load.worker import why_refused
from ..spawn import obey_parent
from ..store.collection import claims_collection
from ..store.connection import open_client
from ..store.driver_errors import driver_error_kind, translated_driver_errors

_TICK_SECONDS = 0.1
_TELL_SECONDS = 0.5
_MOST = 1_000  # claims of a batch
_SELECTION_MS = 5_000
_DUPLICATE_KEY = 11000


@dataclass(frozen=True)
class Told:
    """What the feeder has done until then.

    Attributes:
        points: (moment on `time.perf_counter`, claims of a batch that the server acknowledged), since it last told.
        errors: what went wrong, in words, to how often, from the start on.
        is_last: it has ended.
    """

    points: tuple[tuple[float, int], ...]
    errors: dict[str, int]
    is_last: bool


def feed(pipe: Connection, uri: ConnectionString, config: Config, rate: float) -> None:
    """Be the feeder process: insert so many claims a second until the parent says anything.

    It says when it is ready, by None. Then comes (start, end), moments on `time.perf_counter`, which all processes of a
    machine share, or None where there is nothing to do. It tells twice a second what it has done, and once more at the
    end. A PbmError in place of that says why there is none, and ends the process.
    """
    obey_parent()
    remember_secret(uri)
    with suppress(EOFError, OSError):  # the parent has ended, or wants no more
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
    if time.perf_counter() >= end:  # what became due since the last tick
        feeder.insert_due(end - start)


class Feeder:
    """Inserts claims by number, from the volume on, as they are due. What is late is made up for."""

    def __init__(self, claims: Collection, config: Config, rate: float):
        self._claims, self._rate = claims, rate
        self._generator = claim_generator(config.data_generation)
        self._first = self._next = config.data_generation.target_volume
        self._batch: list[RawBSONDocument] = []
        self._is_repeated = False  # the batch was sent before, and nobody knows what became of it
        self._points: list[tuple[float, int]] = []
        self._errors: Counter[str] = Counter()

    def insert_due(self, seconds: float) -> None:
        """Insert what is due so many seconds after the start and not there yet, a batch at most."""
        stop = min(self._first + int(seconds * self._rate), self._next + _MOST)
        if not self._batch and stop > self._next:
            self._batch = self._generator.arriving(self._next, stop, dt.datetime.now(dt.UTC))
            self._next = stop
        if self._batch:
            self._insert()

    def told(self, *, is_last: bool = False) -> Told:
        """Return what was done since this was last asked for."""
        points, self._points = tuple(self._points), []
        return Told(points, dict(self._errors), is_last)

    def _insert(self) -> None:
        try:
            self._claims.insert_many(self._batch, ordered=False)
        except BulkWriteError as error:
            self._refused(error.details)
        except AutoReconnect as error:  # sent again at the next tick: the same claims have the same _id
            self._errors[driver_error_kind(error)] += 1
            self._is_repeated = True
        except PyMongoError as error:
            self._errors[driver_error_kind(error)] += 1
            self._done(0)
        else:
            self._done(len(self._batch))

    def _refused(self, details: dict) -> None:
        # Never the whole details: they hold claims.
        codes = Counter(problem["code"] for problem in details["writeErrors"])
        there = details["nInserted"]
        if self._is_repeated:
            there += codes.pop(_DUPLICATE_KEY, 0)
        elif codes.pop(_DUPLICATE_KEY, 0):
            self._errors["duplicate claims, because another watch is feeding them"] += 1
        for code in codes:
            self._errors[why_refused(code, details["writeErrors"])] += 1
        if details["writeConcernErrors"]:
            code = details["writeConcernErrors"][0]["code"]
            self._errors[f"not acknowledged as the connection string says, code {code}"] += 1
            self._is_repeated = True
        else:
            self._done(there)

    def _done(self, claims: int) -> None:
        self._points.append((time.perf_counter(), claims))
        self._batch, self._is_repeated = [], False
