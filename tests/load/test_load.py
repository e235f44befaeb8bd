"""A load adds exactly what is missing, with any workers and batches, and leaves other people's documents alone."""

import datetime as dt
import re
from dataclasses import replace

import numpy as np
import pytest
from bson import ObjectId
from loads import TIERS_30K, configured_digest, stored_digest
from oracle import Wire, day, listened_to, make_claim

from pbm_lib import ClaimStore, LoadError, SetupError, connect, load_claims, require_claims, setup_collection
from pbm_lib.claims.document import ID, TIN
from pbm_lib.claims.generate import claim_generator
from pbm_lib.claims.roster import provider_roster
from pbm_lib.load.state import LoadRecord, fed_filter, load_settings


def load(store, **options):
    return load_claims(store, progress=False, **options)


def ids(store, *numbers):
    return claim_generator(store.config.data_generation).ids(np.array(numbers))


def same_place(store, **data):
    """Settings for a store on the same collection, with different data settings."""
    return {
        "mongodb": {"database": store.collection.database.name},
        "data_generation": {"batch_size": 500, **data},
    }


def test_a_second_load_finds_nothing_to_do(loaded_store):
    report = load(loaded_store)
    assert (report.volume, report.inserted, report.seconds) == (6_000, 0, 0)
    assert report.tiers == (("3K", 1, 3_000), ("300", 8, 2_400), ("60", 10, 600))
    assert "Already loaded; nothing to add." in repr(report)
    assert re.search(r"Loaded on 20\d\d-\d\d-\d\d +6,000 in .* claims per second \(1 worker, batches", repr(report))


def test_a_second_load_counts_the_claims_once_and_searches_for_nothing(loaded_store):
    wire = Wire()
    with listened_to(loaded_store, wire) as heard:
        wire.clear()
        load(heard)
    on_claims = [sent for name, sent in wire.sent if sent.get(name) == heard.collection.name]
    asked = [sent["pipeline"][0]["$match"] for sent in on_claims if "aggregate" in sent]
    everybody = [{TIN: provider.tin} for provider in provider_roster(loaded_store.config.data_generation)]
    assert sorted(asked, key=str) == sorted([{}, *everybody], key=str)
    # It looks for any claim, and for any claim that a watch has fed.
    fed = fed_filter(load_settings(loaded_store.config.data_generation))
    assert [sent["filter"] for sent in on_claims if "find" in sent] == [{}, fed]


def test_the_bytes_on_the_server_are_the_generated_ones_for_any_workers_and_batches(open_store):
    digests = set()
    for workers, batch_size in ((1, 50_000), (2, 333), (4, 500)):
        store = setup_collection(open_store())
        report = load(store, workers=workers, batch_size=batch_size)
        assert (report.volume, report.inserted, report.workers) == (6_000, 6_000, workers)
        digests.add(stored_digest(store))
    assert digests == {configured_digest(store.config)}


def test_a_load_stopped_at_90_percent_is_resumed_with_a_tenth_of_the_work(open_store):
    store = setup_collection(open_store(TIERS_30K))
    # This is what a killed load leaves: the first batches are there, a few only in part, and no mark says complete.
    LoadRecord(store).mark("loading")
    store.collection.insert_many(claim_generator(store.config.data_generation).documents(0, 27_200))
    store.collection.delete_many({ID: {"$in": ids(store, 25_001, 26_333)}})
    with pytest.raises(LoadError, match="02_load"):
        require_claims(store)
    report = load(store, batch_size=700)
    assert (report.volume, report.inserted) == (30_000, 2_802)
    assert report.progress[-1][1] == report.pace.inserted == 2_802
    assert stored_digest(store) == configured_digest(store.config)
    assert require_claims(store) is store


def test_claims_that_others_deleted_are_added_again_even_though_the_state_says_complete(filled):
    filled.collection.delete_many({ID: {"$in": ids(filled, 0, 1, 2_500, 5_999)}})
    assert load(filled).inserted == 4
    assert stored_digest(filled) == configured_digest(filled.config)


def test_a_load_killed_between_the_last_insert_and_the_mark_is_completed_by_the_next(filled):
    LoadRecord(filled).mark("loading")
    with pytest.raises(LoadError, match="only partly loaded"):
        require_claims(filled)
    report = load(filled)
    assert (report.volume, report.inserted) == (6_000, 0)
    assert require_claims(filled) is filled


