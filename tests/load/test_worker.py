"""The loading process on its own."""

import multiprocessing
import re
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import pytest
from pymongo.errors import BulkWriteError
from servers import Mongod, running

from pbm_lib import LoadError, load_claims
from pbm_lib.claims.document import ID, TIN
from pbm_lib.claims.generate import claim_generator
from pbm_lib.load.worker import insert_batch, reject_foreign_unique_index, start_worker, why_rejected


@contextmanager
def loading_process(uri, config):
    """A loading process for the length of a block; it is ended even if it is still retrying."""
    others = multiprocessing.active_children()
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(1, spawn, initializer=start_worker, initargs=(uri, config))
    try:
        yield pool
    finally:
        for process in set(multiprocessing.active_children()).difference(others):
            process.kill()
        pool.shutdown(cancel_futures=True)


def refusal(pool, start, stop):
    """The error with which a batch is rejected."""
    with pytest.raises(LoadError) as refused:
        pool.submit(insert_batch, start, stop).result(timeout=30)
    return str(refused.value)


def test_a_worker_inserts_claims_without_importing_what_is_only_for_display(store):
    with loading_process(store.uri, store.config) as pool:
        assert pool.submit(insert_batch, 0, 20).result() == 20
        modules = pool.submit(eval, "sorted(__import__('sys').modules)").result()
    assert store.collection.count_documents({}) == 20
    assert "pbm_lib.claims.generate" in modules
    heavy = {"pandas", "matplotlib", "jinja2", "ipywidgets", "IPython", "papermill"}
    assert heavy.isdisjoint(module.partition(".")[0] for module in modules)


def test_claims_that_are_there_already_are_not_counted_again(store):
    with loading_process(store.uri, store.config) as pool:
        assert [pool.submit(insert_batch, *batch).result() for batch in ((5, 15), (0, 20), (0, 20))] == [10, 10, 0]
    assert store.collection.count_documents({}) == 20


def test_a_batch_that_the_validator_rejects_is_an_error_that_names_it_and_shows_no_claim(store):
    claims = claim_generator(store.config.data_generation).documents(0, 20)
    # The server already has ten claims of the batch and rejects one; the others are valid.
    store.collection.insert_many(claims[:10])
    validator = {ID: {"$ne": claims[15][ID]}}
    store.collection.database.command("collMod", store.collection.name, validator=validator)
    with loading_process(store.uri, store.config) as pool:
        text = refusal(pool, 0, 20)
        assert text == (
            "the server rejected a claim that fails the collection's validator. Run setup_collection(store) and read "
            "its message"
        )
        assert store.collection.count_documents({}) == 19
        types = {"processedAmounts": {"properties": {"recoupedAmount": {"bsonType": "double"}}}}
        validator = {"$jsonSchema": {"required": ["currency"], "properties": types}}
        store.collection.database.command("collMod", store.collection.name, validator=validator)
        text = refusal(pool, 20, 40)
    assert text == (
        "the server rejected a claim that fails the collection's validator: "
        "processedAmounts.recoupedAmount is of type object, not double; currency is missing. "
        "Run setup_collection(store) and read its message"
    )


def test_a_server_that_stays_away_is_an_error_when_the_worker_gives_up(tmp_path, make_config):
    with running(Mongod(tmp_path / "mongod")) as server, loading_process(server.uri, make_config()) as pool:
        assert pool.submit(insert_batch, 0, 20).result() == 20
        pool.submit(exec, "import pbm_lib.load.worker as worker; worker._RETRY_SECONDS = 0").result()
        server.stop()
        text = refusal(pool, 20, 40)
        assert "The MongoDB server is not responding. Check that it is still running" in text
        # The connection had worked, so no fix to the URI is suggested, and its address is not shown.
        assert not re.search(rf"tls|{server.port}|127\.0\.0\.1", text)
        # The process itself still works.
        server.start()
        assert pool.submit(insert_batch, 20, 40).result() == 20


@pytest.fixture
def insert(store):
    """Call it with a batch, which a loading process of the store inserts."""
    with loading_process(store.uri, store.config) as pool:
        yield lambda start, stop: pool.submit(insert_batch, start, stop).result(timeout=30)


def test_a_claim_whose_id_is_there_counts_as_there(store, insert):
    assert insert(0, 20) == 20
    assert insert(10, 30) == 10
    store.collection.delete_many({})
    store.collection.create_index({ID: 1, TIN: 1}, unique=True)  # never causes a conflict
    assert insert(0, 20) == 20
    assert insert(10, 30) == 10


@pytest.mark.parametrize("options", [{}, {"collation": {"locale": "en"}}, {"name": "theirs by dup key "}], ids=str)
def test_a_duplicate_in_a_foreign_unique_index_names_the_index_and_shows_no_claim(store, insert, options):
    key = {"recoveryMethod": 1, TIN: -1}
    store.collection.create_index(key, unique=True, **{"name": "theirs", **options})
    with pytest.raises(LoadError, match=r"unique index theirs .*with the key .* rejects claims .*Drop it") as told:
        insert(0, 3_000)
    assert '{recoveryMethod: 1, "billingProvider.providerTin": -1}' in str(told.value)
    for claim in claim_generator(store.config.data_generation).documents(0, 3_000):
        assert claim["recoveryMethod"] not in str(told.value)
        assert claim["billingProvider"]["providerTin"] not in str(told.value)
    # The same happens on a second try, when some claims are there already by _id.
    with pytest.raises(LoadError, match="unique index theirs"):
        insert(0, 3_000)


def test_the_index_is_named_from_the_error_text_if_the_server_reports_no_key(store):
    store.collection.create_index("recoveryMethod", unique=True, name="theirs")
    store.collection.insert_many(claim_generator(store.config.data_generation).documents(0, 1))
    with pytest.raises(BulkWriteError) as refused:
        store.collection.insert_many(claim_generator(store.config.data_generation).documents(0, 50), ordered=False)
    problems = [
        {name: value for name, value in problem.items() if name not in ("keyPattern", "keyValue")}
        for problem in refused.value.details["writeErrors"]
    ]
    with pytest.raises(LoadError, match="the collection's unique index theirs rejects claims"):
        reject_foreign_unique_index(problems)
    reject_foreign_unique_index(problems[:1])


def test_a_load_says_immediately_which_foreign_index_stops_it(store):
    store.collection.create_index("recoveryMethod", unique=True, name="theirs")
    with pytest.raises(LoadError) as told:
        load_claims(store, progress=False)
    for words in ("unique index theirs with the key {recoveryMethod: 1}", "mongodb.collection", "run load_claims("):
        assert words in str(told.value)
    assert "Someone else" not in str(told.value)
    store.collection.drop_index("theirs")
    assert load_claims(store, progress=False).volume == 6_000


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "you are over your space quota, using 513 MB of 512 MB",
            "This Atlas tier reached a limit: you are over",
        ),
        (
            "user is not allowed to do action [insert] on [pbm_demo.claims]",
            "database user lacks permission: user is not",
        ),
        ("not authorized on pbm_demo to execute command { insert: 1 }", "on pbm_demo to run insert. Grant it the role"),
    ],
)
def test_why_a_shared_atlas_tier_rejects_a_write_is_read_from_the_words_of_its_answer(said, told):
    # According to its documentation and to answers quoted by users, the tier always answers with this code.
    problems = [{"index": 0, "code": 11000, "errmsg": "E11000"}, {"index": 1, "code": 8000, "errmsg": said}]
    assert told in why_rejected(8000, problems)
