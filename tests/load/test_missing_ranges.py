"""Which batches a load still has to insert: exact ranges of claim numbers, at every position and boundary."""

import numpy as np
import pytest
from bson import ObjectId
from oracle import day, make_claim

from pbm_lib import setup_collection
from pbm_lib.claims.document import ID
from pbm_lib.claims.generate import claim_generator
from pbm_lib.load.state import missing_ranges

BATCH = 10
GROUP = 640
"""The number of claims that are counted together before a closer look: 64 batches."""


def ids(store, numbers):
    return claim_generator(store.config.data_generation).ids(np.array(numbers))


@pytest.fixture(scope="module")
def loaded(open_shared_store):
    """A store with claims 0 to 5,999, which tests may delete."""
    store = setup_collection(open_shared_store())
    store.collection.insert_many(claim_generator(store.config.data_generation).documents(0, 6_000))
    return store


@pytest.fixture
def without(loaded):
    """Call it with claim numbers to remove these claims until the test ends."""
    taken = []

    def take(numbers):
        taken.extend(loaded.collection.find({ID: {"$in": ids(loaded, list(numbers))}}))
        assert len(taken) == len(numbers)
        loaded.collection.delete_many({ID: {"$in": [claim[ID] for claim in taken]}})
        return loaded

    yield take
    if taken:
        loaded.collection.insert_many(taken)


def batches(start, stop):
    return [(first, first + BATCH) for first in range(start, stop, BATCH)]


@pytest.mark.parametrize("by_id", [False, True], ids=["by count", "by id"])
@pytest.mark.parametrize(
    ("gone", "missing"),
    [
        ([0], [(0, 10)]),
        ([9], [(0, 10)]),
        ([10], [(10, 20)]),
        ([3_333], [(3_330, 3_340)]),
        ([5_999], [(5_990, 6_000)]),
        (range(15, 45), [(10, 20), (20, 30), (30, 40), (40, 50)]),
        ([1_009, 1_010], [(1_000, 1_010), (1_010, 1_020)]),
        ([GROUP - 1], [(630, 640)]),
        ([GROUP], [(640, 650)]),
        ([GROUP - 1, GROUP], [(630, 640), (640, 650)]),
        (range(GROUP, 2 * GROUP), batches(640, 1_280)),
        (range(GROUP - 1, 2 * GROUP + 1), batches(630, 1_290)),
        ([0, 3_000, 5_999], [(0, 10), (3_000, 3_010), (5_990, 6_000)]),
        (range(5_755, 6_000), batches(5_750, 6_000)),
        (range(6_000), batches(0, 6_000)),
    ],
    ids=lambda value: f"{value[0]} to {value[-1]}" if isinstance(value[0], int) else "",
)
def test_each_batch_that_lacks_a_claim_is_named_and_no_other(without, gone, missing, by_id):
    assert missing_ranges(without(gone), BATCH, by_id=by_id) == missing


@pytest.mark.parametrize("by_id", [False, True], ids=["by count", "by id"])
def test_no_batch_is_named_if_nothing_is_missing(loaded, by_id):
    for batch_size in (7, BATCH, 6_000, 50_000):
        assert missing_ranges(loaded, batch_size, by_id=by_id) == []


@pytest.mark.parametrize("by_id", [False, True], ids=["by count", "by id"])
def test_the_last_batch_ends_with_the_last_claim(without, by_id):
    store = without([5_999])
    assert missing_ranges(store, 7, by_id=by_id) == [(5_999, 6_000)]
    assert missing_ranges(store, 4_000, by_id=by_id) == [(4_000, 6_000)]
    assert missing_ranges(store, 50_000, by_id=by_id) == [(0, 6_000)]


def test_someone_elses_document_deceives_the_count_but_not_the_search_by_id(without):
    store = without([705])
    foreign = make_claim(1, day(0), day(0)) | {ID: ObjectId(ids(store, [705])[0].binary[:4] + b"\xff" * 8)}
    store.collection.insert_one(foreign)
    try:
        assert missing_ranges(store, BATCH) == []
        assert missing_ranges(store, BATCH, by_id=True) == [(700, 710)]
    finally:
        store.collection.delete_one({ID: foreign[ID]})
