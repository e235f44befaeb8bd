"""The record of which rule all claims were found to satisfy, kept so that setup need not read the claims again."""

import datetime as dt
import hashlib
from contextlib import suppress
from typing import Any

import bson
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from ..claims.document import ID
from .collection import Described, state_collection

# The load's record is in the same collection, under the claims collection's name, which never contains a space.
_OURS = {ID: "proven rule"}


def is_proven(collection: Collection, there: Described) -> bool:
    """Return whether all claims of this same collection were proven to satisfy its current validator."""
    with suppress(OperationFailure):  # the user may lack permission to read it
        return state_collection(collection).find_one({**_OURS, **_proven(there)}) is not None
    return False


def remember_proof(collection: Collection, there: Described, days: int) -> None:
    """Record that all claims satisfy the collection's current validator; do nothing if the user may not write.

    Args:
        collection: the claims.
        there: the collection as described before its claims were read, or when it was created.
        days: D of the rule.
    """
    proof = {**_proven(there), "max_claim_days": days, "at": dt.datetime.now(dt.UTC)}
    with suppress(OperationFailure):  # then the next setup reads the claims again
        state_collection(collection).replace_one(_OURS, proof, upsert=True)


def forget_proof(collection: Collection) -> None:
    """Delete the record, because not all claims satisfy the rule."""
    with suppress(OperationFailure):
        state_collection(collection).delete_one(_OURS)


def _proven(there: Described) -> dict[str, Any]:
    """What a proof is valid for: one validator, and one collection, which gets a new identity if it is recreated."""
    validator = bson.encode(there.options.get("validator", {}))
    return {"collection": there.identity, "validator": hashlib.sha256(validator).hexdigest()}
