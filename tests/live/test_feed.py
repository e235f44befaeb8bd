"""Arriving claims: generated like the others, recognizable, and removed afterward, however the watch ended."""

import datetime as dt
import os
import signal
import subprocess
import threading
from collections import Counter
from contextlib import contextmanager

import psutil
import pytest
import watching
from bson import ObjectId
from loads import configured_digest, stored_digest
from oracle import day, make_claim
from processes import have_ended, spawned, start_python
from servers import wait_for

from pbm_lib import (
    LoadError,
    PbmError,
    list_providers,
    load_claims,
    remove_fed_claims,
    require_claims,
    watch_pages,
)
from pbm_lib.claims.document import BEGIN, END, ID
from pbm_lib.claims.generate import claim_generator, fed_ids
from pbm_lib.live import feed as feed_module
from pbm_lib.live.feeder import Feeder
from pbm_lib.live.walker import Walker
from pbm_lib.load.state import LoadRecord, fed_filter

NOW = dt.datetime(2026, 11, 27, 12, 0, 0, 123_000, dt.UTC)


def arriving(config, start, stop, now=NOW):
    return claim_generator(config.data_generation).arriving(start, stop, now)


def fed_of(store):
    return fed_filter(LoadRecord(store).loaded_with)


def insert_fed(store, count):
    """Insert claims as a killed watch leaves them behind."""
    volume = store.config.data_generation.target_volume
    store.collection.insert_many(arriving(store.config, volume, volume + count))


def is_as_loaded(store):
    assert store.collection.count_documents({}) == store.config.data_generation.target_volume
    assert stored_digest(store) == configured_digest(store.config)
    assert require_claims(store) is store
    return True


# The claims


def test_the_server_accepts_every_arriving_claim_and_they_are_spread_like_the_others(filled):
    volume = filled.config.data_generation.target_volume
    insert_fed(filled, volume)
    tins = Counter(claim["billingProvider"]["providerTin"] for claim in filled.collection.find(fed_of(filled)))
    # As many claims as the volume, numbered from the volume on: every provider gets its number of claims once more.
    assert tins == {provider.tin: provider.claim_count for provider in list_providers(filled.config)}


def test_arriving_claims_were_updated_just_now_and_are_for_recent_or_late_services(make_config):
    config = make_config()
    data = config.data_generation
    claims = [dict(claim) for claim in arriving(config, data.target_volume, data.target_volume + 2_000)]
    assert {claim["lastUpdatedTs"] for claim in claims} == {NOW.replace(tzinfo=None)}
    first, last = (dt.datetime.combine(date, dt.time()) for date in (data.first_service_date, data.last_service_date))
    longest = dt.timedelta(data.max_claim_days)
    assert all(
        first <= claim[BEGIN] <= last and claim[BEGIN] <= claim[END] <= claim[BEGIN] + longest for claim in claims
    )
    recent, late = claims[::2], claims[1::2]
    assert min(claim[BEGIN] for claim in recent) >= last - dt.timedelta(days=7)
    assert {claim[BEGIN].strftime("%Y-%m") for claim in late} == {
        f"{year}-{month:02}" for year in (2023, 2024, 2025) for month in range(1, 13)
    }


def test_a_service_that_ends_later_than_now_was_updated_after_its_end(make_config):
    config = make_config()
    early = dt.datetime(2025, 12, 28, tzinfo=dt.UTC)
    for claim in map(dict, arriving(config, 6_000, 7_000, early)):
        assert claim["lastUpdatedTs"] == max(early.replace(tzinfo=None), claim[END] + dt.timedelta(days=1))


def test_an_arriving_claim_is_the_same_in_any_batch(make_config):
    config = make_config()
    whole = [claim.raw for claim in arriving(config, 6_000, 6_100)]
    parts = [claim.raw for start in range(6_000, 6_100, 7) for claim in arriving(config, start, min(start + 7, 6_100))]
    assert whole == parts


