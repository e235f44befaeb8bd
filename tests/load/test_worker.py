"""The loading process by itself."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

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
