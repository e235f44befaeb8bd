"""The first page of a range, read with the bound that the server enforces or a larger one."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..arguments import in_short, not_accepted
from ..errors import InvalidQuery
from ..mql import command_mql
from ..store.store import ClaimStore
from .answer import answer
from .explain import MQL_WIDTH, QueryPlan, explained, page_command
from .filters import ClaimQuery, Question, make_query
from .keyset import BEGINNING
from .stopwatch import timed


@dataclass(frozen=True)
class BoundedPage:
    """A first page that was read with a given bound.

    Attributes:
        days: the bound D, in days.
        claims: the page.
        ms: how long the application waited for it.
        plan: how the server answered it.
    """

    days: int
    claims: list[dict[str, Any]]
    ms: float
    plan: QueryPlan


def page_with_bound(store: ClaimStore, question: Question, days: int) -> BoundedPage:
    """Read the first page of a range with a bound no smaller than the one that the server enforces.

    Args:
        store: an open store.
        question: provider and dates.
        days: the bound D, in days.

    Raises:
        InvalidQuery: the server enforces no bound, or a larger one; or an argument is invalid.
        ServerUnavailable: the server cannot be reached.
    """
    if store.max_claim_days is None:
        raise InvalidQuery(
            "days cannot be compared, because the server enforces no bound. Run setup_collection(store)."
        )
    if days < store.max_claim_days:
        raise not_accepted("days", str(days), f"at least {store.max_claim_days}, the bound that the server enforces")

    def ask() -> ClaimQuery:
        query = make_query(store, *question)
        if query.start is not None and days > (most := (query.start - dt.datetime.min).days):
            raise not_accepted("days", in_short(days), f"at most {most:,}, because no date comes before the year 1")
        return replace(query, max_claim_days=days)

    def ask_for(read: Callable[[dict[str, Any]], Any]) -> Any:
        size = store.config.query.default_page_size
        return answer(store, ask, lambda query: read(page_command(query, BEGINNING, size)))

    def find(command: dict[str, Any]) -> list[dict[str, Any]]:
        options = {"sort": list(command["sort"].items()), "limit": command["limit"], "batch_size": command["limit"]}
        with store.collection.find(command["filter"], hint=command.get("hint"), **options) as found:
            return found.to_list()

    claims, ms = timed(store, partial(ask_for, find))
    plan = ask_for(
        lambda command: explained(store, command, bounded=True, mql=command_mql(command, MQL_WIDTH)),
    )
    return BoundedPage(days, claims, ms, plan)