def test_the_ids_of_arriving_claims_are_a_range_that_contains_no_other_claim(make_config):
    config = make_config()
    data = config.data_generation
    first, last = fed_ids(data.seed, data.target_volume, data.last_service_date, data.max_claim_days)
    ids = [claim[ID] for claim in arriving(config, data.target_volume, data.target_volume + 3_000)]
    assert (ids[0], ids == sorted(ids), ids[-1] < last) == (first, True, True)
    configured = [claim[ID] for claim in claim_generator(data).documents(0, data.target_volume)]
    assert max(configured) < first


# What a watch leaves behind


def test_fed_claims_are_removed_and_no_others_are_touched(filled):
    insert_fed(filled, 30)
    foreign = [ObjectId(fed_of(filled)[ID]["$gte"].binary[:4] + bytes(8)), ObjectId()]
    filled.collection.insert_many({**make_claim(0, day(0), day(0)), ID: id_} for id_ in foreign)
    assert [remove_fed_claims(filled), remove_fed_claims(filled)] == [30, 0]
    assert filled.collection.delete_many({ID: {"$in": foreign}}).deleted_count == 2
    assert is_as_loaded(filled)


def test_the_removal_examines_no_claim_that_stays(filled):
    insert_fed(filled, 30)
    plan = filled.collection.find(fed_of(filled)).explain()["executionStats"]
    assert plan["totalDocsExamined"] == 30


def test_leftover_fed_claims_are_reported_with_the_command_that_removes_them(filled):
    insert_fed(filled, 12)
    with pytest.raises(LoadError, match=r"holds 12 extra claims, .*remove_fed_claims\(store\)\.$"):
        require_claims(filled)
    assert remove_fed_claims(filled) == 12
    assert is_as_loaded(filled)


@pytest.mark.parametrize("replace", [False, True], ids=["goes on", "starts over"])
def test_a_load_removes_fed_claims(filled, replace, monkeypatch):
    monkeypatch.setattr("pbm_lib.load.claim._GIVE_WAY_SECONDS", 0)
    insert_fed(filled, 12)
    report = load_claims(filled, replace=replace, progress=False)
    assert (report.volume, report.inserted) == (6_000, 6_000 if replace else 0)
    assert is_as_loaded(filled)


def test_someone_elses_document_among_fed_claims_is_still_foreign(filled):
    insert_fed(filled, 12)
    filled.collection.insert_one({**make_claim(0, day(0), day(0)), ID: ObjectId("f" * 24)})
    with pytest.raises(LoadError, match=r"holds 1 document of providers that are not in the config\..* 1 document "):
        load_claims(filled, progress=False)
    with pytest.raises(
        LoadError, match=r"holds something that this program did not create: 1 document \(such as _id ObjectId\('ffff"
    ):
        load_claims(filled, replace=True, progress=False)


def test_fed_claims_with_other_settings_are_recognized_by_what_the_load_recorded(filled, open_store):
    insert_fed(filled, 12)
    database = {"database": filled.collection.database.name}
    other = open_store({"mongodb": database, "data_generation": {"seed": 5, "max_claim_days": 20}})
    assert remove_fed_claims(other) == 12
    assert is_as_loaded(filled)


def test_a_load_during_a_watch_says_that_it_has_to_wait(filled, monkeypatch):
    insert_fed(filled, 1)
    monkeypatch.setattr("pbm_lib.load.fed.time", type("Time", (), {"sleep": lambda _: insert_fed(filled, 5)}))
    with pytest.raises(LoadError, match=r"A watch \(watch_pages\) is feeding claims to .*\. Wait"):
        load_claims(filled, progress=False)
    assert remove_fed_claims(filled) == 5
    assert is_as_loaded(filled)


# While a watch is running


def test_claims_arrive_at_their_rate_are_seen_on_pages_and_are_gone_at_the_end(filled):
    tin = list_providers(filled.config)[0].tin
    watch = watch_pages(filled, tin, seconds=2, pages_per_second=25, feed_per_second=200, progress=False)
    assert (watch.lost, watch.repeated, watch.notes, watch.feed_errors) == (0, 0, (), ())
    assert watch.fed == watch.removed == 400
    assert watch.arrived > 0
    assert watch.feed[-1][0] >= 1.9
    assert len(watch.feed) >= 5
    assert is_as_loaded(filled)
    assert spawned(psutil.Process()) == []


