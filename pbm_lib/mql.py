"""Filters as one would type them in mongosh."""

import datetime as dt
import json
from typing import Any

from bson import Decimal128, Int64, ObjectId, json_util


def to_mql(value: Any) -> str:
    """Return a value for the server as one would type it in mongosh, which reads it back as the same value."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {to_mql(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(to_mql(inner) for inner in value) + "]"
    if isinstance(value, dt.datetime):
        text = value.isoformat(timespec="milliseconds").removesuffix(".000").removesuffix("T00:00:00")
        return f'ISODate("{text}Z")' if "T" in text else f'ISODate("{text}")'
    if isinstance(value, ObjectId):
        return f'ObjectId("{value}")'
    if isinstance(value, Int64):
        return f'NumberLong("{value}")'
    if isinstance(value, Decimal128):
        return f'NumberDecimal("{value}")'
    if value is None or type(value) in (bool, int, float, str):
        return json.dumps(value)
    return f"EJSON.parse({json.dumps(json_util.dumps(value, json_options=json_util.CANONICAL_JSON_OPTIONS))})"


def _key(name: str) -> str:
    return name if name.lstrip("$").isidentifier() else json.dumps(name)
