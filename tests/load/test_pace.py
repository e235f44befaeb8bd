"""The pace of a load is stored on the server, and a later load reports it exactly."""

from loads import TIERS_30K, load_some
from pytest import approx

from pbm_lib import load_claims, setup_collection
from pbm_lib.claims.document import ID
from pbm_lib.load.pace import LoadPace
from pbm_lib.load.report import NO_PACE
from pbm_lib.load.state import LoadRecord
from pbm_lib.store.collection import state_collection


def load(store, **options):
    return load_claims(store, progress=False, **options)


def test_a_load_that_finds_all_claims_reports_the_pace_of_the_load_that_added_them(store):
    first, second = load(store), load(store)
    assert (first.pace.inserted, first.pace.seconds, first.pace.progress) == (6_000, first.seconds, first.progress)
    assert second.inserted == 0
    assert second.pace == first.pace
    assert second.rate_frame().equals(first.rate_frame())
    seconds = second.rate_frame()["seconds"].diff().fillna(second.rate_frame()["seconds"])
    assert (second.rate_frame()["claims_per_second"] * seconds).sum() == approx(6_000)


def test_a_resumed_load_reports_its_own_pace_and_how_many_claims_that_covers(open_store):
    store = setup_collection(open_store(TIERS_30K))
    LoadRecord(store).mark("loading")
    load_some(store, 0, 20_000)
    resumed = load(store)
    assert (resumed.volume, resumed.pace.inserted) == (30_000, 10_000)
    assert load(store).pace == resumed.pace


def test_claims_that_are_put_back_leave_the_pace_of_the_earlier_load(store):
    pace = load(store).pace
    store.collection.delete_many({ID: {"$in": [claim[ID] for claim in store.collection.find({}, {ID: 1}, limit=3)]}})
    report = load(store)
    assert (report.inserted, report.pace) == (3, pace)
    assert "3 claims\n" in repr(report)
    assert pace.words in repr(report)


def test_a_load_that_stops_with_everything_inserted_keeps_the_earlier_pace(store):
    pace = load(store).pace
    LoadRecord(store).mark("loading")
    assert LoadRecord(store).pace == pace
    assert load(store).pace == pace


def test_replaced_claims_take_their_pace_with_them(store, open_store, monkeypatch):
    monkeypatch.setattr("pbm_lib.load.claim._GIVE_WAY_SECONDS", 0)
    before = load(store).pace
    one_tier = {"target_volume": 3_000, "tiers": [{"name": "3K", "claims_per_provider": 3_000, "providers": 1}]}
    place = {"mongodb": {"database": store.collection.database.name}, "data_generation": one_tier}
    place["performance"] = {"tiers_to_test": ["3K"], "targets": {}}
    replaced = load(open_store(place), replace=True)
    assert (replaced.volume, replaced.pace.inserted) == (3_000, 3_000)
    assert replaced.pace.inserted < before.inserted  # the larger number is not kept: those claims are gone
    assert load(open_store(place)).pace == replaced.pace


def test_a_load_by_an_earlier_version_has_a_sentence_in_place_of_a_pace(store):
    load(store)
    state_collection(store.collection).update_one({ID: store.collection.name}, {"$unset": {"pace": 1}})
    report = load(store)
    assert report.pace is None
    assert report.rate_frame().empty
    assert " ".join(NO_PACE.split()[:6]) in repr(report)


def test_a_collection_that_was_dropped_and_created_again_has_no_pace(store):
    load(store)
    store.collection.drop()
    assert LoadRecord(setup_collection(store)).pace is None


def test_the_pace_is_read_back_from_the_server_unchanged(store):
    pace = load(store).pace
    (kept,) = state_collection(store.collection).find({ID: store.collection.name})
    assert LoadPace.from_document(kept["pace"]) == pace
    assert pace.progress[-1][1] == 6_000
    assert 0 < pace.progress[-1][0] <= pace.seconds
