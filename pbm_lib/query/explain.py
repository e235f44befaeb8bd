"""How the server answers a query: the MQL sent, the index and stages, keys and documents examined."""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..arguments import checked
from ..claims.document import END
from ..display import ShownAsFacts
from ..errors import InvalidQuery, PbmError
from ..mql import call_mql, collection_mql, command_mql
from ..store.store import ClaimStore
from ..vocabulary import OLDEST, query_words
from ..working import working
from .answer import answer
from .filters import ClaimQuery, checked_page_size, make_query
from .find import first_look, page_boundary
from .keyset import Boundary
from .under_way import endable

MQL_WIDTH = 96
"""Line width of MQL in characters: both dates of a range, to the millisecond, fit on one line."""
_PARTS = ("claims that begin in the range", "claims that begin before it")
_OUT_OF_TIME = 50
# The condition that a start date adds. With the overlap index, the sort and a cursor name the end date as well.
_HAS_START = re.compile(rf"{END}: \{{\s*\$gte:")
# The server's stage names in words, in the order in which the work is done.
_IN_WORDS = {
    "COLLSCAN": "reads every document of the collection",
    "COUNT_SCAN": "counts keys in the index",
    "IXSCAN": "scans the index",
    "SORT_MERGE": "merges index scans in sort order",
    "FETCH": "fetches documents",
    "SORT": "sorts in memory",
    "LIMIT": "stops after the page",
}
# The fields that hold a stage's child stages.
_CHILDREN = (
    "queryPlan", "winningPlan", "executionStages", "shards",
    "inputStage", "inputStages", "outerStage", "innerStage",
)  # fmt: skip


@dataclass(frozen=True, repr=False)
class QueryPlan(ShownAsFacts):
    """How the server answered one query.

    Attributes:
        bounded: whether the query used the bound D.
        mql: the query as you would type it in mongosh, over several lines.
        index: name of the index used; None if none was.
        stages: names of the stages, outermost first.
        keys_examined: index keys read.
        docs_examined: documents fetched.
        returned: documents returned, or counted.
        server_ms: time that the server reports for it, in whole ms.
        part: for a total that is counted in two parts, which part this is; else None.
        complete: whether it ran to completion; if not, the numbers are those at the time it was stopped.
    """

    bounded: bool
    mql: str
    index: str | None
    stages: tuple[str, ...]
    keys_examined: int
    docs_examined: int
    returned: int
    server_ms: int
    part: str | None = None
    complete: bool = True
    code_facts = ("MQL",)

    def facts(self) -> dict[str, str]:
        """Return facts about this query, label to value."""
        steps = [words for stage, words in _IN_WORDS.items() if stage in self.stages]
        # Without a start date, both queries are the same, so don't say which one this is.
        query = {"Query": ", ".join(filter(None, (self.kind, self.part)))} if _HAS_START.search(self.mql) else {}
        return {
            **query,
            "MQL": self.mql,
            "Index": self.index or "none",
            "Stages": f"{' < '.join(self.stages)}" + (f" ({', '.join(steps)})" if steps else ""),
            "Keys examined": self._per_claim(self.keys_examined),
            "Documents examined": self._per_claim(self.docs_examined),
            "Returned": f"{self.returned:,}",
            "Time on the server": f"{self.server_ms:,} ms" if self.server_ms else "under 1 ms",
        }

    @property
    def kind(self) -> str:
        """Which query it was, in words: "bounded query" or "unbounded query"."""
        return query_words(self.bounded)

    def _per_claim(self, examined: int) -> str:
        if not self.complete:
            return f"more than {examined:,} (stopped after {self.server_ms / 1000:.0f} s)"
        if examined <= self.returned + 2 or not self.returned:  # a merge or a count also reads the next key
            return f"{examined:,}"
        ratio = examined / self.returned
        return f"{examined:,} ({ratio:,.{0 if ratio >= 100 else 1}f} per claim returned)"


@checked(InvalidQuery)
def explain_claims(
    store: ClaimStore,
    tin: str,
    service_date_start: dt.date | None = None,
    service_date_end: dt.date | None = None,
    *,
    page_size: int | None = None,
    cursor: str | None = None,
    last: bool = False,
    order: str = OLDEST,
    bounded: bool = True,
) -> QueryPlan:
    """Run the query of one page on the server and return its plan.

    The plan covers the page alone; `find_claims` reads one more claim to see whether another page follows.

    Args:
        store: an open store.
        tin: the billing provider's TIN, nine digits.
        service_date_start: first service date, inclusive; None for no limit.
        service_date_end: last service date, inclusive; None for no limit.
        page_size: claims on the page; None for `query.default_page_size`.
        cursor: `next_cursor` or `prev_cursor` of a page of the same query; None for the first page.
        last: explain the last page.
        order: "oldest" or "newest" claims first.
        bounded: use the bound D if the server enforces it.

    Returns:
        The plan and what it examined; its `bounded` says whether the bound was used.

    Raises:
        InvalidQuery: an argument is invalid; the message names it.
        InvalidCursor: the cursor is damaged or belongs to a different query, or the index has changed since.
        ServerUnavailable: the server cannot be reached.

    Example:
        >>> explain_claims(store, tin, cursor=page.next_cursor).keys_examined
    """
    limit = checked_page_size(store, page_size)
    ask = partial(make_query, store, tin, service_date_start, service_date_end, bounded=bounded, order=order)
    first_look(store, ask, cursor, last=last)

    def explain(query: ClaimQuery) -> QueryPlan:
        command = page_command(query, page_boundary(query, cursor, last=last), limit)
        with working(f"Explaining the {query_words(query.bounded)}"):
            return explained(store, command, bounded=query.bounded, mql=command_mql(command, MQL_WIDTH))

    return answer(store, ask, explain)


