"""The trial of a new field: shown on the real collection, which is unchanged afterward."""

import pytest

from pbm_lib import SetupError, setup_collection, try_new_field


def test_a_new_field_is_accepted_and_a_broken_claim_rejected_by_name(loaded_store):
    before = loaded_store.collection.count_documents({})
    shown = repr(try_new_field(loaded_store))
    assert "serviceEndDate is of type string, not date" in shown
    assert 'priorAuthorization: {number: "PA-204417", approvedOn: ISODate("2024-01-05")}' in shown
    assert loaded_store.collection.count_documents({}) == before


def test_a_trial_that_was_killed_is_cleaned_up_by_the_next(store, monkeypatch):
    setup_collection(store)
    with monkeypatch.context() as broken:
        broken.setattr(type(store.collection), "find_one", _killed)
        broken.setattr(type(store.collection), "delete_one", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            try_new_field(store)
    assert store.collection.count_documents({}) == 1
    try_new_field(store)
    assert store.collection.count_documents({}) == 0


def _killed(*_):
    raise KeyboardInterrupt


def test_a_collection_without_the_rule_is_reported_and_left_empty(open_store):
    store = open_store()
    with pytest.raises(SetupError, match="accepted a claim whose serviceEndDate is text"):
        try_new_field(store)
    assert store.collection.count_documents({}) == 0
