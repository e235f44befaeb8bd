"""Pages are exact: checked against brute force at every page size, in both directions, for both queries and indexes."""

import datetime as dt

import pytest
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from hypothesis import example, given, settings, strategies as st
from oracle import TIN_A, TIN_B, TIN_EMPTY, check_all, check_walk, day, fill, make_claim, overlapping

from pbm_lib import PbmError, count_claims, find_claims, iter_claims, setup_collection
from pbm_lib.claims.document import BEGIN, END, ID, TIN
from pbm_lib.query.filters import Question
from pbm_lib.query.jump import cursor_at
from pbm_lib.query.keyset import beyond
from pbm_lib.store.index import VARIANTS

D = 30
# Durations in days: same day, a few days, just below D (also by part of a day), exactly D.
DURATIONS = st.sampled_from([0, 0, 0, 1, 5, D - 1, D - 0.25, D])
CLAIM = st.tuples(st.one_of(st.integers(0, 45), st.just(30)), DURATIONS, st.sampled_from([TIN_A, TIN_A, TIN_A, TIN_B]))
ON_ONE_DAY = st.tuples(st.just(30), DURATIONS, st.just(TIN_A))
COLLECTION = st.one_of(st.lists(CLAIM, max_size=24), st.lists(ON_ONE_DAY, max_size=24))
# Instants on the edges of days and just next to them, within the claims and far outside.
INSTANT = st.builds(
    lambda days, ms: day(days) + dt.timedelta(milliseconds=ms),
    st.one_of(st.integers(-40, 90), st.sampled_from([0, 30, 60])),
    st.sampled_from([0, 0, 0, -1, 1]),
)
LIMIT = st.one_of(st.none(), INSTANT, INSTANT.map(lambda moment: moment.date()))


@pytest.fixture(scope="module", params=["three_field", "overlap"])
def indexed(request, open_shared_store):
    """An empty collection with one of the two indexes."""
    return setup_collection(open_shared_store({"mongodb": {"index": request.param}}))


@settings(max_examples=80)
@given(drawn=COLLECTION, limits=st.tuples(LIMIT, LIMIT), tin=st.sampled_from([TIN_A, TIN_A, TIN_A, TIN_EMPTY]))
@example(drawn=[(number % 3, D, TIN_A) for number in range(12)], limits=(day(30), day(30)), tin=TIN_A)
@example(drawn=[(0, 0, TIN_A), (0, D, TIN_A), (D, 0, TIN_A)], limits=(day(D), day(D)), tin=TIN_A)
@example(drawn=[(0, D, TIN_A)], limits=(day(D) + dt.timedelta(milliseconds=1), None), tin=TIN_A)
# Claims on the edge of a range without an end, and of a range without a start.
@example(drawn=[(D - 1, 1, TIN_A), (D, 0, TIN_A), (D, D, TIN_A), (D + 1, 0, TIN_A)], limits=(day(D), None), tin=TIN_A)
@example(drawn=[(D - 1, 1, TIN_A), (D, 0, TIN_A), (D, D, TIN_A), (D + 1, 0, TIN_A)], limits=(None, day(D)), tin=TIN_A)
def test_every_walk_finds_exactly_the_claims_of_brute_force(indexed, drawn, limits, tin):
    # A reversed range is rejected; test_query_input covers that.
    start, end = limits
    if start is not None and end is not None:
        start, end = sorted(limits, key=lambda limit: (limit.isoformat()[:10], limit.isoformat()))
    # Numbers fall as dates rise for some claims and rise with them for others, so that _id decides only ties.
    claims = [
        make_claim(number * 7 % 25, day(begin), day(begin + days), owner)
        for number, (begin, days, owner) in enumerate(drawn)
    ]
    fill(indexed, claims)
    check_all(indexed, overlapping(claims, tin, start, end), tin, start, end)


@pytest.mark.parametrize("bounded", [True, False])
def test_a_generated_provider_at_small_and_large_page_sizes(loaded_store, bounded):
    tin = loaded_store.collection.find_one({}, {TIN: 1}, sort=[(ID, 1)])["billingProvider"]["providerTin"]
    claims = loaded_store.collection.find({TIN: tin}).to_list()
    start, end = dt.date(2024, 2, 1), dt.date(2024, 12, 31)
    expected = overlapping(claims, tin, start, end)
    assert len(expected) > 50
    for page_size in (11, 100, 1_000):
        check_walk(loaded_store, expected, tin, start, end, page_size=page_size, bounded=bounded)
        check_walk(loaded_store, overlapping(claims, tin), tin, page_size=page_size, bounded=bounded)


