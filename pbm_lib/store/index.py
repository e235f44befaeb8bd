"""The one compound index: which of its forms is there, and switching from one to another."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

from pymongo.collection import Collection
from pymongo.errors import OperationFailure
from tqdm import tqdm

from ..claims.document import BEGIN, END, ID, TIN
from ..errors import SetupError
from ..mql import to_mql
from .driver_errors import lacks_right, needs_right

PROVIDER_INDEX = {TIN: 1, BEGIN: 1, ID: 1}
"""The one compound index: equality on the TIN, then the sort order of every page."""
COVERING_INDEX = {**PROVIDER_INDEX, END: 1}
"""The same order and keyset; serviceEndDate rides along so that a date range is decided without a fetch."""


class _Form(NamedTuple):
    """A form of the index; it is ours if it has both this name and these keys."""

    name: str
    keys: dict[str, int]


# By `covering`.
_FORMS = {
    False: _Form("claims_by_provider", PROVIDER_INDEX),
    True: _Form("claims_by_provider_covering", COVERING_INDEX),
}
# Of an index's properties these change nothing about which claims are in it, nor their order ...
_HARMLESS = {"v", "key", "ns", "background"}
# ... nor do these where they are switched off, which some servers say and others leave out.
_SWITCHES = {"sparse", "hidden", "unique", "prepareUnique"}
_SAME_FIELDS_OTHER_OPTIONS = (85, 86)  # IndexOptionsConflict, IndexKeySpecsConflict
_SHOW_AFTER_SECONDS = 1
_TICK_SECONDS = 0.5


def find_index(indexes: dict[str, Any], *, covering: bool) -> str | None:
    """Return the name of a form of the index in `index_information()`, whoever made it; None if it is not there."""
    return next((name for name, index in indexes.items() if _serves(index, _FORMS[covering])), None)


def foreign_indexes(collection: Collection) -> list[str]:
    """Return the names of the indexes that this program does not make."""
    ours = {form.name: form for form in _FORMS.values()}
    indexes = collection.index_information().items()
    return [name for name, index in indexes if name != "_id_" and not (name in ours and _serves(index, ours[name]))]


def _serves(index: dict[str, Any], form: _Form) -> bool:
    """Whether an index has a form's keys, and is not hidden, partial or otherwise not for every query."""
    return list(index["key"]) == list(form.keys.items()) and all(map(_is_neutral, index, index.values()))


def _is_neutral(name: str, value: Any) -> bool:
    """Whether an index with this property serves every query as one without it."""
    if name == "collation":
        return _is_simple(value)
    return name in _HARMLESS or (name in _SWITCHES and not value)


def _is_simple(collation: dict[str, Any] | None) -> bool:
    """Whether text is compared byte by byte; so it is where nothing is said, and some servers say so."""
    return not collation or collation.get("locale") == "simple"


def refuse_other_collation(collection: Collection) -> None:
    """Raise SetupError if the collection compares text by the rules of a language, as its indexes then do."""
    collation = collection.options().get("collation")
    if not _is_simple(collation):
        raise SetupError(
            f"{collection.full_name} was created with the default collation {collation.get('locale')}, but the index "
            "and its queries need the simple one, and a collation cannot be changed: choose another "
            "mongodb.collection in the config, or drop that collection yourself and set up again."
        )


def install_index(collection: Collection, *, covering: bool, progress: bool) -> None:
    """Build the wanted form of the index, wait until it is ready, then drop the other forms, where they are ours."""
    refuse_other_collation(collection)
    wanted, indexes = _FORMS[covering], collection.index_information()
    # One of another name serves as well, and nothing is built beside it.
    name = find_index(indexes, covering=covering) or wanted.name
    if name in indexes and not _serves(indexes[name], wanted):
        raise SetupError(
            f"{collection.full_name} has another index named {name}; it was left alone. Drop or rename it yourself, "
            "then set up again."
        )
    # Also when it is listed: a list holds indexes that are still being built, and the server waits for those here.
    with _elapsed_time_shown(f"Building {name}") if progress else nullcontext():
        _build(collection, wanted._replace(name=name), listed=name in indexes)
    indexes = collection.index_information()
    if find_index(indexes, covering=covering) is None:
        # So the old one is needed.
        raise SetupError(
            f"{name} was built, but {collection.full_name} does not have it in a usable form: somebody dropped or "
            "changed it just now. Set up again."
        )
    for other in _FORMS.values():
        if other is not wanted and other.name in indexes and _serves(indexes[other.name], other):
            _drop(collection, other, ready=name)


def _build(collection: Collection, index: _Form, *, listed: bool) -> None:
    try:
        collection.create_index(list(index.keys.items()), name=index.name)
    except OperationFailure as error:
        if error.code in _SAME_FIELDS_OTHER_OPTIONS:
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
                f'.createIndex({to_mql(index.keys)}, {{name: "{index.name}"}})'
            ) from None


def _drop(collection: Collection, index: _Form, *, ready: str) -> None:
    with needs_right(
        f"{ready} is ready, but the database user may not drop {index.name} of {collection.full_name}. Give the user "
        "the role readWrite on that database, or let somebody who may run in mongosh: "
        f'{_mongosh(collection)}.dropIndex("{index.name}")'
    ):
        collection.drop_index(index.name)


def _mongosh(collection: Collection) -> str:
    return f'db.getSiblingDB("{collection.database.name}").getCollection("{collection.name}")'


@contextmanager
def _elapsed_time_shown(title: str) -> Iterator[None]:
    """Show on standard output for how long a block has been running, once that is more than a second."""
    done = threading.Event()

    def tick() -> None:
        while not done.wait(_TICK_SECONDS):
            clock.update(0)

    with tqdm(desc=title, bar_format="{desc}: {elapsed}", file=sys.stdout, delay=_SHOW_AFTER_SECONDS) as clock:
        ticking = threading.Thread(target=tick, daemon=True)
        ticking.start()
        try:
            yield
        finally:
            done.set()
            ticking.join()
