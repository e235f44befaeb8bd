"""What a collection was loaded with, and which claims it still lacks."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
from pymongo.collection import Collection

from .claim import ID, TIN
from .config import DataGenerationConfig
from .errors import LoadError
from .generate import GENERATOR_VERSION, ClaimGenerator, claim_generator
from .roster import Provider, provider_roster
from .store import ClaimStore, setup_collection

__all__ = [
    "claim_collection",
    "count_by_provider",
    "finish",
    "load_settings",
    "missing_ranges",
    "state_collection",
]

_START_OVER = "To drop those claims and start over: load_claims(store, replace=True)."
_GROUP = 64  # batches whose claims are counted together before one looks closer


def state_collection(store: ClaimStore) -> Collection:
    """Return the collection beside the claims that holds their state document."""
    return store.collection.database[f"{store.collection.name}_load"]


def load_settings(data: DataGenerationConfig) -> dict[str, Any]:
    """Return all that decides the content of the claims; workers and batch size do not.

    Args:
        data: the section `data_generation`.
    """
    return {
        "generator": GENERATOR_VERSION,
        "seed": data.seed,
        "target_volume": data.target_volume,
        "tiers": ", ".join(f"{tier.name}: {tier.providers} x {tier.claims_per_provider}" for tier in data.tiers),
        "first_service_date": str(data.first_service_date),
        "last_service_date": str(data.last_service_date),
        "max_claim_days": data.max_claim_days,
    }


def claim_collection(store: ClaimStore, *, replace: bool) -> None:
    """Make sure that the collection is this config's to load into, and mark it so.

    Args:
        store: an open store.
        replace: drop the claims that this program loaded before, and set the collection up anew.

    Raises:
        LoadError: it holds claims of another origin or of other settings; nothing was changed.
    """
    states = state_collection(store)
    loaded, wanted = states.find_one({ID: store.collection.name}), load_settings(store.config.data_generation)
    empty = store.collection.find_one({}, {ID: 1}) is None
    if not empty and loaded is None:
        raise LoadError(
            f"{store.collection.full_name} holds documents that this program did not load; they were left alone. "
            "Choose another mongodb.collection in the config."
        )
    if replace and (loaded is not None or empty):
        store.collection.drop()
        setup_collection(store)
        empty = True
    if not empty and loaded["settings"] != wanted:
        differences = "; ".join(
            f"{name}: loaded with {loaded['settings'].get(name)}, config says {value}"
            for name, value in wanted.items()
            if loaded["settings"].get(name) != value
        )
        raise LoadError(f"{store.collection.full_name} was loaded with other settings ({differences}). {_START_OVER}")
    if store.max_claim_days != store.config.data_generation.max_claim_days or store.index_name is None:
        raise LoadError(
            f"{store.collection.full_name} is not set up for loading ({store.bound_reason}). Run "
            "setup_collection(store), which is notebook 01_setup, first."
        )
    if empty or loaded["state"] != "complete":
        mark(store, "loading")


def mark(store: ClaimStore, state: str) -> None:
    """Write the state document.

    Args:
        store: an open store.
        state: "loading" or "complete".
    """
    document = {
        "settings": load_settings(store.config.data_generation),
        "state": state,
        "at": dt.datetime.now(dt.UTC),
    }
    state_collection(store).replace_one({ID: store.collection.name}, document, upsert=True)


def finish(store: ClaimStore) -> dict[str, int]:
    """Check that each provider has exactly its claims and nobody else has any, and mark the load complete.

    Args:
        store: a loaded store.

    Returns:
        Claims by TIN, as counted on the server.

    Raises:
        LoadError: the counts differ; the message names the first provider of them.
    """
    counted = count_by_provider(store)
    for provider in provider_roster(store.config.data_generation):
        if counted[provider.tin] != provider.claim_count:
            raise LoadError(
                f"{provider.name} (TIN {provider.tin}) has {counted[provider.tin]:,} claims in "
                f"{store.collection.full_name}, the config says {provider.claim_count:,}. Somebody else writes there. "
                f"{_START_OVER}"
            )
    total = store.collection.count_documents({}, hint="_id_")
    if total != sum(counted.values()):
        raise LoadError(
            f"{store.collection.full_name} holds {total - sum(counted.values()):,} documents of providers that are "
            f"not in the config's roster. Delete them, or start over. {_START_OVER}"
        )
    mark(store, "complete")
    return counted


def count_by_provider(store: ClaimStore) -> dict[str, int]:
    """Return the claims of each provider of the roster, counted on the server.

    Args:
        store: an open store.

    Returns:
        TIN to number of claims; zero for a provider that has none.
    """
    providers: tuple[Provider, ...] = provider_roster(store.config.data_generation)
    return {provider.tin: store.collection.count_documents({TIN: provider.tin}) for provider in providers}


def missing_ranges(store: ClaimStore, batch_size: int) -> list[tuple[int, int]]:
    """Return the batches that are not complete on the server, found by counting ranges of `_id`.

    Args:
        store: an open store.
        batch_size: claims a batch.

    Returns:
        (start, stop) claim numbers of each incomplete batch, stop exclusive, ascending.
    """
    data = store.config.data_generation
    generator, volume = claim_generator(data), data.target_volume
    missing: list[tuple[int, int]] = []
    for first in range(0, volume, batch_size * _GROUP):
        last = min(first + batch_size * _GROUP, volume)
        present = _present(store, generator, first, last)
        if present < last - first:
            batches = [(start, min(start + batch_size, last)) for start in range(first, last, batch_size)]
            missing += [
                batch for batch in batches if not present or _present(store, generator, *batch) < batch[1] - batch[0]
            ]
    return missing


def _present(store: ClaimStore, generator: ClaimGenerator, start: int, stop: int) -> int:
    first, last = generator.ids(np.array([start, stop - 1]))
    return store.collection.count_documents({ID: {"$gte": first, "$lte": last}})
