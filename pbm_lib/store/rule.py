"""The collection's validator, which makes the bound D hold for every claim. Nothing relies on D before it holds."""

import datetime as dt
import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import bson
from bson import Decimal128, ObjectId
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from ..claims.document import BEGIN, DAY_MS, END, ID, sample_claim
from ..config import Config
from ..errors import SetupError
from .collection import describe
from .driver_errors import needs_right
from .leaf_page import NAMESPACE_EXISTS, create_with_leaf_pages
from .proof import forget_proof, is_proven, remember_proof
from .scan import first_match

CONSTRAINT = "constraint"
"""The validation level of MongoDB 9.0 at which every document satisfies the validator and no writer can bypass it."""
REJECTED = 121
"""The server's error code for a document that its collection's validator rejects."""
_INDEX_BUILD_IN_PROGRESS = 12587
_CHECK_SECONDS = 120  # checking three million claims takes about ten
_PAUSE_SECONDS = 0.1
# With these levels and actions, the server rejects claims that break the rule.
_ENFORCED = ("strict", CONSTRAINT)
_REJECTING = ("error", "errorAndLog")
# SHA-256 of each $jsonSchema that an earlier version installed. A rule with one of them is this program's, too.
_EARLIER_SCHEMAS = {"872d6b981989674bcce9227a45928f6c3ba32fdff5c81515b652d2a1aacc520e"}
_BSON_TYPES = {
    ObjectId: "objectId",
    Decimal128: "decimal",
    dt.datetime: "date",
    str: "string",
    bool: "bool",
    int: ["int", "long"],
    float: "double",
}


def install_rule(
    collection: Collection, config: Config, build_index: Callable[[], None], *, recheck: bool, progress: bool
) -> None:
    """Create the collection with its validator, or install the validator if the collection exists.

    If an index build is in the way, build this program's index first and try again.
    """
    create = partial(create_collection, collection, config, recheck=recheck, progress=progress)
    try:
        create()
    except OperationFailure as error:
        if error.code != _INDEX_BUILD_IN_PROGRESS:
            raise
        build_index()  # most likely another setup is building the same index, and this waits for it
        try:
            create()
        except OperationFailure as again:
            if again.code != _INDEX_BUILD_IN_PROGRESS:
                raise
            raise SetupError(
                f"An index build on {collection.full_name} is running; the validator cannot be changed until it is "
                "done. Wait for it, then run setup_collection(store) again."
            ) from None


def create_collection(collection: Collection, config: Config, *, recheck: bool, progress: bool) -> None:
    """Create the collection with its validator; if the collection exists, install the validator."""
    days = config.data_generation.max_claim_days
    if collection.name not in collection.database.list_collection_names():
        try:
            with needs_right(
                f"The database user cannot create the collection {collection.full_name}. Grant the user the role "
                "readWrite on that database."
            ):
                create_with_leaf_pages(collection, config.mongodb.leaf_page_kb, validator=claim_validator(days))
            remember_proof(collection, describe(collection), days)  # it has no claims that could break the rule
            return
        except OperationFailure as error:
            if error.code != NAMESPACE_EXISTS:
                raise
            # Someone else just created it.
    install_validator(collection, days, recheck=recheck, progress=progress)


def install_validator(collection: Collection, days: int, *, recheck: bool, progress: bool) -> None:
    """Make the server reject claims that break begin <= end <= begin + D days; raise SetupError if one already does."""
    # The rule is first installed in a form that `max_claim_days_of` does not recognize. Then every claim is checked,
    # and only then is the rule installed in its final form. So nothing relies on D before it holds, no claim slips in
    # between, and a setup that fails leaves the collection as it was.
    wanted, there = claim_validator(days), describe(collection)
    options = there.options
    present = options.get("validator") or {}
    reject_other_rules(collection, options, days)
    if max_claim_days_of(options)[0] == days:
        # The rule is already in force. Below the level constraint, a writer may have bypassed it with a longer claim.
        if options.get("validationLevel") != CONSTRAINT and (recheck or not is_proven(collection, there)):
            _reject_longer_claims(collection, days, progress=progress)
            remember_proof(collection, there, days)
        return
    action = rejecting_action(options)
    _modify(collection, _unproven(wanted), action=action)
    try:
        _reject_longer_claims(collection, days, progress=progress)
    except BaseException:
        _modify(collection, present, options.get("validationLevel", "strict"), options.get("validationAction", "error"))
        raise
    _modify(collection, wanted, action=action)
    remember_proof(collection, replace(there, options={**options, "validator": wanted}), days)


