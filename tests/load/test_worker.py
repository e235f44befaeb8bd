"""The loading process by itself."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest
from pymongo.errors import BulkWriteError

from pbm_lib import LoadError, load_claims, setup_collection
from pbm_lib.claims.document import ID, TIN
from pbm_lib.claims.generate import claim_generator
from pbm_lib.load import worker
from pbm_lib.load.worker import insert_batch, start_worker


def test_a_worker_inserts_claims_without_what_only_people_need(store):
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=start_worker, initargs=(store.uri, store.config)) as pool:
        assert pool.submit(insert_batch, 0, 20).result() == 20
        modules = pool.submit(eval, "sorted(__import__('sys').modules)").result()
    assert store.collection.count_documents({}) == 20
    assert "pbm_lib.claims.generate" in modules
    heavy = {"pandas", "matplotlib", "jinja2", "ipywidgets", "IPython", "papermill"}
    assert heavy.isdisjoint(module.partition(".")[0] for module in modules)


@pytest.fixture
def here(store, monkeypatch):
    """This process as a loading process of that store, which is returned."""
    monkeypatch.setattr(worker, "_config", store.config, raising=False)
    monkeypatch.setattr(worker, "_collection", lambda: store.collection)
    return store


def test_a_claim_that_is_there_by_its_id_counts_as_there(here):
    assert insert_batch(0, 20) == 20
    assert insert_batch(10, 30) == 10
    here.collection.delete_many({})
    here.collection.create_index({ID: 1, TIN: 1}, unique=True)  # never in the way
    assert insert_batch(0, 20) == 20
    assert insert_batch(10, 30) == 10


@pytest.mark.parametrize("options", [{}, {"collation": {"locale": "en"}}, {"name": "theirs by dup key "}], ids=str)
def test_a_duplicate_by_a_foreign_unique_index_names_that_and_shows_no_claim(here, options):
    key = {"recoveryMethod": 1, TIN: -1}
    here.collection.create_index(key, unique=True, **{"name": "theirs", **options})
    with pytest.raises(LoadError, match=r"unique index theirs .*with the key .* refuses claims .*Drop it") as told:
        insert_batch(0, 3_000)
    assert '{recoveryMethod: 1, "billingProvider.providerTin": -1}' in str(told.value)
    for claim in claim_generator(here.config.data_generation).documents(0, 3_000):
        assert claim["recoveryMethod"] not in str(told.value)
        assert claim["billingProvider"]["providerTin"] not in str(told.value)
    # The same on a second try, when some claims are there by _id.
    with pytest.raises(LoadError, match="unique index theirs"):
        insert_batch(0, 3_000)


def test_the_index_is_named_from_the_text_of_servers_that_say_no_key(here):
    here.collection.create_index("recoveryMethod", unique=True, name="theirs")
    here.collection.insert_many(claim_generator(here.config.data_generation).documents(0, 1))
    with pytest.raises(BulkWriteError) as refused:
        here.collection.insert_many(claim_generator(here.config.data_generation).documents(0, 50), ordered=False)
    problems = [
        {name: value for name, value in problem.items() if name not in ("keyPattern", "keyValue")}
        for problem in refused.value.details["writeErrors"]
    ]
    with pytest.raises(LoadError, match="the collection's unique index theirs refuses claims"):
        worker.refuse_foreign_unique_index(problems)
    worker.refuse_foreign_unique_index(problems[:1])


def test_a_load_says_at_once_which_foreign_index_stops_it(store):
    store.collection.create_index("recoveryMethod", unique=True, name="theirs")
    with pytest.raises(LoadError) as told:
        load_claims(store, progress=False)
    for words in ("unique index theirs with the key {recoveryMethod: 1}", "mongodb.collection", "load_claims again"):
        assert words in str(told.value)
    assert "Somebody else" not in str(told.value)
    store.collection.drop_index("theirs")
    assert load_claims(store, progress=False).volume == 6_000


@pytest.mark.parametrize("replace", [False, True])
def test_a_capped_collection_is_not_loaded_into(open_store, replace):
    store = open_store()
    store.collection.database.create_collection(store.collection.name, capped=True, size=2**20)
    options = store.collection.options()
    setup_collection(store)
    with pytest.raises(LoadError, match=r"is a capped collection.*left alone.*Choose another mongodb.collection"):
        load_claims(store, progress=False, replace=replace)
    assert store.collection.options().items() >= options.items()
    assert store.collection.find_one() is None
