"""The loading process by itself."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import pytest
from servers import Mongod, running

from pbm_lib import LoadError
from pbm_lib.claims.document import ID
from pbm_lib.claims.generate import claim_generator
from pbm_lib.load.worker import insert_batch, start_worker


@contextmanager
def worker(uri, config):
    """A loading process for the length of a block; it is ended though it may still be trying."""
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
    """What a batch is refused with."""
    with pytest.raises(LoadError) as refused:
        pool.submit(insert_batch, start, stop).result(timeout=30)
    return str(refused.value)


def test_a_worker_inserts_claims_without_what_only_people_need(store):
    with worker(store.uri, store.config) as pool:
        assert pool.submit(insert_batch, 0, 20).result() == 20
        modules = pool.submit(eval, "sorted(__import__('sys').modules)").result()
    assert store.collection.count_documents({}) == 20
    assert "pbm_lib.claims.generate" in modules
    heavy = {"pandas", "matplotlib", "jinja2", "ipywidgets", "IPython", "papermill"}
    assert heavy.isdisjoint(module.partition(".")[0] for module in modules)


def test_claims_that_are_there_already_are_not_counted_again(store):
    with worker(store.uri, store.config) as pool:
        assert [pool.submit(insert_batch, *batch).result() for batch in ((5, 15), (0, 20), (0, 20))] == [10, 10, 0]
    assert store.collection.count_documents({}) == 20


def test_a_batch_that_the_validator_refuses_is_an_error_that_names_it_and_shows_no_claim(store):
    claims = claim_generator(store.config.data_generation).documents(0, 20)
    # Of the second batch the server knows ten claims and refuses one; the others are good.
    store.collection.insert_many(claims[:10])
    validator = {ID: {"$ne": claims[15][ID]}}
    store.collection.database.command("collMod", store.collection.name, validator=validator)
    with worker(store.uri, store.config) as pool:
        text = refusal(pool, 0, 20)
    assert text == (
        "the server refused a batch: a claim does not pass the collection's validator; run setup_collection(store) "
        "and see its message"
    )
    assert store.collection.count_documents({}) == 19


def test_a_server_that_stays_away_is_an_error_when_the_workers_patience_ends(tmp_path, make_config):
    with running(Mongod(tmp_path / "mongod")) as server, worker(server.uri, make_config()) as pool:
        assert pool.submit(insert_batch, 0, 20).result() == 20
        pool.submit(exec, "import pbm_lib.load.worker as worker; worker._RETRY_SECONDS = 0").result()
        server.stop()
        text = refusal(pool, 20, 40)
        assert "does not answer" in text
        # The process itself is as good as before.
        server.start()
        assert pool.submit(insert_batch, 20, 40).result() == 20
