"""Several streams yield what one does, read a limited distance ahead of the caller, and end with their iterator."""

import datetime as dt
import gc
import itertools
import os
import signal
import threading
import time

import bson
import pytest
from bson.raw_bson import RawBSONDocument
from hypothesis import example, given, settings, strategies as st
from oracle import TIN_A, Wire, day, fill, in_order, listened_to, make_claim, overlapping
from processes import run_python
from servers import SLOW, under_way, wait_for

from pbm_lib import (
    InvalidQuery,
    PbmError,
    ServerUnavailable,
    index_variant,
    iter_claims,
    list_providers,
    setup_collection,
)
from pbm_lib.claims.document import END, ID
from pbm_lib.query.filters import ClaimQuery
from pbm_lib.store.index import VARIANTS
from pbm_lib.vocabulary import ORDERS

CLAIMS = [make_claim(number, day(number // 3), day(number // 3 + number % 2)) for number in range(600)]
BATCHES = 4  # per part


def readers():
    return [thread for thread in threading.enumerate() if thread.name == "iter_claims"]


def idle_cursors(store):
    stages = [{"$currentOp": {"idleCursors": True}}, {"$match": {"type": "idleCursor"}}]
    there = store.collection.database.client.admin.aggregate(stages)
    return [cursor["cursor"]["cursorId"] for cursor in there if cursor["ns"] == store.collection.full_name]


@pytest.fixture(autouse=True)
def _no_thread_stays_behind():
    yield
    assert readers() == []


@pytest.fixture(scope="module", params=VARIANTS)
def indexed(request, open_shared_store):
    """A store with one of the two indexes; each test fills its collection."""
    return setup_collection(open_shared_store({"mongodb": {"index": request.param}}))


@pytest.fixture
def waiting(store):
    """An iterator that has yielded one claim and read ahead as far as it may, the claims seen, and what was sent."""
    fill(store, CLAIMS)
    wire = Wire()
    with listened_to(store, wire) as heard:
        claims = iter_claims(heard, TIN_A, page_size=10, streams=2)
        seen = [next(claims)]
        wait_for(lambda: len(fetched(wire)) == 3 * BATCHES, 30, "three parts to be read")
        yield claims, seen, wire


def fetched(wire):
    """The batches of claims that the server has sent, without the answers to finds that only cut a part."""
    replies = [reply["cursor"] for name, reply in wire.answers if name in ("find", "getMore") and "cursor" in reply]
    batches = [cursor.get("firstBatch", cursor.get("nextBatch")) for cursor in replies]
    return [batch for batch in batches if batch and END in batch[0]]


# --- the same claims ----------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(
    drawn=st.lists(st.tuples(st.integers(0, 45), st.sampled_from([0, 0, 5, 30])), max_size=40),
    limits=st.tuples(*[st.one_of(st.none(), st.integers(-5, 60).map(day))] * 2),
    page_size=st.integers(1, 4),
    streams=st.integers(2, 8),
)
# More claims of one instant than fit in a part, and claims on the edges of a range.
@example(drawn=[(7, 0)] * 20 + [(8, 0)] * 20, limits=(None, None), page_size=1, streams=2)
@example(drawn=[(number, 30) for number in range(40)], limits=(day(30), day(30)), page_size=1, streams=3)
def test_several_streams_yield_exactly_the_claims_of_one(indexed, drawn, limits, page_size, streams):
    start, end = limits if None in limits else sorted(limits)
    claims = [make_claim(number * 7 % 41, day(begin), day(begin + days)) for number, (begin, days) in enumerate(drawn)]
    fill(indexed, claims)
    expected = overlapping(claims, TIN_A, start, end)
    for order, bounded in itertools.product(ORDERS, (True, False)):
        found = iter_claims(
            indexed, TIN_A, start, end, page_size=page_size, order=order, bounded=bounded, streams=streams
        )
        assert list(found) == in_order(expected, indexed, order)


@pytest.mark.parametrize("order", ORDERS)
def test_a_generated_provider_is_read_in_many_parts_at_once(loaded_store, order):
    tin = list_providers(loaded_store.config, "3K")[0].tin
    dates = dt.date(2024, 2, 1), dt.date(2025, 6, 30)
    wire = Wire()
    with listened_to(loaded_store, wire) as heard:
        for start, end in ((None, None), dates):
            wire.clear()
            expected = list(iter_claims(loaded_store, tin, start, end, order=order))
            assert len(expected) > 500
            assert list(iter_claims(heard, tin, start, end, page_size=50, order=order, streams=2)) == expected
            parts = [command for name, command in wire.sent if name == "find" and "skip" not in command]
            assert len(parts) >= len(expected) // (50 * BATCHES)
            # Each part is read to its end in full batches, with no extra request to see whether there is more.
            assert len(fetched(wire)) == wire.names.count("getMore") + len(parts)
            assert sum(len(batch) < 50 for batch in fetched(wire)) == len(parts)


def test_cutting_parts_reads_no_claims(indexed):
    fill(indexed, CLAIMS)
    wire = Wire()
    with listened_to(indexed, wire) as heard:
        found = list(iter_claims(heard, TIN_A, day(20), day(150), page_size=10, streams=2))
    assert found == in_order(overlapping(CLAIMS, TIN_A, day(20), day(150)), indexed)
    cuts = [command for name, command in wire.sent if name == "find" and "skip" in command]
    assert len(cuts) > len(found) // (10 * BATCHES)
    for cut in cuts:
        find = {key: cut[key] for key in ("find", "filter", "projection", "sort", "skip", "limit", "hint")}
        stats = indexed.collection.database.command("explain", find, verbosity="executionStats")["executionStats"]
        assert stats["totalDocsExamined"] == 0
        assert stats["totalKeysExamined"] < 100  # the keys of a part and, on the overlap index, one step per day


@pytest.mark.parametrize("missing", ["rule", "index"])
def test_without_rule_or_index_there_is_one_stream(store, missing):
    odd = make_claim(900, None, None) if missing == "rule" else make_claim(900, day(0), day(0))
    if missing == "rule":
        store.collection.database.command("collMod", store.collection.name, validator={})
    else:
        store.collection.drop_index(store.index_name)
    fill(store, [odd, *CLAIMS])
    wire = Wire()
    with listened_to(store, wire) as heard:
        wire.clear()
        claims = iter_claims(heard, TIN_A, page_size=100, streams=2)
        first = next(claims)
        assert readers() == []
        assert sorted([first, *claims], key=repr) == sorted([odd, *CLAIMS], key=repr)
    assert wire.names.count("find") == 1


@pytest.mark.parametrize("streams", [0, -1, 9, 10**30, True, 2.0, "2", None])
def test_an_invalid_number_of_streams_is_rejected_by_the_call_itself(loaded_store, streams):
    with pytest.raises(InvalidQuery, match=r"^streams must be a whole number from 1 to 8, got "):
        iter_claims(loaded_store, TIN_A, streams=streams)


# --- while others write, and in trouble ---------------------------------------------------------------------------


@settings(max_examples=15)
@given(
    begins=st.lists(st.integers(0, 20), min_size=20, max_size=50),
    changes=st.lists(
        st.tuples(st.sampled_from(["insert", "delete", "move"]), st.integers(0, 49), st.integers(0, 20)), min_size=10
    ),
    order=st.sampled_from(ORDERS),
)
def test_unchanged_claims_are_yielded_once_whatever_else_is_written(indexed, begins, changes, order):
    claims = [make_claim(number, day(begin), day(begin + 2)) for number, begin in enumerate(begins)]
    fill(indexed, claims)
    touched, seen = set(), []
    for claim in iter_claims(indexed, TIN_A, day(1), day(18), page_size=1, order=order, streams=2):
        seen.append(claim)
        assert len(seen) < 200, "the walk does not end"
        if changes:
            kind, number, begin = changes.pop()
            new = make_claim(number + (100 if kind == "insert" else 0), day(begin), day(begin))
            touched.add(new[ID])
            indexed.collection.delete_one({ID: new[ID]})
            if kind != "delete":
                indexed.collection.insert_one(new)
    standing = [claim for claim in overlapping(claims, TIN_A, day(1), day(18)) if claim[ID] not in touched]
    assert [claim for claim in seen if claim[ID] not in touched] == in_order(standing, indexed, order)


def test_cursors_that_the_server_lost_are_opened_again_after_the_last_claim(store):
    # With 200 claims of one instant, a part is far longer than the read-ahead.
    expected = [make_claim(number, day(number // 200), day(9)) for number in range(600)]
    fill(store, expected)
    wire = Wire()
    with listened_to(store, wire) as heard:
        claims = iter_claims(heard, TIN_A, page_size=5, streams=2)
        seen = [next(claims)]
        # First, four batches ahead in each of two parts. Then all 40 of the first part, the 10 taken from the second,
        # and again four ahead in the second and in the third.
        for batches in (8, 58):
            wait_for(lambda most=batches: len(fetched(wire)) == most, 30, "both readers to wait for the caller")
            cursors = idle_cursors(store)
            assert len(cursors) == 2
            store.collection.database.command("killCursors", store.collection.name, cursors=cursors)
            seen += itertools.islice(claims, 250)
        assert seen + list(claims) == expected


def test_streams_go_on_over_connections_that_break(proxied):
    store, proxy = proxied
    tin = list_providers(store.config, "3K")[0].tin
    expected = list(iter_claims(store, tin))
    with store.reopened(serverSelectionTimeoutMS=5_000) as patient:
        claims, seen = iter_claims(patient, tin, page_size=20, streams=2), []
        for words in (b"find\0", b"getMore\0", b"getMore\0"):
            proxy.cut_at(words)
            seen += itertools.islice(claims, 700)
        assert seen + list(claims) == expected


def test_a_server_that_is_gone_is_reported_as_for_one_stream(proxied):
    store, proxy = proxied
    tin = list_providers(store.config, "3K")[0].tin
    expected = list(iter_claims(store, tin))
    claims, seen = iter_claims(store, tin, page_size=10, streams=2), []
    seen += itertools.islice(claims, 35)
    proxy.cut()
    with pytest.raises(ServerUnavailable, match="is not responding"):
        for claim in claims:
            seen.append(claim)
    assert seen == expected[: len(seen)]
    wait_for(lambda: not readers(), 10, "the threads to give up")
    assert list(claims) == []


def test_an_unreadable_document_is_reported_in_its_place(store):
    fill(store, CLAIMS)
    text = bson.encode(make_claim(300, day(100), day(100)) | {"note": "text"}).replace(b"text", b"\xff\xfext")
    store.collection.delete_one({ID: CLAIMS[300][ID]})
    store.collection.insert_one(RawBSONDocument(text))
    claims, seen = iter_claims(store, TIN_A, page_size=10, streams=2), []
    with pytest.raises(PbmError, match="has a value that cannot be read"):
        for claim in claims:
            seen.append(claim)
    assert seen == CLAIMS[:300]


def test_a_change_of_order_is_reported(open_store, store, waiting):
    claims, seen, _ = waiting
    with index_variant(store):
        with pytest.raises(PbmError, match=r"changed from three_field to overlap during the walk, .* Start again"):
            seen += claims
        assert seen == CLAIMS[: len(seen)]
        assert len(seen) < len(CLAIMS)


@pytest.mark.parametrize("after", ["none", "another name"])
def test_streams_go_on_without_their_index_or_with_one_under_another_name(store, waiting, after):
    claims, seen, _ = waiting
    store.collection.drop_index(store.index_name)
    if after == "another name":
        store.collection.create_index(list(store.variant.keys.items()), name="theirs")
    assert seen + list(claims) == CLAIMS


# --- ahead of the caller, and the end of it -----------------------------------------------------------------------


def test_no_more_is_read_ahead_than_one_part_per_stream_and_one_more(waiting):
    claims, seen, wire = waiting
    time.sleep(0.3)  # long enough for more batches to arrive
    assert len(fetched(wire)) == 3 * BATCHES
    seen += itertools.islice(claims, 9)
    time.sleep(0.3)
    assert len(fetched(wire)) == 3 * BATCHES  # the next part is read only when all of a part has been taken
    assert seen + list(claims) == CLAIMS


def test_the_limit_on_reading_ahead_also_holds_for_many_claims_of_one_instant(store):
    same = [make_claim(number, day(0), day(1)) for number in range(600)]
    fill(store, same)
    wire = Wire()
    with listened_to(store, wire) as heard:
        claims = iter_claims(heard, TIN_A, page_size=10, streams=2)
        seen = [next(claims)]
        wait_for(lambda: len(fetched(wire)) == BATCHES, 30, "a part's batches to be read")
        time.sleep(0.3)
        assert len(fetched(wire)) == BATCHES
        assert seen + list(claims) == same


def close(claims):
    claims.close()


def collect(claims):
    del claims
    gc.collect()


@pytest.mark.parametrize("leave", [close, collect])
def test_an_iterator_that_is_abandoned_early_leaves_no_thread_and_no_cursor(store, leave):
    # All claims of a part have one instant, so the parts are longer than the read-ahead.
    fill(store, [make_claim(number, day(number // 300), day(9)) for number in range(600)])
    claims = iter_claims(store, TIN_A, page_size=5, streams=2)
    assert next(claims)[END] == day(9)
    wait_for(lambda: len(idle_cursors(store)) == 2, 30, "both readers to wait for the caller")
    left = [claims]
    del claims
    leave(left.pop())
    assert (readers(), idle_cursors(store)) == ([], [])


STREAM = """
import pbm_lib as pbm
def first():  # a function holds the script's globals until Python has taken the modules apart
    return next(claims)["_id"]
store = pbm.connect(pbm.load_config({path!r}))
claims = pbm.iter_claims(store, "411234567", page_size=5, streams=2)
print(first())
"""


def test_an_iterator_that_is_alive_at_exit_closes_its_cursors_silently(store, test_uri):
    fill(store, [make_claim(number, day(number // 300), day(9)) for number in range(600)])
    ended = run_python("-c", STREAM.format(path=str(store.config.path)), uri=test_uri)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{0:024x}\n", "")
    assert idle_cursors(store) == []


@pytest.fixture
def slow(monkeypatch, store):
    """A store where every claim takes the server 0.3 s."""
    fill(store, CLAIMS)
    fast = ClaimQuery.filter
    monkeypatch.setattr(ClaimQuery, "filter", lambda query, *where: {**fast(query, *where), **SLOW})
    return store


def running_on(store):
    return under_way(store.collection.database.client, store.collection.full_name)


def test_commands_that_an_iterator_waits_for_end_with_it(slow):
    claims = iter_claims(slow, TIN_A, page_size=2, streams=2)
    next(claims)
    wait_for(lambda: running_on(slow), 30, "a reader to wait for the server")
    claims.close()
    assert readers() == []
    wait_for(lambda: not running_on(slow), 5, "the server to end all")


def test_ctrl_c_ends_an_iterator_that_waits(slow):
    claims = iter_claims(slow, TIN_A, page_size=1_000, streams=2)  # the first batch would take minutes

    def interrupt():
        wait_for(lambda: running_on(slow), 30, "a reader to wait for the server")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        next(claims)
    thread.join()
    assert readers() == []
    wait_for(lambda: not running_on(slow), 5, "the server to end it")
