"""What a walk showed, compared with the claims that were there: exactly what is lost, repeated or new."""

import time
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from bson import ObjectId
from bson.datetime_ms import DatetimeMS
from oracle import day, in_order, make_claim

from pbm_lib import ClaimStore, index_variant, list_providers, setup_collection
from pbm_lib.claims.document import BEGIN, END, ID, TIN
from pbm_lib.claims.generate import claim_generator
from pbm_lib.live.check import Check
from pbm_lib.live.stretch import read_stretches
from pbm_lib.live.walker import Walker
from pbm_lib.load.state import LoadRecord, fed_filter
from pbm_lib.query.stopwatch import Stopwatch
from pbm_lib.vocabulary import INDEXES

PAGE = 10


@dataclass
class Walk:
    """A walk, taken page by page, through a provider with 300 claims."""

    store: ClaimStore
    walker: Walker
    check: Check
    tin: str

    def pages(self, count):
        for _ in range(count):
            self.walker.ask(0.0, 0.0, time.perf_counter() + 30)
        assert not [sample for sample in self.walker.samples if sample.error]

    def claims(self):
        """The provider's claims, in the order of pages."""
        return in_order(self.store.collection.find({TIN: self.tin}), self.store)

    @property
    def found(self):
        check = self.check
        return {"checked": check.checked, "lost": check.lost, "repeated": check.repeated, "others": check.others}


def found(checked, lost=0, repeated=0, others=0):
    return {"checked": checked, "lost": lost, "repeated": repeated, "others": others}


@pytest.fixture(params=INDEXES)
def small_pages(open_store, request):
    """A loaded store with ten claims per page, with each index in turn."""
    store = setup_collection(open_store({"query": {"default_page_size": PAGE}, "mongodb": {"index": request.param}}))
    data = store.config.data_generation
    store.collection.insert_many(claim_generator(data).documents(0, data.target_volume))
    return store


@contextmanager
def walking(store, pages=100):
    tin, fed = list_providers(store.config, "300")[0].tin, fed_of(store)
    check, watch = Check(store.variant.order, fed), Stopwatch()
    with watch.measured(store, 1) as measured:
        yield Walk(store, Walker(watch, measured, read_stretches(store, tin, pages, fed), check), check, tin)


@pytest.fixture
def walk(small_pages):
    with walking(small_pages) as walk:
        yield walk


def fed_of(store):
    return fed_filter(LoadRecord(store).loaded_with)[ID]


def test_whole_walks_see_each_claim_once(walk):
    walk.pages(60)
    assert (walk.found, walk.check.walks) == (found(600), 2)


def test_a_walk_that_is_cut_short_is_checked_as_far_as_it_got(walk):
    walk.pages(34)
    assert (walk.found, walk.check.walks) == (found(340), 1)


def test_a_walk_with_fewer_pages_than_the_provider_begins_again_and_nothing_is_lost(small_pages):
    with walking(small_pages, pages=7) as walk:
        walk.pages(21)
        assert (walk.found, walk.check.walks) == (found(210), 0)


@pytest.mark.parametrize("place", [0, 25, 29, 30, 150, 299], ids=str)
def test_a_claim_that_someone_deletes_is_lost_on_each_walk_that_passes_it(walk, place):
    walk.store.collection.delete_one({ID: walk.claims()[place][ID]})
    walk.pages(60)
    assert (walk.found, walk.check.walks) == (found(598, lost=2), 2)


def test_a_claim_that_is_deleted_behind_the_walk_is_not_lost_on_that_walk(walk):
    walk.pages(3)
    walk.store.collection.delete_one({ID: walk.claims()[12][ID]})
    walk.pages(27)
    assert (walk.found, walk.check.walks) == (found(300), 1)
    walk.pages(30)
    assert walk.found == found(599, lost=1)


def test_claims_past_the_end_of_a_stretch_that_deletions_have_moved_are_not_checked(small_pages):
    with walking(small_pages, pages=7) as walk:
        walk.store.collection.delete_many({ID: {"$in": [claim[ID] for claim in walk.claims()[40:43]]}})
        walk.pages(7)
        assert walk.found == found(67, lost=3)


def test_claims_that_someone_else_inserts_ahead_of_the_walk_are_not_expected(walk):
    walk.pages(3)
    begin = walk.claims()[200][BEGIN]
    walk.store.collection.insert_many(make_claim(number, begin, begin, tin=walk.tin) for number in range(3))
    walk.pages(28)
    assert (walk.found, walk.check.walks, walk.check.arrived) == (found(300, others=3), 1, 0)


def test_fed_claims_in_the_middle_of_a_walk_are_recognized(walk):
    first, middle = fed_of(walk.store)["$gte"], walk.claims()[200]
    ids = [first, ObjectId(first.binary[:7] + b"\xff" * 5), ObjectId(first.binary[:7] + b"\0" * 5)]
    dates = middle[BEGIN], middle[BEGIN]
    walk.store.collection.insert_many({**make_claim(0, *dates, tin=walk.tin), ID: id_} for id_ in ids)
    walk.pages(31)
    assert (walk.found, walk.check.arrived, walk.check.walks) == (found(300, others=1), 2, 1)


def test_a_claim_that_moves_ahead_of_the_walk_is_repeated(walk):
    walk.pages(3)
    last = walk.claims()[-1][END]
    walk.store.collection.update_one({ID: walk.claims()[5][ID]}, {"$set": {BEGIN: last, END: last}})
    walk.pages(28)
    assert walk.found == found(300, repeated=1)


def test_claims_that_repeat_or_are_out_of_order_are_counted(walk):
    claims = walk.claims()
    walk.check.begin(read_stretches(walk.store, walk.tin, 30, fed_of(walk.store))[0])
    walk.check.page(claims[:20])
    walk.check.page(claims[19:40])
    assert walk.found == found(40, repeated=1)
    walk.check.page([claims[41], claims[40]])
    assert walk.found == found(41, lost=1, repeated=2)


def test_an_id_is_not_found_across_the_boundary_between_two_others(walk):
    claims = walk.claims()
    stretch = read_stretches(walk.store, walk.tin, 30, fed_of(walk.store))[0]
    walk.check.begin(stretch)
    across = {**claims[8], ID: ObjectId(stretch.ids[12 * 9 + 6 : 12 * 10 + 6])}
    walk.check.page([*claims[:8], across])
    assert walk.found == found(8, others=1)


def test_another_index_and_therefore_another_order_ends_the_walks_without_a_loss(walk):
    walk.pages(3)
    other = next(name for name in INDEXES if name != walk.store.variant.name)
    with index_variant(walk.store, other, progress=False):
        walk.walker.ask(0.0, 0.0, time.perf_counter() + 30)
    assert walk.walker.is_lost
    assert walk.walker.samples[-1].error == "IndexChanged"
    assert walk.found == found(30)


def test_a_date_beyond_the_year_9999_has_its_place(walk):
    far = make_claim(1, DatetimeMS(253_402_300_800_000), day(0), tin=walk.tin)
    walk.check.begin(read_stretches(walk.store, walk.tin, 30, fed_of(walk.store))[0])
    walk.check.page([walk.claims()[0], far])
    assert walk.found == found(1, others=1)
    walk.check.page([walk.claims()[1]])
    assert walk.found == found(1, others=1, repeated=1)
