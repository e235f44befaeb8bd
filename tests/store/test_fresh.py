"""A store that stays open notices in time what another client changes: the rule, or the whole collection."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from oracle import TIN_A, Wire, check_walk, day, fill, listened_to, make_claim, overlapping

from pbm_lib import (
    LoadError,
    count_claims,
    explain_claims,
    explain_count,
    find_claims,
    iter_claims,
    require_claims,
    setup_collection,
)

SHORT = [make_claim(number, day(number), day(number + 3)) for number in range(40)]
LONG = [make_claim(number, day(number), day(number + 30)) for number in range(40)]
RANGE = (day(30), day(33))


@pytest.fixture
def open_at(open_store, make_config):
    """Call it with D to get a store for that D; all stores are on the same collection."""
    name = make_config().mongodb.database

    def open_(days):
        config = make_config({"mongodb": {"database": name}, "data_generation": {"max_claim_days": days}})
        return open_store(config)

    return open_


@pytest.fixture
def known(clock, open_at):
    """A store that was opened and read while D was 3, and has seen no later change by another client."""
    store = setup_collection(open_at(3))
    fill(store, SHORT)
    assert count_claims(store, TIN_A, *RANGE) == len(overlapping(SHORT, TIN_A, *RANGE)) == 7
    return store


def loads_anew(store):
    store.collection.drop()
    setup_collection(store)
    fill(store, LONG)


def loosens_the_rule(store):
    store.collection.database.command("collMod", store.collection.name, validator={})
    setup_collection(store)
    fill(store, LONG)


@pytest.mark.parametrize("change", [loads_anew, loosens_the_rule])
def test_a_rule_that_another_client_changed_is_noticed_when_a_query_next_relies_on_it(known, clock, open_at, change):
    change(open_at(30))
    assert known.max_claim_days == 3
    clock.now += 5
    expected = overlapping(LONG, TIN_A, *RANGE)
    assert (
        count_claims(known, TIN_A, *RANGE) == count_claims(known, TIN_A, *RANGE, bounded=False) == len(expected) == 34
    )
    assert known.max_claim_days == 30
    check_walk(known, expected, TIN_A, *RANGE, page_size=7, bounded=True)


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: len(find_claims(store, TIN_A, *RANGE)),
        lambda store: find_claims(store, TIN_A, *RANGE).total,
        lambda store: len(list(iter_claims(store, TIN_A, *RANGE))),
        lambda store: explain_claims(store, TIN_A, *RANGE).returned,
        lambda store: sum(plan.returned for plan in explain_count(store, TIN_A, *RANGE)),
    ],
    ids=["page", "total", "stream", "explained page", "explained count"],
)
def test_everything_that_relies_on_the_rule_checks_it_first(known, clock, open_at, ask):
    loosens_the_rule(open_at(30))
    clock.now += 5
    assert ask(known) == 34


def test_a_replaced_collection_is_noticed_along_with_its_index(known, clock, open_at):
    other = open_at(30)
    other.collection.drop()
    clock.now += 5
    assert count_claims(known, TIN_A, *RANGE) == 0
    assert (known.bounded, known.index_name) == (False, None)
    setup_collection(other)
    clock.now += 5
    find_claims(known, TIN_A)
    assert (known.max_claim_days, known.index_name) == (30, other.index_name)


def test_a_dropped_index_is_noticed_when_the_claims_are_required(known, open_at):
    other = open_at(30)
    other.collection.drop_index(other.index_name)
    with pytest.raises(LoadError, match="has no index for these queries"):
        require_claims(known)


def test_a_walk_stays_exact_when_the_rule_is_gone_and_other_types_have_arrived(known, clock):
    page = find_claims(known, TIN_A, page_size=30, bounded=False)
    known.collection.database.command("collMod", known.collection.name, validator={})
    odd = [make_claim(number, begin, day(90)) for number, begin in ((90, None), (91, "2024"), (92, True))]
    known.collection.insert_many(odd)
    clock.now += 5
    page = find_claims(known, TIN_A, page_size=30, cursor=page.next_cursor, bounded=False)
    assert [*page] == SHORT[30:]
    back = [find_claims(known, TIN_A, page_size=30, cursor=page.prev_cursor, bounded=False)]
    while back[-1].prev_cursor:
        back.append(find_claims(known, TIN_A, page_size=30, cursor=back[-1].prev_cursor, bounded=False))
    assert [claim for page in reversed(back) for claim in page] == [odd[0], odd[1], odd[2], *SHORT[:30]]


def test_a_stream_that_is_opened_again_checks_the_rule_again(known, clock):
    fill(known, SHORT)
    wire = Wire()
    with listened_to(known, wire) as heard:
        wire.clear()
        claims = iter_claims(heard, TIN_A, page_size=10)
        seen = [next(claims) for _ in range(15)]
        lost = wire.answers[-1][1]["cursor"]["id"]
        known.collection.database.command("killCursors", known.collection.name, cursors=[lost])
        clock.now += 5
        seen += claims
    assert seen == SHORT
    assert wire.names == ["find", "getMore", "getMore", "listCollections", "find", "getMore", "getMore"]


def test_the_rule_is_read_once_in_five_seconds_however_many_queries_run(known, clock):
    wire = Wire()
    with listened_to(known, wire) as heard:
        wire.clear()
        for _ in range(30):
            find_claims(heard, TIN_A, *RANGE)
            clock.now += 1
    assert wire.names.count("listCollections") == 5
    assert set(wire.names) == {"find", "aggregate", "listCollections"}


def test_threads_that_share_a_store_all_see_the_change(known, clock, open_at):
    loads_anew(open_at(30))
    clock.now += 5
    together = threading.Barrier(8)

    def count(_):
        together.wait(30)
        return count_claims(known, TIN_A, *RANGE)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(count, range(8))) == {34}


def test_a_rejected_argument_costs_no_command_however_old_the_rule_is(known, clock):
    wire = Wire()
    with listened_to(known, wire) as heard:
        wire.clear()
        clock.now += 5
        for arguments in ({"tin": "no"}, {"tin": TIN_A, "page_size": 0}, {"tin": TIN_A, "cursor": "no"}):
            with pytest.raises(ValueError, match=r"^(tin|page_size) must be |^This cursor is "):
                find_claims(heard, **arguments)
    assert wire.names == []
