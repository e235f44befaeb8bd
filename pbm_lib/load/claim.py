"""Check that this program may load into the collection, and may drop it to replace its claims."""

import time
from typing import Any

from pymongo.errors import OperationFailure

from ..errors import LoadError, PbmError, ServerUnavailable
from ..store.index import foreign_indexes
from ..store.kind import reject_other_kinds
from ..store.leaf_page import sets_leaf_pages_alone
from ..store.rule import is_ours
from ..store.setup import setup_collection
from ..store.store import ClaimStore
from .fed import clear_fed
from .state import LOADING, REPLACING, START_OVER, LoadRecord, foreign_documents, is_empty

_RULE = {"validator", "validationLevel", "validationAction"}
# A running load checks once per second whether it has to give way.
_GIVE_WAY_SECONDS = 3


def claim_collection(store: ClaimStore, *, replace: bool) -> LoadRecord:
    """Make sure that this program may load into the collection, and return the collection's load record."""
    reject_other_kinds(store.collection, LoadError)
    record = LoadRecord(store)
    if replace:
        _start_over(store, record)
    elif not is_empty(store):
        _reject_other_claims(store, record)
        clear_fed(store, record)
    store.refresh()  # someone may have dropped the collection, and with it the rule and the index
    if reason := _not_set_up(store):
        raise LoadError(
            f"{store.collection.full_name} is not set up for loading ({reason}). Run setup_collection(store) first "
            "(notebook 01_setup)."
        )
    return record


def _not_set_up(store: ClaimStore) -> str | None:
    wanted = store.config.data_generation.max_claim_days
    if store.index_name is None:
        return "it has no index for these queries"
    if store.max_claim_days is None:
        return store.bound_reason
    if store.max_claim_days != wanted:
        return f"data_generation.max_claim_days must be {store.max_claim_days}, as in the server's rule, got {wanted}"
    return None


def _reject_other_claims(store: ClaimStore, record: LoadRecord) -> None:
    """Raise LoadError if the collection holds anything but some or all of the configured claims."""
    name = store.collection.full_name
    # A collection dropped during a load and recreated by its inserts passes: it holds only this program's claims.
    if not record.is_current and (others := foreign_documents(store, record.loaded_with)):
        raise LoadError(
            f"{name} holds documents that this program did not load: {others}. Choose another mongodb.collection in "
            "the config."
        )
    if not record.found:
        raise LoadError(f"{name} holds claims, but no record of the settings they were loaded with. {START_OVER}")
    if record.found["state"] == REPLACING:
        raise LoadError(
            f"A load of {name} with replace=True is running or was interrupted. If it was interrupted, run "
            "load_claims(store, replace=True) again."
        )
    loaded, wanted = record.loaded_with, record.wanted
    if differences := [key for key, value in wanted.items() if loaded.get(key) != value]:
        shown = "; ".join(f"{key}: loaded with {loaded.get(key)}, {_says(key)} {wanted[key]}" for key in differences)
        raise LoadError(f"{name} was loaded with other settings ({shown}). {START_OVER}")


def _says(key: str) -> str:
    return "this version has" if key == "generator" else "config says"


def _start_over(store: ClaimStore, record: LoadRecord) -> None:
    """Drop what this program loaded and set up again; if anything else is there, drop nothing and raise LoadError."""
    _reject_foreign(store, record.loaded_with)
    before = record.found
    record.mark(REPLACING)
    if before and before["state"] in (LOADING, REPLACING):
        time.sleep(_GIVE_WAY_SECONDS)
    try:
        store.collection.drop()
    except OperationFailure:  # the user is not allowed to drop it
        if before:
            record.write(before)
        raise
    try:
        setup_collection(store, progress=False)
    except ServerUnavailable:
        raise
    except PbmError as error:
        raise LoadError(f"The claims were dropped, but setup failed: {error}") from None
    record.renew()
    if not is_empty(store):
        raise LoadError(
            f"Someone is writing to {store.collection.full_name} while its claims are replaced. Wait for that to end, "
            "then run load_claims(store, replace=True) again."
        )


def _reject_foreign(store: ClaimStore, loaded_with: dict[str, Any]) -> None:
    """Raise LoadError if dropping the collection would lose anything that this program did not create."""
    options = store.collection.options()
    ours = _RULE | ({"storageEngine"} if sets_leaf_pages_alone(options.get("storageEngine")) else set())
    found = [f"the index {name}" for name in foreign_indexes(store.collection)]
    found += [f"the option {option}" for option in sorted(set(options) - ours)]
    if not is_ours(options.get("validator")):
        found.append("a validator")
    if others := foreign_documents(store, loaded_with):
        found.append(others)
    if found:
        raise LoadError(
            f"{store.collection.full_name} holds something that this program did not create: {', '.join(found)}. "
            "Replacing its claims would drop them, so nothing was dropped. Remove what you do not need "
            "yourself, or choose another mongodb.collection in the config."
        )