@checked(InvalidQuery)
def explain_count(
    store: ClaimStore,
    tin: str,
    service_date_start: dt.date | None = None,
    service_date_end: dt.date | None = None,
    *,
    bounded: bool = True,
) -> list[QueryPlan]:
    """Run the counts behind a total on the server and return the plan of each.

    Args:
        store: an open store.
        tin: the billing provider's TIN, nine digits.
        service_date_start: first service date, inclusive; None for no limit.
        service_date_end: last service date, inclusive; None for no limit.
        bounded: use the bound D if the server enforces it.

    Returns:
        One plan per count. The bounded query with a start date has two: one for the claims that begin in the range,
        then one for those that begin before it. Any other query has one. `returned` is the count itself.

    Raises:
        InvalidQuery: an argument is invalid; the message names it.
        ServerUnavailable: the server cannot be reached.
    """

    def explain(query: ClaimQuery) -> list[QueryPlan]:
        # count_documents sends an aggregate. The count command reads the data in the same way, and its explain output
        # is alike on every server version.
        counts = [{"count": store.collection.name, "query": part, **query.hinted} for part in query.count_filters()]
        with working(f"Explaining the {query_words(query.bounded)}"):
            return [
                explained(store, command, bounded=query.bounded, mql=mql)
                for command, mql in zip(counts, count_mql(store, query), strict=True)
            ]

    ask = partial(make_query, store, tin, service_date_start, service_date_end, bounded=bounded)
    plans = answer(store, ask, explain)
    return plans if len(plans) == 1 else [replace(plan, part=part) for plan, part in zip(plans, _PARTS, strict=True)]


def page_mql(
    store: ClaimStore, query: ClaimQuery, *, page_size: int, cursor: str | None = None, last: bool = False
) -> str:
    """Return the query of one page as you would type it in mongosh, without running it."""
    command = page_command(query, page_boundary(query, cursor, last=last), page_size)
    return command_mql(command, MQL_WIDTH)


def count_mql(store: ClaimStore, query: ClaimQuery) -> list[str]:
    """Return the counts behind a total as you would type them in mongosh, without running them."""
    count = f"{collection_mql(store.collection.name)}.countDocuments"
    options = [query.hinted] if query.hint else []
    return [call_mql(count, part, *options, width=MQL_WIDTH) for part in query.count_filters()]


def page_command(query: ClaimQuery, boundary: Boundary, limit: int) -> dict[str, Any]:
    """Return the find command for a page of up to `limit` claims beyond a boundary."""
    return {
        "find": query.collection.partition(".")[2],
        "filter": query.filter(boundary),
        "sort": dict(query.sort(boundary)),
        "limit": limit,
        **query.hinted,
    }


def explained(
    store: ClaimStore, command: dict[str, Any], *, bounded: bool, mql: str, limit_ms: int | None = None
) -> QueryPlan:
    """Run a find or count on the server and return how it was answered.

    Args:
        store: an open store.
        command: the command, as sent to the server.
        bounded: whether the command uses the bound D.
        mql: the command as you would type it in mongosh.
        limit_ms: stop after this many ms, with an incomplete plan; None runs the command to completion.

    Raises:
        PbmError: the server ended the command for another reason.
    """
    limit = {} if limit_ms is None else {"maxTimeMS": limit_ms}
    with endable(store):
        # Decode as the collection does: an open range's bounds end in the year 292278994, which no datetime can hold.
        answer = store.collection.database.command(
            {"explain": command, "verbosity": "executionStats", **limit},
            codec_options=store.collection.codec_options,
        )
    stats = answer["executionStats"]
    complete = True
    for part in (stats, *stats["executionStages"].get("shards", ())):  # a router reports it for each shard
        if part.get("executionSuccess", True):
            continue
        if limit_ms is None or part.get("errorCode") != _OUT_OF_TIME:
            # Otherwise, the numbers up to that point would look like those of the whole query.
            reason = part.get("errorMessage", "no reason given")
            raise PbmError(f"The server ended the query before it answered: {reason}.")
        complete = False
    counted = list(_named(stats["executionStages"], "nCounted"))
    return QueryPlan(
        bounded=bounded,
        mql=mql,
        **winning_plan(answer),
        keys_examined=stats["totalKeysExamined"],
        docs_examined=stats["totalDocsExamined"],
        returned=sum(counted) if counted else stats["nReturned"],  # each shard counts its own claims
        server_ms=stats["executionTimeMillis"],
        complete=complete,
    )


def winning_plan(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the index that an explained command uses, and its stages, outermost first."""
    winner = answer["queryPlanner"]["winningPlan"]
    return {"index": next(_named(winner, "indexName"), None), "stages": tuple(_named(winner, "stage"))}


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
