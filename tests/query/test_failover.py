"""Reads survive what a cluster does: a page arrives in one batch, and a walk outlasts a change of primary."""

import bson
import pymongo
import pytest
from oracle import TIN_A, Wire, day, fill, listened_to, make_claim, overlapping
from servers import replica_set

from pbm_lib import (
    ServerUnavailable,
    connect,
    count_claims,
    find_claims,
    iter_claims,
    list_providers,
    setup_collection,
)
from pbm_lib.claims.document import ID

CLAIMS = [make_claim(number, day(number // 3), day(number // 3 + number % 2)) for number in range(1_200)]


@pytest.mark.parametrize("page_size", [1, 100, 101, 102, 1_000])
def test_a_page_arrives_in_its_first_batch(clock, store, page_size):
    fill(store, CLAIMS)
    wire = Wire()
    with listened_to(store, wire) as heard:
        wire.clear()
        page = find_claims(heard, TIN_A, page_size=page_size, with_total=False)
        find_claims(heard, TIN_A, page_size=page_size, cursor=page.next_cursor, with_total=False)
    assert wire.names == ["find", "find"]
    for _, answer in wire.answers:
        if "cursor" in answer:
            assert answer["cursor"]["id"] == 0
    assert len(page) == page_size


def test_a_page_too_large_for_one_batch_is_still_complete(open_store):
    store = open_store()
    claims = [{**make_claim(number, day(number), day(number)), "scan": bytes(700_000)} for number in range(30)]
    fill(store, claims)
    assert len(bson.encode(claims[0])) * len(claims) > 16 * 2**20
    page = find_claims(store, TIN_A, page_size=30)
    assert [claim[ID] for claim in page] == [claim[ID] for claim in claims]
    assert page.next_cursor is None


def test_a_cursor_that_the_server_lost_is_opened_again_after_the_last_claim(store):
    fill(store, CLAIMS)
    wire = Wire()
    with listened_to(store, wire) as heard:
        claims = iter_claims(heard, TIN_A, page_size=100)
        seen = [next(claims) for _ in range(150)]
        lost = wire.answers[-1][1]["cursor"]["id"]
        store.collection.database.command("killCursors", store.collection.name, cursors=[lost])
        seen += list(claims)
    assert seen == overlapping(CLAIMS, TIN_A)
    assert wire.names.count("find") == 2


@pytest.fixture
def streamed(proxied):
    """A stream of the largest provider's claims in batches of 100, the proxy that it uses, and all of its claims."""
    store, proxy = proxied
    tin = list_providers(store.config, "3K")[0].tin
    # Longer than the half second between a driver's checks of a server.
    with store.reopened(serverSelectionTimeoutMS=5_000) as patient:
        count_claims(patient, tin)  # makes sure that the connection exists when the proxy begins to cut
        yield iter_claims(patient, tin, page_size=100), proxy, overlapping(store.collection.find().to_list(), tin)


# The driver itself retries a find once, and never a getMore.


def test_a_stream_that_fails_before_its_first_claim_begins_again(streamed):
    claims, proxy, expected = streamed
    proxy.cut_at(b"find\0", times=2)
    assert list(claims) == expected


def test_a_stream_continues_after_its_last_claim_as_often_as_it_makes_progress(streamed):
    claims, proxy, expected = streamed
    seen = []
    for _ in range(3):
        seen += [next(claims) for _ in range(150)]
        proxy.cut_at(b"getMore\0")
    assert seen + list(claims) == expected


def test_a_stream_that_fails_twice_at_its_first_claim_gives_up(streamed):
    claims, proxy, _ = streamed
    proxy.cut_at(b"find\0", times=4)
    with pytest.raises(ServerUnavailable):
        next(claims)


def test_a_stream_that_fails_twice_after_the_same_claim_gives_up(streamed):
    claims, proxy, expected = streamed
    assert [next(claims) for _ in range(100)] == expected[:100]
    # Cuts a getMore and both attempts at the find after the same claim; one more attempt would succeed.
    proxy.cut_at(b"claims\0", times=3)
    with pytest.raises(ServerUnavailable):
        next(claims)


@pytest.mark.replica_set
def test_a_walk_survives_a_change_of_primary_and_a_crash_of_the_next(tmp_path, make_config, monkeypatch):
    with replica_set(tmp_path / "rs") as cluster:
        monkeypatch.setenv("MONGODB_URI", cluster.uri)
        with connect(make_config()) as store:
            setup_collection(store)
            fill(store, CLAIMS)
            expected = overlapping(CLAIMS, TIN_A, day(20), day(350))
            claims = iter_claims(store, TIN_A, day(20), day(350), page_size=50)
            streamed = [next(claims) for _ in range(120)]
            old = cluster.primary().address
            seen, cursor, turned = [], None, 0
            while True:
                page = find_claims(store, TIN_A, day(20), day(350), page_size=40, cursor=cursor)
                seen += page
                assert page.total == len(expected)
                turned += 1
                if turned == 5:
                    cluster.step_down()
                if turned == 10:
                    cluster.primary().kill()
                if (cursor := page.next_cursor) is None:
                    break
            assert seen == expected
            assert turned > 15
            assert cluster.primary().address != old
            assert streamed + list(claims) == expected
            # Then walk back, with only two nodes left.
            back = []
            cursor = page.prev_cursor
            while cursor:
                page = find_claims(store, TIN_A, day(20), day(350), page_size=40, cursor=cursor, with_total=False)
                back = [*page, *back]
                cursor = page.prev_cursor
            assert back == expected[: len(back)]
            assert len(back) > len(expected) - 40
            for node in cluster.nodes:
                node.kill()
            with pymongo.timeout(2), pytest.raises(ServerUnavailable):
                count_claims(store, TIN_A)
