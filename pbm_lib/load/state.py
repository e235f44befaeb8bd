"""What a collection was loaded with, and which claims it still lacks."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
from pymongo import WriteConcern
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from ..claims.document import ID, TIN
from ..claims.generate import GENERATOR_VERSION, ClaimGenerator, claim_generator
from ..claims.roster import provider_roster
from ..config import DataGenerationConfig
from ..errors import LoadError
from ..store.store import ClaimStore, setup_collection

_START_OVER = "To drop those claims and start over: load_claims(store, replace=True)."
_COUNTS_AT_ONCE = 4
_GROUP = 64  # batches whose claims are counted together before one looks closer


def state_collection(store: ClaimStore) -> Collection:
    """Return the collection beside the claims that holds their state document."""
    # Majority: where the mark survives a change of primary, so do the claims that were written before it.
    return store.collection.database.get_collection(
        f"{store.collection.name}_load", write_concern=WriteConcern(w="majority")
    )


def load_state(store: ClaimStore) -> dict[str, Any] | None:
    """Return the state document; None if this program did not load the collection that now has this name."""
    state = state_collection(store).find_one({ID: store.collection.name})
    return state if state and state.get("collection") == _identity(store.collection) else None


def is_empty(store: ClaimStore) -> bool:
    """Whether the collection holds no document, or is not there."""
    return store.collection.find_one({}, {ID: 1}) is None


def _identity(claims: Collection) -> str | None:
    """The server's own id of a collection: one that was dropped and made again under the same name has another."""
    database = claims.database.with_options(codec_options=claims.codec_options)  # whatever the URI says of UUIDs
    for found in database.list_collections(filter={"name": claims.name}):
        return found["info"]["uuid"].hex()
    return None


def load_settings(data: DataGenerationConfig) -> dict[str, Any]:
    """Return all that decides the content of the claims; workers and batch size do not."""
    return {
        "generator": GENERATOR_VERSION,
        "seed": data.seed,
        "target_volume": data.target_volume,
        "tiers": ", ".join(f"{tier.name}: {tier.providers} x {tier.claims_per_provider}" for tier in data.tiers),
        "first_service_date": str(data.first_service_date),
        "last_service_date": str(data.last_service_date),
        "max_claim_days": data.max_claim_days,
    }


def claim_collection(store: ClaimStore, *, replace: bool) -> bool:
    """Make sure that the collection is ours to load into; return whether its last load was completed."""
    if store.collection.options().get("capped"):
        raise LoadError(
            f"{store.collection.full_name} is a capped collection, in which the server makes room for new claims by "
            "deleting others; it was left alone. Choose another mongodb.collection in the config, or drop it yourself "
            "and set up again."
        )
    loaded, wanted = load_state(store), load_settings(store.config.data_generation)
    empty = is_empty(store)
    if not empty and loaded is None:
        raise LoadError(
            f"{store.collection.full_name} holds documents that this program did not load (or that were restored "
            "under its name since); they were left alone. Choose another mongodb.collection in the config."
        )
    if replace:
        store.collection.drop()
        setup_collection(store, progress=False)
        return False
    if not empty and loaded["settings"] != wanted:
        differences = "; ".join(
            f"{name}: loaded with {loaded['settings'].get(name)}, config says {value}"
            for name, value in wanted.items()
            if loaded["settings"].get(name) != value
        )
        raise LoadError(f"{store.collection.full_name} was loaded with other settings ({differences}). {_START_OVER}")
    store.refresh()  # somebody may have dropped the collection, and with it the rule and the index
    if store.max_claim_days != store.config.data_generation.max_claim_days or store.index_name is None:
        reason = store.bound_reason if store.index_name else "it has no index for these queries"
        raise LoadError(
            f"{store.collection.full_name} is not set up for loading ({reason}). Run "
            "setup_collection(store), which is notebook 01_setup, first."
        )
    return not empty and loaded["state"] == "complete"


def mark(store: ClaimStore, state: str) -> None:
    """Write the state document; `state` is "loading" or "complete"."""
    document = {
        "collection": _identity(store.collection),
        "settings": load_settings(store.config.data_generation),
        "state": state,
        "at": dt.datetime.now(dt.UTC),
    }
    state_collection(store).replace_one({ID: store.collection.name}, document, upsert=True)


def flush(store: ClaimStore) -> None:
    """Ask the server to write all to disk now, so that the sizes that it tells are those of all claims."""
    # It does so by itself within a minute.
    with suppress(OperationFailure):  # Atlas lets nobody ask
        store.collection.database.client.admin.command("fsync")


def count_by_provider(store: ClaimStore) -> dict[str | None, int]:
    """Return TIN to documents on the server; None is for documents of nobody in the roster."""
    # Counted in the compound index, several at once: each is short, and over a network mostly waiting. One $group over
    # the index would need a single round trip, but takes four times as long on the server.
    filters = [{TIN: provider.tin} for provider in provider_roster(store.config.data_generation)]

    def count(filter_: dict[str, str]) -> int:
        return store.collection.count_documents(filter_, hint=store.index_name)

    with ThreadPoolExecutor(_COUNTS_AT_ONCE) as pool:
        total, *counts = pool.map(count, [{}, *filters])
    counted: dict[str | None, int] = {
        filter_[TIN]: claims for filter_, claims in zip(filters, counts, strict=True) if claims
    }
    return {**counted, None: others} if (others := total - sum(counts)) else counted


def wrong_counts(store: ClaimStore, counted: dict[Any, int]) -> str | None:
    """Return None if each provider has exactly its claims and nobody else any, else a message."""
    roster = provider_roster(store.config.data_generation)
    for provider in roster:
        if (count := counted.get(provider.tin, 0)) != provider.claim_count:
            return (
                f"{provider.name} (TIN {provider.tin}) has {count:,} claims in {store.collection.full_name}, the "
                f"config says {provider.claim_count:,}. Somebody else writes there. {_START_OVER}"
            )
    if foreign := sum(counted.values()) - store.config.data_generation.target_volume:
        return (
            f"{store.collection.full_name} holds {foreign:,} documents of providers that are not in the config's "
            f"roster. Delete them, or start over. {_START_OVER}"
        )
    return None


def missing_ranges(store: ClaimStore, batch_size: int, *, by_id: bool = False) -> list[tuple[int, int]]:
    """Return (start, stop) of each batch that is not complete on the server, stop exclusive, ascending."""
    data = store.config.data_generation
    generator, volume = claim_generator(data), data.target_volume
    # Counting ranges of _id takes a tenth of the time of looking for each, but is deceived by a document of somebody
    # else whose _id lies in the range of a missing claim.
    present = _found if by_id else _counted
    missing: list[tuple[int, int]] = []
    for first in range(0, volume, batch_size * _GROUP):
        last = min(first + batch_size * _GROUP, volume)
        there = present(store, generator, first, last)
        if there < last - first:
            batches = [(start, min(start + batch_size, last)) for start in range(first, last, batch_size)]
            missing += [
                batch for batch in batches if not there or present(store, generator, *batch) < batch[1] - batch[0]
            ]
    return missing


def _counted(store: ClaimStore, generator: ClaimGenerator, start: int, stop: int) -> int:
    first, last = generator.ids(np.array([start, stop - 1]))
    return store.collection.count_documents({ID: {"$gte": first, "$lte": last}})


def _found(store: ClaimStore, generator: ClaimGenerator, start: int, stop: int) -> int:
    ids = generator.ids(np.arange(start, stop))
    there = store.collection.find({ID: {"$gte": ids[0], "$lte": ids[-1]}}, {ID: 1})
    return len({claim[ID] for claim in there}.intersection(ids))
