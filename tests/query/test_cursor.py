"""A cursor token leads to its own page or raises InvalidCursor; never a wrong page, never another error."""

import base64
import string
from dataclasses import replace

import bson
import pytest
from bson import Binary, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from oracle import TIN_A, TIN_B, Wire, day, fill, listened_to, make_claim

from pbm_lib import InvalidCursor, PbmError, find_claims, setup_collection
from pbm_lib.query.cursor import decode_cursor, encode_cursor
from pbm_lib.query.filters import ClaimQuery, make_query
from pbm_lib.query.keyset import Boundary
from pbm_lib.store.index import VARIANTS

THREE_FIELD, OVERLAP = VARIANTS.values()
QUERY = ClaimQuery("db.claims", THREE_FIELD, "claims_by_provider", "oldest", TIN_A, day(0), None, 30)
KEY = (day(1), ObjectId("65a1e3d05eed5e0000000001"))
CHARACTERS = string.ascii_letters + string.digits + "-_+/= \n\x00\u00e9"


def refused(token, query=QUERY):
    with pytest.raises(InvalidCursor, match=r"^This cursor (is|belongs to) ") as caught:
        decode_cursor(token, query)
    assert len(str(caught.value)) < 250


def spelled(content) -> str:
    """Encode content as a token is encoded: base64url of BSON and a fingerprint."""
    body = content if isinstance(content, bytes) else bson.encode({"": content})
    return base64.urlsafe_b64encode(body + b"f" * 16).rstrip(b"=").decode()


def content_of(token: str) -> list:
    """The decoded content of a token, without its fingerprint."""
    return bson.decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[:-16])[""]


@pytest.mark.parametrize("direction", ["next", "prev"])
@pytest.mark.parametrize("inclusive", [False, True])
def test_every_corruption_of_one_character_is_rejected(direction, inclusive):
    token = encode_cursor(Boundary(direction, KEY, inclusive), QUERY)
    assert decode_cursor(token, QUERY) == Boundary(direction, KEY, inclusive)
    corrupted = set()
    for at in range(len(token) + 1):
        head, tail = token[:at], token[at + 1 :]
        corrupted |= {head + tail, head, token[at:], head + token[at : at + 1].swapcase() + tail}
        corrupted |= {head + character + tail for character in CHARACTERS}
        corrupted |= {head + character + token[at:] for character in CHARACTERS}
        corrupted.add(head + token[at : at + 2][::-1] + token[at + 2 :])
    corrupted |= {token.upper(), token.lower(), token + token, token[::-1]}
    corrupted.discard(token)
    assert len(corrupted) > 100 * len(token)
    for wrong in corrupted:
        refused(wrong)


@pytest.mark.parametrize(
    "value",
    ["", "=", "====", "\u00e9", "\ud800", "a" * 4_001, "bnVsbA", "A"],
    ids=repr,
)
def test_text_that_is_not_a_token_is_rejected(value):
    refused(value)


@pytest.mark.parametrize(
    "content",
    [
        *(1, None, [], {}, "text", [2], [2, "three_field"], [2, "three_field", "oldest", "next", False, 7]),
        *([2, "three_field", "oldest", "next", False, []], [2, [], {}, "next", False, [1]], b"", b"[2,", b"[" * 900),
        *([2, "three_field", "oldest", "next", False, [first, 1]] for first in (Regex("("), MinKey(), [], 1, day(1))),
        *([version, "three_field", "oldest", "next", False, [day(1), KEY[1]]] for version in (1, 3, True, 2.0)),
        bson.encode({"": [2, "three_field", "oldest", "next", False, [day(1), KEY[1]]]})[:-3],
        bson.encode({"a": 1}),
    ],
    ids=str,
)
def test_well_encoded_nonsense_is_rejected(content):
    refused(spelled(content))


def test_the_error_for_a_token_of_another_version_says_so():
    token = encode_cursor(Boundary("next", KEY), QUERY)
    content = content_of(token)
    content[0] = 1
    with pytest.raises(InvalidCursor, match=r"^This cursor is from another version"):
        decode_cursor(spelled(content), QUERY)


@pytest.mark.parametrize(
    "boundary",
    [
        Boundary("next", (day(1), Regex("x"))),
        Boundary("next", (day(1), MaxKey())),
        Boundary("next", (day(1), ["a", "b"])),
        Boundary("next", (["a"], 1)),
        Boundary("sideways", KEY),
        Boundary("next", KEY, 1),
    ],
    ids=repr,
)
def test_a_forged_token_with_a_correct_fingerprint_is_rejected_too(boundary):
    refused(encode_cursor(boundary, QUERY))


