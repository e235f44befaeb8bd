"""The collection's validator: installed so that the bound D holds for every claim, and only then to be relied on."""

from __future__ import annotations

from typing import Any

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from .claim import BEGIN, END, ID, claim_validator, duration_rule, max_claim_days_of
from .errors import SetupError, lacks_right

__all__ = ["create_collection", "install_validator"]

_NAMESPACE_EXISTS = 48


def create_collection(collection: Collection, days: int) -> None:
    """Create the collection with its validator; install the validator if the collection is there.

    Args:
        collection: the claims.
        days: D, in days.

    Raises:
        SetupError: as in `install_validator`.
    """
    database, name = collection.database, collection.name
    if name not in database.list_collection_names():
        try:
            database.create_collection(name, check_exists=False, validator=claim_validator(days))
            return
        except OperationFailure as error:
            if lacks_right(error):
                raise SetupError(
                    f"The database user may not create the collection {collection.full_name}. Give the user the role "
                    "readWrite on that database."
                ) from None
            if error.code != _NAMESPACE_EXISTS:
                raise
            # Somebody else created it just now.
    install_validator(collection, days)


def install_validator(collection: Collection, days: int) -> None:
    """Make the server refuse every claim that breaks begin <= end <= begin + D days, and check those that are there.

    The rule is first installed in a form that `max_claim_days_of` does not recognise, then every claim is checked, and
    only then does it get its own form. So nobody relies on D before it holds, and no claim slips in between.

    Args:
        collection: the claims.
        days: D, in days.

    Raises:
        SetupError: the validator is somebody else's or has another D, a claim breaks the rule, or the database user
            lacks the right; the collection is left as it was.
    """
    wanted, options = claim_validator(days), collection.options()
    present = options.get("validator") or {}
    _refuse_other_validator(collection, present, days)
    if max_claim_days_of(options)[0] == days:
        # Already in force. A writer that bypassed it may have left a claim behind.
        _refuse_longer_claims(collection, days)
        return
    _modify(collection, _unproven(wanted))
    try:
        _refuse_longer_claims(collection, days)
    except BaseException:
        _modify(collection, present, options.get("validationLevel", "strict"), options.get("validationAction", "error"))
        raise
    _modify(collection, wanted)


def _unproven(validator: dict[str, Any]) -> dict[str, Any]:
    """The same rule in another form."""
    return {"$and": [validator]}


def _refuse_other_validator(collection: Collection, present: dict[str, Any], days: int) -> None:
    if set(present) == {"$and"} and len(present["$and"]) == 1:
        present = present["$and"][0]  # left behind by a set-up that was interrupted
    known_days, _ = max_claim_days_of({"validator": present})
    if known_days is not None and known_days != days:
        raise SetupError(
            f"{collection.full_name} was set up for claims of at most {known_days} days, the config says "
            f"data_generation.max_claim_days: {days}. Set it to {known_days}, or load anew with replace=True."
        )
    if present and present != claim_validator(days):
        raise SetupError(
            f"{collection.full_name} has a validator that is not this program's; it was left alone. Choose another "
            "mongodb.collection in the config, or remove that validator yourself."
        )


def _refuse_longer_claims(collection: Collection, days: int) -> None:
    typed = {ID: {"$type": "objectId"}, BEGIN: {"$type": "date"}, END: {"$type": "date"}}
    offender = collection.find_one({"$nor": [{**typed, "$expr": duration_rule(days)}]}, {BEGIN: 1, END: 1})
    if offender:
        raise SetupError(
            f"Claim {offender[ID]} in {collection.full_name} does not keep begin <= end <= begin + {days} days with an "
            f"ObjectId ({BEGIN} {offender.get(BEGIN)}, {END} {offender.get(END)}), so date ranges cannot rely on that "
            "bound. Correct or delete it, or raise data_generation.max_claim_days."
        )


def _modify(collection: Collection, validator: dict[str, Any], level: str = "strict", action: str = "error") -> None:
    try:
        collection.database.command(
            "collMod", collection.name, validator=validator, validationLevel=level, validationAction=action
        )
    except OperationFailure as error:
        if not lacks_right(error):
            raise
        raise SetupError(
            f"The database user may not change the validator of {collection.full_name}. Give the user the role dbAdmin "
            "on that database for the set-up, or choose a mongodb.collection that does not exist yet."
        ) from None
