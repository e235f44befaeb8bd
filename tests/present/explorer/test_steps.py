"""The explorer's steps: which page each leads to, and what is known about its place."""

import datetime as dt
import math

import pytest
from cell_output import cell_output
from explorers import heard, ids
from oracle import Wire, day, fill, make_claim
from servers import Mongod, free_port, running

from pbm_lib import (
    ClaimExplorer,
    InvalidQuery,
    ServerUnavailable,
    connect,
    count_claims,
    find_claims,
    iter_claims,
    list_providers,
    sample_claim,
    setup_collection,
)
from pbm_lib.vocabulary import INDEXES

WINDOW = (dt.date(2025, 3, 1), dt.date(2025, 3, 31))


def dates(explorer):
    return [claim["serviceBeginDate"].date() for claim in explorer.page]


def place_of(explorer):
    (line,) = [line for line in repr(explorer).splitlines() if line.startswith("  claims ")]
    return line.removeprefix("  claims ").strip()


def test_it_starts_with_the_first_page_of_the_first_provider(explorer, loaded_store):
    provider = list_providers(loaded_store.config)[0]
    assert explorer.page.documents == find_claims(loaded_store, provider.tin, with_total=False).documents
    assert explorer.total == 3_000
    assert place_of(explorer) == "1-100 of 3,000 - page 1 of 30"


@pytest.mark.parametrize("dates", [(None, None), WINDOW], ids=["all dates", "a month"])
@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_walking_forward_shows_every_claim_once_and_back_again(explorer, loaded_store, dates, bounded, order):
    tin = list_providers(loaded_store.config, "300")[0].tin
    expected = ids(iter_claims(loaded_store, tin, *dates, order=order))
    explorer.choose(
        tin=tin, service_date_start=dates[0], service_date_end=dates[1], page_size=7, bounded=bounded, order=order
    )
    seen, places = ids(explorer.page), [explorer.shown.place]
    while explorer.page.next_cursor:
        seen += ids(explorer.next().page)
        places.append(explorer.shown.place)
    assert seen == expected
    assert explorer.total == len(expected)
    assert places == list(range(0, len(expected), 7))
    for place in reversed(places[:-1]):
        assert explorer.previous().shown.place == place
        assert ids(explorer.page) == expected[place : place + 7]


@pytest.mark.parametrize("size", [7, 100, 1_000], ids="size {}".format)
def test_the_last_page_is_that_of_a_walk_and_leads_back(explorer, loaded_store, size):
    tin = list_providers(loaded_store.config, "300")[0].tin
    expected = ids(iter_claims(loaded_store, tin))
    pages = [expected[at : at + size] for at in range(0, 300, size)]
    explorer.choose(tin=tin, page_size=size)
    assert explorer.total == 300
    with heard(explorer, Wire()) as wire:
        assert ids(explorer.last().page) == pages[-1]
    assert wire.names.count("find") == 1
    assert place_of(explorer).endswith(f"page {len(pages)} of {math.ceil(300 / size)}")
    with pytest.raises(InvalidQuery, match="no next page"):
        explorer.next()
    for number in reversed(range(len(pages) - 1)):
        assert ids(explorer.previous().page) == pages[number]
        assert explorer.shown.place == number * size
    if len(pages) > 1:
        assert ids(explorer.next().page) == pages[1]


def test_the_last_page_of_an_unknown_total_finds_its_place_when_that_is_counted(explorer, loaded_store):
    explorer.choose(tin=list_providers(loaded_store.config, "300")[0].tin, page_size=70).last()
    assert explorer.shown.total is None
    assert len(explorer.page) == 70
    assert explorer.shown.place is None
    # It has no page number: counted from the first page, no page of 70 begins there.
    assert place_of(explorer) == "231-300 of 300"
    assert explorer.previous().shown.place == 160


