"""What the server examined for a request that was answered, without asking the same for long once more."""

from typing import Any

from bson import json_util
from pymongo.errors import PyMongoError

from ..store.store import ClaimStore
from .explain import QueryPlan, explained, winning_plan
from .request import Request
from .under_way import endable

_LOGGED_MS = 100  # the server logs by itself what takes longer
_LIMIT_MS = 1_000
_SLOW_QUERY = 51803  # the log's number of that message


def examined(store: ClaimStore, request: Request, *, bounded: bool) -> QueryPlan | None:
    """Return what the server examined for a request.

    A slow request is in the server's log, with what it examined, if the user may read that. Any other is explained: it
    runs again, for a second at most, and the plan says if it was not complete.

    Args:
        store: an open store.
        request: one that has ended.
        bounded: whether it uses the bound D.

    Returns:
        The plan; None if the request failed, since the server does not keep what it had examined by then.

    Raises:
        ServerUnavailable: the server went away.
    """
    if request.error:
        return None
    command = _explainable(request)
    with store.errors_explained():
        logged = _logged(store, request) if request.ms >= _LOGGED_MS else None
        if logged is not None:
            with endable(store):
                planned = store.collection.database.command(
                    "explain", command, verbosity="queryPlanner", codec_options=store.collection.codec_options
                )
            return QueryPlan(
                bounded=bounded,
                mql=request.mql,
                **winning_plan(planned),
                keys_examined=logged["keysExamined"],
                docs_examined=logged["docsExamined"],
                returned=request.returned or 0,
                server_ms=logged["durationMillis"],
            )
        return explained(store, command, bounded=bounded, mql=request.mql, limit_ms=_LIMIT_MS)


def _explainable(request: Request) -> dict[str, Any]:
    """The command, where it counts as a count: it takes the same way to the data, and explains alike everywhere."""
    if not request.is_count:
        return request.command
    (match, *_), hint = request.command["pipeline"], {k: v for k, v in request.command.items() if k == "hint"}
    return {"count": request.command["aggregate"], "query": match["$match"], **hint}


def _logged(store: ClaimStore, request: Request) -> dict[str, Any] | None:
    """What the server's log says of a request; None if it says nothing, or the user may not read it."""
    try:
        lines = store.collection.database.client.admin.command("getLog", "global")["log"]
    except PyMongoError:
        return None
    for line in reversed(lines):
        if f'"id":{_SLOW_QUERY}' not in line:
            continue
        attributes = json_util.loads(line)["attr"]
        command = attributes.get("command", {})
        same = command.get("lsid") == request.session and all(
            command.get(name) == value for name, value in request.command.items()
        )
        if same and "keysExamined" in attributes:
            return attributes
    return None
