"""What the server does for a query: the MQL sent, the index and stages, keys and documents examined."""

from __future__ import annotations

import datetime as dt
import html
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bson import ObjectId, json_util

from .cursor import decode_cursor
from .errors import translated_driver_errors
from .query import checked_page_size, make_query, query_identity, sort_order
from .store import ClaimStore

__all__ = ["QueryPlan", "explain_claims", "explain_count", "to_mql"]


@dataclass(frozen=True)
class QueryPlan:
    """How the server answered one query.

    Attributes:
        plan: "bounded" or "plain".
        mql: the query as one would type it in mongosh.
        index: name of the index used; None if none was.
        stages: names of the stages, outermost first.
        keys_examined: index keys looked at.
        docs_examined: documents fetched.
        returned: documents returned, or counted.
        server_ms: time that the server reports for it, in whole ms.
    """

    plan: str
    mql: str
    index: str | None
    stages: tuple[str, ...]
    keys_examined: int
    docs_examined: int
    returned: int
    server_ms: int

    def facts(self) -> dict[str, str]:
        """Return label to value, as a customer reads them."""
        return {
            "Plan": self.plan,
            "Query": self.mql,
            "Index": self.index or "none",
            "Stages": " < ".join(self.stages),
            "Keys examined": f"{self.keys_examined:,}",
            "Documents examined": f"{self.docs_examined:,}",
            "Returned": f"{self.returned:,}",
            "Time on the server": f"{self.server_ms:,} ms",
        }

    def __repr__(self) -> str:
        return "QueryPlan\n" + "\n".join(f"  {label:<18} {value}" for label, value in self.facts().items())

    def _repr_html_(self) -> str:
        style = "style='text-align:left'"
        rows = "".join(
            f"<tr><th {style}>{label}</th><td {style}>{html.escape(value)}</td></tr>"
            for label, value in self.facts().items()
        )
        return f"<table>{rows}</table>"


def explain_claims(
    store: ClaimStore,
    tin: str,
    start: dt.date | None = None,
    end: dt.date | None = None,
    *,
    page_size: int | None = None,
    cursor: str | None = None,
    plan: str = "bounded",
) -> QueryPlan:
    """Run the query of one page on the server and return how it was answered.

    It explains the page alone; `find_claims` reads one claim more, to know whether another page follows.

    Args:
        store: an open store.
        tin: the billing provider's TIN, nine digits.
        start: first service date, inclusive; None: no limit.
        end: last service date, inclusive; None: no limit.
        page_size: claims on the page; None takes `query.default_page_size`.
        cursor: token of the page; None for the first.
        plan: "bounded" or "plain".

    Returns:
        The plan with what it examined.

    Raises:
        InvalidQuery: an argument is not accepted; the message names it.
    """
    query = make_query(store, tin, start, end, plan=plan)
    boundary = None if cursor is None else decode_cursor(cursor, query_identity(store, query))
    limit = checked_page_size(store, page_size)
    filter_, order = query.filter(boundary), dict(sort_order(boundary))
    command = {"find": store.collection.name, "filter": filter_, "sort": order, "limit": limit}
    mql = f"db.{store.collection.name}.find({to_mql(filter_)}).sort({to_mql(order)}).limit({limit})"
    return _explain(store, command, query.plan, mql)


def explain_count(
    store: ClaimStore,
    tin: str,
    start: dt.date | None = None,
    end: dt.date | None = None,
    *,
    plan: str = "bounded",
) -> list[QueryPlan]:
    """Run the counts behind a total on the server and return how each was answered.

    Args:
        store: an open store.
        tin: the billing provider's TIN, nine digits.
        start: first service date, inclusive; None: no limit.
        end: last service date, inclusive; None: no limit.
        plan: "bounded" or "plain".

    Returns:
        One plan a count: with the bounded plan and a start these are the claims that begin in the range, then the
        carry-ins; else a single one. `returned` is the count itself.

    Raises:
        InvalidQuery: an argument is not accepted; the message names it.
    """
    query = make_query(store, tin, start, end, plan=plan)
    name = store.collection.name
    plans = []
    for part in query.count_filters():
        # count_documents sends an aggregate; the count command takes the same way to the data and explains alike on
        # every server version.
        command = {"count": name, "query": part}
        plans.append(_explain(store, command, query.plan, f"db.{name}.countDocuments({to_mql(part)})"))
    return plans


def to_mql(value: Any) -> str:
    """Return a filter as one would type it in mongosh, with ISODate and ObjectId.

    Args:
        value: a filter or a part of one.
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {to_mql(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(to_mql(inner) for inner in value) + "]"
    if isinstance(value, dt.datetime):
        text = value.isoformat(timespec="milliseconds").removesuffix(".000").removesuffix("T00:00:00")
        return f'ISODate("{text}Z")' if "T" in text else f'ISODate("{text}")'
    if isinstance(value, ObjectId):
        return f'ObjectId("{value}")'
    return json_util.dumps(value)


def _key(name: str) -> str:
    return name if name.lstrip("$").isidentifier() else json.dumps(name)


def _explain(store: ClaimStore, command: dict[str, Any], plan: str, mql: str) -> QueryPlan:
    with translated_driver_errors():
        answer = store.collection.database.command("explain", command, verbosity="executionStats")
    stats = answer["executionStats"]
    stages = list(_named(answer["queryPlanner"]["winningPlan"], "stage"))
    counted = list(_named(stats["executionStages"], "nCounted"))
    return QueryPlan(
        plan=plan,
        mql=mql,
        index=next(_named(answer["queryPlanner"]["winningPlan"], "indexName"), None),
        stages=tuple(stages),
        keys_examined=stats["totalKeysExamined"],
        docs_examined=stats["totalDocsExamined"],
        returned=counted[0] if counted else stats["nReturned"],
        server_ms=stats["executionTimeMillis"],
    )


_CHILDREN = (
    "queryPlan",
    "winningPlan",
    "executionStages",
    "shards",
    "inputStage",
    "inputStages",
    "outerStage",
    "innerStage",
)


def _named(node: Any, name: str) -> Iterator[Any]:
    """Values of one field in a tree of stages, outermost first; server versions nest them a little differently."""
    if isinstance(node, list):
        for child in node:
            yield from _named(child, name)
    elif isinstance(node, dict):
        if name in node:
            yield node[name]
        for child in _CHILDREN:
            if child in node:
                yield from _named(node[child], name)
