"""How large the claims are on the server, in bytes."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from .store import ClaimStore

Bytes = Annotated[int, Field(strict=True, ge=0)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Footprint:
    """Size of the claims on one server, in bytes."""

    claims: Bytes  # number of documents
    data_bytes: Bytes  # BSON, uncompressed
    storage_bytes: Bytes  # documents on disk, compressed
    index_bytes: dict[str, Bytes]  # on disk, by name
    # In the server's cache at the time of the measurement; None if the server does not report it.
    cached_data_bytes: Bytes | None = None
    cached_index_bytes: Bytes | None = None
    # Size of the leaf pages that the documents are stored in; None if the server does not report it.
    leaf_page_kb: int | None = None

    @property
    def total_index_bytes(self) -> int:
        """Size of all indexes on disk, in bytes."""
        return sum(self.index_bytes.values())

    @property
    def disk_bytes(self) -> int:
        """Size of documents and indexes on disk, in bytes."""
        return self.storage_bytes + self.total_index_bytes


def measure_footprint(store: ClaimStore) -> Footprint:
    """Return the size of the claims as the server reports it. On a sharded cluster, it is the sum over the shards."""
    with store.errors_explained():
        answers = store.collection.aggregate([{"$collStats": {"storageStats": {}}}]).to_list()
    shards = [answer["storageStats"] for answer in answers]
    indexes: dict[str, int] = {}
    for shard in shards:
        for name, size in shard.get("indexSizes", {}).items():
            indexes[name] = indexes.get(name, 0) + int(size)
    return Footprint(
        claims=sum(int(shard["count"]) for shard in shards),
        data_bytes=sum(int(shard["size"]) for shard in shards),
        storage_bytes=sum(int(shard["storageSize"]) for shard in shards),
        index_bytes=indexes,
        cached_data_bytes=_cached(shard.get("wiredTiger") for shard in shards),
        cached_index_bytes=_cached(
            part for shard in shards for part in shard.get("indexDetails", {None: None}).values()
        ),
        leaf_page_kb=store.leaf_page_kb,
    )


def _cached(parts) -> int | None:
    try:
        return sum(int(part["cache"]["bytes currently in the cache"]) for part in parts)
    except (KeyError, TypeError):
        return None
