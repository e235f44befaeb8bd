"""What a collection was loaded with, and which claims it still lacks."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
import pymongo
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

from ..claims.document import ID, TIN
from ..claims.generate import GENERATOR_VERSION, ClaimGenerator, claim_generator, fed_ids, id_marks
from ..claims.roster import provider_roster
from ..config import DataGenerationConfig
from ..display import quantity
from ..errors import LoadError
from ..store.collection import describe, state_collection
from ..store.store import ClaimStore
from .pace import LoadPace

LOADING, REPLACING, COMPLETE = "loading", "replacing", "complete"
START_OVER = "To drop the claims and start over, run load_claims(store, replace=True)."
_ANSWER_SECONDS = 2
_COUNTS_AT_ONCE = 4
_GROUP = 64  # batches whose claims are counted together before each is counted alone


def is_empty(store: ClaimStore) -> bool:
    """Whether the collection holds no documents or does not exist."""
    return store.collection.find_one({}, {ID: 1}) is None


def load_settings(data: DataGenerationConfig) -> dict[str, Any]:
    """Return everything that determines the content of the claims; workers and batch size do not."""
    return {
        "generator": GENERATOR_VERSION,
        "seed": data.seed,
        "target_volume": data.target_volume,
        "tiers": ", ".join(f"{tier.name}: {tier.providers} x {tier.claims_per_provider}" for tier in data.tiers),
        "first_service_date": str(data.first_service_date),
        "last_service_date": str(data.last_service_date),
        "max_claim_days": data.max_claim_days,
    }


def fed_filter(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the filter for the claims that a watch fed to a collection loaded with these settings."""
    last_day = dt.date.fromisoformat(settings["last_service_date"])
    first, last = fed_ids(settings["seed"], settings["target_volume"], last_day, settings["max_claim_days"])
    return {ID: {"$gte": first, "$lte": last}}


class LoadRecord:
    """The state document of a collection. A load writes it only as long as no other load has changed it.

    Attributes:
        found: the document as last read or written; None if there is none.
        wanted: the settings that a load with this config uses.
    """

    def __init__(self, store: ClaimStore):
        self._claims, self._records = store.collection, state_collection(store.collection)
        self.found: dict[str, Any] | None = self._records.find_one({ID: self._claims.name})
        self.wanted = load_settings(store.config.data_generation)
        self._identity = describe(self._claims).identity

    @property
    def is_current(self) -> bool:
        """Whether the record is about the collection that has this name now."""
        return bool(self.found) and self.found["collection"] == self._identity

    @property
    def is_complete(self) -> bool:
        """Whether a load of this collection was completed."""
        return self.is_current and self.found["state"] == COMPLETE

    @property
    def loaded_with(self) -> dict[str, Any]:
        """The settings that the claims were loaded with; the config's if nothing is recorded."""
        return self.found["settings"] if self.found else self.wanted

    @property
    def pace(self) -> LoadPace | None:
        """The pace of the load that added most of the claims; None if it was not recorded."""
        kept = self.found.get("pace") if self.is_current else None
        return LoadPace.from_document(kept) if kept else None

    def renew(self) -> None:
        """Make the collection that has this name now the one to load into."""
        self._identity = describe(self._claims).identity

    def mark(self, state: str, pace: LoadPace | None = None) -> None:
        """Write a state, and the pace if it covers more claims than the recorded one.

        Raise LoadError if another load has written a different state.
        """
        # Until the claims are dropped, the collection's settings are those it was loaded with.
        settings = self.loaded_with if state == REPLACING else self.wanted
        document = {"collection": self._identity, "settings": settings, "state": state, "at": dt.datetime.now(dt.UTC)}
        # A load that only restored a few deleted claims must not replace the pace of the original load.
        if paces := [each for each in (pace, self.pace) if each]:
            document["pace"] = max(paces, key=lambda each: each.inserted).to_document()
        self.write(document)

    def write(self, document: dict[str, Any]) -> None:
        """Write a document, such as one that was found earlier; raise LoadError as `mark` does."""
        for _ in range(2):  # the second try finds what another load of the same claims has just inserted
            with suppress(DuplicateKeyError):
                self._records.replace_one({ID: self._claims.name, "$or": self._own()}, document, upsert=True)
                self.found = document
                return
        raise LoadError(self._taken())

    def lost(self) -> str | None:
        """Return why the collection is no longer this load's; None if it still is, or if the server does not answer."""
        with suppress(PyMongoError), pymongo.timeout(_ANSWER_SECONDS):
            if self._records.find_one({ID: self._claims.name, "$nor": self._own()}):
                return self._taken()
            if describe(self._claims).identity != self._identity:
                return (
                    f"Someone dropped {self._claims.full_name} during the load; a new one lacks the rule and the "
                    "index. Run setup_collection(store), then load_claims(store) again."
                )
        return None

    def _own(self) -> list[dict[str, Any]]:
        """Filters for the document that this load found or wrote, and for one from another load of the same claims."""
        same = {"collection": self._identity, "settings": self.wanted, "state": {"$ne": REPLACING}}
        known = {name: value for name, value in (self.found or {}).items() if name != ID}
        return [same, known] if known else [same]

    def _taken(self) -> str:
        return (
            f"Another load of {self._claims.full_name} with replace=True started, so this one stopped. Wait for it to "
            "end, then run load_claims(store) to check."
        )