def test_the_record_waits_for_a_majority_and_the_claims_are_flushed_to_disk_at_the_end(filled):
    wire = Wire()
    filled.collection.delete_one({})
    with listened_to(filled, wire) as heard:
        wire.clear()
        load(heard)
    marks = [sent for name, sent in wire.sent if name == "update"]
    assert [sent["updates"][0]["u"]["state"] for sent in marks] == ["loading", "complete"]
    assert {sent["update"] for sent in marks} == {f"{heard.collection.name}_load"}
    assert [sent["writeConcern"] for sent in marks] == [{"w": "majority"}] * 2
    assert wire.names[-1] == "fsync"
    assert dict(wire.answers)["fsync"]["ok"] == 1


def test_a_rule_for_claims_other_than_the_configs_is_reported_and_replaced_on_request(store, open_store):
    other = open_store(same_place(store, max_claim_days=40))
    with pytest.raises(LoadError, match=r"max_claim_days must be 30, as in the server.s rule, got 40\)\. Run"):
        load(other)
    assert (store.collection.find_one(), open_store(store.config).max_claim_days) == (None, 30)
    with pytest.raises(
        SetupError,
        match=r"^data_generation.max_claim_days must be 30, .* got 40\. Set it to 30, or reload with load_claims",
    ):
        setup_collection(other)
    assert load(other, replace=True).volume == 6_000
    assert other.max_claim_days == 40


def test_a_collection_that_others_emptied_is_loaded_again(filled):
    filled.collection.delete_many({})
    assert load(filled).inserted == 6_000
    assert stored_digest(filled) == configured_digest(filled.config)


def test_a_foreign_document_in_the_place_of_a_claim_does_not_hide_that_it_is_missing(filled):
    lost, following = ids(filled, 701, 702)
    foreign = make_claim(1, day(0), day(0)) | {ID: ObjectId(lost.binary[:4] + b"\xff" * 8)}
    assert lost < foreign[ID] < following
    filled.collection.delete_one({ID: lost})
    filled.collection.insert_one(foreign)
    with pytest.raises(LoadError, match=r"holds 1 document of providers that are not in the config\."):
        load(filled)
    assert filled.collection.find_one({ID: foreign[ID]}) == foreign
    filled.collection.delete_one({ID: foreign[ID]})
    assert load(filled).inserted == 0
    assert stored_digest(filled) == configured_digest(filled.config)


def test_extra_claims_of_a_known_provider_are_reported_not_deleted(filled):
    provider = provider_roster(filled.config.data_generation)[5]
    filled.collection.insert_one(make_claim(1, day(0), day(0), provider.tin))
    with pytest.raises(LoadError, match=f"TIN {provider.tin}.* must have 300 claims in .*, got 301") as refused:
        load(filled)
    assert "Delete what this program did not load: 1 document (such as _id ObjectId('000000000000" in str(refused.value)
    assert filled.collection.count_documents({}) == 6_001
    with pytest.raises(LoadError, match="02_load"):
        require_claims(filled)


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        ({"seed": 1}, "seed: loaded with 20261122, config says 1"),
        ({"max_claim_days": 40}, "max_claim_days: loaded with 30, config says 40"),
        (
            {"last_service_date": dt.date(2025, 6, 30)},
            "last_service_date: loaded with 2025-12-31, config says 2025-06-30",
        ),
        (
            {"target_volume": 5_000, "tiers": [{"name": "3K", "claims_per_provider": 5_000, "providers": 1}]},
            "target_volume: loaded with 6000, config says 5000; tiers: loaded with 3K: 1 x 3000, 300: 8 x 300",
        ),
    ],
    ids=["seed", "D", "dates", "tiers"],
)
def test_other_settings_are_rejected_with_the_difference_and_loaded_when_asked_to_replace(
    filled, open_store, changed, shown
):
    before = stored_digest(filled)
    changes = same_place(filled, **changed)
    if "tiers" in changed:
        changes["performance"] = {"tiers_to_test": ["3K"], "targets": {}}
    other = open_store(changes)
    with pytest.raises(LoadError, match=re.escape(shown)) as refused:
        load(other)
    assert "load_claims(store, replace=True)" in str(refused.value)
    assert stored_digest(filled) == before
    report = load(other, replace=True)
    assert report.volume == report.inserted == other.config.data_generation.target_volume
    assert stored_digest(other) == configured_digest(other.config) != before
    assert other.max_claim_days == other.config.data_generation.max_claim_days
    assert require_claims(other) is other


def test_workers_and_batch_size_do_not_count_as_different_settings(filled, open_store):
    other = open_store(same_place(filled) | {"data_generation": {"batch_size": 123, "workers": 3}})
    assert load(other).inserted == 0


NOT_OURS = {
    False: "documents that this program did not load: 5 documents",
    True: "this program did not create: 5 documents",
}