@contextmanager
def after(seconds, action):
    timer = threading.Timer(seconds, action)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def when_fed(store, action):
    """Act, in a thread, once there are fed claims."""

    def act():
        wait_for(lambda: store.collection.count_documents(fed_of(store)), 60, "fed claims")
        action()

    return after(0, act)


def test_a_killed_feeder_is_reported_and_the_watch_goes_on(filled):
    with when_fed(filled, lambda: [process.kill() for process in spawned(psutil.Process())]):
        watch = watch_pages(filled, seconds=3, pages_per_second=10, feed_per_second=100, progress=False)
    (note,) = watch.notes
    assert note.startswith("The feeder process was killed or ran out of memory (exit code -9)")
    assert (watch.lost, watch.repeated, len(watch.pages)) == (0, 0, 30)
    assert 0 < watch.removed < 300
    assert "killed or ran out of memory" in repr(watch)
    assert is_as_loaded(filled)


def test_an_error_in_our_own_code_leaves_no_claim_and_no_process(filled, monkeypatch):
    def broken(walker, start, meant, end):
        if meant > 0.5:
            assert filled.collection.count_documents(fed_of(filled))
            raise ZeroDivisionError

    monkeypatch.setattr(Walker, "ask", broken)
    with pytest.raises(ZeroDivisionError):
        watch_pages(filled, seconds=30, feed_per_second=100, progress=False)
    assert spawned(psutil.Process()) == []
    assert is_as_loaded(filled)


def test_an_interrupt_before_the_feed_has_begun_leaves_nothing_and_prints_nothing(filled, monkeypatch, capfd):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Walker, "warm_up", interrupted)
    with pytest.raises(PbmError, match=r"^The watch was interrupted\. 0 fed claims were removed\.$"):
        watch_pages(filled, feed_per_second=100, progress=False)
    assert capfd.readouterr() == ("", "")
    assert spawned(psutil.Process()) == []
    assert is_as_loaded(filled)


