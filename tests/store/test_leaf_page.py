"""The size of the leaf pages of stored claims: requested, read back, kept, and never an obstacle to a setup."""

import pytest
from oracle import Wire, day, fill, listened_to, make_claim

from pbm_lib import find_claims, load_claims, setup_collection
from pbm_lib.store import leaf_page
from pbm_lib.store.footprint import measure_footprint
from pbm_lib.store.leaf_page import leaf_page_kb


def of_size(kb):
    return {"mongodb": {"leaf_page_kb": kb}}


@pytest.mark.parametrize("kb", [4, 8, 16, 32])
def test_a_new_collection_has_the_leaf_page_size_of_the_config_and_the_store_says_so(open_store, kb):
    store = open_store(of_size(kb))
    assert store.leaf_page_kb is None
    setup_collection(store)
    assert store.leaf_page_kb == leaf_page_kb(store.collection) == measure_footprint(store).leaf_page_kb == kb
    assert store.facts()["Leaf pages"] == f"{kb} KB"
    assert f"leaf_page_max={kb}KB" in str(store.collection.options())


def test_a_collection_keeps_its_leaf_page_size_until_its_claims_are_replaced(open_store):
    old = setup_collection(open_store(of_size(32)))
    same_place = {"mongodb": {"database": old.collection.database.name, "leaf_page_kb": 8}}
    store = setup_collection(open_store(same_place))
    assert store.leaf_page_kb == 32
    assert store.facts()["Leaf pages"] == "32 KB, set when the collection was created (config: 8 KB)"
    assert load_claims(store, replace=True, progress=False).inserted == 6_000
    assert store.leaf_page_kb == 8


def test_a_server_that_rejects_the_option_gets_the_collection_without_it(open_store, monkeypatch):
    # The server really rejects this size.
    rejected = {"wiredTiger": {"configString": "leaf_page_max=1TB"}}
    monkeypatch.setattr(leaf_page, "_storage_engine", lambda kb: rejected)
    store = setup_collection(open_store())
    assert (store.bounded, store.leaf_page_kb) == (True, 32)
    assert "storageEngine" not in store.collection.options()
    assert store.facts()["Leaf pages"].startswith("32 KB, set when the collection was created (config: 16 KB)")


def test_the_server_is_asked_for_the_size_once_per_collection(store, clock):
    fill(store, [make_claim(1, day(0), day(0))])
    wire = Wire()
    with listened_to(store, wire) as heard:
        for _ in range(3):
            heard.refresh()
            clock.now += 5
            find_claims(heard, make_claim(1, day(0), day(0))["billingProvider"]["providerTin"])
            assert heard.leaf_page_kb == 16
            repr(heard)
        asked = [sent for _, sent in wire.sent if "$collStats" in str(sent.get("pipeline"))]
        assert len(asked) == 1