@pytest.mark.parametrize("replace", [False, True])
def test_other_peoples_collection_is_never_touched(store, replace):
    theirs = [make_claim(number, day(number), day(number)) for number in range(5)]
    store.collection.insert_many(theirs)
    with pytest.raises(LoadError, match=NOT_OURS[replace]):
        load(store, replace=replace)
    assert list(store.collection.find()) == theirs


@pytest.mark.parametrize("replace", [False, True])
def test_a_collection_that_others_created_under_the_name_of_a_loaded_one_is_never_touched(filled, replace):
    filled.collection.drop()
    theirs = [{"_id": number} for number in range(5)]
    filled.collection.insert_many(theirs)
    with pytest.raises(LoadError, match=NOT_OURS[replace]):
        load(filled, replace=replace)
    assert list(filled.collection.find()) == theirs
    with pytest.raises(LoadError, match="Run notebook"):
        require_claims(filled)


def test_a_collection_dropped_by_another_client_is_not_loaded_without_rule_and_index(filled):
    filled.collection.drop()
    with pytest.raises(LoadError, match=r"not set up for loading .* setup_collection\(store\)"):
        load(filled)
    assert filled.collection.find_one() is None
    assert load(setup_collection(filled)).inserted == 6_000


def test_replace_starts_over_on_claims_with_the_same_settings(filled):
    filled.collection.update_one({}, {"$set": {"recoveryMethod": "CHANGED"}})
    assert load(filled, replace=True).inserted == 6_000
    assert stored_digest(filled) == configured_digest(filled.config)


@pytest.mark.parametrize(
    "options", ["w=0", "w=majority&journal=true", "compressors=zlib&maxPoolSize=50", "uuidRepresentation=standard"]
)
def test_what_the_uri_asks_for_does_not_change_what_is_loaded(make_config, test_uri, monkeypatch, options):
    monkeypatch.setenv("MONGODB_URI", f"{test_uri}&{options}")
    with connect(make_config()) as store:
        setup_collection(store)
        assert load(store, workers=2).volume == 6_000
        assert load(store).inserted == 0
        assert stored_digest(store) == configured_digest(store.config)


def test_the_loading_process_holds_few_connections(store):
    admin = store.collection.database.client.admin
    before = admin.command("serverStatus")["connections"]["totalCreated"]
    load(store, workers=2)
    created = admin.command("serverStatus")["connections"]["totalCreated"] - before
    assert created <= 2 * 2 + 4  # a worker's own and its monitor's; this process opens up to four for its counts


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ({"workers": 0}, "workers must be 1 to 32, or None for the config's value, got 0"),
        ({"workers": 33}, "workers must be 1 to 32, or None for the config's value, got 33"),
        ({"workers": True}, "workers must be a whole number of at least 1, or None, got True"),
        ({"batch_size": -5}, "batch_size must be 1 to 50,000, or None for the config's value, got -5"),
        ({"batch_size": 50_001}, "batch_size must be 1 to 50,000, or None for the config's value, got 50001"),
    ],
)
def test_invalid_numbers_are_rejected_before_anything_happens(store, arguments, shown):
    with pytest.raises(LoadError, match=shown):
        load(store, **arguments)
    assert store.collection.find_one() is None


def test_the_report_shows_counts_by_tier_and_the_rate_over_time(store):
    report = load(store)
    assert "6,000 claims on the server" in repr(report)
    assert "every provider (19 in all) has exactly its configured number" in repr(report)
    assert report.tiers_frame()["claims"].tolist() == [3_000, 2_400, 600]
    assert report.pace.words in repr(report)
    rates = report.rate_frame()
    assert len(rates) == min(len(report.progress) - 1, 60)
    assert (rates["claims_per_second"] > 0).all()
    seconds = rates["seconds"].diff().fillna(rates["seconds"])
    assert (rates["claims_per_second"] * seconds).sum() == pytest.approx(6_000)


def test_each_provider_has_its_claims_on_the_server(loaded_store):
    for provider in provider_roster(loaded_store.config.data_generation):
        assert loaded_store.collection.count_documents({TIN: provider.tin}) == provider.claim_count


@pytest.mark.parametrize(
    ("host_kind", "cores", "workers"),
    [("local", 1, 1), ("local", 2, 2), ("local", 16, 4), ("remote", 16, 4), ("Atlas", 16, 2), ("Atlas", 1, 1)],
)
def test_auto_uses_few_workers_if_connections_or_cores_are_few(
    loaded_store, make_config, monkeypatch, host_kind, cores, workers
):
    config = make_config({"data_generation": {"workers": "auto"}})
    server = replace(loaded_store.server, host_kind=host_kind)
    store = ClaimStore(loaded_store.collection, config, server, loaded_store.uri)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert load(store).workers == workers
