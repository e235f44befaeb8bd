"""Paging without our validator: service dates and ids may be of any BSON type, as in a customer's collection.

A comparison such as {$gt: x} matches only values of x's own BSON type, and never NaN, while a sort orders all values.
If the server enforces the fields' types, that makes no difference. In a collection without our rule, it does: the
filter must also match values that do not compare. Otherwise, a claim without a date would be on a page when paging
forward, but on none when paging backward.
"""

import datetime as dt
import math
import uuid
from typing import Any

from bson import Binary, Code, Decimal128, ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS

from ..claims.document import ID

# The BSON types in the server's sort order, each with the Python types that represent it. A type without a Python type
# cannot be compared with $gt: paging cannot continue from such a value and raises an error there. Arrays are left out,
# because an index splits them into their elements.
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
# The server does not compare numbers with NaN. So a condition that must include NaN, or start from it, matches numbers
# that do not compare in the opposite direction. A separate leg for NaN would also work, but the server would choose the
# index on _id for it.
_OPPOSITE = {"$gt": "$lte", "$gte": "$lt", "$lt": "$gte", "$lte": "$gt"}


def is_sortable(value: Any) -> bool:
    """Whether paging can continue from a value."""
    return _rank(value) is not None


def compared(value: Any, operator: str) -> dict[str, Any]:
    """Return the condition to compare with a value by $gt, $gte, $lt, or $lte, with NaN as the lowest number."""
    has_nan = _rank(value) == _NAMES.index("number") and _is_nan(value) == operator.startswith("$gt")
    return {"$type": "number", "$not": {_OPPOSITE[operator]: value}} if has_nan else {operator: value}


def beyond_in_other_types(field: str, value: Any, operator: str) -> list[dict[str, Any]]:
    """Return the conditions on a field for values of other types that sort beyond a value ("$gt..." or "$lt...")."""
    types = _types_beyond(value, operator)
    if field == ID:
        return [{"$type": types}]
    conditions: list[dict[str, Any]] = [{"$type": [name for name in types if name != "null"]}]
    if "null" in types:  # a missing field sorts as null, but no $type matches it; _id is never missing
        conditions.append({"$eq": None})
    return conditions


def _types_beyond(value: Any, operator: str) -> list[str]:
    rank = _rank(value)
    return _NAMES[rank + 1 :] if operator.startswith("$gt") else _NAMES[:rank]


def _is_nan(value: Any) -> bool:
    return value.to_decimal().is_nan() if isinstance(value, Decimal128) else math.isnan(value)


def _rank(value: Any) -> int | None:
    if isinstance(value, bool):  # in Python, a bool is also an int
        return _NAMES.index("bool")
    if isinstance(value, Code):  # in Python, a Code is also a str
        return None
    return next((rank for rank, (_, types) in enumerate(_ORDER) if isinstance(value, types)), None)
