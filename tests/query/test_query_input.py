"""Nothing unchecked reaches the server: an invalid argument raises InvalidQuery, which names it."""

import datetime as dt
import random
import re
import time
import zoneinfo

import bson
import numpy as np
import pandas as pd
import pytest
from oracle import TIN_A, Wire, day, fill, listened_to, make_claim

from pbm_lib import InvalidCursor, InvalidQuery, count_claims, explain_claims, explain_count, find_claims, iter_claims


@pytest.fixture(scope="module")
def wire():
    return Wire()


@pytest.fixture(scope="module")
def heard(open_shared_store, wire):
    """A store whose commands are recorded."""
    store = listened_to(open_shared_store(), wire)
    wire.clear()
    yield store
    store.close()


class Rude:
    """An object whose repr fails too."""

    def __repr__(self):
        raise RuntimeError("no")


class NoOffset(dt.tzinfo):
    def utcoffset(self, moment):
        return None


class TextOfDigits(str):
    pass


NOT_A_TIN = [
    *(None, 411234567, 4.11, True, b"411234567", ["411234567"], {"$gt": ""}, {"$ne": None}, {"$regex": "^4"}),
    *(re.compile("^4"), bson.Regex("^4"), bson.Code("1"), bson.ObjectId(), dt.date(2024, 1, 1), Rude()),
    *("", "41123456", "4112345678", "41-1234567", " 411234567", "411234567 ", "411234567\n", "41123456a"),
    *("\u0664\u0661\u0661\u0662\u0663\u0664\u0665\u0666\u0667", "\uff14" * 9, "411234\x00567", "$tin", "x" * 100_000),
    TextOfDigits("411234567"),
]
NOT_A_DATE = [
    *("2024-01-01", "", 20240101, 1.5, True, False, b"2024", [], {}, {"$gt": ""}, [dt.date(2024, 1, 1)], Rude()),
    *(dt.time(1), dt.timedelta(1), pd.NaT, np.datetime64("2024-01-01"), pd.Period("2024-01"), float("nan")),
    bson.MinKey(),
    dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))),  # before the year 1 in UTC
    dt.datetime(9999, 12, 31, 23, tzinfo=dt.timezone(-dt.timedelta(hours=2))),
    dt.datetime(2024, 1, 1, tzinfo=dt.tzinfo()),  # an abstract time zone
]
NOT_A_SIZE = [0, -1, -(2**70), 1_001, 2**70, True, False, 1.0, float("nan"), "10", "", [], {}, b"1", {"$gt": 0}, Rude()]
NOT_A_SWITCH = ["", "True", "bounded", 1, 0, None, [True], {"bounded": 1}, b"True", Rude()]
NOT_AN_ORDER = ["", "Oldest", "newest ", 1, True, None, ["newest"], {"newest": 1}, b"newest", Rude()]
NOT_A_CURSOR = [
    *("", "x", "bm8", b"bm8", 1, True, [], {}, {"$gt": ""}),
    *("\u00e9" * 40, "\ud800", "A" * 10_000, "[" * 3_000),
]


@pytest.mark.parametrize("call", [find_claims, count_claims, iter_claims, explain_claims, explain_count])
def test_every_function_rejects_and_names_an_invalid_argument(heard, wire, call):
    start, end = "service_date_start", "service_date_end"
    wire.clear()
    cases = [({"tin": bad}, "tin") for bad in NOT_A_TIN]
    cases += [({start: bad}, start) for bad in NOT_A_DATE] + [({end: bad}, end) for bad in NOT_A_DATE]
    cases += [({"bounded": bad}, "bounded") for bad in NOT_A_SWITCH]
    cases += [({start: dt.date(2024, 1, 2), end: dt.date(2024, 1, 1)}, end)]
    cases += [({start: day(1), end: day(1) - dt.timedelta(milliseconds=1)}, end)]
    if call in (find_claims, iter_claims, explain_claims):
        cases += [({"page_size": bad}, "page_size") for bad in NOT_A_SIZE]
        cases += [({"order": bad}, "order") for bad in NOT_AN_ORDER]
    if call in (find_claims, explain_claims):
        cases += [({"cursor": bad}, "cursor") for bad in NOT_A_CURSOR]
        cases += [({"last": bad}, "last") for bad in NOT_A_SWITCH]
        cases += [({"last": True, "cursor": "x"}, "last")]
    for arguments, named in cases:
        with pytest.raises(
            InvalidQuery, match=rf"^({named} must be|This {named} is|{named}=True cannot be) "
        ) as caught:
            call(heard, **{"tin": TIN_A} | arguments)
        assert len(str(caught.value)) < 250
        assert isinstance(caught.value, ValueError)
        assert isinstance(caught.value, InvalidCursor) == (named == "cursor")
    assert wire.names == []