def wait_for_rule(collection: Collection, days: int) -> None:
    """Wait until the rule is in force; raise SetupError if no other setup is installing it, or if it takes too long."""
    # While another setup checks the claims, the rule is in its unproven form.
    deadline = time.monotonic() + _CHECK_SECONDS
    while (known := max_claim_days_of(options := collection.options()))[0] != days:
        if options.get("validator") != _unproven(claim_validator(days)) or time.monotonic() > deadline:
            raise SetupError(
                f"{collection.full_name} changed during setup: {known[1]}. Run setup_collection(store) again."
            )
        time.sleep(_PAUSE_SECONDS)


def rejecting_action(options: dict[str, Any]) -> str:
    """Return the collection's validation action if it rejects claims, with or without a log entry; else "error"."""
    action = options.get("validationAction")
    return action if action in _REJECTING else "error"


def _unproven(validator: dict[str, Any]) -> dict[str, Any]:
    """The same rule in a form that `max_claim_days_of` does not recognize."""
    return {"$and": [validator]}


def _proven(validator: dict[str, Any]) -> dict[str, Any]:
    """The rule itself, even if an interrupted setup left it in its unproven form."""
    return validator["$and"][0] if set(validator) == {"$and"} and len(validator["$and"]) == 1 else validator


def is_ours(validator: dict[str, Any] | None) -> bool:
    """Return whether there is no validator, or one that this program or an earlier version installs, for any D."""
    if not validator:
        return True
    rule = _proven(validator)
    days, _ = max_claim_days_of({"validator": rule})
    return days is not None and (rule == claim_validator(days) or _is_earlier(rule))


def _is_earlier(rule: dict[str, Any]) -> bool:
    """Whether a rule was installed by an earlier version, whose claims had other fields, for any D."""
    if set(rule) != {"$jsonSchema", "$expr"} or max_claim_days_of({"validator": rule})[0] is None:
        return False
    return hashlib.sha256(bson.encode(rule["$jsonSchema"])).hexdigest() in _EARLIER_SCHEMAS


def reject_other_rules(collection: Collection, options: dict[str, Any], days: int) -> None:
    """Raise SetupError if setup must not change the collection's rule, or cannot without lowering its level."""
    present = _proven(options.get("validator") or {})
    if _is_earlier(present):
        raise SetupError(
            f"{collection.full_name} was set up by an earlier version of this program, whose claims had other fields. "
            "To drop them and start over, run load_claims(store, replace=True)."
        )
    known_days, _ = max_claim_days_of({"validator": present})
    if known_days is not None and known_days != days:
        raise SetupError(
            f"data_generation.max_claim_days must be {known_days}, as when {collection.full_name} was set up, got "
            f"{days}. Set it to {known_days}, or reload with load_claims(store, replace=True)."
        )
    if present and present != claim_validator(days):
        raise SetupError(
            f"{collection.full_name} has a validator that is not this program's. Choose another "
            "mongodb.collection in the config, or remove that validator yourself."
        )
    if options.get("validationLevel") == CONSTRAINT and max_claim_days_of(options)[0] is None:
        raise SetupError(
            f"{collection.full_name} has the validation level constraint, at which its rules cannot be changed, and "
            "they are not this program's. Choose another mongodb.collection in the config, or have an administrator "
            f'run in mongosh: db.getSiblingDB("{collection.database.name}").runCommand({{collMod: '
            f'"{collection.name}", validationLevel: "strict"}}), then run setup_collection(store) again; the level '
            "can be raised to constraint again after that."
        )


def _reject_longer_claims(collection: Collection, days: int, *, progress: bool) -> None:
    typed = {ID: {"$type": "objectId"}, BEGIN: {"$type": "date"}, END: {"$type": "date"}}
    broken = {"$nor": [{**typed, "$expr": duration_rule(days)}]}
    if offender := first_match(collection, broken, {BEGIN: 1, END: 1}, progress=progress):
        forget_proof(collection)
        raise SetupError(
            f"Claim {offender[ID]} in {collection.full_name} must have an ObjectId as its _id, and begin <= end <= "
            f"begin + {days} days, got {BEGIN} {offender.get(BEGIN)}, {END} {offender.get(END)}. Correct or delete it, "
            "or raise data_generation.max_claim_days."
        )