@pytest.mark.parametrize(
    "_id",
    [
        *(None, True, 0, -1, Int64(7), 2**40, 0.0, 1.5, Decimal128("1.50"), "", "text \u00e9 \U0001f600"),
        *(day(3), DatetimeMS(10**15), Timestamp(1, 2), {}, {"a": {"$x": 1}}, b"raw", Binary(bytes(16), 4)),
    ],
    ids=repr,
)
def test_every_sortable_id_survives_the_round_trip_with_its_type(_id):
    token = encode_cursor(Boundary("prev", (DatetimeMS(-(10**16)), _id)), QUERY)
    assert token.isascii()
    assert set(token) <= set(string.ascii_letters + string.digits + "-_")
    back = decode_cursor(token, QUERY).key[1]
    assert back == _id
    assert type(back) is type(_id) or (type(_id), type(back)) == (int, Int64)


@pytest.mark.parametrize("other", [{"collection": "db.other"}, {"tin": TIN_B}, {"start": None}, {"end": day(9)}])
def test_a_token_belongs_to_its_collection_tin_and_range(other):
    token = encode_cursor(Boundary("next", KEY), QUERY)
    with pytest.raises(InvalidCursor, match=r"^This cursor belongs to a different query or is damaged"):
        decode_cursor(token, replace(QUERY, **other))
    assert decode_cursor(token, replace(QUERY, max_claim_days=None, hint=None)).key == KEY


def test_the_error_for_a_token_names_the_order_it_is_from():
    token = encode_cursor(Boundary("next", KEY), QUERY)
    with pytest.raises(InvalidCursor, match="from the three_field index; the index is now overlap, with another page"):
        decode_cursor(token, replace(QUERY, variant=OVERLAP))
    with pytest.raises(InvalidCursor, match=r'from pages with the oldest claims first. Pass order="oldest" with it'):
        decode_cursor(token, replace(QUERY, order="newest"))
    refused(encode_cursor(Boundary("next", (day(1), day(2), KEY[1])), QUERY))


def test_an_id_too_long_for_a_token_is_an_error_but_not_an_invalid_cursor():
    with pytest.raises(PbmError, match="too long") as caught:
        encode_cursor(Boundary("next", (day(1), "x" * 5_000)), QUERY)
    assert not isinstance(caught.value, InvalidCursor)


def test_find_claims_sends_no_wrong_token_to_the_server(clock, store):
    fill(store, [make_claim(number, day(number), day(number)) for number in range(5)])
    token = find_claims(store, TIN_A, day(0), page_size=2).next_cursor
    wire = Wire()
    with listened_to(store, wire) as heard:
        wire.clear()
        wrong = [token[:at] + "A" + token[at + 1 :] for at in range(len(token)) if token[at] != "A"]
        for cursor in [*wrong, token[:-1], token + "A"]:
            with pytest.raises(InvalidCursor):
                find_claims(heard, TIN_A, day(0), cursor=cursor)
        for tin, start, end in [
            (TIN_B, day(0), None),
            (TIN_A, None, None),
            (TIN_A, day(1), None),
            (TIN_A, day(0), day(9)),
        ]:
            with pytest.raises(InvalidCursor, match=r"^This cursor belongs to a different query or is damaged"):
                find_claims(heard, tin, start, end, cursor=token)
        assert wire.names == []
        # Page size and bound are not part of the query, so both may change during a walk.
        page = find_claims(heard, TIN_A, day(0), cursor=token, page_size=3, bounded=False, with_total=False)
        assert [claim["serviceBeginDate"] for claim in page] == [day(2), day(3), day(4)]
        assert wire.names == ["find"]


def test_a_token_of_another_collection_is_rejected(open_store):
    one, other = (setup_collection(open_store()) for _ in range(2))
    for store in (one, other):
        fill(store, [make_claim(number, day(number), day(number)) for number in range(5)])
    token = find_claims(one, TIN_A, page_size=2).next_cursor
    with pytest.raises(InvalidCursor, match=r"^This cursor belongs to a different query or is damaged"):
        find_claims(other, TIN_A, page_size=2, cursor=token)


def test_a_token_contains_only_a_date_an_id_and_a_fingerprint(store):
    token = encode_cursor(Boundary("next", KEY), make_query(store, TIN_A, None, None))
    assert TIN_A.encode() not in base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert content_of(token) == [2, "three_field", "oldest", "next", False, list(KEY)]
