"""The order of a result, (serviceBeginDate, _id), and what lies beyond a place in it.

A comparison such as {$gt: x} matches values of x's own BSON type alone, while a sort orders all types. Where the server
enforces the types of both fields that makes no difference. In a collection of a customer's own it does: there the other
types are asked for too, or a claim without a date would be on a page forwards and on none backwards.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Boundary:
    """A place in the order and the side of it to read."""

    direction: str  # "next" for the claims after it, "prev" for those before it
    key: tuple[Any, Any]  # (serviceBeginDate, _id) of the claim at the boundary
    inclusive: bool = False  # whether that claim itself belongs to the page, if it is still there


def sort_order(boundary: Boundary | None) -> list[tuple[str, int]]:
    """Return the sort of a page: ascending, or descending from a boundary backwards."""
    step = -1 if boundary and boundary.direction == "prev" else 1
    return [(BEGIN, step), (ID, step)]


def is_sortable(value: Any) -> bool:
    """Whether a value of serviceBeginDate or _id has a place in the order that a page can go on from."""
    return _rank(value) is not None


def beyond(boundary: Boundary, *, any_type: bool) -> list[dict[str, Any]]:
    """Return the conditions that together are what lies beyond a boundary; no claim meets two of them.

    Args:
        boundary: the place and the side.
        any_type: allow for claims whose dates and ids are of other BSON types than the boundary's.

    Returns:
        Filter documents, each with index bounds of its own.
    """
    begin, _id = boundary.key
    # $eq, since a bare value could be read as operators.
    same_begin = {BEGIN: {"$eq": begin}}
    operator = "$gt" if boundary.direction == "next" else "$lt"
    legs = [
        {**same_begin, ID: {operator + "e" if boundary.inclusive else operator: _id}},
        {BEGIN: {operator: begin}},
    ]
    if any_type:
        # null lies within _id's types, but a missing serviceBeginDate sorts as null and has no type to ask for.
        if types := _types_beyond(_id, operator):
            legs.append({**same_begin, ID: {"$type": types}})
        types = _types_beyond(begin, operator)
        if dated := [name for name in types if name != "null"]:
            legs.append({BEGIN: {"$type": dated}})
        if "null" in types:
            legs.append({BEGIN: {"$eq": None}})
    return legs


def _types_beyond(value: Any, operator: str) -> list[str]:
    rank, names = _rank(value), [name for name, _ in _ORDER]
    return names[rank + 1 :] if operator == "$gt" else names[:rank]


def _rank(value: Any) -> int | None:
    if isinstance(value, bool):  # to Python a number as well
        return next(rank for rank, (name, _) in enumerate(_ORDER) if name == "bool")
    return next((rank for rank, (_, types) in enumerate(_ORDER) if isinstance(value, types)), None)