def test_more_than_ten_thousand_random_inputs_are_rejected_without_a_command(heard, wire):
    wire.clear()
    draw = random.Random(7)
    good = {
        "tin": [TIN_A],
        "start": [None, dt.date(2024, 1, 1), day(-100)],
        "end": [None, dt.date(2025, 1, 1), day(400)],
        "page_size": [None, 1, 1_000],
        "bounded": [True, False],
        "order": ["oldest", "newest"],
        "cursor": [None],
    }
    bad = {
        "tin": NOT_A_TIN,
        "start": NOT_A_DATE,
        "end": NOT_A_DATE,
        "page_size": NOT_A_SIZE,
        "bounded": NOT_A_SWITCH,
        "order": NOT_AN_ORDER,
        "cursor": NOT_A_CURSOR,
    }
    characters = "0123456789-_AZaz {}$[]\"':,.\\\x00\u00e9\u0661\ud800"

    def nested(depth):
        if depth == 0:
            return draw.choice([draw.choice(draw.choice(list(bad.values()))), draw.randint(-(2**65), 2**65)])
        key = draw.choice(["$gt", "$ne", "$in", "$where", "$expr", "$regex", "$date", "_id", ""])
        return draw.choice([[nested(depth - 1)], {key: nested(depth - 1)}, (nested(depth - 1),)])

    def text():
        drawn = "".join(draw.choice(characters) for _ in range(draw.randint(0, 12)))
        return drawn + "-"  # never nine digits, and never a token

    for _ in range(12_000):
        arguments = {name: draw.choice(values) for name, values in good.items()}
        for name in draw.sample(list(bad), draw.randint(1, 3)):
            arguments[name] = draw.choice([draw.choice(bad[name]), text(), nested(draw.randint(1, 4))])
        tin, start, end = arguments.pop("tin"), arguments.pop("start"), arguments.pop("end")
        with pytest.raises(InvalidQuery):
            find_claims(heard, tin, start, end, **arguments)
    assert wire.names == []


def test_accepted_arguments_are_sent_only_as_text_and_dates(heard, wire):
    wire.clear()
    page = find_claims(heard, TIN_A, dt.date(2024, 1, 1), pd.Timestamp("2024-02-01", tz="Asia/Tokyo"), bounded=False)
    assert page.total == 0
    # The store may also reread the rule, if it last did so more than five seconds ago.
    find, count = (command for name, command in wire.sent if name != "listCollections")
    expected = {
        "billingProvider.providerTin": TIN_A,
        "serviceBeginDate": {"$lte": dt.datetime(2024, 1, 31, 15)},
        "serviceEndDate": {"$gte": dt.datetime(2024, 1, 1)},
    }
    assert find["filter"] == expected
    assert count["pipeline"][0] == {"$match": expected}


