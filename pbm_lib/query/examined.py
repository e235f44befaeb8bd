"""Find what the server examined for an answered request, without running a slow one again."""

from typing import Any

from bson import json_util
from pymongo.errors import PyMongoError

from ..store.store import ClaimStore
from .explain import QueryPlan, explained, winning_plan
from .request import Request
from .under_way import endable

_LOGGED_MS = 100  # the server logs slower commands on its own
_LIMIT_MS = 1_000
_SLOW_QUERY = 51803  # id of that message in the log


def examined(store: ClaimStore, request: Request, *, bounded: bool) -> QueryPlan | None:
    """Return what the server examined for a request.

    For a slow request, the numbers are in the server's log, if the user may read it. Any other request is explained: it
    runs again, for no longer than a second, and the plan says whether it is complete.

    Args:
        store: an open store.
        request: a request that has ended.
        bounded: whether the request uses the bound D.

    Returns:
        The plan; None if the request failed, because the server does not keep what it examined up to that point.

    Raises:
        ServerUnavailable: the server cannot be reached.
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
    """The command, with a count in place of an aggregate: it reads data the same way and explains alike everywhere."""
    if not request.is_count:
        return request.command
    (match, *_), hint = request.command["pipeline"], {k: v for k, v in request.command.items() if k == "hint"}
    return {"count": request.command["aggregate"], "query": match["$match"], **hint}


def _logged(store: ClaimStore, request: Request) -> dict[str, Any] | None:
    """The attributes of a request's log entry; None if there is none, or the user is not allowed to read it."""
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
