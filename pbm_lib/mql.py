"""Queries and other documents as you would type them in mongosh, on one line or laid out over several."""

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from bson import Decimal128, Int64, ObjectId, json_util

_WIDTH = 88
_STEP = "  "
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*")
_EXACT = 2**53  # up to here, whole numbers are exact in mongosh, which uses JavaScript's numbers
# Fields that a driver adds to a command and that nobody types.
_OF_THE_DRIVER = {
    "lsid", "$db", "$clusterTime", "readConcern", "$readPreference", "txnNumber", "batchSize", "singleBatch", "cursor",
}  # fmt: skip
# Fields of a find command for which mongosh has a cursor method, in the order in which you would type them.
_OF_A_CURSOR = ("sort", "skip", "limit", "hint", "min", "max", "collation", "comment", "maxTimeMS")


def to_mql(value: Any) -> str:
    """Return a value as you would type it in mongosh, which reads it back as the same value."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)}: {to_mql(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(to_mql(inner) for inner in value) + "]"
    if isinstance(value, dt.datetime):
        moment = value if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)
        text = moment.isoformat(timespec="milliseconds").removesuffix(".000").removesuffix("T00:00:00")
        return f'ISODate("{text}Z")' if "T" in text else f'ISODate("{text}")'
    if isinstance(value, ObjectId):
        return f'ObjectId("{value}")'
    if isinstance(value, Int64) or (type(value) is int and abs(value) > _EXACT):
        return f'NumberLong("{value}")'
    if isinstance(value, Decimal128):
        return f'NumberDecimal("{value}")'
    if value is None or type(value) in (bool, int, float, str):
        return json.dumps(value)
    return f"EJSON.parse({json.dumps(json_util.dumps(value, json_options=json_util.CANONICAL_JSON_OPTIONS))})"


def pretty_mql(value: Any, width: int = _WIDTH, margin: str = "") -> str:
    """Return what `to_mql` returns, but with documents and lists on several lines if they do not fit on one.

    A value without parts, such as text or an ObjectId, is never broken, so it may exceed the width.

    Args:
        value: any value for the server.
        width: characters per line, including the margin.
        margin: prefix of every line but the first, before which the caller puts as many characters.
    """
    return _laid_out(value, width, margin, width - len(margin))


def call_mql(called: str, *arguments: Any, chain: Sequence[tuple[str, Any]] = (), width: int = _WIDTH) -> str:
    """Return a call as you would type it in mongosh, laid out.

    The call is on one line if it fits. Otherwise, the first argument with parts is split, one part per line. Chained
    calls follow on the last line or, if that would be too wide, on lines of their own.

    Args:
        called: what is called, for example "db.claims.find".
        arguments: the call's arguments, any values for the server.
        chain: methods called on the result, each with its argument.
        width: characters per line; only text that cannot be broken may exceed it.
    """
    texts, chained = map(to_mql, arguments), "".join(f".{name}({to_mql(value)})" for name, value in chain)
    line = f"{called}({', '.join(texts)}){chained}"
    if len(line) <= width:
        return line
    text, opened = f"{called}(", False
    for place, argument in enumerate(arguments):
        text += ", " if place else ""
        room = width - len(_last_line(text)) - len(")") if opened else 0
        text += _laid_out(argument, width, "", room)
        opened = opened or "\n" in text
    text += ")"
    if len(_last_line(text)) + len(chained) <= width:
        return text + chained
    for name, value in chain:
        room = width - len(f"{_STEP}.{name}()")
        text += f"\n{_STEP}.{name}({_laid_out(value, width, _STEP, room)})"
    return text


def command_mql(command: Mapping[str, Any], width: int = _WIDTH) -> str:
    """Return a command as you would type it in mongosh, laid out.

    Fields that the driver adds to every command are left out, and so are those that divide the result into batches.

    Args:
        command: the command as it was sent to the server, its name first.
        width: characters per line; only text that cannot be broken may exceed it.
    """
    name = next(iter(command), None)
    asked = {key: value for key, value in command.items() if key not in _OF_THE_DRIVER}
    if name == "find" and asked.keys() <= {"find", "filter", "projection", *_OF_A_CURSOR}:
        arguments = [asked.get("filter", {}), *([asked["projection"]] if "projection" in asked else [])]
        chain = [(method, asked[method]) for method in _OF_A_CURSOR if method in asked]
        return call_mql(f"{collection_mql(asked['find'])}.find", *arguments, chain=chain, width=width)
    if name == "aggregate" and isinstance(asked["aggregate"], str):
        options = {key: value for key, value in asked.items() if key not in ("aggregate", "pipeline")}
        arguments = [asked.get("pipeline", []), *([options] if options else [])]
        return call_mql(f"{collection_mql(asked['aggregate'])}.aggregate", *arguments, width=width)
    return call_mql("db.runCommand", asked, width=width)


def collection_mql(name: str) -> str:
    """Return a collection of the current database as you would type it in mongosh."""
    return f"db.{name}" if _NAME.fullmatch(name) else f"db.getCollection({json.dumps(name)})"


def _laid_out(value: Any, width: int, margin: str, room: int) -> str:
    """A value laid out so that its first line fits in `room` and the others, after the margin, fit in the width."""
    line = to_mql(value)
    if len(line) <= room or not value or not isinstance(value, Mapping | list | tuple):
        return line
    inner, begin, end = margin + _STEP, line[0], line[-1]
    parts = (
        [(f"{_key(key)}: ", part) for key, part in value.items()] if begin == "{" else [("", part) for part in value]
    )
    commas = [*("," for _ in parts[1:]), ""]
    lines = [
        f"{inner}{lead}{_laid_out(part, width, inner, width - len(inner) - len(lead) - len(comma))}{comma}"
        for (lead, part), comma in zip(parts, commas, strict=True)
    ]
    return "\n".join([begin, *lines, margin + end])


def _last_line(text: str) -> str:
    return text.rpartition("\n")[2]


def _key(name: str) -> str:
    return name if name.lstrip("$").isidentifier() else json.dumps(name)
