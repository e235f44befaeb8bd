"""The one compound index: which of its two forms is there, and switching from one to the other."""

from __future__ import annotations

import contextlib
import re
import sys
import threading
from collections.abc import Iterator
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import OperationFailure, PyMongoError
from tqdm import tqdm

from ..claims.document import BEGIN, END, ID, TIN
from ..errors import SetupError
from ..mql import to_mql
from .driver_errors import lacks_right

PROVIDER_INDEX = {TIN: 1, BEGIN: 1, ID: 1}
"""The one compound index: equality on the TIN, then the sort order of every page."""
COVERING_INDEX = {**PROVIDER_INDEX, END: 1}
"""The same order and keyset; serviceEndDate rides along so that a date range is decided without a fetch."""

_NAMES = {False: "claims_by_provider", True: "claims_by_provider_covering"}
_KEYS = {False: PROVIDER_INDEX, True: COVERING_INDEX}
_POLL_SECONDS = 0.5
_SHOW_AFTER_SECONDS = 1
_PHASE = re.compile(r"Index Build: (\w+ \w+)")  # such as "Index Build: scanning collection ...: 314951/3000000 10%"
# Of an index's properties these change nothing about which claims are in it, nor their order.
_HARMLESS = {"v", "key", "ns", "background"}


def find_index(indexes: dict[str, Any], *, covering: bool) -> str | None:
    """Return the name of the index with one of our two key patterns, whoever made it.

    Args:
        indexes: what `Collection.index_information()` returned.
        covering: look for the one with serviceEndDate.

    Returns:
        Its name; None if there is none, or if it is hidden, partial or otherwise not for every query.
    """
    keys = list(_KEYS[covering].items())
    for name, index in indexes.items():
        if list(index["key"]) == keys and set(index) <= _HARMLESS:
            return name
    return None


def install_index(collection: Collection, *, covering: bool, progress: bool) -> None:
    """Build the wanted form of the index, wait until it is ready, then drop the other one, if it is ours.

    Ours is an index with our name and our key pattern. Every other index is left alone; one with our key pattern and
    another name serves as well, and nothing is built beside it.

    Args:
        collection: the claims.
        covering: whether serviceEndDate is appended.
        progress: show a bar on standard output once building takes longer than a second.

    Raises:
        SetupError: another index is in the way, or the database user lacks the right; the message says what to do.
    """
    indexes = collection.index_information()
    name = find_index(indexes, covering=covering) or _NAMES[covering]
    if name in indexes and find_index({name: indexes[name]}, covering=covering) is None:
        raise SetupError(
            f"{collection.full_name} has another index named {name}; it was left alone. Drop or rename it yourself, "
            "then set up again."
        )
    # Also when it is listed: a list holds indexes that are still being built, and the server waits for those here.
    _build(collection, name, covering=covering, progress=progress, listed=name in indexes)
    indexes, other = collection.index_information(), _NAMES[not covering]
    if find_index(indexes, covering=covering) and other in indexes:
        if find_index({other: indexes[other]}, covering=not covering) is None:
            return  # our name, but not our index
        try:
            collection.drop_index(other)
        except OperationFailure as error:
            if not lacks_right(error):
                raise
            raise SetupError(
                f"{name} is ready, but the database user may not drop {other} of {collection.full_name}. Give the user "
                "the role readWrite on that database, or let somebody who may run in mongosh: "
                f'{_mongosh(collection)}.dropIndex("{other}")'
            ) from None


def _build(collection: Collection, name: str, *, covering: bool, progress: bool, listed: bool) -> None:
    keys = _KEYS[covering]
    try:
        with _progress_bar(collection, name) if progress else contextlib.nullcontext():
            collection.create_index(list(keys.items()), name=name)
    except OperationFailure as error:
        if error.code in (85, 86):
            raise SetupError(
                f"{collection.full_name} has an index on the same fields with other options; it was left alone. Drop "
                "it yourself, then set up again."
            ) from None
        if not lacks_right(error):
            raise
        if not listed:
            raise SetupError(
                f"The database user may not create an index on {collection.full_name}. Give the user the role "
                f"readWrite on that database, or let somebody who may run in mongosh: {_mongosh(collection)}"
                f'.createIndex({to_mql(keys)}, {{name: "{name}"}})'
            ) from None


def _mongosh(collection: Collection) -> str:
    return f'db.getSiblingDB("{collection.database.name}").getCollection("{collection.name}")'


@contextlib.contextmanager
def _progress_bar(collection: Collection, name: str) -> Iterator[None]:
    """Show for the length of a block how far the server is with building an index."""
    done = threading.Event()
    bar = tqdm(desc=f"Building {name}", unit=" claims", unit_scale=True, file=sys.stdout, delay=_SHOW_AFTER_SECONDS)
    watcher = threading.Thread(target=_watch, args=(collection, name, bar, done), daemon=True)
    watcher.start()

    def stop_watching() -> None:
        done.set()
        watcher.join()

    try:
        yield
        stop_watching()
        bar.update((bar.total or 0) - bar.n)
    finally:
        stop_watching()
        bar.close()


def _watch(collection: Collection, name: str, bar: tqdm, done: threading.Event) -> None:
    question = {"currentOp": True, "$ownOps": True, "ns": collection.full_name, "command.indexes.name": name}
    admin = collection.database.client.admin
    while not done.wait(_POLL_SECONDS):
        try:
            operations = admin.command(question)["inprog"]
        except PyMongoError:
            operations = []  # no right to ask, or a server that cannot say: the bar still shows the time
        for operation in operations:
            if progress := operation.get("progress"):
                phase = _PHASE.match(operation.get("msg", ""))
                bar.set_description(f"Building {name}" + (f", {phase[1]}" if phase else ""), refresh=False)
                bar.total = progress["total"]
                bar.update(progress["done"] - bar.n)
        bar.update(0)