NEW_YORK = zoneinfo.ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("limit", "instant"),
    [
        (dt.date(2024, 3, 10), dt.datetime(2024, 3, 10)),
        (dt.datetime(2024, 3, 10, 12), dt.datetime(2024, 3, 10, 12)),
        (dt.datetime(2024, 3, 10, 12, tzinfo=dt.UTC), dt.datetime(2024, 3, 10, 12)),
        (dt.datetime(2024, 3, 10, 12, tzinfo=NoOffset()), dt.datetime(2024, 3, 10, 12)),
        (dt.datetime(2024, 3, 9, 23, tzinfo=NEW_YORK), dt.datetime(2024, 3, 10, 4)),
        (
            dt.datetime(2024, 3, 10, 2, 30, tzinfo=NEW_YORK),
            dt.datetime(2024, 3, 10, 7, 30),
        ),  # the hour that is skipped
        (
            dt.datetime(2024, 11, 3, 1, 30, tzinfo=NEW_YORK),
            dt.datetime(2024, 11, 3, 5, 30),
        ),  # the hour that occurs twice
        (dt.datetime(2024, 11, 3, 1, 30, fold=1, tzinfo=NEW_YORK), dt.datetime(2024, 11, 3, 6, 30)),
        (pd.Timestamp("2024-03-10T12:00"), dt.datetime(2024, 3, 10, 12)),
        (pd.Timestamp("2024-03-10T12:00", tz="America/New_York"), dt.datetime(2024, 3, 10, 16)),
        (dt.datetime(1, 1, 1), dt.datetime(1, 1, 1)),
        (dt.datetime(9999, 12, 31, 23, 59, 59, 999_000), dt.datetime(9999, 12, 31, 23, 59, 59, 999_000)),
    ],
    ids=str,
)
def test_a_limit_includes_the_claim_on_it_and_not_the_one_next_to_it(store, limit, instant):
    ms = dt.timedelta(milliseconds=1)
    # At the ends of the calendar, one neighbor does not exist.
    moments = [m for m in (_shift(instant, -ms), instant, _shift(instant, ms)) if m is not None]
    claims = [make_claim(number, moment, moment) for number, moment in enumerate(moments)]
    fill(store, claims)
    from_limit = [claim for claim in claims if claim["serviceEndDate"] >= instant]
    assert list(find_claims(store, TIN_A, limit)) == from_limit
    last = instant if isinstance(limit, dt.datetime) else dt.datetime.combine(limit, dt.time.max)
    assert list(find_claims(store, TIN_A, None, limit)) == [c for c in claims if c["serviceBeginDate"] <= last]


def _shift(moment, by):
    try:
        return moment + by
    except OverflowError:
        return None


def test_a_naive_datetime_is_utc_wherever_the_machine_is(store, monkeypatch):
    fill(store, [make_claim(number, day(number / 24), day(number / 24)) for number in range(48)])
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        for tzinfo in (None, NoOffset(), dt.UTC):
            limit = day(1).replace(tzinfo=tzinfo)
            assert [claim["serviceBeginDate"] for claim in find_claims(store, TIN_A, limit, limit)] == [day(1)]
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("finer", [dt.timedelta(microseconds=1), dt.timedelta(microseconds=999)])
def test_a_limit_between_two_milliseconds_excludes_what_is_outside_it(store, finer):
    before, after = day(0), day(0) + dt.timedelta(milliseconds=1)
    fill(store, [make_claim(0, before, before), make_claim(1, after, after)])
    assert [claim["serviceEndDate"] for claim in find_claims(store, TIN_A, before + finer)] == [after]
    assert [claim["serviceEndDate"] for claim in find_claims(store, TIN_A, None, before + finer)] == [before]


def test_the_nanoseconds_of_a_timestamp_count(store):
    before, after = day(0), day(0) + dt.timedelta(milliseconds=1)
    fill(store, [make_claim(0, before, before), make_claim(1, after, after)])
    assert [claim["serviceEndDate"] for claim in find_claims(store, TIN_A, pd.Timestamp(before) + pd.Timedelta(1))] == [
        after
    ]


def test_an_end_that_is_a_day_includes_the_whole_day(store):
    last_moment = dt.datetime(2024, 3, 10, 23, 59, 59, 999_000)
    fill(store, [make_claim(0, last_moment, last_moment), make_claim(1, dt.datetime(2024, 3, 11), day(30))])
    assert count_claims(store, TIN_A, dt.date(2024, 3, 10), dt.date(2024, 3, 10)) == 1
