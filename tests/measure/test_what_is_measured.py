"""A run measures what it says it measures: deep pages are deep, and windows have the configured length."""

import threading
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from fake_runs import fake_run
from oracle import Wire, listened_to, overlapping

from pbm_lib import (
    ClaimStore,
    PbmError,
    PerformanceRun,
    count_claims,
    find_claims,
    list_providers,
    run_performance,
)
from pbm_lib.claims.document import BEGIN, ID, TIN
from pbm_lib.claims.generate import claim_generator
from pbm_lib.measure.depth import measure_depth
from pbm_lib.measure.operations import CALLS
from pbm_lib.measure.progress import Progress
from pbm_lib.measure.questions import Questions
from pbm_lib.measure.recorder import Recorder
from pbm_lib.query.jump import cursors_after, skip_page
from pbm_lib.query.stopwatch import Stopwatch, timed
from pbm_lib.vocabulary import SCENARIOS

# Three depths, each with a warm-up and three samples in two ways; the first call for a page has nothing to match. The
# deepest has two pages: three of its four calls are for one of them.
COMPARED = 2 * (2 * 4 - 1) + (2 * 3 - 1) + (2 * 1 - 1)


@pytest.fixture
def recorder(store, tmp_path):
    """A recorder of a run on this test's own store, which holds all claims of the config."""
    data = store.config.data_generation
    store.collection.insert_many(claim_generator(data).documents(0, data.target_volume))
    run = fake_run(store.config, [], complete=False, checks=(), levels=(), path=tmp_path / "run.json")
    watch = Stopwatch()
    with watch.measured(store, 2) as measured, Recorder(run, watch, measured, Progress({}, shown=False)) as made:
        yield made


def refused_by_the_server(store):
    store.collection.database.command("noSuchCommand")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_deep_page_starts_about_nine_tenths_into_the_result(loaded_store, scenario):
    questions = Questions(loaded_store.config, loaded_store.config.performance, "deep")
    first = set()
    for number in range(10):
        question = questions.number(number, "3K", scenario)
        page = CALLS["deep_page"](loaded_store, question, questions, number)()
        claims = overlapping(loaded_store.collection.find({TIN: question.tin}), *question)
        place = questions.deep(number)
        assert 0.85 <= place <= 0.95
        assert place - 0.05 < claims.index(page[0]) / len(claims) < place + 0.05
        first.add(page[0][ID])
    assert len(first) == 10  # so no page comes from the cache because the one before it was the same


def test_the_deepest_page_compared_starts_exactly_after_nine_tenths_of_the_claims(recorder):
    measure_depth(recorder)
    recorder.save()
    assert {sample.depth for sample in recorder.run.select(section="depth")} == {0, 1_000, 2_700}
    (check,) = recorder.run.checks
    assert check.equal == check.compared == COMPARED


def test_the_pages_compared_by_depth_are_different_ones_if_they_are_deep(recorder):
    with listened_to(recorder.store, wire := Wire()) as store:
        recorder.store = store
        recorder.settings = replace(recorder.settings, samples=20, warmup=0)
        measure_depth(recorder)
    recorder.save()
    finds = [command for name, command in wire.sent if name == "find" and command.get("limit") == 100]
    assert Counter(find.get("skip", 0) for find in finds) == {0: 20, 1_000: 20, 2_700: 10, 2_800: 10}
    (check,) = recorder.run.checks
    assert check.equal == check.compared == 2 * (2 * 20 - 1) + 2 * (2 * 10 - 1)


@pytest.mark.parametrize(("depth", "pages"), [(0, 1), (1, 1), (250, 4), (2_700, 3)])
def test_cursors_of_consecutive_pages_lead_to_the_pages_that_skip_and_limit_read(loaded_store, depth, pages):
    tin = list_providers(loaded_store.config, "3K")[0].tin
    cursors = cursors_after(loaded_store, tin, depth, pages=pages, size=100)
    assert len(cursors) == pages
    for number, cursor in enumerate(cursors):
        page = list(find_claims(loaded_store, tin, cursor=cursor))
        assert page == skip_page(loaded_store, tin, depth + 100 * number, 100)


@pytest.mark.parametrize("days", [1, 7, 90, 1_096, 5_000])
def test_a_window_has_the_configured_length_and_lies_in_the_period(loaded_store, days):
    config = loaded_store.config
    first, last = config.data_generation.first_service_date, config.data_generation.last_service_date
    questions = Questions(config, replace(config.performance, window_days=days), "windows")
    drawn = [questions.number(number, "3K", "range") for number in range(300)]
    period = (last - first).days + 1
    assert {(question.end - question.start).days + 1 for question in drawn} == {min(days, period)}
    assert first <= min(question.start for question in drawn) and max(question.end for question in drawn) <= last
    starts = {question.start for question in drawn}
    assert len(starts) == 1 if days >= period else len(starts) > 50


@pytest.mark.parametrize("windows", [4, 6, 20, 110])
def test_even_the_first_windows_are_spread_over_the_period(loaded_store, windows):
    questions = Questions(loaded_store.config, loaded_store.config.performance, "spread")
    starts = sorted(questions.number(number, "3K", "range").start for number in range(windows))
    period, first = (
        questions.period_days - questions.window_days,
        loaded_store.config.data_generation.first_service_date,
    )
    # Points spaced by the golden ratio leave gaps of at most about 1.9 times the mean gap.
    days = [0, *((start - first).days for start in starts), period]
    assert max(b - a for a, b in pairwise(days)) <= 2.7 * period / windows + 1


