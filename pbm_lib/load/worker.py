"""The loading process: generates batches of claims by number and inserts them."""

import gc
import re
import time
from functools import lru_cache
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import AutoReconnect, BulkWriteError, PyMongoError

from ..claims.document import ID
from ..claims.generate import claim_generator
from ..config import Config
from ..errors import LoadError, remember_secret
from ..mql import to_mql
from ..spawn import obey_parent
from ..store.collection import claims_collection
from ..store.connection import open_client
from ..store.driver_errors import ATLAS_CODE, explain_driver_error, explain_rejection
from ..store.rule import REJECTED, reasons_for_rejection

_RETRY_SECONDS = 45
_DUPLICATE_KEY = 11000
_OUT_OF_DISK_SPACE = 14031

_uri: str
_config: Config


def start_worker(uri: str, config: Config) -> None:
    """Prepare this process: set where to write and what to generate, and let it end when the parent dies."""
    global _uri, _config
    obey_parent()
    remember_secret(uri)
    _uri, _config = uri, config
    # Claims are thousands of small objects without reference cycles. Looking for cycles would take a twentieth of the
    # time.
    gc.disable()


@lru_cache(maxsize=1)
def _collection() -> Collection:
    # Use few connections: an Atlas M10 accepts 15 new ones per second.
    client = open_client(_uri, serverSelectionTimeoutMS=5_000, maxPoolSize=1, serverMonitoringMode="poll")
    return claims_collection(client, _config)


def insert_batch(start: int, stop: int) -> int:
    """Insert claims start to stop, stop exclusive; return how many were not there before."""
    claims = claim_generator(_config.data_generation).documents(start, stop)
    deadline = time.monotonic() + _RETRY_SECONDS
    pause = 0.2
    while True:
        try:
            _collection().insert_many(claims, ordered=False)
            return len(claims)
        except BulkWriteError as error:
            # Don't include the error's full details: they can contain claims.
            reject_foreign_unique_index(error.details["writeErrors"])
            codes = {problem["code"] for problem in error.details["writeErrors"]} - {_DUPLICATE_KEY}
            unsafe = {problem["code"] for problem in error.details["writeConcernErrors"]}
            if not codes and not unsafe:
                return error.details["nInserted"]
            if codes or time.monotonic() > deadline:
                code = min(codes or unsafe)
                problems = error.details["writeErrors"] + error.details["writeConcernErrors"]
                raise LoadError(why_rejected(code, problems)) from None
        except AutoReconnect as error:
            if time.monotonic() > deadline:
                raise LoadError(str(explain_driver_error(error, connected=True))) from None
        except PyMongoError as error:
            raise LoadError(str(explain_driver_error(error, connected=True))) from None
        time.sleep(pause)
        pause = min(2.0, pause * 2)


def why_rejected(code: int, problems: list[dict[str, Any]]) -> str:
    """Return, in words, why the first of these writes with this code was rejected."""
    problem = next(problem for problem in problems if problem["code"] == code)
    if code == ATLAS_CODE:  # its text says what is wrong and holds no claim
        return str(explain_rejection(code, problem["errmsg"]))
    if code == REJECTED:
        reasons = "; ".join(reasons_for_rejection(problem.get("errInfo", {}).get("details", {})))
        return (
            f"the server rejected a claim that fails the collection's validator{reasons and ': '}{reasons}. Run "
            "setup_collection(store) and read its message"
        )
    if code == _OUT_OF_DISK_SPACE:
        return "the server rejected a batch: its disk is full; free some space there"
    return f"the server rejected a batch: error code {code}"


def reject_foreign_unique_index(problems: list[dict[str, Any]]) -> None:
    """Raise LoadError if a claim was rejected as a duplicate by any key other than _id.

    A duplicate _id means only that the claim is there already.
    """
    for problem in problems:
        if problem["code"] != _DUPLICATE_KEY:
            continue
        # The rest of the text holds values of the claim, which must not be shown.
        named = re.search(r" index: (.+?) (?:collation: |dup key: )", problem.get("errmsg", ""))
        name, key = named and named[1], problem.get("keyPattern")
        if list(key) == [ID] if key else name == f"{ID}_":
            continue
        called = f" {name}" if name else ""
        of_key = f" with the key {to_mql(dict(key))}" if key else ""
        raise LoadError(
            f"the collection's unique index{called}{of_key} rejects claims that are not duplicates by _id; it is not "
            "this program's. Drop it yourself, or choose another mongodb.collection in the config"
        )
