"""The computed pattern: claims counted by provider and month, in a temporary collection of ours beside them."""

import re
from typing import Any

import pymongo
from bson import MaxKey, MinKey
from pymongo.collection import Collection
from pymongo.errors import ExecutionTimeout, PyMongoError

from ..claims.document import BEGIN, ID, TIN
from ..errors import PbmError
from ..store.collection import describe
from ..store.retry import again_if_dropped
from ..store.store import ClaimStore
from .totals import TimeLimitPassed
from .under_way import endable

_RUN_ID = "[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}"
_GOODBYE_SECONDS = 5


class RollupGone(PbmError):
    """Someone else dropped the rollup."""


class ClaimRollup:
    """One document for each provider and month of serviceBeginDate, with the number of its claims.

    The documents' `_id` is {tin, month}, so that the index that every collection has serves: the months of a provider
    stand side by side in it.

    Attributes:
        name: of the collection, which is one run's own.
    """

    def __init__(self, store: ClaimStore, run_id: str):
        self.name = f"{store.collection.name}_pbm_rollup_{run_id}"
        self._store = store
        self._collection: Collection[dict[str, Any]] = store.collection.database[self.name]

    def pipeline(self) -> list[dict[str, Any]]:
        """Return what groups the claims: it asks for fields of the compound index alone, so no claim is fetched."""
        month = {"$dateTrunc": {"date": f"${BEGIN}", "unit": "month"}}
        return [
            {"$project": {ID: 0, TIN: 1, BEGIN: 1}},
            {"$group": {ID: {"tin": f"${TIN}", "month": month}, "claims": {"$sum": 1}}},
        ]

    def make(self, *, seconds: float) -> None:
        """Make it on the server, in one aggregate, and end that there if this is interrupted.

        Args:
            seconds: how long the server may take; also for how long it goes on if this process is killed.

        Raises:
            TimeLimitPassed: it takes longer.
            PbmError: the server rejects it, for example since the user may not write.
        """
        options = {"hint": self._store.index_name} if self._store.index_name else {}
        stages = [*self.pipeline(), {"$out": self.name}]
        with self._store.errors_explained(), endable(self._store) as end:
            try:
                self._store.collection.aggregate(stages, maxTimeMS=int(seconds * 1000), **options)
            except ExecutionTimeout:
                raise TimeLimitPassed(f"Building the rollup was stopped after {seconds:g} s.") from None
            except PyMongoError:
                # The server does not end this by itself when its client has gone. It would put the collection there
                # after it was dropped here.
                end()
                raise

    def size(self) -> tuple[int, int]:
        """Return how many documents it has, and how many claims they stand for."""
        totals = {"$group": {ID: None, "documents": {"$sum": 1}, "claims": {"$sum": "$claims"}}}
        with self._store.errors_explained():
            found = again_if_dropped(lambda: self._collection.aggregate([totals]).to_list())
        return (found[0]["documents"], found[0]["claims"]) if found else (0, 0)

    def total(self, tin: str) -> int:
        """Return the number of a provider's claims as of when the rollup was made: the sum over the months.

        Raises:
            RollupGone: someone dropped it.
        """
        months = {"$gte": {"tin": tin, "month": MinKey()}, "$lte": {"tin": tin, "month": MaxKey()}}
        pipeline = [{"$match": {ID: months}}, {"$group": {ID: None, "claims": {"$sum": "$claims"}}}]
        with self._store.errors_explained():
            found = again_if_dropped(lambda: self._collection.aggregate(pipeline).to_list())
            if not found and describe(self._collection).identity is None:
                raise RollupGone(f"Someone else dropped {self.name}.")
        return found[0]["claims"] if found else 0

    def drop(self) -> None:
        """Drop it, whether or not it is there."""
        with self._store.errors_explained(), pymongo.timeout(_GOODBYE_SECONDS):
            self._collection.drop()


def drop_left_rollups(store: ClaimStore) -> list[str]:
    """Drop the rollups of other runs on these claims, which they left behind as they were killed; return their names.

    One of a run that still goes on is dropped as well: nothing tells the two apart.
    """
    database, ours = store.collection.database, f"{re.escape(store.collection.name)}_pbm_rollup_{_RUN_ID}"
    with store.errors_explained():
        found = database.list_collection_names(filter={"type": "collection", "name": {"$regex": f"^{ours}$"}})
        # The server's `$` also matches before a line's end.
        names = [name for name in found if re.fullmatch(ours, name)]
        for name in names:
            database.drop_collection(name)
    return names