def test_providers_of_a_tier_take_turns(loaded_store):
    questions = Questions(loaded_store.config, loaded_store.config.performance, "turns")
    asked = Counter(questions.number(number, "60", "provider").tin for number in range(30))
    assert set(asked.values()) == {3} and len(asked) == 10


class Disturbed(Recorder):
    """A recorder that deletes one claim, the `victim`, during its first call."""

    victim: dict | None = None

    def show(self, part: str, labels) -> None:
        super().show(part, labels)
        if self.victim is not None:
            self.store.collection.delete_one(self.victim)
            self.victim = None


def test_pages_with_different_claims_are_found_unequal(recorder):
    tin = list_providers(recorder.store.config, "3K")[0].tin
    disturbed = Disturbed(recorder.run, recorder.watch, recorder.store, Progress({}, shown=False))
    (first,) = recorder.store.collection.find({TIN: tin}, sort=[(BEGIN, 1), (ID, 1)], limit=1)
    disturbed.victim = {ID: first[ID]}
    with disturbed:
        measure_depth(disturbed)
    # With the provider's first claim gone, skip/limit lands one claim further on than the cursors made before.
    (check,) = disturbed.run.checks
    assert check.compared == COMPARED and 0 < check.equal < check.compared
    claims = {sample.claims for sample in disturbed.run.select(section="depth")}
    assert claims == {100}  # both have the same number of claims, so only comparing the claims shows the difference


def test_a_failure_in_one_thread_is_not_a_retry_in_another(loaded_store):
    watch = Stopwatch()
    under_way, failed = threading.Event(), threading.Event()
    tin = list_providers(loaded_store.config, "60")[0].tin
    timings = {}
    with watch.measured(loaded_store, 2) as measured:

        def quiet_call():
            under_way.set()
            assert failed.wait(30)
            return count_claims(measured, tin)

        quiet = threading.Thread(target=lambda: timings.update(quiet=watch.time(quiet_call)))
        quiet.start()
        assert under_way.wait(30)
        timings["failing"] = watch.time(lambda: refused_by_the_server(measured))
        failed.set()
        quiet.join()
    assert (timings["quiet"].answer, timings["quiet"].retries, timings["quiet"].error) == (60, 0, None)
    assert (timings["failing"].retries, timings["failing"].error) == (0, "OperationFailure, code 59")


def test_three_failures_in_a_row_end_a_run_and_two_with_a_success_between_do_not(recorder):
    labels = {"section": "floor", "operation": "ping"}
    tin = list_providers(recorder.store.config, "60")[0].tin
    for _ in range(3):
        for _ in range(2):
            assert recorder.time(lambda: refused_by_the_server(recorder.store), **labels).answer is None
        assert recorder.time(lambda: count_claims(recorder.store, tin), **labels).answer == 60
    for _ in range(2):
        recorder.time(lambda: refused_by_the_server(recorder.store), **labels)
    with pytest.raises(PbmError, match=r"3 calls in a row failed \(last: OperationFailure, code 59\)"):
        recorder.time(lambda: refused_by_the_server(recorder.store), **labels)
    recorder.save()
    left = PerformanceRun.load(recorder.run.path)
    assert [sample.error is None for sample in left.samples] == [False, False, True] * 3 + [False] * 3
    assert not left.complete


class TimedWire(Wire):
    """Records which commands were sent during a timed call."""

    def __init__(self):
        super().__init__()
        self.timed: list[str] = []
        self._of_thread = threading.local()

    def started(self, event):
        super().started(event)
        if getattr(self._of_thread, "is_timed", False):
            self.timed.append(event.command_name)

    def listening(self, call):
        self._of_thread.is_timed = True
        try:
            return call()
        finally:
            self._of_thread.is_timed = False


def test_the_checks_before_a_query_are_not_in_any_timed_call(loaded_store, clock, tmp_path, monkeypatch):
    wire, reopened, time = TimedWire(), ClaimStore.reopened, Stopwatch.time

    def heard(store, event_listeners, **options):
        return reopened(store, event_listeners=[*event_listeners, wire], **options)

    def timed_later(watch, call, store=None):
        clock.now += 6
        return time(watch, lambda: wire.listening(call), store)

    with loaded_store.reopened() as store:
        monkeypatch.setattr(ClaimStore, "reopened", heard)
        monkeypatch.setattr(Stopwatch, "time", timed_later)
        run_performance(store, samples=1, concurrency=(), output_dir=tmp_path, progress=False)
    assert wire.names.count("listCollections") > 20
    assert set(wire.timed) == {"ping", "find", "getMore", "aggregate"}


def test_the_times_that_people_see_include_only_the_query(loaded_store, clock):
    wire = TimedWire()
    tin = list_providers(loaded_store.config, "60")[0].tin
    with listened_to(loaded_store, wire) as heard:
        for seconds in (3, 60):
            clock.now += seconds
            claims, _ = timed(heard, lambda: wire.listening(lambda: count_claims(heard, tin)))
            assert claims == 60
    assert wire.names.count("listCollections") == 1 + 2
    assert wire.timed == ["aggregate"] * 2
