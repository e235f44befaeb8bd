"""MQL reads well: laid out over several lines, with no value broken, it is still the same query."""

import datetime as dt
import re

import pytest
from bson import SON, Decimal128, Int64, ObjectId
from hypothesis import given, strategies as st
from mongosh import typed
from oracle import TIN_A, Wire, day, fill, listened_to, make_claim

from pbm_lib import count_claims, explain_claims, explain_count, find_claims, iter_claims
from pbm_lib.mql import call_mql, command_mql, pretty_mql, to_mql

RANGE = {
    "billingProvider.providerTin": "127357807",
    "serviceBeginDate": {"$gte": dt.datetime(2025, 8, 3), "$lte": dt.datetime(2025, 11, 30, 23, 59, 59, 999_000)},
    "serviceEndDate": {"$gte": dt.datetime(2025, 9, 2)},
}
FIND = {
    "find": "claims",
    "filter": RANGE,
    "sort": {"serviceBeginDate": 1, "_id": 1},
    "limit": 100,
    "hint": "claims_by_provider",
}

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30)
    | st.sampled_from(
        [ObjectId("65a1e3d05eed5e0000000001"), Int64(7), Decimal128("1.50"), dt.datetime(2024, 1, 31, 5)]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab.$ _1", max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(values, st.integers(10, 100), st.sampled_from(["", "    "]))
def test_a_layout_has_the_same_value_and_is_no_wider_than_necessary(value, width, margin):
    text = pretty_mql(value, width, margin)
    assert typed(text) == value
    first, *others = text.splitlines()
    assert all(line.startswith(margin) for line in others)
    for line in (margin + first, *others):
        # Only a line that cannot be split may be wider: a single value, with its key and the brackets that it closes.
        assert len(line) <= width or not re.search(r"[{\[](?![}\]])[^\n]*[}\]]", re.sub(r'"(\\.|[^"\\])*"', "", line))


def test_what_fits_on_one_line_is_on_one_line():
    assert pretty_mql(RANGE, 200) == to_mql(RANGE)
    value, line = {"ab": [1, 2], "c": 3}, "{ab: [1, 2], c: 3}"
    assert pretty_mql(value, 18) == line
    assert pretty_mql(value, 17) == "{\n  ab: [1, 2],\n  c: 3\n}"
    assert pretty_mql(value, 22, margin="    ") == line
    assert pretty_mql(value, 21, margin="    ") == "{\n      ab: [1, 2],\n      c: 3\n    }"
    # The comma after a part takes up room; there is none after the last part.
    assert pretty_mql({"ab": [1, 2], "cd": [1, 2]}, 13) == "{\n  ab: [1, 2],\n  cd: [1, 2]\n}"
    assert pretty_mql({"ab": [1, 2], "cd": [1, 2]}, 12) == "{\n  ab: [\n    1,\n    2\n  ],\n  cd: [1, 2]\n}"


def test_lists_are_laid_out_like_documents():
    assert pretty_mql({"$or": [{"a": 1, "b": "x" * 20}, {"a.b": {}}]}, 30) == (
        '{\n  $or: [\n    {\n      a: 1,\n      b: "xxxxxxxxxxxxxxxxxxxx"\n    },\n    {"a.b": {}}\n  ]\n}'
    )


def test_a_query_is_laid_out_as_a_person_would_type_it():
    assert command_mql(FIND, 96) == (
        "db.claims.find({\n"
        '  "billingProvider.providerTin": "127357807",\n'
        '  serviceBeginDate: {$gte: ISODate("2025-08-03"), $lte: ISODate("2025-11-30T23:59:59.999Z")},\n'
        '  serviceEndDate: {$gte: ISODate("2025-09-02")}\n'
        '}).sort({serviceBeginDate: 1, _id: 1}).limit(100).hint("claims_by_provider")'
    )
    assert command_mql({"find": "claims", "filter": {"a": 1}, "limit": 1}) == "db.claims.find({a: 1}).limit(1)"


def test_a_chain_of_calls_that_is_too_wide_continues_below():
    assert command_mql({**FIND, "filter": {"a": 1}}, 60) == (
        "db.claims.find({\n  a: 1\n})\n  .sort({serviceBeginDate: 1, _id: 1})\n  .limit(100)\n"
        '  .hint("claims_by_provider")'
    )
    assert ".sort({\n    serviceBeginDate: 1,\n    _id: 1\n  })\n" in command_mql({**FIND, "filter": {"a": 1}}, 30)


@pytest.mark.parametrize("width", [20, 40, 60, 88, 96, 1_000])
@pytest.mark.parametrize(
    "command",
    [
        FIND,
        {**FIND, "filter": {}, "projection": {"_id": 1, "serviceBeginDate": 1}, "skip": 900_000, "maxTimeMS": 5_000},
        SON([("find", "my-claims"), ("filter", {"$or": [RANGE, {"serviceBeginDate": None}]})]),
        {"find": "claims.archive", "filter": RANGE, "min": {"_id": 1}, "max": {"_id": 5}, "hint": {"_id": 1}},
        {"find": "claims", "filter": RANGE, "tailable": True},
        {"aggregate": "claims", "pipeline": [{"$match": RANGE}, {"$group": {"_id": 1, "n": {"$sum": 1}}}]},
        {"aggregate": "claims", "pipeline": [], "hint": "claims_by_provider", "allowDiskUse": True},
        {"aggregate": 1, "pipeline": [{"$currentOp": {}}]},
        {"count": "claims", "query": RANGE, "hint": "claims_by_provider"},
        {"explain": FIND, "verbosity": "executionStats"},
        {"getMore": Int64(2**62), "collection": "claims"},
        {"ping": 1},
    ],
    ids=lambda command: next(iter(command)),
)
def test_any_command_reads_back_as_what_was_sent(command, width):
    sent = {**command, "cursor": {}, "batchSize": 101, "lsid": {"id": 1}, "$db": "pbm_demo", "$clusterTime": {}}
    text = command_mql(sent, width)
    assert typed(text) == command
    assert "\n\n" not in text


def test_an_aggregate_has_its_options_after_its_stages():
    match = {"$match": {"billingProvider.providerTin": "127357807"}}
    command = {"aggregate": "claims", "pipeline": [match, {"$count": "n"}], "hint": "claims_by_provider", "cursor": {}}
    assert command_mql(command) == (
        'db.claims.aggregate([\n  {$match: {"billingProvider.providerTin": "127357807"}},\n  {$count: "n"}\n'
        '], {hint: "claims_by_provider"})'
    )


def test_what_comes_before_the_document_stays_on_the_first_line():
    assert call_mql("sh.shardCollection", "pbm_demo.claims", {"serviceBeginDate": 1, "_id": 1}, width=50) == (
        'sh.shardCollection("pbm_demo.claims", {\n  serviceBeginDate: 1,\n  _id: 1\n})'
    )


def test_a_moment_with_a_time_zone_is_the_same_moment():
    assert to_mql(dt.datetime(2024, 1, 31, 23, tzinfo=dt.timezone(dt.timedelta(hours=-5)))) == (
        'ISODate("2024-02-01T04:00:00Z")'
    )


def test_every_command_of_a_query_reads_back_as_what_the_driver_sent(store):
    fill(store, [make_claim(number, day(number), day(number + number % 3)) for number in range(300)])
    wire = Wire()
    with listened_to(store, wire) as heard:
        page = find_claims(heard, TIN_A, day(50), day(200), page_size=20)
        find_claims(heard, TIN_A, day(50), day(200), page_size=20, cursor=page.next_cursor, order="oldest")
        count_claims(heard, TIN_A)
        list(iter_claims(heard, TIN_A))
        explain_claims(heard, TIN_A)
    assert {"find", "aggregate", "explain"} <= set(wire.names)
    for command in (command for name, command in wire.sent if name != "endSessions"):
        read = typed(command_mql(command))
        assert {key: command[key] for key in read} == read
        assert {"find", "filter", "sort", "limit", "hint"} & command.keys() <= read.keys()


def test_the_query_of_a_plan_is_the_one_that_was_explained(store):
    fill(store, [make_claim(number, day(number), day(number)) for number in range(50)])
    page = find_claims(store, TIN_A, day(5), day(40), page_size=10)
    plan = explain_claims(store, TIN_A, day(5), day(40), page_size=10, cursor=page.next_cursor)
    sent = typed(plan.mql)
    found = store.collection.find(sent["filter"], sort=sent["sort"], limit=sent["limit"], hint=sent["hint"]).to_list()
    following = find_claims(store, TIN_A, day(5), day(40), page_size=10, cursor=page.next_cursor)
    assert found == list(following.documents)
    assert max(map(len, plan.mql.splitlines())) <= 96
    counts = [typed(part.mql) for part in explain_count(store, TIN_A, day(5), day(40))]
    assert sum(store.collection.count_documents(count["query"], hint=count["hint"]) for count in counts) == page.total
