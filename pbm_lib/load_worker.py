"""The loading process: generates batches of claims by number and inserts them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.synchronize import Event

from pymongo.collection import Collection
from pymongo.errors import AutoReconnect, BulkWriteError, PyMongoError

from .config import Config
from .connection import open_client
from .errors import LoadError, explain_driver_error, remember_secret
from .generate import ClaimGenerator, claim_generator

__all__ = ["insert_batch", "start_worker"]

_RETRY_SECONDS = 45
_DUPLICATE_KEY = 11000
_EXPLAINED = {
    121: "a claim does not pass the collection's validator; run setup_collection(store) and see its message",
    14031: "the server's disk is full; free some space there",
    8000: "the server refuses writes; on a free or Flex tier its storage limit may be reached",
}

_collection: Collection
_generator: ClaimGenerator


def start_worker(uri: str, config: Config, stop: Event) -> None:
    """Prepare this process: one connection, one generator, and an end when the parent stops or dies.

    Args:
        uri: connection string.
        config: the settings.
        stop: set by the parent to end this process at once, even in the middle of a batch.
    """
    global _collection, _generator
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_end_with_parent, args=(stop,), daemon=True).start()
    remember_secret(uri)
    # Few connections: an Atlas M10 takes 15 new ones a second.
    client = open_client(uri, serverSelectionTimeoutMS=5_000, maxPoolSize=1, serverMonitoringMode="poll")
    _collection = client[config.mongodb.database][config.mongodb.collection]
    _generator = claim_generator(config.data_generation)


def insert_batch(start: int, stop: int) -> int:
    """Generate and insert the claims start to stop; those already there stay as they are.

    Args:
        start: first claim number, inclusive.
        stop: last claim number, exclusive.

    Returns:
        Claims of this batch that were not there before.

    Raises:
        LoadError: the server refused them, or stayed away for 45 seconds.
    """
    claims = _generator.documents(start, stop)
    deadline = time.monotonic() + _RETRY_SECONDS
    pause = 0.2
    while True:
        try:
            return len(_collection.insert_many(claims, ordered=False).inserted_ids)
        except BulkWriteError as error:
            codes = {problem["code"] for problem in error.details["writeErrors"]} - {_DUPLICATE_KEY}
            if codes:
                code = min(codes)  # never the details: they hold whole claims
                raise LoadError(f"the server refused a batch: {_EXPLAINED.get(code, f'error code {code}')}") from None
            if not error.details["writeConcernErrors"]:
                return error.details["nInserted"]
        except AutoReconnect as error:
            if time.monotonic() > deadline:
                raise LoadError(str(explain_driver_error(error))) from None
        except PyMongoError as error:
            raise LoadError(str(explain_driver_error(error))) from None
        time.sleep(pause)
        pause = min(2.0, pause * 2)


def _end_with_parent(stop: Event) -> None:
    parent = multiprocessing.parent_process()
    while not stop.wait(0.5):
        if parent is None or not parent.is_alive():
            break
    os._exit(1)
