"""Pages before, while, and after claims arrive: what a run records, and that its claims are gone however it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from fake_runs import complete_run
from loads import configured_digest, stored_digest
from processes import start_python
from recordings import recording

from pbm_lib import (
    LoadError,
    PbmError,
    PerformanceRun,
    load_claims,
    remove_fed_claims,
    require_claims,
    run_performance,
    watch_pages,
)
from pbm_lib.claims.generate import claim_generator
from pbm_lib.load.state import LoadRecord, fed_filter
from pbm_lib.measure import arrivals
from pbm_lib.measure.arrivals import measure_arrivals
from pbm_lib.vocabulary import PHASES

LIVE = {"section": "live", "operation": "page"}
FEED = {"feed_per_second": 100, "live_seconds": 1.0}


def fed_of(store):
    return store.collection.count_documents(fed_filter(LoadRecord(store).loaded_with))


def insert_fed(store, count):
    """Insert fed claims, as a run that was killed leaves them behind."""
    data = store.config.data_generation
    now = store.collection.database.client.admin.command("hello")["localTime"]
    documents = claim_generator(data).arriving(data.target_volume, data.target_volume + count, now)
    store.collection.insert_many(documents)


def is_as_loaded(store):
    return require_claims(store) is store and stored_digest(store) == configured_digest(store.config)


def measured(store, folder, **settings):
    """Measure this part alone and return the run."""
    with recording(store, folder, **{**FEED, **settings}) as recorder:
        measure_arrivals(recorder)
    return PerformanceRun.load(recorder.run.path)


def held_back(monkeypatch, pages, feed):
    """Make the burst (the first watch) reach only these shares of its rates; return the rates of each watch."""
    asked = []

    def watching(store, **rates):
        asked.append(rates)
        watch = watch_pages(store, **rates)
        if len(asked) > 1:
            return watch
        read = round(pages * rates["pages_per_second"] * rates["seconds"])
        fed = round(feed * rates["feed_per_second"] * rates["seconds"])
        return replace(watch, samples=watch.samples[:1] * read, feed=((0.1, fed),), seconds=rates["seconds"])

    monkeypatch.setattr(arrivals, "watch_pages", watching)
    return asked


# What it records


@pytest.fixture(scope="module")
def run(loaded_store, tmp_path_factory):
    return measured(loaded_store, tmp_path_factory.mktemp("live"))


def test_the_same_pages_are_read_before_while_and_after_claims_arrive(run, loaded_store):
    warm_ups = run.select(warmup=True, **LIVE)
    assert len(warm_ups) > 1 and {sample.contestant for sample in warm_ups} == {"during"}
    for phase in PHASES:
        pages = run.select(contestant=phase, warmup=False, **LIVE)
        assert [sample.iteration for sample in pages] == list(range(len(pages)))
        assert len(pages) > 1 and all(sample.counts and sample.claims for sample in pages)
    assert [series.contestant for series in run.series()] == list(PHASES)
    before, after = (run.select(contestant=phase, warmup=False, **LIVE) for phase in ("before", "after"))
    shared = min(len(before), len(after))
    assert [sample.claims for sample in before[:shared]] == [sample.claims for sample in after[:shared]]


def test_the_feed_is_recorded_and_its_claims_are_removed(run, loaded_store):
    fed = run.arrivals
    assert fed.burst_offered == 200 and 0 < fed.offered <= 100 and 0 < fed.pages_offered <= 30
    assert 0 < fed.achieved <= fed.offered
    assert fed.fed == fed.removed > 0 and fed.left == 0
    assert fed.checked > 0 and fed.is_exact and fed.elections == 0
    assert fed_of(loaded_store) == 0 and is_as_loaded(loaded_store)


@pytest.mark.parametrize(
    ("reached", "pages", "feed"),
    [((0.95, 0.95), 30, 100), ((0.5, 1), 15, 100), ((1, 0.5), 30, 50)],
    ids=["both are reached", "pages are not", "the feed is not"],
)
def test_a_rate_that_the_burst_does_not_reach_is_halved(loaded_store, tmp_path, monkeypatch, reached, pages, feed):
    asked = held_back(monkeypatch, *reached)
    run = measured(loaded_store, tmp_path, live_seconds=0.4)
    assert [tuple(rates[name] for name in ("seconds", "pages_per_second", "feed_per_second")) for rates in asked] == [
        (0.2, 60, 200), (0.4, pages, 0), (0.4, pages, feed), (0.4, pages, 0),
    ]  # fmt: skip
    assert (run.arrivals.offered, run.arrivals.pages_offered) == (feed, pages)
    assert run.arrivals.is_halved == (feed == 50)


def test_a_feed_of_0_skips_this_part(loaded_store, tmp_path):
    run = measured(loaded_store, tmp_path, feed_per_second=0)
    assert (run.arrivals, run.samples, run.notes) == (None, (), ())


def test_lost_and_repeated_claims_of_every_watch_are_counted(loaded_store, tmp_path, monkeypatch):
    def lossy(store, **rates):
        return replace(watch_pages(store, **rates), lost=1, repeated=2)

    monkeypatch.setattr(arrivals, "watch_pages", lossy)
    run = measured(loaded_store, tmp_path, live_seconds=0.4)
    assert (run.arrivals.lost, run.arrivals.repeated, run.arrivals.is_exact) == (4, 8, False)


# Missing permissions and failures


def test_a_user_who_can_only_read_gets_a_note(as_user, tmp_path):
    owner, reader = as_user("owner"), as_user("reader")
    for state in ("loading", "complete"):
        LoadRecord(owner).mark(state)
    run = measured(reader, tmp_path)
    assert (run.arrivals, run.samples) == (None, ())
    (note,) = run.notes
    assert note.startswith("Pages while claims arrive: not measured. The database user lacks permission")
    # Nor may this user remove what another user's killed run left behind. The run continues and says so.
    insert_fed(owner, 3)
    said = arrivals.clear_left_claims(reader)
    assert said.startswith("The collection held 3 extra claims, fed by a watch or a run that was killed, and")
    assert "The database user lacks permission" in said
    assert remove_fed_claims(owner) == 3


def test_claims_that_load_claims_did_not_load_get_a_note(store, tmp_path):
    data = store.config.data_generation
    store.collection.insert_many(claim_generator(data).documents(0, data.target_volume))
    run = measured(store, tmp_path)
    assert run.arrivals is None
    (note,) = run.notes
    assert note.startswith("Pages while claims arrive: not measured. ") and note.endswith("Run notebook 02_load first.")


def test_a_feed_that_inserts_nothing_gets_a_note(loaded_store, tmp_path, monkeypatch):
    def none(store, **rates):
        watch = watch_pages(store, **{**rates, "feed_per_second": 0})
        return replace(watch, feed_errors=(("OperationFailure, code 13", 2),))

    monkeypatch.setattr(arrivals, "watch_pages", none)
    run = measured(loaded_store, tmp_path, live_seconds=0.4)
    assert run.arrivals is None
    assert run.notes == ("Pages while claims arrive: not measured. No claims could be fed: OperationFailure, code 13.",)


def test_a_watch_that_cannot_continue_stops_the_run_with_a_clear_message(loaded_store, tmp_path, monkeypatch):
    def interrupted(store, **rates):
        raise PbmError("The watch was interrupted. 7 fed claims were removed.")

    monkeypatch.setattr(arrivals, "watch_pages", interrupted)
    expected = (
        r"^The run stopped: The watch was interrupted\. 7 fed claims were removed\. The samples .* Measure again\.$"
    )
    with pytest.raises(PbmError, match=expected):
        measured(loaded_store, tmp_path)


PROGRAM = (
    "import sys, pathlib, pbm_lib\n"
    "from recordings import recording\n"
    "from pbm_lib.measure.arrivals import measure_arrivals\n"
    "with pbm_lib.connect(pbm_lib.load_config(sys.argv[1])) as store:\n"
    "    with recording(store, pathlib.Path(sys.argv[2]), feed_per_second=100, live_seconds=60.0) as recorder:\n"
    "        measure_arrivals(recorder)\n"
)


@pytest.fixture
def under_way(filled, test_uri, tmp_path):
    """This part in its own process, yielded once it has fed claims."""
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}  # so that it finds `recordings`
    process = start_python(
        "-c", PROGRAM, filled.config.path, tmp_path / "run", uri=test_uri, env=environment, stderr=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + 60
        while not fed_of(filled):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("way_out", ["run_performance", "load_claims", "remove_fed_claims"])
def test_a_run_that_was_killed_leaves_claims_that_the_next_one_removes(under_way, filled, tmp_path, way_out):
    under_way.kill()
    under_way.wait()
    time.sleep(1.0)  # the feeder ends with its parent
    left = fed_of(filled)
    with pytest.raises(LoadError, match=rf"holds {left} extra claims?, "):
        require_claims(filled)
    if way_out == "run_performance":
        options = {"samples": 1, "warmup": 0, "concurrency": (), "unbounded_samples": 0, "compare_indexes": False}
        run = run_performance(filled, output_dir=tmp_path, progress=False, **options)
        assert (
            f"The collection held {left} extra claims, fed by a watch or a run that was killed. They were removed."
        ) in run.notes
        assert run.conditions.provider_claims == {"3K": 3_000, "300": 300, "60": 60}
    elif way_out == "load_claims":
        assert load_claims(filled, progress=False).inserted == 0
    else:
        assert remove_fed_claims(filled) == left
    assert is_as_loaded(filled)


def test_an_interrupt_removes_the_claims_and_keeps_the_run_file(under_way, filled, tmp_path):
    under_way.send_signal(signal.SIGINT)
    _, told = under_way.communicate(timeout=60)
    last = told.strip().splitlines()[-1]
    assert last.startswith("pbm_lib.errors.PbmError: The run stopped: The watch was interrupted. ")
    (file,) = (tmp_path / "run").glob("*.json")
    assert not PerformanceRun.load(file).complete
    assert is_as_loaded(filled)


def test_a_run_during_a_watch_that_feeds_claims_has_to_wait(filled, tmp_path, monkeypatch):
    insert_fed(filled, 1)
    monkeypatch.setattr("pbm_lib.load.fed.time", type("Time", (), {"sleep": lambda _: insert_fed(filled, 5)}))
    with pytest.raises(LoadError, match=r"is feeding claims to .*\. Wait for it to end, then try again\."):
        run_performance(filled, output_dir=tmp_path, progress=False)
    assert not list(tmp_path.iterdir())
    assert remove_fed_claims(filled) == 5


# The run file


def test_a_run_file_older_than_this_part_loads_as_a_run_that_fed_nothing(make_config, tmp_path):
    kept = complete_run(make_config())
    file = replace(kept, arrivals=None).save(tmp_path)
    content = json.loads(file.read_text(encoding="utf-8"))
    del content["arrivals"]
    for name in ("feed_per_second", "live_seconds"):
        del content["settings"]["performance"][name]
    file.write_text(json.dumps(content), encoding="utf-8")
    old = PerformanceRun.load(file)
    assert old.arrivals is None and old.settings.performance.feed_per_second == 0
    assert old.samples == kept.samples


def test_arrivals_survive_saving_and_loading(make_config, tmp_path):
    run = complete_run(make_config())
    assert PerformanceRun.load(run.save(tmp_path)).arrivals == run.arrivals
