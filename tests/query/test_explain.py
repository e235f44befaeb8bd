"""What explain reports: readable for a customer, and proof that a page costs the same at any depth."""

import datetime as dt
import html
import os
import re
import signal
import threading
from textwrap import indent

import pytest
from bson import Binary, Decimal128, Int64, ObjectId
from oracle import TIN_A, day, fill, make_claim
from servers import SLOW, under_way, wait_for

from pbm_lib import QueryPlan, count_claims, explain_claims, explain_count, find_claims, setup_collection
from pbm_lib.claims.document import BEGIN, ID
from pbm_lib.mql import to_mql
from pbm_lib.query.filters import ClaimQuery

CLAIMS = [make_claim(number, day(number // 4), day(number // 4)) for number in range(2_000)]
RANGE = (day(300), day(400))
EVERYTHING = (day(0), day(600))


@pytest.fixture(scope="module", params=["three_field", "overlap"])
def walked(request, open_shared_store):
    store = setup_collection(open_shared_store({"mongodb": {"index": request.param}}))
    fill(store, CLAIMS)
    return store


@pytest.fixture(scope="module")
def unguarded(open_shared_store):
    """The same claims with the index, but without the validator."""
    store = setup_collection(open_shared_store())
    fill(store, CLAIMS)
    store.collection.database.command("collMod", store.collection.name, validator={})
    store.refresh()
    return store


def test_it_prints_as_a_small_table(walked):
    plan = explain_claims(walked, TIN_A, *RANGE, page_size=50)
    lines = repr(plan).splitlines()
    assert len(lines) < 20
    assert max(map(len, lines)) <= 120
    # The query is laid out over several lines, aligned below its first line.
    margin = re.search("^( +MQL +)db", repr(plan), re.MULTILINE)[1]
    assert indent(plan.mql, " " * len(margin)).lstrip() in repr(plan)
    assert plan.mql.count("\n") >= 3
    assert f">{html.escape(plan.mql)}</pre>" in plan._repr_html_()
    labels = ["Query", "MQL", "Index", "Stages"]
    labels += ["Keys examined", "Documents examined", "Returned", "Time on the server"]
    assert [line[2:22].strip() for line in lines[1:] if line[2:22].strip()] == labels
    assert plan._repr_html_().count("<tr>") == len(labels)
    assert plan.index == walked.index_name
    assert plan.returned == 50
    assert "scans the index" in plan.facts()["Stages"]


def test_it_says_which_query_it_was_only_if_the_two_differ(walked):
    page = find_claims(walked, TIN_A, page_size=5)
    for dates, cursor in (((), None), ((), page.next_cursor), ((None, RANGE[1]), None)):
        assert "Query" not in explain_claims(walked, TIN_A, *dates, cursor=cursor).facts()
    assert explain_claims(walked, TIN_A, RANGE[0]).facts()["Query"] == "bounded query"
    assert explain_claims(walked, TIN_A, *RANGE, bounded=False).facts()["Query"] == "unbounded query"


def test_the_table_says_what_each_claim_returned_costs():
    plan = QueryPlan(False, "db.claims.find({})", None, ("LIMIT", "COLLSCAN"), 0, 5_100, 100, 7)
    assert plan.facts()["Documents examined"] == "5,100 (51.0 per claim returned)"
    assert plan.facts()["Keys examined"] == "0"
    assert plan.facts()["Index"] == "none"
    assert "reads every document" in repr(plan)
    assert "<script>" not in QueryPlan(False, "<script>", None, (), 0, 0, 0, 0)._repr_html_()


def test_a_page_costs_the_same_at_any_depth_in_both_directions(walked):
    check_flat(walked)


def test_a_page_of_an_unguarded_collection_is_as_flat(unguarded):
    assert not unguarded.bounded
    check_flat(unguarded)


@pytest.mark.parametrize("dated", [lambda number: number, lambda number: float("nan") if number < 1_200 else number])
def test_a_page_between_numbers_is_as_flat(unguarded, dated):
    fill(unguarded, [{**claim, ID: number, BEGIN: dated(number)} for number, claim in enumerate(CLAIMS)])
    check_flat(unguarded)
    fill(unguarded, CLAIMS)


def check_flat(store):
    page = find_claims(store, TIN_A, page_size=1_000)
    first = explain_claims(store, TIN_A, page_size=50)
    deep = explain_claims(store, TIN_A, page_size=50, cursor=page.next_cursor)
    later = find_claims(store, TIN_A, page_size=1_000, cursor=page.next_cursor)
    back = explain_claims(store, TIN_A, page_size=50, cursor=later.prev_cursor)
    for plan in (first, deep, back):
        assert (plan.returned, plan.docs_examined) == (50, 50)
        assert plan.keys_examined <= 55
        assert "SORT" not in plan.stages
        assert "COLLSCAN" not in plan.stages


def test_the_bound_turns_a_scan_from_the_first_claim_into_a_window(walked):
    plain = explain_claims(walked, TIN_A, *RANGE, page_size=50, bounded=False)
    bounded = explain_claims(walked, TIN_A, *RANGE, page_size=50)
    assert (plain.bounded, bounded.bounded) == (False, True)
    # 300 days with four claims each come before the range, 30 of them within the bound. The overlap index needs one key
    # per day.
    keys_a_day, fetched = (1, 0) if walked.variant.name == "overlap" else (4, 4)
    assert plain.keys_examined >= 300 * keys_a_day
    assert bounded.keys_examined <= 30 * keys_a_day + 55
    assert bounded.docs_examined == 30 * fetched + 50


def test_a_total_is_counted_in_the_index_except_for_the_carry_ins(walked):
    window, carry_ins = explain_count(walked, TIN_A, *RANGE)
    assert (window.returned, window.docs_examined, carry_ins.returned) == (404, 0, 0)
    assert "COUNT_SCAN" in window.stages
    assert carry_ins.docs_examined == (0 if walked.variant.name == "overlap" else 30 * 4)
    (all_claims,) = explain_count(walked, TIN_A)
    assert (all_claims.returned, all_claims.docs_examined) == (2_000, 0)
    (plain,) = explain_count(walked, TIN_A, *RANGE, bounded=False)
    assert plain.returned == 404


def test_the_query_reads_as_a_person_would_type_it(store):
    plan = explain_claims(store, TIN_A, dt.date(2024, 1, 31), dt.date(2024, 2, 29), page_size=10)
    assert plan.mql == (
        "db.claims.find({\n"
        '  "billingProvider.providerTin": "411234567",\n'
        '  serviceBeginDate: {$gte: ISODate("2024-01-01"), $lte: ISODate("2024-02-29T23:59:59.999Z")},\n'
        '  serviceEndDate: {$gte: ISODate("2024-01-31")}\n'
        '}).sort({serviceBeginDate: 1, _id: 1}).limit(10).hint("claims_by_provider")'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (ObjectId("65a1e3d05eed5e0000000001"), 'ObjectId("65a1e3d05eed5e0000000001")'),
        (dt.datetime(1, 1, 1), 'ISODate("0001-01-01")'),
        (Decimal128("1.50"), 'NumberDecimal("1.50")'),
        ([1, 2.5, None, True, 'a"b'], '[1, 2.5, null, true, "a\\"b"]'),
        ({"a.b": {"$gt": 1}}, '{"a.b": {$gt: 1}}'),
        (Int64(5), 'NumberLong("5")'),
        (2**53 + 1, 'NumberLong("9007199254740993")'),  # JavaScript's own numbers would round it
        (Binary(b"x", 0), 'EJSON.parse("{\\"$binary\\": {\\"base64\\": \\"eA==\\", \\"subType\\": \\"00\\"}}")'),
    ],
    ids=str,
)
def test_values_read_as_a_person_would_type_them(value, text):
    assert to_mql(value) == text


def test_a_deep_page_is_as_cheap_when_the_server_cached_its_plan_on_page_two(walked):
    """Explain always plans anew, but a find may use a cached plan, so this test reads the server's profiler."""
    database = walked.collection.database
    second = find_claims(walked, TIN_A, *EVERYTHING, page_size=50).next_cursor
    deep = find_claims(walked, TIN_A, *EVERYTHING, page_size=1_000).next_cursor
    database.command("profile", 2)
    try:
        for cursor in [second] * 4 + [deep] * 2:
            find_claims(walked, TIN_A, *EVERYTHING, page_size=50, cursor=cursor, with_total=False)
    finally:
        database.command("profile", 0)
    examined = [entry["keysExamined"] for entry in database["system.profile"].find({"op": "query"}, sort=[("ts", 1)])]
    assert len(examined) == 6
    assert max(examined) <= 55


@pytest.mark.parametrize(
    ("call", "command"),
    [(find_claims, "find"), (count_claims, "aggregate"), (explain_claims, "explain"), (explain_count, "explain")],
)
def test_an_interrupted_query_ends_on_the_server_too(unguarded, monkeypatch, call, command):
    fast, admin = ClaimQuery.filter, unguarded.collection.database.client
    monkeypatch.setattr(ClaimQuery, "filter", lambda query, *where: {**fast(query, *where), **SLOW})

    def running() -> list[str]:
        return under_way(admin, unguarded.collection.full_name)

    def interrupt() -> None:
        wait_for(lambda: running() == [command], 10, command)
        os.kill(os.getpid(), signal.SIGINT)

    reader = threading.Thread(target=interrupt)
    reader.start()
    with pytest.raises(KeyboardInterrupt):
        call(unguarded, TIN_A)  # 2,000 claims take 30 s for a page, 10 minutes for the rest
    reader.join()
    try:
        wait_for(lambda: running() == [], 5, "the end of it")
    finally:
        under_way(admin, unguarded.collection.full_name, kill=True)
