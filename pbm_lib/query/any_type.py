"""Paging where no validator of ours is: service dates and ids of any BSON type, as a customer's collection may have.

A comparison such as {$gt: x} matches values of x's own BSON type alone, and never NaN, while a sort orders all values.
Where the server enforces the types of the fields that makes no difference. In a collection without our rule it does:
there what does not compare is asked for too, or a claim without a date would be on a page forwards and on none
backwards.
"""

import datetime as dt
import math
import uuid
from typing import Any

from bson import Binary, Code, Decimal128, ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS

from ..claims.document import ID

# The BSON types in the order in which the server sorts them, and the Python types that stand for them. Those without
# any cannot be compared with $gt: paging cannot go on from such a value, and says so when it gets there. Left out are
# arrays, which an index takes apart.
_ORDER: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("minKey", ()),
    ("null", (type(None),)),
    ("number", (int, float, Decimal128)),
    ("string", (str,)),
    ("object", (dict,)),
    ("binData", (Binary, bytes, uuid.UUID)),
    ("objectId", (ObjectId,)),
    ("bool", (bool,)),
    ("date", (dt.datetime, DatetimeMS)),
    ("timestamp", (Timestamp,)),
    ("regex", ()),
    ("javascript", ()),
    ("maxKey", ()),
)
_NAMES = [name for name, _ in _ORDER]
# To the server NaN compares with nothing, so that numbers up to NaN, or beyond it, are what does not compare the other
# way round. A leg of its own for NaN would do, were the server not to choose the index on _id for it.
_OPPOSITE = {"$gt": "$lte", "$gte": "$lt", "$lt": "$gte", "$lte": "$gt"}


def is_sortable(value: Any) -> bool:
    """Whether a value has a place in the order that a page can go on from."""
    return _rank(value) is not None


def compared(value: Any, operator: str) -> dict[str, Any]:
    """Return the condition for what compares with a value by $gt, $gte, $lt or $lte, NaN as the first of numbers."""
    has_nan = _rank(value) == _NAMES.index("number") and _is_nan(value) == operator.startswith("$gt")
    return {"$type": "number", "$not": {_OPPOSITE[operator]: value}} if has_nan else {operator: value}


def beyond_in_other_types(field: str, value: Any, operator: str) -> list[dict[str, Any]]:
    """Return the conditions on a field for values of other types that lie beyond a value ("$gt..." or "$lt...")."""
    types = _types_beyond(value, operator)
    if field == ID:
        return [{"$type": types}]
    conditions: list[dict[str, Any]] = [{"$type": [name for name in types if name != "null"]}]
    if "null" in types:  # a missing field sorts as null and has no type to ask for; _id is never missing
        conditions.append({"$eq": None})
    return conditions


def _types_beyond(value: Any, operator: str) -> list[str]:
    rank = _rank(value)
    return _NAMES[rank + 1 :] if operator.startswith("$gt") else _NAMES[:rank]


def _is_nan(value: Any) -> bool:
    return value.to_decimal().is_nan() if isinstance(value, Decimal128) else math.isnan(value)


def _rank(value: Any) -> int | None:
    if isinstance(value, bool):  # to Python a number as well
        return _NAMES.index("bool")
    if isinstance(value, Code):  # to Python a string as well
        return None
    return next((rank for rank, (_, types) in enumerate(_ORDER) if isinstance(value, types)), None)