@pytest.mark.parametrize("start", [dt.date(1, 1, 1), dt.date(1, 1, 20), None])
@pytest.mark.parametrize("end", [dt.date(1, 1, 20), dt.date(9999, 12, 31), None])
def test_the_ends_of_the_calendar(store, start, end):
    days = [dt.datetime(1, 1, 1), dt.datetime(1, 1, 20), dt.datetime(2024, 1, 1), dt.datetime(9999, 12, 1)]
    claims = [make_claim(number, begin, begin + dt.timedelta(days=D)) for number, begin in enumerate(days)]
    fill(store, claims)
    check_all(store, overlapping(claims, TIN_A, start, end), TIN_A, start, end)


# --- while others write -------------------------------------------------------------------------------------------

CHANGE = st.one_of(
    st.tuples(st.just("insert"), st.integers(0, 20), st.integers(100, 140)),
    st.tuples(st.just("delete"), st.integers(0, 19), st.just(0)),
    st.tuples(st.just("delete boundary"), st.just(0), st.just(0)),
    st.tuples(st.just("move"), st.integers(0, 19), st.integers(0, 20)),
    st.tuples(st.just("insert at boundary"), st.integers(-1, 1), st.integers(100, 140)),
)


@settings(max_examples=150)
@given(
    begins=st.lists(st.integers(0, 20), min_size=8, max_size=20),
    changes=st.lists(CHANGE, min_size=1, max_size=12),
    page_size=st.integers(1, 5),
    with_range=st.booleans(),
)
def test_no_unchanged_claim_is_skipped_or_repeated(store_for_changes, begins, changes, page_size, with_range):
    store = store_for_changes
    claims = [make_claim(number, day(begin), day(begin + 2)) for number, begin in enumerate(begins)]
    fill(store, claims)
    start, end = (day(4), day(16)) if with_range else (None, None)
    touched, queue = set(), list(changes)

    def walk(cursor, direction):
        seen = []
        while True:
            page = find_claims(store, TIN_A, start, end, page_size=page_size, cursor=cursor, with_total=False)
            assert len(seen) <= 100, "the walk does not end"
            seen += page.documents if direction == "next" else reversed(page.documents)
            cursor = page.next_cursor if direction == "next" else page.prev_cursor
            if cursor is None:
                return seen, page
            if queue and page:
                touched.update(change_claims(store, *queue.pop(0), page[-1] if direction == "next" else page[0]))

    forwards, last = walk(None, "next")
    standing = [claim for claim in overlapping(claims, TIN_A, start, end) if claim[ID] not in touched]
    assert [claim for claim in forwards if claim[ID] not in touched] == standing
    if last.prev_cursor is None:
        return
    on_last = {claim[ID] for claim in last}
    queue = list(reversed(changes))
    backwards, _ = walk(last.prev_cursor, "prev")
    standing = [claim for claim in standing if claim[ID] not in touched | on_last]
    assert [claim for claim in reversed(backwards) if claim[ID] not in touched] == standing


def change_claims(store, kind, first, second, boundary):
    """Make one change to the claims and return the ids of the claims it touched."""
    if kind == "insert":
        new = make_claim(second, day(first), day(first))
        store.collection.replace_one({ID: new[ID]}, new, upsert=True)
        return [new[ID]]
    if kind == "insert at boundary":
        new = make_claim(second, boundary[BEGIN] + dt.timedelta(milliseconds=first), boundary[BEGIN] + dt.timedelta(2))
        store.collection.replace_one({ID: new[ID]}, new, upsert=True)
        return [new[ID]]
    if kind == "move":
        _id = ObjectId(f"{first:024x}")
        store.collection.update_one({ID: _id}, {"$set": {BEGIN: day(second), END: day(second)}})
        return [_id]
    _id = boundary[ID] if kind == "delete boundary" else ObjectId(f"{first:024x}")
    store.collection.delete_one({ID: _id})
    return [_id]


