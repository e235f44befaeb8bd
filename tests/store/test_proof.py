"""A repeated setup reads the claims again only if nothing guarantees them, or if it is told to."""

import datetime as dt
import uuid

import pytest
from bson import Binary, Code, MaxKey, MinKey, ObjectId
from oracle import DAY_0, Wire, day, fill, listened_to, make_claim

from pbm_lib import SetupError, setup_collection
from pbm_lib.claims.document import ID
from pbm_lib.store import scan
from pbm_lib.store.collection import describe, state_collection
from pbm_lib.store.rule import claim_validator

D = 30
LONGER = make_claim(99, day(0), day(D + 1))
WANTED = claim_validator(D)


def put_validator(store, validator):
    store.collection.database.command("collMod", store.collection.name, validator=validator)


def smuggle(store, claim=LONGER):
    store.collection.insert_one(claim, bypass_document_validation=True)


def proofs(store):
    return state_collection(store.collection).find({"validator": {"$exists": True}}).to_list()


def scans(store, **options):
    """How many times a setup looks for longer claims."""
    wire = Wire()
    with listened_to(store, wire) as heard:
        setup_collection(heard, **options)
    return sum("$nor" in sent.get("filter", {}) for name, sent in wire.sent if name == "find")


@pytest.fixture
def late(open_store):
    """A store whose collection had claims before its setup, which read them and then put the rule in force."""
    store = open_store()
    fill(store, [make_claim(number, day(number), day(number + D)) for number in range(9)])
    assert scans(store) == 1
    store.refresh()
    return store


def test_a_collection_that_the_setup_creates_is_never_read(open_store):
    store = open_store()
    assert scans(store) == 0
    fill(store, [make_claim(1, day(0), day(D))])
    assert scans(store) == 0
    assert scans(store, recheck=True) == 1


def test_claims_that_were_read_once_are_read_again_only_on_request(late):
    assert [scans(late) for _ in range(2)] == [0, 0]
    (before,) = proofs(late)
    assert (before["collection"], before["max_claim_days"]) == (describe(late.collection).identity, D)
    assert scans(late, recheck=True) == 1
    (after,) = proofs(late)
    assert after["at"] > before["at"]
    assert {**after, "at": None} == {**before, "at": None}


def test_without_a_proof_as_after_an_earlier_version_the_claims_are_read_and_that_is_remembered(late):
    state_collection(late.collection).drop()
    assert [scans(late) for _ in range(2)] == [1, 0]


@pytest.mark.parametrize("field", ["collection", "validator"])
def test_a_proof_for_another_collection_or_another_validator_does_not_count(late, field):
    state_collection(late.collection).update_one({field: {"$exists": True}}, {"$set": {field: "another"}})
    assert [scans(late) for _ in range(2)] == [1, 0]


def test_a_collection_that_takes_the_place_of_another_is_read(late):
    late.collection.drop()
    late.collection.database.create_collection(late.collection.name, validator=WANTED)
    smuggle(late)
    with pytest.raises(SetupError, match=f"^Claim {LONGER[ID]} "):
        setup_collection(late)


@pytest.mark.parametrize(
    "change", [lambda store: put_validator(store, {}), lambda store: put_validator(store, {"$and": [WANTED]})]
)
def test_a_rule_that_is_installed_again_is_proven_again(late, change):
    change(late)
    smuggle(late)
    with pytest.raises(SetupError, match=f"^Claim {LONGER[ID]} "):
        setup_collection(late)
    late.collection.delete_one({ID: LONGER[ID]})
    assert [scans(late) for _ in range(2)] == [1, 0]


@pytest.mark.parametrize("way", ["bypassed", "switched off and on"])
def test_a_recheck_finds_what_a_remembered_proof_misses_and_then_every_setup_does(late, way):
    if way == "bypassed":
        smuggle(late)
    else:
        put_validator(late, {})
        late.collection.insert_one(LONGER)
        put_validator(late, WANTED)
    assert setup_collection(late).max_claim_days == D
    for recheck in (True, False):
        with pytest.raises(SetupError, match=f"^Claim {LONGER[ID]} "):
            setup_collection(late, recheck=recheck)


IDS = [
    *(MinKey(), MaxKey(), ObjectId(), 1, 2.5, float("nan"), "a", "b", {"a": 1}, b"x", True, DAY_0, None),
    *(Binary.from_uuid(uuid.UUID(int=5)), Code("f"), dt.datetime(1960, 1, 1)),
]


def test_a_scan_in_pieces_finds_the_one_document_whatever_its_id(open_store, monkeypatch):
    store = open_store()
    store.collection.insert_many([{ID: _id, "number": number} for number, _id in enumerate(IDS)])
    for piece in (1, 3, len(IDS) - 1, len(IDS)):
        monkeypatch.setattr(scan, "_PIECE", piece)
        wire = Wire()
        with listened_to(store, wire) as heard:
            for number in range(len(IDS)):
                found = scan.first_match(heard.collection, {"number": number}, {"number": 1}, progress=True)
                assert found["number"] == number
            wire.clear()
            assert scan.first_match(heard.collection, {"number": -1}, {}, progress=True) is None
        looks = [sent for name, sent in wire.sent if name == "find" and "number" in str(sent["filter"])]
        # One more find is for the highest _id.
        assert len(looks) == (1 if piece == len(IDS) else -(-(len(IDS) - 1) // piece) + 1)


@pytest.mark.parametrize("delay", [0, 60])
def test_a_slow_check_shows_its_progress(late, monkeypatch, capsys, delay):
    monkeypatch.setattr(scan, "_PIECE", 2)
    monkeypatch.setattr(scan, "_SHOW_AFTER_SECONDS", delay)
    setup_collection(late, recheck=True, progress=False)
    assert capsys.readouterr() == ("", "")
    setup_collection(late, recheck=True)
    shown, other = capsys.readouterr()
    assert other == ""
    assert ("Checking claims: 100%" in shown, "9.00/9.00" in shown) == (not delay, not delay)
