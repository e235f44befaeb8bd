"""Side-by-side comparisons: both ways give the same claims, and the table says so only if they do."""

import datetime as dt
import time
from dataclasses import replace

import pytest
from oracle import Wire, listened_to
from servers import SLOW

from pbm_lib import (
    InvalidQuery,
    compare_bounds,
    compare_paging,
    compare_plans,
    count_claims,
    explain_claims,
    explain_count,
    find_claims,
    list_providers,
    observe_claims,
    plans_frame,
)
from pbm_lib.query.bounds import page_with_bound
from pbm_lib.query.filters import ClaimQuery
from pbm_lib.query.jump import cursors_after, skip_page


@pytest.fixture(scope="module")
def tin(loaded_store):
    return list_providers(loaded_store.config, "3K")[0].tin


def test_both_ways_of_paging_return_the_same_claims(loaded_store, tin):
    frame = compare_paging(loaded_store, tin)
    assert list(frame["depth"]) == [0, 30, 300, 1_500, 2_700]
    assert frame["same claims"].all()
    assert (frame[["skip/limit ms", "keyset ms"]] > 0).all(axis=None)


def test_a_page_of_0_ms_divides_nothing_by_zero(loaded_store, tin, monkeypatch):
    # A coarse clock can measure 0 ms.
    monkeypatch.setattr("pbm_lib.present.compare.timed", lambda store, call: (call(), 0.0))
    frame = compare_paging(loaded_store, tin, [100])
    assert frame.loc[0, ["skip/limit ms", "keyset ms", "ratio"]].tolist() == [0, 0, 0]


def test_a_way_that_returns_different_claims_is_shown_as_such(loaded_store, tin, monkeypatch):
    def one_too_deep(store, tin, depth):
        return cursors_after(store, tin, depth + 1)

    monkeypatch.setattr("pbm_lib.present.compare.cursors_after", one_too_deep)
    assert not compare_paging(loaded_store, tin, [100])["same claims"].any()


@pytest.mark.parametrize("depths", [[-1], [3_000], [1.5], [True]], ids=str)
def test_depths_beyond_the_claims_are_rejected(loaded_store, tin, depths):
    with pytest.raises(InvalidQuery, match="0 to 2,999"):
        compare_paging(loaded_store, tin, depths)


def test_both_queries_give_the_same_answer(loaded_store, tin):
    frame = compare_plans(loaded_store, tin, dt.date(2024, 3, 1), dt.date(2024, 3, 31))
    assert list(frame.columns) == ["unbounded query", "bounded query"]
    assert set(frame.loc["same claims, same total"]) == {True}
    total = count_claims(loaded_store, tin, dt.date(2024, 3, 1), dt.date(2024, 3, 31))
    assert total > 0
    assert list(frame.loc["total"]) == [f"{total:,}"] * 2


def test_explained_queries_are_shown_side_by_side(loaded_store, tin):
    plan = explain_claims(loaded_store, tin)
    frame = plans_frame(plan, *explain_count(loaded_store, tin, dt.date(2024, 3, 1)))
    assert list(frame.columns) == ["bounded query", "claims that begin in the range", "claims that begin before it"]
    assert list(frame.loc["Stages"])[1] == "COUNT < COUNT_SCAN"
    assert list(frame.loc["Documents examined"])[:2] == ["100", "0"]


def test_a_slow_query_is_named_while_it_runs_and_a_quick_one_is_not(loaded_store, tin, monkeypatch, terminal):
    def slow(*arguments, bounded, **options):
        if not bounded:
            time.sleep(2.3)
        return find_claims(*arguments, bounded=bounded, **options)

    monkeypatch.setattr("pbm_lib.present.compare.find_claims", slow)
    compare_plans(loaded_store, tin, dt.date(2024, 3, 1), dt.date(2024, 3, 31))
    assert terminal.shown == [f"Running the unbounded query ... {seconds} s" for seconds in (1, 2)]


def test_a_depth_that_takes_long_is_named(loaded_store, tin, monkeypatch, terminal):
    def slow(store, tin, depth, size):
        time.sleep(0.5 if depth else 0)
        return skip_page(store, tin, depth, size)

    monkeypatch.setattr("pbm_lib.present.compare.skip_page", slow)
    compare_paging(loaded_store, tin, [0, 2_900])
    assert terminal.shown[-1] == "Reading the page after 2,900 claims both ways, depth 2 of 2 ... 1 s"


