"""The command that mongosh sends for a line of input, read with Python's own parser."""

import datetime as dt
import json
import re
from typing import Any

from bson import Decimal128, Int64, ObjectId, json_util

_TEXT = re.compile(r'("(?:[^"\\]|\\.)*")')
_NAMES = {
    "ISODate": lambda text: dt.datetime.fromisoformat(text.removesuffix("Z")),
    "ObjectId": ObjectId,
    "NumberLong": lambda text: Int64(int(text)),
    "NumberDecimal": Decimal128,
    "true": True,
    "false": False,
    "null": None,
}


def typed(text: str) -> Any:
    """The value of an expression, or the command of a call on `db`. Documents are Python, except for unquoted keys."""
    parts = _TEXT.split(text)
    parts[::2] = [re.sub(r"([\w$]+)(?=: )", r'"\1"', part) for part in parts[::2]]
    parts[1::2] = [repr(json.loads(part)) for part in parts[1::2]]
    value = eval(f"({''.join(parts)})", {**_NAMES, "db": _Database(), "EJSON": _Ejson, "__builtins__": {}})
    return value.command if isinstance(value, _Cursor) else value


class _Ejson:
    parse = staticmethod(json_util.loads)


class _Cursor:
    def __init__(self, command: dict[str, Any]):
        self.command = command

    def __getattr__(self, method: str) -> Any:
        return lambda value: _Cursor({**self.command, method: value})


class _Collection:
    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, name: str) -> "_Collection":
        return _Collection(f"{self._name}.{name}")

    def find(self, query: dict[str, Any], projection: dict[str, Any] | None = None) -> _Cursor:
        shown = {} if projection is None else {"projection": projection}
        return _Cursor({"find": self._name, "filter": query, **shown})

    def aggregate(self, pipeline: list[dict[str, Any]], options: dict[str, Any] | None = None) -> dict[str, Any]:
        return {"aggregate": self._name, "pipeline": pipeline, **(options or {})}

    def countDocuments(self, query: dict[str, Any], options: dict[str, Any] | None = None) -> dict[str, Any]:  # noqa: N802
        return {"count": self._name, "query": query, **(options or {})}


class _Database:
    getCollection = staticmethod(_Collection)  # noqa: N815

    def __getattr__(self, name: str) -> _Collection:
        return _Collection(name)

    def runCommand(self, command: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return command