@pytest.mark.parametrize("order", ["oldest", "newest"])
@pytest.mark.parametrize("index", INDEXES)
def test_a_jump_leads_to_the_first_claim_of_its_date(open_store, order, index):
    store = setup_collection(open_store({"mongodb": {"index": index}}))
    tin = list_providers(store.config)[0].tin
    fill(store, [make_claim(number, day(number // 3), day(number // 3 + number % 3), tin) for number in range(60)])
    explorer = ClaimExplorer(store).choose(order=order, page_size=5)
    for number in range(20):
        date = day(number).date()
        begins = dates(explorer.jump(date))
        assert begins[0] == date
        assert begins == sorted(begins, reverse=order == "newest")
        assert place_of(explorer) == f"{len(begins)} claims of 60 - page number not known"
        seen = ids(explorer.page)
        # It is a page like any other: no claim is missing between it and its neighbors.
        walk = ids(iter_claims(store, tin, order=order))
        at = walk.index(seen[0])
        assert walk[at : at + 5] == seen
        if at:
            assert ids(explorer.previous().page) == walk[max(at - 5, 0) : at]
            assert ids(explorer.next().page) == seen


def test_a_jump_beyond_the_claims_leads_to_the_last_page_and_says_so(explorer):
    assert explorer.jump(dt.date(2199, 1, 1)).page.next_cursor is None
    assert "No claim begins on or after 2199-01-01" in repr(explorer)
    assert len(explorer.page) == 100
    assert explorer.choose(order="newest").jump(dt.date.min).page.next_cursor is None
    assert explorer.jump(dt.date.max).page.next_cursor is not None


def test_previous_after_a_jump_to_the_very_first_claim_is_the_first_page(explorer):
    explorer.jump(dt.date(1999, 1, 1))
    assert explorer.previous().shown.place == 0
    assert len(explorer.page) == 100
    assert place_of(explorer) == "1-100 of 3,000 - page 1 of 30"


def test_first_leads_back_from_anywhere(explorer):
    begin = ids(explorer.page)
    assert ids(explorer.next().next().first().page) == begin
    assert explorer.shown.place == 0
    assert ids(explorer.last().first().page) == begin


@pytest.mark.parametrize("lead", ["next", "last", "jump"])
def test_the_other_query_stays_on_the_page_and_another_page_size_starts_over(explorer, lead):
    explorer.choose(service_date_start=WINDOW[0], service_date_end=WINDOW[1], page_size=10)
    total = explorer.total
    getattr(explorer, lead)(*([dt.date(2025, 3, 9)] if lead == "jump" else []))
    place, claims = explorer.shown.place, ids(explorer.page)
    explorer.choose(bounded=False)
    assert (explorer.shown.place, ids(explorer.page), explorer.total) == (place, claims, total)
    assert explorer.shown.same_claims is True
    assert "bounded query" in repr(explorer)
    assert "the same claims" in repr(explorer)
    assert explorer.choose(page_size=20).shown.place == 0
    assert explorer.shown.same_claims is None


@pytest.mark.parametrize(
    ("choice", "named"),
    [
        ({"tin": "12"}, "tin"),
        ({"bounded": "fast"}, "bounded"),
        ({"count_each_page": 1}, "count_each_page"),
        ({"page_size": 0}, "page_size"),
        ({"order": "random"}, "order"),
        ({"service_date_start": "x"}, "service_date_start"),
        ({"service_date_end": 2025}, "service_date_end"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_rejected_value_changes_nothing(explorer, choice, named):
    before = explorer.shown
    with pytest.raises(InvalidQuery, match=rf"^{named} must be "):
        explorer.choose(**choice)
    assert explorer.shown is before


@pytest.mark.parametrize("seconds", [0, -1, 3_601, float("nan")])
def test_a_time_limit_must_be_within_its_limits(loaded_store, seconds):
    with pytest.raises(InvalidQuery, match="seconds"):
        ClaimExplorer(loaded_store, seconds=seconds)


def test_there_is_nothing_beyond_the_ends(explorer):
    with pytest.raises(InvalidQuery, match="no previous page"):
        explorer.previous()
    explorer.choose(tin=list_providers(explorer.store.config, "60")[0].tin)
    with pytest.raises(InvalidQuery, match="no next page"):
        explorer.next()


def test_dates_out_of_order_give_a_clear_message_and_the_next_change_fixes_it(explorer):
    explorer.choose(service_date_start=WINDOW[1])
    with pytest.raises(InvalidQuery):
        explorer.choose(service_date_end=WINDOW[0])
    assert explorer.page is None
    assert "2025-03-01, is before the first, 2025-03-31" in explorer.error
    assert "Not answered." in cell_output(explorer)["text/html"]
    with pytest.raises(InvalidQuery, match="no page to explain"):
        explorer.explain()
    assert explorer.choose(service_date_start=WINDOW[0]).error is None
    assert explorer.total == count_claims(explorer.store, explorer.shown.choice.question.tin, WINDOW[0], WINDOW[0])


def test_a_date_and_a_datetime_out_of_order_give_a_clear_message_too(explorer):
    explorer.choose(service_date_start=WINDOW[1])
    with pytest.raises(InvalidQuery):
        explorer.choose(service_date_end=dt.datetime(2025, 3, 1, 12))
    assert "2025-03-01 12:00:00, is before the first, 2025-03-31" in explorer.error
    assert not explorer.shown.reading


def test_a_lost_server_gives_one_sentence_and_the_next_step_continues_when_it_is_back(
    tmp_path, monkeypatch, make_config
):
    with running(Mongod(tmp_path / "db", port=free_port())) as mongod:
        # Longer than the driver's half second between two checks of a server, or it may not notice the restart.
        monkeypatch.setenv("MONGODB_URI", f"{mongod.uri}&serverSelectionTimeoutMS=800")
        with setup_collection(connect(make_config())) as store:
            claim = sample_claim()
            claim["billingProvider"]["providerTin"] = list_providers(store.config)[0].tin
            second = {**claim, "_id": type(claim["_id"])()}
            second["identifiers"] = {**claim["identifiers"], "claimSystemClaimId": "NCPDP_D0-000000000002"}
            store.collection.insert_many([claim, second])
            explorer = ClaimExplorer(store).choose(page_size=1)
            mongod.kill()
            with pytest.raises(ServerUnavailable):
                explorer.next()
            shown = cell_output(explorer)["text/html"]
            assert "Not answered.</b> The MongoDB server is not responding." in shown
            assert "Traceback" not in shown
            assert len(explorer.page) == 1
            mongod.start()
            assert explorer.next().error is None
            assert explorer.shown.place == 1