def test_a_terminal_is_told_that_a_query_is_explained(loaded_store, tin, monkeypatch, terminal):
    fast = ClaimQuery.filter
    monkeypatch.setattr(ClaimQuery, "filter", lambda query, *where: {**fast(query, *where), **SLOW})
    explain_claims(loaded_store, tin, page_size=5)  # 1.5 s
    assert terminal.shown == ["Explaining the bounded query ... 1 s"]


def test_bounds_are_shown_in_the_order_given_and_the_largest_one_is_read_first(loaded_store, tin, monkeypatch):
    read = []

    def noted(store, question, days):
        read.append(days)
        return page_with_bound(store, question, days)

    monkeypatch.setattr("pbm_lib.present.compare.page_with_bound", noted)
    frame = compare_bounds(loaded_store, tin, dt.date(2024, 3, 1), days=[60, 30, 90])
    assert (list(frame["D, days"]), read) == ([60, 30, 90], [90, 60, 30])


def test_a_larger_bound_examines_more_and_gives_the_same_answer(loaded_store, tin):
    frame = compare_bounds(loaded_store, tin, dt.date(2024, 3, 1), dt.date(2024, 3, 31))
    assert list(frame["D, days"]) == [30, 60, 90, 180, 365]
    assert frame["same claims"].all()
    assert frame["keys examined"].is_monotonic_increasing
    first = explain_claims(loaded_store, tin, dt.date(2024, 3, 1), dt.date(2024, 3, 31))
    assert frame.loc[0, ["keys examined", "documents examined"]].tolist() == [first.keys_examined, first.docs_examined]
    assert frame["keys examined"].iloc[-1] > 2 * first.keys_examined
    assert (frame["page, ms"] > 0).all()


@pytest.mark.parametrize("days", [[], [29], [30.5], [True], [30, 0], [30, 1_000_000], [10**12]], ids=str)
def test_a_bound_that_would_lose_claims_or_leave_the_calendar_is_rejected(loaded_store, tin, days):
    with pytest.raises(InvalidQuery, match="days"):
        compare_bounds(loaded_store, tin, dt.date(2024, 3, 1), days=days)


def test_without_a_bound_on_the_server_there_is_nothing_to_try(open_store, tin):
    with pytest.raises(InvalidQuery, match="enforces no bound"):
        compare_bounds(open_store(), tin, dt.date(2024, 3, 1))


def test_a_page_that_was_just_read_is_not_read_again(loaded_store, tin):
    march = dt.date(2024, 3, 1), dt.date(2024, 3, 31)
    unbounded = observe_claims(loaded_store, tin, *march, bounded=False)
    assert unbounded.page.documents == find_claims(loaded_store, tin, *march).documents
    assert unbounded.plan == replace(
        explain_claims(loaded_store, tin, *march, page_size=101, bounded=False), server_ms=unbounded.plan.server_ms
    )
    bounded = observe_claims(loaded_store, tin, *march)
    with listened_to(loaded_store, wire := Wire()) as store:
        for given, finds in (({}, 2), ({"unbounded": unbounded}, 1), ({"unbounded": unbounded, "bounded": bounded}, 0)):
            wire.clear()
            frame = compare_plans(store, tin, *march, **given)
            assert wire.names.count("find") == finds
    assert set(frame.loc["same claims, same total"]) == {True}
    assert list(frame.loc["page, ms"]) == [f"{unbounded.ms:,.0f}", f"{bounded.ms:,.0f}"]


def test_pages_of_another_question_or_query_are_not_compared(loaded_store, tin):
    march = dt.date(2024, 3, 1), dt.date(2024, 3, 31)
    unbounded, bounded = (observe_claims(loaded_store, tin, *march, bounded=each) for each in (False, True))
    for given in ({"unbounded": unbounded}, {"bounded": bounded}):
        with pytest.raises(InvalidQuery, match=f"{next(iter(given))} query read for the same TIN and dates"):
            compare_plans(loaded_store, tin, march[0], **given)
    with pytest.raises(InvalidQuery, match=r"^unbounded must be a page that the unbounded query read"):
        compare_plans(loaded_store, tin, *march, unbounded=bounded)