@pytest.fixture(scope="module")
def store_for_changes(open_shared_store):
    return setup_collection(open_shared_store())


def test_the_way_back_from_an_emptied_page_begins_with_the_boundary(store):
    claims = [make_claim(number, day(number), day(number)) for number in range(6)]
    fill(store, claims)
    first = find_claims(store, TIN_A, page_size=3)
    store.collection.delete_many({BEGIN: {"$gt": first[-1][BEGIN]}})
    emptied = find_claims(store, TIN_A, page_size=3, cursor=first.next_cursor)
    assert (len(emptied), emptied.next_cursor, emptied.total) == (0, None, 3)
    back = find_claims(store, TIN_A, page_size=2, cursor=emptied.prev_cursor)
    assert list(back) == claims[1:3]
    store.collection.delete_many({})
    nothing = find_claims(store, TIN_A, page_size=2, cursor=back.prev_cursor)
    assert (len(nothing), nothing.prev_cursor) == (0, None)
    store.collection.insert_many(claims)
    assert list(find_claims(store, TIN_A, page_size=3, cursor=nothing.next_cursor)) == claims[1:4]


# --- a customer's own collection, where nothing enforces a type ---------------------------------------------------

NAN = float("nan")
NUMBERS = [0.5, -1.5, -0.0, NAN, float("inf"), float("-inf"), Int64(2**40)]
DECIMALS = [Decimal128(text) for text in ("2.25", "-0", "NaN", "-NaN", "Infinity", "-Infinity")]
IDS = st.one_of(
    st.integers(-5, 5),
    st.sampled_from(NUMBERS),
    st.sampled_from(DECIMALS),
    st.text("aB\u00e9\n", max_size=2),
    st.sampled_from([ObjectId(f"{n:024x}") for n in range(4)]),
    st.sampled_from([Binary(bytes(16), 4), Binary(b"x" * 16, 4), Binary(b"raw", 0)]),
    st.sampled_from([True, False, None, Timestamp(5, 1), day(1), day(2)]),
    st.sampled_from([{}, {"a": 1}, {"a": {"b": "x"}}, {"a": NAN}, {"b": 0}]),
)
DATES = st.one_of(
    st.sampled_from([day(1), day(1), day(2), day(9)]),
    st.sampled_from([DatetimeMS(10**15), DatetimeMS(-(10**15))]),
    st.sampled_from([None, "missing", "2024-03-02", 17, True, {"y": 2024}, Timestamp(9, 9)]),
    st.sampled_from([*NUMBERS, *DECIMALS]),
)


@pytest.fixture(scope="module", params=[None, *VARIANTS], ids=["without index", *VARIANTS])
def unguarded(request, open_shared_store):
    """A collection that this program did not set up."""
    store = open_shared_store()
    if request.param:
        store.collection.create_index(list(VARIANTS[request.param].keys.items()), name="theirs")
        store.refresh()
    assert not store.bounded
    return store


@settings(max_examples=150)
@given(
    drawn=st.lists(st.tuples(IDS, DATES, DATES), max_size=16, unique_by=lambda row: repr(row[0])),
    start=st.sampled_from([None, None, day(0), day(2)]),
    end=st.sampled_from([None, None, day(2), day(20)]),
    page_size=st.integers(1, 6),
)
# NaN sorts before every other number, and no comparison with it is true.
@example(drawn=[(n, begin, day(9)) for n, begin in enumerate([NAN, 0, 1, -0.0])], start=None, end=None, page_size=1)
@example(drawn=[(_id, 7, day(9)) for _id in (DECIMALS[2], float("-inf"), 0, "x")], start=None, end=None, page_size=1)
def test_ids_and_dates_of_every_type_are_walked_in_the_servers_order(unguarded, drawn, start, end, page_size):
    claims = []
    for _id, begin, finish in drawn:
        claim = {ID: _id, "billingProvider": {"providerTin": TIN_A}}
        claims.append(claim | {name: v for name, v in ((BEGIN, begin), (END, finish)) if v != "missing"})
    unguarded.collection.delete_many({})
    for claim in claims:  # one by one: 1 and 1.0 are one _id to the server
        if unguarded.collection.count_documents({ID: {"$eq": claim[ID]}}) == 0:
            unguarded.collection.insert_one(claim)
    overlap = {TIN: TIN_A}
    if end is not None:
        overlap[BEGIN] = {"$lte": end}
    if start is not None:
        overlap[END] = {"$gte": start}
    # The server's own order, sorted in memory and without any boundary.
    for order, step in (("oldest", 1), ("newest", -1)):
        sort = [(field, step) for field in unguarded.variant.order]
        expected = unguarded.collection.find(overlap, sort=sort, hint=[("$natural", 1)]).to_list()
        check_walk(unguarded, expected, TIN_A, start, end, page_size=page_size, order=order)
        found = list(iter_claims(unguarded, TIN_A, start, end, page_size=page_size, order=order))
        assert repr(found) == repr(expected)
    assert count_claims(unguarded, TIN_A, start, end) == len(expected)


