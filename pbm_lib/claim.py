"""The claim document: its sample, the paths of its fields, and the validator derived from the sample."""

from __future__ import annotations

import datetime as dt
from importlib.resources import files
from typing import Any

from bson import Decimal128, ObjectId, json_util

__all__ = [
    "BEGIN",
    "COVERING_INDEX",
    "END",
    "ID",
    "PROVIDER_INDEX",
    "TIN",
    "claim_validator",
    "duration_rule",
    "max_claim_days_of",
    "sample_claim",
]

ID = "_id"
TIN = "billingProvider.providerTin"
BEGIN = "serviceBeginDate"
END = "serviceEndDate"

PROVIDER_INDEX = {TIN: 1, BEGIN: 1, ID: 1}
"""The one compound index: equality on the TIN, then the sort order of every page."""
COVERING_INDEX = {**PROVIDER_INDEX, END: 1}
"""The same order and keyset; serviceEndDate rides along so that a date range is decided without a fetch."""

_DAY_MS = 86_400_000
_BSON_TYPES = {
    ObjectId: "objectId",
    Decimal128: "decimal",
    dt.datetime: "date",
    str: "string",
    bool: "bool",
    int: ["int", "long"],
    float: "double",
}


def sample_claim() -> dict[str, Any]:
    """Return the canonical claim, decoded from sample.json (MongoDB Extended JSON).

    Returns:
        A new claim document: ObjectId `_id`, naive UTC datetimes, Decimal128 amounts.
    """
    text = files(__package__).joinpath("sample.json").read_text(encoding="utf-8")
    return json_util.loads(text, json_options=json_util.JSONOptions(tz_aware=False, tzinfo=None))


def claim_validator(max_claim_days: int) -> dict[str, Any]:
    """Return the collection validator: the sample's structure, and begin <= end <= begin + D days.

    Args:
        max_claim_days: D, in days; a claim of exactly D days is accepted.

    Returns:
        A validator document for `create` or `collMod`.
    """
    return {"$jsonSchema": _schema(sample_claim()), "$expr": duration_rule(max_claim_days)}


def duration_rule(max_claim_days: int) -> dict[str, Any]:
    """Return the expression begin <= end <= begin + D days, as the server evaluates it.

    Args:
        max_claim_days: D, in days, inclusive.

    Returns:
        An aggregation expression, true of an acceptable claim.
    """
    begin, end = f"${BEGIN}", f"${END}"
    return {
        "$and": [
            {"$lte": [begin, end]},
            {"$lte": [{"$subtract": [end, begin]}, max_claim_days * _DAY_MS]},
        ]
    }


def max_claim_days_of(options: dict[str, Any]) -> tuple[int | None, str]:
    """Read D back from a collection's options, if the server enforces it.

    D also says that `_id` is an ObjectId and both dates are dates. What a validator cannot promise: a writer with the
    right bypassDocumentValidation (roles such as dbAdmin or restore have it) who uses it stores what he likes.

    Args:
        options: what `Collection.options()` returned.

    Returns:
        D in days and how it is known; or None and why it cannot be relied on.
    """
    validator = options.get("validator")
    if not validator:
        return None, "the collection has no validator, so nothing bounds how long a claim lasts"
    level, action = options.get("validationLevel", "strict"), options.get("validationAction", "error")
    if level != "strict":
        return None, f"the validator's level is {level}, not strict, so longer claims may be stored"
    if action not in ("error", "errorAndLog"):
        return None, f"the validator's action is {action}, not error, so longer claims may be stored"
    schema = validator.get("$jsonSchema", {})
    # Without both dates the rule would pass: null sorts before every number. And where _id has one type, a page's
    # order need not allow for others.
    for field, wanted in ((BEGIN, "date"), (END, "date"), (ID, "objectId")):
        if field not in schema.get("required", []) or _type_of(schema, field) != wanted:
            return None, f"the validator does not require {field} to be of type {wanted}"
    days = _days_in(validator.get("$expr"))
    if days is None:
        return None, "the validator does not hold the rule begin <= end <= begin + D days"
    return days, f"the server refuses a claim longer than {days} days"


def _type_of(schema: dict, field: str) -> Any:
    return schema.get("properties", {}).get(field, {}).get("bsonType")


def _days_in(expression: Any) -> int | None:
    try:
        limit = expression["$and"][1]["$lte"][1]
        days, rest = divmod(limit, _DAY_MS)
    except (TypeError, KeyError, IndexError):
        return None
    # Comparing whole expressions, never parts: a rule that merely looks alike promises nothing.
    return int(days) if rest == 0 and expression == duration_rule(int(days)) else None


def _schema(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {
            "bsonType": "object",
            "required": list(value),
            "properties": {key: _schema(inner) for key, inner in value.items()},
        }
    return {"bsonType": _BSON_TYPES[type(value)]}
