"""The computed pattern: claims counted by provider and month, in a temporary collection in the same database."""

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
    """One document for each provider and month of serviceBeginDate, with the number of claims.

    The documents' `_id` is {tin, month}, so the index on `_id` is the only one needed: a provider's months are adjacent
    in it.

    Attributes:
        name: name of the collection; each run has its own.
    """

    def __init__(self, store: ClaimStore, run_id: str):
        self.name = f"{store.collection.name}_pbm_rollup_{run_id}"
        self._store = store
        self._collection: Collection[dict[str, Any]] = store.collection.database[self.name]

    def pipeline(self) -> list[dict[str, Any]]:
        """Return the stages that group the claims. They use only fields of the compound index: no claim is fetched."""
        month = {"$dateTrunc": {"date": f"${BEGIN}", "unit": "month"}}
        return [
            {"$project": {ID: 0, TIN: 1, BEGIN: 1}},
            {"$group": {ID: {"tin": f"${TIN}", "month": month}, "claims": {"$sum": 1}}},
        ]

    def make(self, *, seconds: float) -> None:
        """Build the rollup on the server in one aggregate, and end that aggregate if this call is interrupted.

        Args:
            seconds: time limit on the server, which still applies if this process is killed.

        Raises:
            TimeLimitPassed: the server takes longer.
            PbmError: the server rejects it, for example because the user is not allowed to write.
        """
        options = {"hint": self._store.index_name} if self._store.index_name else {}
        stages = [*self.pipeline(), {"$out": self.name}]
        with self._store.errors_explained(), endable(self._store) as end:
            try:
                self._store.collection.aggregate(stages, maxTimeMS=int(seconds * 1000), **options)
            except ExecutionTimeout:
                raise TimeLimitPassed(f"Building the rollup was stopped after {seconds:g} s.") from None
            except PyMongoError:
                # The server does not end this aggregate on its own when the client is gone. It would create the
                # collection after it was dropped here.
                end()
                raise

    def size(self) -> tuple[int, int]:
        """Return the number of documents in the rollup, and the number of claims that they count."""
        totals = {"$group": {ID: None, "documents": {"$sum": 1}, "claims": {"$sum": "$claims"}}}
        with self._store.errors_explained():
            found = again_if_dropped(lambda: self._collection.aggregate([totals]).to_list())
        return (found[0]["documents"], found[0]["claims"]) if found else (0, 0)

    def total(self, tin: str) -> int:
        """Return a provider's number of claims when the rollup was built: the sum over the months.

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
        """Drop the rollup, if it exists."""
        with self._store.errors_explained(), pymongo.timeout(_GOODBYE_SECONDS):
            self._collection.drop()


def drop_left_rollups(store: ClaimStore) -> list[str]:
    """Drop the rollups that other runs on these claims left behind when killed, and return their names.

    The rollup of a run that is still in progress is dropped as well: the two cannot be told apart.
    """
    database, ours = store.collection.database, f"{re.escape(store.collection.name)}_pbm_rollup_{_RUN_ID}"
    with store.errors_explained():
        found = database.list_collection_names(filter={"type": "collection", "name": {"$regex": f"^{ours}$"}})
        # The server's `$` also matches before a trailing newline.
        names = [name for name in found if re.fullmatch(ours, name)]
        for name in names:
            database.drop_collection(name)
    return names