@pytest.fixture
def watched(filled, test_uri):
    """A watch with a feed in its own process, once there are fed claims."""
    process = start_python(
        watching.__file__, filled.config.path, uri=test_uri, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        wait_for(
            lambda: process.poll() is not None or filled.collection.count_documents(fed_of(filled)), 60, "fed claims"
        )
        assert process.poll() is None, process.stderr.read()
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize("whom", ["the process", "the process group"])
def test_an_interrupt_removes_the_claims_and_is_reported_in_one_sentence(watched, filled, whom):
    feeders = spawned(watched)
    if whom == "the process":
        watched.send_signal(signal.SIGINT)
    else:
        os.killpg(watched.pid, signal.SIGINT)
    _, shown = watched.communicate(timeout=30)
    assert shown.count("Traceback") == 1
    last = shown.strip().splitlines()[-1]
    assert last.startswith("pbm_lib.errors.PbmError: The watch was interrupted. ")
    assert last.endswith(" fed claims were removed.")
    assert len(feeders) == 1
    assert have_ended(feeders)
    assert is_as_loaded(filled)


@pytest.mark.parametrize("way_out", ["remove_fed_claims", "load_claims", "another watch with a feed"])
def test_a_killed_watch_leaves_claims_that_are_reported_and_easily_removed(watched, filled, way_out):
    feeders = spawned(watched)
    watched.kill()
    watched.communicate()
    assert have_ended(feeders)
    left = filled.collection.count_documents(fed_of(filled))
    assert left > 0
    with pytest.raises(LoadError, match=rf"holds {left} extra claims?, "):
        require_claims(filled)
    # They do no harm to a watch that only reads.
    reading = watch_pages(filled, seconds=0.5, progress=False)
    assert (reading.lost, reading.repeated, reading.fed) == (0, 0, 0)
    if way_out == "remove_fed_claims":
        assert remove_fed_claims(filled) == left
    elif way_out == "load_claims":
        assert load_claims(filled, progress=False).inserted == 0
    else:
        watch = watch_pages(filled, seconds=0.5, feed_per_second=20, progress=False)
        assert (watch.fed, watch.removed) == (10, 10)
    assert is_as_loaded(filled)


def test_a_user_who_may_only_read_can_watch_but_not_feed(as_user):
    owner, reader = as_user("owner"), as_user("reader")
    for state in ("loading", "complete"):
        LoadRecord(owner).mark(state)
    watch = watch_pages(reader, seconds=0.5, progress=False)
    assert (len(watch.pages), watch.lost, watch.repeated) == (10, 0, 0)
    before = stored_digest(owner)
    with pytest.raises(
        PbmError, match=r"^feed_per_second: claims cannot be fed\. The database user lacks permission: .*=0\.$"
    ):
        watch_pages(reader, seconds=0.5, feed_per_second=5, progress=False)
    assert spawned(psutil.Process()) == []
    assert stored_digest(owner) == before


def test_claims_that_cannot_be_removed_now_are_reported_with_the_command_for_later(filled, monkeypatch):
    def unable(store):
        raise PbmError("The server is full.")

    monkeypatch.setattr(feed_module, "_REMOVE_SECONDS", 0.5)
    with when_fed(filled, lambda: monkeypatch.setattr(feed_module, "remove_fed_claims", unable)):
        watch = watch_pages(filled, seconds=2, feed_per_second=50, progress=False)
    assert watch.notes == (
        "The fed claims could not be removed (The server is full). When the server responds again, run "
        "remove_fed_claims(store).",
    )
    assert remove_fed_claims(filled) == watch.fed == 100
    assert is_as_loaded(filled)


# The feeder


def test_a_feeder_catches_up_in_batches_of_limited_size(filled):
    feeder = Feeder(filled.collection, filled.config, 1_000)
    feeder.insert_due(0.05)
    feeder.insert_due(0.05)
    feeder.insert_due(5)
    feeder.insert_due(5)
    assert [claims for _, claims in feeder.told().points] == [50, 1_000, 1_000]
    assert feeder.told(is_last=True).points == ()
    assert remove_fed_claims(filled) == 2_050


def test_a_feeder_reports_what_the_server_rejects_and_goes_on(filled):
    filled.collection.database.command("collMod", filled.collection.name, validator={"recoveryMethod": "NONE"})
    feeder = Feeder(filled.collection, filled.config, 100)
    feeder.insert_due(0.1)
    feeder.insert_due(0.2)
    told = feeder.told()
    assert [claims for _, claims in told.points] == [0, 0]
    ((said, count),) = told.errors.items()
    assert said.startswith("the server rejected a claim that fails the collection's validator")
    assert count == 2


def test_two_feeders_of_the_same_claims_say_so(filled):
    for number in range(2):
        feeder = Feeder(filled.collection, filled.config, 100)
        feeder.insert_due(0.1)
        assert list(feeder.told().errors) == ["duplicate claims, because another watch is feeding them"] * number


def test_a_batch_with_an_unknown_outcome_is_sent_again_and_counted_once(proxied, loaded_store):
    behind, proxy = proxied
    store = behind.reopened(serverSelectionTimeoutMS=5_000)  # a busy machine may be slow to answer
    feeder = Feeder(store.collection, store.config, 100)
    try:
        feeder.insert_due(0.1)
        proxy.cut_at(b"insert\0")
        feeder.insert_due(0.2)
        assert [claims for _, claims in feeder.told().points] == [10]
        # Act as if the server had written part of the batch.
        loaded_store.collection.insert_many(arriving(store.config, 6_010, 6_014))
        feeder.insert_due(0.2)
        told = feeder.told()
        assert [claims for _, claims in told.points] == [10]
        assert told.errors == {"AutoReconnect": 1}
    finally:
        store.close()
        assert remove_fed_claims(loaded_store) == 20