def flush(store: ClaimStore) -> None:
    """Ask the server to write everything to disk now, so that the sizes it reports cover all claims."""
    # The server does so on its own within a minute.
    with suppress(OperationFailure):  # Atlas does not allow it
        store.collection.database.client.admin.command("fsync")


def foreign_documents(store: ClaimStore, settings: dict[str, Any]) -> str | None:
    """Return, in words, how many documents have an `_id` that these settings give to no claim; None if there are none.

    Claims that a watch fed are this program's too, so they are not counted.
    """
    # This reads only the index on _id: about 1 us per document.
    first, last = id_marks(settings["seed"], settings["target_volume"])
    is_id = {"$eq": [{"$type": f"${ID}"}, "objectId"]}
    stages = [
        {"$sort": {ID: 1}},
        {"$project": {"mark": {"$cond": [is_id, {"$substrCP": [{"$toString": f"${ID}"}, 8, 16]}, ""]}}},
        {"$match": {"mark": {"$not": {"$gte": first, "$lte": last}}, ID: {"$not": fed_filter(settings)[ID]}}},
        {"$group": {ID: None, "documents": {"$sum": 1}, "example": {"$first": f"${ID}"}}},
    ]
    for found in store.collection.aggregate(stages):
        return f"{quantity(found['documents'], 'document')} (such as _id {found['example']!r:.60})"
    return None


def count_by_provider(store: ClaimStore) -> dict[str | None, int]:
    """Return the number of documents on the server by TIN; None stands for any provider not in the roster."""
    # Count in the compound index, several providers at once: each count is short and, over a network, mostly waiting.
    # One $group over the index would need a single round trip, but takes four times as long on the server.
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
    """Return what is wrong with the counts; None if each provider has exactly its claims and no one else has any."""
    name = store.collection.full_name
    for provider in provider_roster(store.config.data_generation):
        if (count := counted.get(provider.tin, 0)) != provider.claim_count:
            return (
                f"{provider.name} (TIN {provider.tin}) must have {provider.claim_count:,} claims in {name}, got "
                f"{count:,}. Someone else may be writing there."
            )
    if others := counted.get(None, 0):
        return f"{name} holds {quantity(others, 'document')} of providers that are not in the config."
    return None


def missing_ranges(store: ClaimStore, batch_size: int, *, by_id: bool = False) -> list[tuple[int, int]]:
    """Return (start, stop) of each batch that is incomplete on the server, in ascending order, stop exclusive."""
    data = store.config.data_generation
    generator, volume = claim_generator(data), data.target_volume
    # Counting ranges of _id takes a tenth of the time of looking for each one. But a foreign document whose _id is in
    # the range of a missing claim hides the gap.
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
