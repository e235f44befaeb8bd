"""Count and remove the claims that a watch fed to the collection in addition to the loaded ones."""

import time

from pymongo import WriteConcern

from ..arguments import checked
from ..claims.document import ID
from ..errors import LoadError
from ..store.retry import again_if_dropped
from ..store.store import ClaimStore
from .state import LoadRecord, fed_filter

_LOOK_AGAIN_SECONDS = 0.3


@checked(LoadError)
def remove_fed_claims(store: ClaimStore) -> int:
    """Remove the claims that a killed watch (`watch_pages`) left behind.

    They have their own range of `_id`, so no other claim is touched. Calling this again changes nothing.

    Args:
        store: an open store. If a watch is still feeding the collection, wait for it to end instead.

    Returns:
        The number of claims removed, as acknowledged by the server.

    Raises:
        PbmError: the user is not allowed to write.
        ServerUnavailable: the server cannot be reached.
    """
    with store.errors_explained():
        filter_ = fed_filter(LoadRecord(store).loaded_with)
        # Majority, because a change of primary right afterwards would otherwise bring the claims back.
        claims = store.collection.with_options(write_concern=WriteConcern(w="majority"))
        return again_if_dropped(lambda: claims.delete_many(filter_)).deleted_count


def count_fed(store: ClaimStore, record: LoadRecord) -> int:
    """Return the number of fed claims in the collection, counted in the index on `_id` alone."""
    return store.collection.count_documents(fed_filter(record.loaded_with))


def clear_fed(store: ClaimStore, record: LoadRecord) -> None:
    """Remove any claims that a killed watch left behind; raise LoadError if a watch is still feeding."""
    if not _is_any_there(store, record):
        return
    remove_fed_claims(store)
    time.sleep(_LOOK_AGAIN_SECONDS)
    if _is_any_there(store, record):
        raise LoadError(
            f"A watch (watch_pages) is feeding claims to {store.collection.full_name}. Wait for it to end, then try "
            "again."
        )


def _is_any_there(store: ClaimStore, record: LoadRecord) -> bool:
    return store.collection.find_one(fed_filter(record.loaded_with), {ID: 1}) is not None
