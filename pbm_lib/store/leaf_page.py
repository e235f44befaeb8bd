"""The size of the leaf pages that claims are stored in: set when the collection is created, and read back."""

import re
from typing import Any, get_args

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from ..config import LeafPageKb

NAMESPACE_EXISTS = 48
"""The server's error code for a collection that already exists."""
_SIZE = re.compile(r"\bleaf_page_max=(\d+)KB\b")


def create_with_leaf_pages(collection: Collection, kb: int, **options: Any) -> None:
    """Create the collection with leaf pages of this size, or of the server's default size if it rejects the option."""
    database, name = collection.database, collection.name
    try:
        database.create_collection(name, check_exists=False, storageEngine=_storage_engine(kb), **options)
        return
    except OperationFailure as error:
        if error.code == NAMESPACE_EXISTS:
            raise
    # Servers reject the option with many different errors. If something else is wrong, this fails for that reason.
    database.create_collection(name, check_exists=False, **options)


def leaf_page_kb(collection: Collection) -> int | None:
    """Return the leaf page size in KB, read from the server.

    None if the user may not read it, the storage engine has no leaf pages, or shards have different sizes.
    """
    created = "$storageStats.wiredTiger.creationString"
    try:
        shards = collection.aggregate(
            [{"$collStats": {"storageStats": {}}}, {"$project": {"_id": 0, "created": created}}]
        ).to_list()
    except OperationFailure:
        return None
    sizes = {found[1] for shard in shards if (found := _SIZE.search(shard.get("created", "")))}
    return int(sizes.pop()) if len(sizes) == 1 else None


def in_words(kb: int | None, wanted: int) -> str:
    """Return the collection's leaf page size in words, with the config's size if that is different."""
    if kb is None:
        return "unknown"
    return f"{kb} KB" + ("" if kb == wanted else f", set when the collection was created (config: {wanted} KB)")


def sets_leaf_pages_alone(storage_engine: Any) -> bool:
    """Return whether a collection's storageEngine option is one that this program sets, for any size."""
    return storage_engine in [_storage_engine(kb) for kb in get_args(LeafPageKb)]


def _storage_engine(kb: int) -> dict[str, Any]:
    return {"wiredTiger": {"configString": f"leaf_page_max={kb}KB"}}
