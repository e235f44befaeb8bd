"""A load notices that its collection was dropped or replaced by another load, and says how to recover."""

import threading
from contextlib import contextmanager

import pytest
from conftest import merged
from loads import TIERS_30K, configured_digest, start_loading, stored_digest
from processes import have_ended, spawned
from servers import wait_for

from pbm_lib import LoadError, load_claims, require_claims, setup_collection
from pbm_lib.load.state import LoadRecord, count_by_provider


@pytest.fixture
def store(open_store):
    """A set-up store with 30,000 claims to load."""
    return setup_collection(open_store(TIERS_30K))


@contextmanager
def when_some_are_there(store, action):
    """Run an action during the block, once more than 3,000 of the claims are loaded."""
    done = threading.Event()

    def watch():
        while not done.wait(0.02):
            if store.collection.estimated_document_count() > 3_000:
                action()
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def ended(process):
    """The exit code and the last line of standard error of a load in its own process."""
    _, errors = process.communicate(timeout=60)
    assert errors.count("Traceback") == (process.returncode != 0), errors
    return process.returncode, (errors.strip().splitlines() or [""])[-1]


def test_a_collection_dropped_during_a_load_is_reported_and_setup_and_load_recover_it(store):
    with when_some_are_there(store, store.collection.drop), pytest.raises(LoadError) as stopped:
        load_claims(store, progress=False)
    assert str(stopped.value) == (
        f"The load stopped: Someone dropped {store.collection.full_name} during the load; a new one lacks the rule "
        "and the index. Run setup_collection(store), then load_claims(store) again."
    )
    with pytest.raises(LoadError, match=r"no (claims|index)"):
        require_claims(store)
    left = store.collection.count_documents({})
    with pytest.raises(LoadError, match=r"not set up for loading .*setup_collection\(store\)"):
        load_claims(store, progress=False)
    setup_collection(store)
    assert load_claims(store, progress=False).inserted == 30_000 - left
    assert stored_digest(store) == configured_digest(store.config)
    assert require_claims(store) is store


def test_a_collection_that_is_dropped_while_it_is_counted_is_never_marked_as_complete(filled, monkeypatch):
    def dropping(of_store):
        counted = count_by_provider(of_store)
        of_store.collection.drop()
        return counted

    LoadRecord(filled).mark("loading")
    monkeypatch.setattr("pbm_lib.load.load.count_by_provider", dropping)
    with pytest.raises(LoadError, match="Someone dropped"):
        load_claims(filled, progress=False)
    assert not LoadRecord(filled).is_current


def test_a_load_gives_way_to_one_that_replaces_its_claims(store, open_store, test_uri):
    # The claims have the same _id and counts but different content, which counting would not notice.
    changes = {"mongodb": {"database": store.collection.database.name}, "data_generation": {"max_claim_days": 40}}
    other = open_store(merged(TIERS_30K, changes))
    first = start_loading(store.config, test_uri)
    try:
        wait_for(lambda: store.collection.estimated_document_count() > 3_000, 60, "some claims")
        workers = spawned(first)
        assert load_claims(other, replace=True, progress=False).inserted == 30_000
        code, error = ended(first)
    finally:
        first.kill()
    assert have_ended(workers)
    assert code == 1
    assert "LoadError: The load stopped: Another load of" in error
    assert "Wait for it to end, then run load_claims(store)" in error
    assert stored_digest(other) == configured_digest(other.config) != configured_digest(store.config)
    assert require_claims(other) is other


def test_two_replacements_at_once_succeed_or_fail_cleanly_and_no_mixture_counts_as_complete(
    store, open_store, test_uri
):
    changes = {"mongodb": {"database": store.collection.database.name}, "data_generation": {"max_claim_days": 40}}
    stores = [store, open_store(merged(TIERS_30K, changes))]
    loads = [start_loading(each.config, test_uri, replace=True) for each in stores]
    try:
        results = [ended(load) for load in loads]
    finally:
        for load in loads:
            load.kill()
    assert all(code == 0 or error.startswith("pbm_lib.errors.LoadError: ") for code, error in results), results
    for each, (code, _) in zip(stores, results, strict=True):
        record = LoadRecord(each)
        if code == 0 and record.is_current and record.loaded_with == record.wanted:
            assert stored_digest(each) == configured_digest(each.config)
    assert load_claims(store, replace=True, progress=False).volume == 30_000
    assert stored_digest(store) == configured_digest(store.config)


def test_what_another_load_recorded_is_never_overwritten(store, open_store):
    changes = {"mongodb": {"database": store.collection.database.name}, "data_generation": {"max_claim_days": 40}}
    other = open_store(merged(TIERS_30K, changes))
    for states in (["replacing"], ["replacing", "loading"]):
        first, second, twin = LoadRecord(store), LoadRecord(other), LoadRecord(store)
        first.mark("loading")
        twin.mark("loading")  # same claims, same collection: it does not matter which record marks them
        first.mark("complete")
        with pytest.raises(LoadError, match="Another load"):
            second.mark("replacing")
        second = LoadRecord(other)
        for state in states:
            second.mark(state)
        for record in (first, twin):
            assert "Another load" in record.lost()
            with pytest.raises(LoadError, match="Another load"):
                record.mark("complete")
        assert second.lost() is None
        second.mark("complete")