@pytest.mark.parametrize(
    ("field", "values", "named"),
    [
        (BEGIN, [Regex("^2024"), Regex("^2025")], "serviceBeginDate of type Regex"),
        (BEGIN, [[day(1), day(2)], [day(1), day(3)]], "serviceBeginDate of type list"),
        (ID, [MinKey(), ObjectId(f"{2:024x}")], "_id of type MinKey"),
    ],
    ids=["a date that is a pattern", "dates in a list", "the least _id"],
)
def test_a_claim_after_which_no_page_can_begin_is_named(open_store, field, values, named):
    store = open_store()
    fill(store, [{**make_claim(number, day(1), day(2)), field: value} for number, value in enumerate(values)])
    assert len(find_claims(store, TIN_A, page_size=2)) == 2
    with pytest.raises(PbmError, match=rf"^Claim .* has a {named}, so paging cannot continue from it"):
        find_claims(store, TIN_A, page_size=1)


@pytest.mark.parametrize("odd", [MinKey(), Regex("a"), Code("a"), MaxKey()])
def test_a_walk_that_cannot_continue_says_so_and_loses_no_claim(unguarded, odd):
    claims = [make_claim(number, begin, day(9)) for number, begin in enumerate([day(1), odd, NAN, "text", day(2)])]
    fill(unguarded, claims)
    assert find_claims(unguarded, TIN_A, page_size=5).total == 5
    with pytest.raises(PbmError, match=f"^Claim {claims[1][ID]} has a .* so paging cannot continue from it"):
        check_walk(unguarded, claims, TIN_A, page_size=1, bounded=False)


@pytest.mark.parametrize("operator", ["$gt", "$lt"])
def test_no_claim_matches_two_conditions_of_a_boundary(open_store, operator):
    begins = [None, 17, "2024-03-02", {"y": 2024}, Binary(b"x", 0), ObjectId(), True, day(1), Timestamp(9, 9)]
    claims = [make_claim(number, begin, day(2)) for number, begin in enumerate([*begins, *begins])]
    del claims[0][BEGIN]
    store = open_store()
    fill(store, claims)
    for claim in claims:
        for variant in VARIANTS.values():
            key = tuple(claim.get(field) for field in variant.order)
            conditions = beyond(key, variant.order, operator, any_type=True)
            apart = [store.collection.count_documents(condition) for condition in conditions]
            assert sum(apart) == store.collection.count_documents({"$or": conditions})


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_a_jump_lands_before_every_claim_of_its_day_whatever_their_ids_are(unguarded, order):
    ids = [None, 7, "text", b"x", ObjectId(), True]
    claims = [{**make_claim(number, day(2), day(5)), ID: odd} for number, odd in enumerate(ids)]
    claims[4][END] = "soon"
    del claims[5][END]
    claims += [make_claim(number, day(number % 3 + 1), day(5)) for number in range(10, 22)]
    fill(unguarded, claims)
    cursor = cursor_at(unguarded, Question(TIN_A), day(2), order=order)
    found = find_claims(unguarded, TIN_A, cursor=cursor, order=order, page_size=100)
    wanted = [claim for claim in claims if (claim[BEGIN] >= day(2) if order == "oldest" else claim[BEGIN] < day(2))]
    assert sorted(repr(claim[ID]) for claim in found) == sorted(repr(claim[ID]) for claim in wanted)
