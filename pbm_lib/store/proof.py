"""Which rule all claims were found to satisfy, remembered beside them so that a set-up need not read them again."""

import datetime as dt
import hashlib
from contextlib import suppress
from typing import Any

import bson
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from ..claims.document import ID
from .collection import Described, state_collection

# In the same collection, the load's record has the claims' name, which never holds a space.
_OURS = {ID: "proven rule"}


def is_proven(collection: Collection, there: Described) -> bool:
    """Whether all claims of this very collection were proven to satisfy the validator that it now has."""
    with suppress(OperationFailure):  # the user may not read there
        return state_collection(collection).find_one({**_OURS, **_proven(there)}) is not None
    return False


def remember_proof(collection: Collection, there: Described, days: int) -> None:
    """Note that all claims satisfy the validator that the collection now has; change nothing if the user may not.

    Args:
        collection: the claims.
        there: the collection as it was before its claims were read, or as it was created.
        days: D of the rule.
    """
    proof = {**_proven(there), "max_claim_days": days, "at": dt.datetime.now(dt.UTC)}
    with suppress(OperationFailure):  # the next set-up reads the claims again
        state_collection(collection).replace_one(_OURS, proof, upsert=True)


def forget_proof(collection: Collection) -> None:
    """Note that not all claims satisfy the rule."""
    with suppress(OperationFailure):
        state_collection(collection).delete_one(_OURS)


def _proven(there: Described) -> dict[str, Any]:
    """What a proof is valid for: a collection that is dropped and created again has another identity."""
    validator = bson.encode(there.options.get("validator", {}))
    return {"collection": there.identity, "validator": hashlib.sha256(validator).hexdigest()}
