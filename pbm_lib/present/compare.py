"""Two ways to get the same claims, side by side, for the explorer notebook: whether they agree, and their times."""

import datetime as dt
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pandas import DataFrame

from ..arguments import checked, in_short, not_accepted
from ..display import LEAST_MS
from ..errors import InvalidQuery
from ..query.bounds import page_with_bound
from ..query.explain import QueryPlan
from ..query.filters import Question
from ..query.find import count_claims, find_claims
from ..query.jump import cursors_after, skip_page
from ..query.observe import ObservedPage
from ..query.stopwatch import timed
from ..store.store import ClaimStore
from ..vocabulary import BOUNDED, CONTESTANTS, UNBOUNDED
from ..working import working

_REPEATS = 3


@checked(InvalidQuery)
def compare_paging(store: ClaimStore, tin: str, depths: Sequence[int] | None = None) -> DataFrame:
    """Read the same page by skip/limit and by keyset, at several depths of a provider's claims.

    Each time is the median of three calls, with the two methods taking turns. It excludes creating the keyset cursor,
    because an application gets the cursor with the previous page.

    Args:
        store: a loaded store.
        tin: the billing provider's TIN, nine digits.
        depths: number of claims before each page, at least 0 and less than the provider's total; None for 0, 1%, 10%,
            50%, and 90% of the total.

    Returns:
        A pandas DataFrame, one row per depth: depth, same claims, skip/limit ms, keyset ms, ratio.

    Raises:
        InvalidQuery: an argument is invalid; the message names it.

    Example:
        >>> paging_chart(compare_paging(store, tin))
    """
    with working("Counting the provider's claims"):
        total = count_claims(store, tin)
    if depths is None:
        depths = sorted({total * percent // 100 for percent in (0, 1, 10, 50, 90)})
    if not depths or not all(type(depth) is int and 0 <= depth < max(total, 1) for depth in depths):
        raise not_accepted("depths", in_short(list(depths)), f"whole numbers from 0 to {total - 1:,}")
    rows = []
    with working("Reading pages") as say:
        for number, depth in enumerate(depths, 1):
            say(f"Reading the page after {depth:,} claims both ways, depth {number} of {len(depths)}")
            rows.append((depth, *_both_ways(store, tin, depth)))
    return DataFrame(rows, columns=["depth", "same claims", "skip/limit ms", "keyset ms", "ratio"])


@checked(InvalidQuery)
def compare_plans(
    store: ClaimStore,
    tin: str,
    service_date_start: dt.date | None = None,
    service_date_end: dt.date | None = None,
    *,
    unbounded: ObservedPage | None = None,
    bounded: ObservedPage | None = None,
) -> DataFrame:
    """Run both queries for one range, once each, and compare their pages, totals, and times.

    Args:
        store: a loaded store.
        tin: the billing provider's TIN, nine digits.
        service_date_start: first service date, inclusive; None for no limit.
        service_date_end: last service date, inclusive; None for no limit.
        unbounded: the first page of this range, as returned by `observe_claims(..., bounded=False)`, so that it is not
            read again; None to read it.
        bounded: the same for the bounded query, as returned by `observe_claims`.

    Returns:
        A pandas DataFrame with one column per query: page ms, total ms, claims on the page, total, and whether both
        queries returned the same page and total.

    Raises:
        InvalidQuery: an argument is invalid; the message names it.
    """
    answers, columns = [], {}
    question = Question(tin, service_date_start, service_date_end)
    read = {UNBOUNDED: unbounded, BOUNDED: bounded}
    for query, page in read.items():
        # Where the server enforces no bound, the page of the bounded query was read without it.
        if page is not None and (page.question != question or (query == UNBOUNDED and page.plan.bounded)):
            accepted = f"a page that the {CONTESTANTS[query]} read for the same TIN and dates"
            raise not_accepted(query, in_short(page.question), accepted)
    for query, page in read.items():
        with working(f"Running the {CONTESTANTS[query]}"):
            claims, total, facts = _page_and_total(store, question, page, bounded=query == BOUNDED)
        answers.append((claims, total))
        columns[CONTESTANTS[query]] = {**facts, "claims on the page": f"{len(claims):,}"}
    frame = DataFrame(columns, index=["page, ms", "total, ms", "claims on the page", "total"], dtype=object)
    frame.loc["same claims, same total"] = answers[0] == answers[1]
    return frame


@checked(InvalidQuery)
def compare_bounds(
    store: ClaimStore,
    tin: str,
    service_date_start: dt.date,
    service_date_end: dt.date | None = None,
    *,
    days: Sequence[int] = (30, 60, 90, 180, 365),
) -> DataFrame:
    """Read the first page of a range as if claims could last longer, to show what a larger bound D costs.

    Args:
        store: a store whose server enforces a bound.
        tin: the billing provider's TIN, nine digits.
        service_date_start: first service date, inclusive.
        service_date_end: last service date, inclusive; None for no limit.
        days: bounds to try, each at least as large as the one that the server enforces, so that the answer stays exact.

    Returns:
        A pandas DataFrame with one row per bound: D in days, keys and documents examined, page ms, and whether the page
        is the same as with the first bound.

    Raises:
        InvalidQuery: an argument is invalid; the message names it.
        ServerUnavailable: the server cannot be reached.

    Example:
        >>> table(compare_bounds(store, tin, start, end))
    """
    if not days or not all(type(each) is int for each in days):
        raise not_accepted("days", in_short(list(days)))
    question = Question(tin, service_date_start, service_date_end)
    with working("Trying larger bounds"):
        # The largest first: it reads the claims that all others need into the cache, so that times compare.
        pages = {each: page_with_bound(store, question, each) for each in sorted(set(days), reverse=True)}
    first = pages[days[0]].claims
    rows = [
        (page.days, page.plan.keys_examined, page.plan.docs_examined, page.ms, page.claims == first)
        for page in (pages[each] for each in days)
    ]
    return DataFrame(rows, columns=["D, days", "keys examined", "documents examined", "page, ms", "same claims"])


@checked(InvalidQuery)
def plans_frame(*plans: QueryPlan) -> DataFrame:
    """Return explained queries side by side, as a pandas DataFrame with one column per query.

    Args:
        plans: what `explain_claims` or `explain_count` returned.
    """
    # Show only the stages' names: a table of this width would cut off the explanations after them.
    columns = [plan.facts() | {"Stages": " < ".join(plan.stages)} for plan in plans]
    frame = DataFrame(columns, index=[plan.part or plan.kind for plan in plans]).T
    return frame.drop(index=["Query", "MQL"], errors="ignore")


def _both_ways(store: ClaimStore, tin: str, depth: int) -> tuple[bool, float, float, float]:
    """Return whether skip/limit and keyset find the same claims at a depth, both times in ms, and their ratio."""
    (token,) = cursors_after(store, tin, depth)

    def by_keyset() -> list[dict[str, Any]]:
        return list(find_claims(store, tin, cursor=token, with_total=False))

    by_skip = partial(skip_page, store, tin, depth, store.config.query.default_page_size)
    (skipped, skip_ms), (keyed, keyset_ms) = _take_turns(store, by_skip, by_keyset)
    return skipped == keyed, skip_ms, keyset_ms, skip_ms / max(keyset_ms, LEAST_MS)


def _page_and_total(
    store: ClaimStore, question: Question, read: ObservedPage | None, *, bounded: bool
) -> tuple[Sequence[dict[str, Any]], int, dict[str, str]]:
    """Return the first page's claims, the total, and both times and the total as text, label to value."""
    if read is None:
        page, ms = timed(store, lambda: find_claims(store, *question, with_total=False, bounded=bounded))
    else:
        page, ms = read.page, read.ms
    total, total_ms = timed(store, lambda: count_claims(store, *question, bounded=bounded))
    facts = {"page, ms": f"{ms:,.0f}", "total, ms": f"{total_ms:,.0f}", "total": f"{total:,}"}
    return page.documents, total, facts


def _take_turns(store: ClaimStore, *ways: Callable[[], Any]) -> list[tuple[Any, float]]:
    taken = [[timed(store, way) for way in ways] for _ in range(_REPEATS)]
    return [(turns[0][0], statistics.median(ms for _, ms in turns)) for turns in zip(*taken, strict=True)]
