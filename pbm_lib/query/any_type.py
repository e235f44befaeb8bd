"""Paging where no validator of ours is: service dates and ids of any BSON type, as a customer's collection may have.

A comparison such as {$gt: x} matches values of x's own BSON type alone, while a sort orders all types. Where the server
enforces the types of both fields that makes no difference. In a collection without our rule it does: there the other
types are asked for too, or a claim without a date would be on a page forwards and on none backwards.
"""

import datetime as dt
import uuid
from typing import Any

from bson import Binary, Decimal128, ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS

from ..claims.document import BEGIN, ID

# The BSON types in the order in which the server sorts them, and the Python types that stand for them. Left out are
# those that cannot be compared with $gt (regular expressions, MinKey, MaxKey) and arrays, which an index takes apart.
_ORDER: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("null", (type(None),)),
    ("number", (int, float, Decimal128)),
    ("string", (str,)),
    ("object", (dict,)),
    ("binData", (Binary, bytes, uuid.UUID)),
    ("objectId", (ObjectId,)),
    ("bool", (bool,)),
    ("date", (dt.datetime, DatetimeMS)),
    ("timestamp", (Timestamp,)),
)


def is_sortable(value: Any) -> bool:
    """Whether a value of serviceBeginDate or _id has a place in the order that a page can go on from."""
    return _rank(value) is not None


def beyond_in_other_types(begin: Any, _id: Any, operator: str) -> list[dict[str, Any]]:
    """Return the conditions for what lies beyond a place ("$gt" or "$lt") with a date or an id of another type."""
    conditions: list[dict[str, Any]] = []
    # null lies within _id's types, but a missing serviceBeginDate sorts as null and has no type to ask for.
    if types := _types_beyond(_id, operator):
        conditions.append({BEGIN: {"$eq": begin}, ID: {"$type": types}})
    types = _types_beyond(begin, operator)
    if dated := [name for name in types if name != "null"]:
        conditions.append({BEGIN: {"$type": dated}})
    if "null" in types:
        conditions.append({BEGIN: {"$eq": None}})
    return conditions


def _types_beyond(value: Any, operator: str) -> list[str]:
    rank, names = _rank(value), [name for name, _ in _ORDER]
    return names[rank + 1 :] if operator == "$gt" else names[:rank]


def _rank(value: Any) -> int | None:
    if isinstance(value, bool):  # to Python a number as well
        return next(rank for rank, (name, _) in enumerate(_ORDER) if name == "bool")
    return next((rank for rank, (_, types) in enumerate(_ORDER) if isinstance(value, types)), None)