def _modify(collection: Collection, validator: dict[str, Any], level: str = "strict", action: str = "error") -> None:
    with needs_right(
        f"The database user cannot change the validator of {collection.full_name}. Grant the user the role dbAdmin on "
        "that database for setup, or choose a mongodb.collection that does not exist yet."
    ):
        collection.database.command(
            "collMod", collection.name, validator=validator, validationLevel=level, validationAction=action
        )


def claim_validator(max_claim_days: int) -> dict[str, Any]:
    """Return the collection's validator: the structure of the sample claim, and begin <= end <= begin + D days."""
    return {"$jsonSchema": _schema(sample_claim()), "$expr": duration_rule(max_claim_days)}


def duration_rule(max_claim_days: int) -> dict[str, Any]:
    """Return begin <= end <= begin + D days (a claim of exactly D days passes) as an aggregation expression."""
    begin, end = f"${BEGIN}", f"${END}"
    return {
        "$and": [
            {"$lte": [begin, end]},
            {"$lte": [{"$subtract": [end, begin]}, max_claim_days * DAY_MS]},
        ]
    }


def reasons_for_rejection(details: dict[str, Any], path: str = "") -> list[str]:
    """Return which fields of a document the validator rejected and why, from `errInfo` of the server's error 121.

    The reasons contain no values from the document.
    """
    reasons: list[str] = []
    for part in (*details.get("clausesNotSatisfied", ()), *details.get("schemaRulesNotSatisfied", ())):
        reasons += reasons_for_rejection(part.get("details", part), path)
    for part in details.get("propertiesNotSatisfied", ()):
        for inner in part["details"]:
            reasons += reasons_for_rejection(inner, f"{path}{part['propertyName']}.")
    reasons += [f"{path}{name} is missing" for name in details.get("missingProperties", ())]
    if details.get("operatorName") == "bsonType":
        reasons.append(f"{path[:-1]} is of type {details['consideredType']}, not {details['specifiedAs']['bsonType']}")
    if details.get("operatorName") == "$expr":
        reasons.append(f"{BEGIN} and {END} break begin <= end <= begin + D days")
    return reasons


def max_claim_days_of(options: dict[str, Any]) -> tuple[int | None, str]:
    """Return D and how it is known, read from `Collection.options()`; or None and why D cannot be relied on."""
    # If D is known, _id is also an ObjectId, and both dates are of type date. A validator cannot stop every writer: one
    # with the right bypassDocumentValidation (in roles such as dbAdmin or restore) can use it to store anything.
    validator = options.get("validator")
    if not validator:
        return None, "the collection has no validator, so nothing limits how long a claim lasts"
    level, action = options.get("validationLevel", "strict"), options.get("validationAction", "error")
    if level not in _ENFORCED:
        return None, f"the validator's level is {level}, not strict, so longer claims may be stored"
    if action not in _REJECTING:
        return None, f"the validator's action is {action}, not error, so longer claims may be stored"
    schema = validator.get("$jsonSchema", {})
    # If a date were missing, the rule would pass, since null sorts before every number. And if _id has only one type,
    # the order of pages need not allow for others.
    for field, wanted in ((BEGIN, "date"), (END, "date"), (ID, "objectId")):
        if field not in schema.get("required", []) or _type_of(schema, field) != wanted:
            return None, f"the validator does not require {field} to be of type {wanted}"
    days = _days_in(validator.get("$expr"))
    if days is None:
        return None, "the validator lacks the rule begin <= end <= begin + D days"
    if level == CONSTRAINT:
        return days, f"the server guarantees that no claim is longer than {days} days; no writer can bypass it"
    return days, f"the server rejects claims longer than {days} days"


def _type_of(schema: dict, field: str) -> Any:
    return schema.get("properties", {}).get(field, {}).get("bsonType")


def _days_in(expression: Any) -> int | None:
    try:
        limit = expression["$and"][1]["$lte"][1]
        days, rest = divmod(limit, DAY_MS)
    except (TypeError, KeyError, IndexError):
        return None
    # Compare whole expressions, never parts: a rule that only looks similar guarantees nothing.
    return int(days) if rest == 0 and expression == duration_rule(int(days)) else None


def _schema(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {
            "bsonType": "object",
            "required": list(value),
            "properties": {key: _schema(inner) for key, inner in value.items()},
        }
    return {"bsonType": _BSON_TYPES[type(value)]}
