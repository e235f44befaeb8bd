"""A performance run on a real server: what it records, what it compares, and what remains when it is stopped."""

import json
import platform
import shutil
import signal
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from fake_runs import fake_run, good_samples, series, skewed
from processes import start_python
from recordings import recording

from pbm_lib import (
    ConfigError,
    LoadError,
    PbmError,
    PerformanceRun,
    RunFileError,
    ServerUnavailable,
    SetupError,
    count_claims,
    find_claims,
    list_providers,
    load_claims,
    run_performance,
    setup_collection,
)
from pbm_lib.measure.operations import CALLS
from pbm_lib.measure.progress import Progress
from pbm_lib.measure.recorder import Recorder
from pbm_lib.measure.samples import Sample, statistics_of
from pbm_lib.measure.sampling import FEWEST, Task, take_samples
from pbm_lib.measure.targets import target_results
from pbm_lib.query.stopwatch import Stopwatch
from pbm_lib.vocabulary import BY_TIER, SECTIONS


@pytest.fixture(scope="module")
def run(loaded_store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("outputs")
    return run_performance(loaded_store, output_dir=folder, progress=False, feed_per_second=50)


# What a run records


def test_each_operation_has_its_samples_and_separate_warmups(run):
    for tier in ("3K", "300", "60"):
        for scenario in ("provider", "range"):
            for operation in ("count", "first_page"):
                labels = run.latency_labels(tier, operation, scenario)
                assert len(run.select(warmup=True, **labels)) == 1
                assert [sample.iteration for sample in run.select(warmup=True, **labels)] == [0]
                assert sorted(sample.iteration for sample in run.select(warmup=False, **labels)) == [0, 1, 2]
                assert run.statistics(**labels).n == 3
    assert run.statistics(section="floor").n == 3
    deep = run.select(section="latency", operation="deep_page", tier="3K", scenario="provider", counts=True)
    assert [sample.claims for sample in deep] == [100, 100, 100]


def test_however_slow_what_a_target_applies_to_gets_enough_samples_for_a_verdict(loaded_store, tmp_path):
    slow = run_performance(
        loaded_store, output_dir=tmp_path, progress=False, samples=110, seconds_per_series=1e-6, unbounded_samples=2,
        tiers=["3K"], concurrency=(), feed_per_second=0,
    )  # fmt: skip
    for operation, scenario in product(("count", "first_page", "next_page"), ("provider", "range")):
        assert slow.statistics(**slow.latency_labels("3K", operation, scenario)).n == 72
    ranges = {"section": "ranges", "operation": "count"}
    assert slow.statistics(**ranges, contestant="bounded", index="overlap").n == 20
    assert slow.statistics(**ranges, contestant="unbounded").n == 1
    assert {target.verdict for target in target_results(slow) if target.tier == "3K"} == {"met"}


def test_every_section_of_the_vocabulary_is_measured(run):
    assert {sample.section for sample in run.samples} == set(SECTIONS)


def test_a_next_page_follows_the_first_page_of_the_same_number(run):
    for scenario in ("provider", "range"):
        first, behind = (run.select(**run.latency_labels("3K", name, scenario)) for name in ("first_page", "next_page"))
        assert [(s.iteration, s.warmup) for s in first] == [(s.iteration, s.warmup) for s in behind]
        assert {s.claims for s in first} == {100} and all(s.claims for s in behind)


def test_an_operation_without_a_second_page_is_left_out_with_a_note(run):
    assert not run.select(operation="next_page", tier="60")
    assert [note for note in run.notes if note.startswith("Tier 60, provider only")]


def test_every_pair_of_answers_is_compared_and_agrees(run):
    compared = {(check.section, check.tier, check.operation, check.against): check for check in run.checks}
    ways = product(("3K", "300", "60"), ("count", "first_page"), ("unbounded", "overlap"))
    expected = {("ranges", tier, operation, against) for tier, operation, against in ways}
    expected |= {("depth", "3K", "page", "skip"), ("volume", "3K", "stream", "two_streams")}
    assert expected <= set(compared)
    assert all(check.compared == check.equal > 0 for check in run.checks)
    # Warm-ups are compared as well; the unbounded query has none.
    for (section, *_, against), check in compared.items():
        if section == "ranges":
            assert check.compared == (3 if against == "unbounded" else 4)


def test_an_answer_that_differs_is_recorded(open_store, loaded_store, tmp_path):
    # The validator of this copy falsely says that no claim lasts longer than a day, and the bounded query relies on it.
    store = open_store(loaded_store.config)
    options = {"output_dir": tmp_path, "progress": False, "samples": 4, "unbounded_samples": 4, "concurrency": ()}
    lasting = store.collection.database["lasting"]
    lasting.insert_many(store.collection.find())
    lasting.create_index(list(store.collection.index_information()[store.index_name]["key"]))
    validator = json.loads(json.dumps(store.collection.options()["validator"]))
    validator["$expr"]["$and"][1]["$lte"][1] = 86_400_000
    store.collection.database.command("collMod", "lasting", validator=validator)
    copied = open_store(replace(store.config, mongodb=replace(store.config.mongodb, collection="lasting")))
    wrong = run_performance(copied, **options)
    store.collection.database.drop_collection("lasting")
    unequal = {check.against for check in wrong.checks if check.equal < check.compared}
    assert unequal == {"unbounded"}  # the bounded query is equally wrong on both indexes


def test_all_range_methods_run_on_the_same_windows(run):
    asked = {}
    for sample in run.select(section="ranges", operation="count", warmup=False):
        asked.setdefault((sample.tier, sample.contestant, sample.index), {})[sample.iteration] = sample.claims
    for tier in ("3K", "300", "60"):
        bounded, other = asked[tier, "bounded", "three_field"], asked[tier, "bounded", "overlap"]
        assert bounded == other == asked[tier, "unbounded", "three_field"]
        assert set(bounded) == {0, 1, 2}


def test_the_other_index_is_removed_afterward(run, loaded_store):
    assert set(loaded_store.collection.index_information()) == {"_id_", "claims_by_provider"}
    (build,) = run.select(section="ranges", operation="build")
    assert (build.index, build.claims) == ("overlap", 6_000)


def test_without_the_comparison_no_index_is_built(loaded_store, tmp_path):
    run = run_performance(
        loaded_store, output_dir=tmp_path, progress=False, concurrency=(), compare_indexes=False, samples=1
    )
    assert {sample.index for sample in run.select(section="ranges")} == {"three_field"}


def test_the_application_is_measured_with_the_index_that_the_config_names(open_store, tmp_path):
    store = setup_collection(open_store({"mongodb": {"index": "overlap"}}))
    load_claims(store, progress=False)
    run = run_performance(store, output_dir=tmp_path, progress=False, concurrency=(), samples=2)
    assert run.settings.index == "overlap"
    assert run.latency_labels("3K", "count", "range")["index"] == "overlap"
    ways = {(sample.contestant, sample.index) for sample in run.select(section="ranges", operation="count")}
    assert ways == {("bounded", "overlap"), ("bounded", "three_field"), ("unbounded", "overlap")}
    assert {check.against for check in run.checks if check.section == "ranges"} == {"unbounded", "three_field"}
    assert all(check.equal == check.compared for check in run.checks)
    assert set(store.collection.index_information()) == {"_id_", "claims_by_provider_overlap"}


def test_each_call_of_a_cold_series_asks_for_different_claims(run):
    for tier in ("3K", "300", "60"):
        cold, warm = (run.select(section="cold", tier=tier, contestant=visit) for visit in ("cold", "warm"))
        assert [sample.iteration for sample in cold] == [sample.iteration for sample in warm]
        assert [sample.claims for sample in cold] == [sample.claims for sample in warm]
        assert len(cold) == 3
    assert not [note for note in run.notes if note.startswith("Cold pages")]


def test_concurrent_clients_are_counted_over_the_time_that_they_worked(run):
    assert [level.clients for level in run.levels] == [1, 2]
    for level in run.levels:
        assert level.seconds >= 0.2
        pages = run.statistics(section="concurrency", clients=level.clients).n
        assert 0 < pages * 0.1 / level.clients < level.seconds * 1000  # no page takes less than 0.1 ms


def test_streaming_a_whole_provider_records_its_size(run, loaded_store):
    tin = list_providers(loaded_store.config, "3K")[0].tin
    (size,) = loaded_store.collection.aggregate(
        [
            {"$match": {"billingProvider.providerTin": tin}},
            {"$group": {"_id": None, "n": {"$sum": {"$bsonSize": "$$ROOT"}}}},
        ]
    )
    streams = run.select(section="volume", contestant="one_stream")
    assert {(sample.claims, sample.bytes) for sample in streams} == {(3_000, size["n"])}
    summary = run.summary().set_index(["section", "contestant"]).loc["volume", "one_stream"]
    seconds = sum(sample.ms for sample in streams) / 1000
    assert summary["mb_per_s"] == pytest.approx(2 * size["n"] / 1e6 / seconds, rel=0.01)


def test_the_run_records_what_it_ran_on(run, loaded_store):
    assert run.complete and run.started.tzinfo and run.started <= run.ended
    assert run.conditions.server_version == loaded_store.server.version
    assert run.conditions.provider_claims == {"3K": 3_000, "300": 300, "60": 60}
    assert run.conditions.indexes["claims_by_provider"] == (
        "billingProvider.providerTin: 1, serviceBeginDate: 1, _id: 1"
    )
    assert run.footprint.claims == 6_000
    assert set(run.footprint.index_bytes) == {"_id_", "claims_by_provider"}
    assert run.settings.performance == replace(loaded_store.config.performance, feed_per_second=50)


def test_the_run_file_names_no_host_path_or_person(run, test_uri):
    text = run.path.read_text(encoding="utf-8")
    for secret in (
        "mongodb:",
        "127.0.0.1",
        "localhost",
        test_uri,
        platform.node(),
        str(Path.home()),
        "/tmp",
        "pbm_test_",
    ):
        assert secret not in text


def test_the_same_seed_asks_the_same_questions(loaded_store, tmp_path, run):
    again = run_performance(loaded_store, output_dir=tmp_path, progress=False, concurrency=())
    other = run_performance(loaded_store, output_dir=tmp_path, progress=False, concurrency=(), seed=8)

    def answers(run):
        others = ("concurrency", "open_loop", "live")
        return [(s.series, s.iteration, s.warmup, s.claims) for s in run.samples if s.section not in others]

    assert answers(again) == answers(run) != answers(other)
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_keywords_override_the_config(loaded_store, tmp_path):
    run = run_performance(
        loaded_store, output_dir=tmp_path, progress=False, samples=2, warmup=0, unbounded_samples=0, tiers=["60"],
        concurrency=[3], concurrency_seconds=0.1, compare_indexes=False,
    )  # fmt: skip
    assert run.tiers == ("60",) and not run.select(contestant="unbounded")
    assert {sample.tier for sample in run.samples} == {"60", None}
    assert run.statistics(**run.latency_labels("60", "count", "range")).n == 2
    assert not run.select(section="latency", warmup=True)
    assert [level.clients for level in run.levels] == [3]


def test_the_bar_fills_with_the_expected_time_and_names_what_is_measured(loaded_store, tmp_path, capsys):
    run_performance(loaded_store, output_dir=tmp_path, samples=1, tiers=["60"], concurrency=[1])
    shown = capsys.readouterr().out
    assert "100%" in shown
    assert "Measuring date ranges: 60, date range, " in shown


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"samples": 0}, "samples must be at least 1, got 0"),
        ({"samples": "5"}, "samples must be a whole number of at least 1, or None, got '5'"),
        ({"seconds_per_series": 0}, "seconds_per_series must be above 0, got 0."),
        ({"unbounded_samples": -1}, "unbounded_samples must be at least 0, got -1."),
        ({"compare_indexes": "yes"}, "compare_indexes must be True or False, or None, got 'yes'."),
        ({"warmup": -1}, "warmup must be at least 0, got -1."),
        ({"tiers": ["9M"]}, "tiers must be among 3K, 300, 60, got '9M'"),
        ({"tiers": ["mongodb://me:secret@host"]}, "tiers must be among 3K, 300, 60, got ***"),
        ({"tiers": []}, "tiers must be a list of at least 1 item, got ()."),
        ({"concurrency": [0]}, "concurrency"),
        ({"concurrency": [2, 2]}, "performance.concurrency must not repeat a value, got [2, 2]"),
        ({"concurrency_seconds": 0}, "concurrency_seconds must be above 0, got 0."),
        ({"feed_per_second": -1}, "feed_per_second must be at least 0, got -1."),
        ({"feed_per_second": 2_501}, "feed_per_second must be at most 2,500, got 2501."),
        ({"live_seconds": 0}, "live_seconds must be above 0, got 0."),
        ({"seed": -1}, "seed must be at least 0, got -1."),
    ],
    ids=str,
)
def test_a_rejected_argument_is_named(loaded_store, tmp_path, arguments, named):
    with pytest.raises(ConfigError) as caught:
        run_performance(loaded_store, output_dir=tmp_path, progress=False, **arguments)
    assert named in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_collection_that_is_not_set_up_or_not_loaded_is_rejected(open_store, tmp_path):
    store = open_store()
    with pytest.raises(SetupError, match="setup_collection"):
        run_performance(store, output_dir=tmp_path, progress=False)
    with pytest.raises(LoadError, match="no claims of tier 3K, 300, 60"):
        run_performance(setup_collection(store), output_dir=tmp_path, progress=False)


def test_a_folder_that_cannot_be_written_is_rejected(loaded_store, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(PbmError, match="taken"):
        run_performance(loaded_store, output_dir=tmp_path / "taken", progress=False)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (
            {"frist_page_p95_ms": {"3K": 100}},
            "performance.targets must use the keys first_page_p95_ms, .*, got 'frist_page_p95_ms",
        ),
        (
            {"count_p95_ms": {"3M": 100}},
            r"performance.targets.count_p95_ms must name tiers .*\(3K, 300, 60\), got '3M'",
        ),
        ({"count_p95_ms": {"3K": 0}}, "count_p95_ms.3K must be above 0, got 0"),
    ],
)
def test_an_invalid_target_is_rejected(make_config, targets, message):
    with pytest.raises(ConfigError, match=message):
        make_config({"performance": {"targets": targets}})


# Statistics


@pytest.mark.parametrize(
    ("times", "p50", "p95"),
    [
        ([7.0], 7.0, 7.0),
        ([10.0, 20.0], 15.0, 19.5),
        ([1.0, 2.0, 4.0, 8.0, 16.0], 4.0, 14.4),
        ([float(ms) for ms in range(20)], 9.5, 18.05),
        ([float(ms) for ms in range(1_001)], 500.0, 950.0),
    ],
    ids=lambda value: f"n={len(value)}" if isinstance(value, list) else "",
)
def test_percentiles_are_interpolated_between_the_nearest_ranks(times, p50, p95):
    figures = statistics_of(series(times[::-1], section="latency", operation="count"))
    assert (figures.p50, figures.p95) == (pytest.approx(p50), pytest.approx(p95))


def test_figures_of_known_samples():
    figures = statistics_of(series(skewed(1.0, power=1, count=100), section="latency", operation="count"))
    assert (figures.n, figures.min, figures.mean, figures.p50, figures.max) == (100, 1.0, 50.5, 50.5, 100.0)
    assert (figures.p95, figures.p99) == (pytest.approx(95.05), pytest.approx(99.01))
    assert (figures.p95_low, figures.p95_high, figures.drift) == (90.0, 100.0, None)
    assert figures.spread == pytest.approx(49.5 / 50.5)
    assert figures.notes == ("wide spread: IQR 98% of median",)


def test_few_samples_are_marked_and_no_samples_give_no_figures():
    labels = {"section": "latency", "operation": "count"}
    assert statistics_of(series([5.0] * 71, **labels)).notes == ("n < 72: too few for an upper bound on p95",)
    assert statistics_of(series([5.0] * 72, **labels)).notes == ()
    assert statistics_of([]).p95 is None
    assert statistics_of([]).notes == ("no sample",)


def test_a_series_that_was_not_steady_is_marked_by_the_order_of_its_samples():
    labels = {"section": "latency", "operation": "count"}
    slower = statistics_of(series([5.0] * 36 + [7.0] * 36, **labels))
    assert (slower.drift, slower.likeness, slower.is_steady) == (
        pytest.approx(1.4),
        pytest.approx(0.97, abs=0.02),
        False,
    )
    assert slower.notes == (
        "not steady: second half 1.4 times the first",
        "not independent: consecutive calls are correlated (rank correlation 1.0)",
    )
    in_turn = statistics_of(series([5.0, 7.0] * 36, **labels))
    assert (in_turn.drift, in_turn.likeness, in_turn.is_steady) == (None, None, True)


def test_the_summary_has_the_interval_next_to_the_p95(make_config):
    summary = fake_run(make_config(), good_samples()).summary()
    columns = list(summary.columns)
    assert columns[columns.index("p95") :][:3] == ["p95", "p95_low", "p95_high"]
    wanted = {"section": "latency", "measured": "first page, provider only", "tier": "3K"}
    (row,) = summary[(summary[list(wanted)] == list(wanted.values())).all(axis=1)].to_dict("records")
    unit = 6.1 / 61**2  # the times are the squares of 1 to 121, in this unit; the interval is the 110th to the 120th
    assert (row["p95_low"], row["p95"], row["p95_high"]) == pytest.approx(
        (110**2 * unit, 115**2 * unit, 120**2 * unit), abs=0.005
    )
    assert summary[summary["n"] < 72]["p95_high"].isna().all()


def test_warmups_failures_and_retries_are_kept_out_and_counted():
    labels = {"section": "latency", "operation": "count"}
    samples = [
        Sample(ms=1, **labels),
        Sample(ms=3, **labels),
        Sample(ms=1_000, warmup=True, **labels),
        Sample(ms=2_000, error="AutoReconnect", **labels),
        Sample(ms=3_000, retries=1, **labels),
    ]
    figures = statistics_of(samples)
    assert (figures.n, figures.max, figures.failed, figures.retried) == (2, 3, 1, 1)
    assert figures.notes[1:] == ("wide spread: IQR 50% of median", "1 failed", "1 retried")[1:]


# Connection problems and other failures


def test_a_call_that_the_driver_retried_is_recognized(proxied):
    store, proxy = proxied
    tin = list_providers(store.config)[0].tin
    watch = Stopwatch()
    with watch.measured(store, 1) as measured:
        quiet = watch.time(lambda: find_claims(measured, tin, with_total=False))
        proxy.cut_at(b"find\0")
        cut = watch.time(lambda: find_claims(measured, tin, with_total=False))
        after = watch.time(lambda: find_claims(measured, tin, with_total=False))
    assert (quiet.retries, cut.retries, after.retries) == (0, 1, 0)
    assert (quiet.error, cut.error) == (None, None)
    assert cut.answer == quiet.answer


def test_a_folder_that_vanishes_during_the_run_is_named(make_config, tmp_path):
    run = fake_run(make_config(), good_samples())
    run = replace(run, path=run.save(tmp_path / "runs"))
    shutil.rmtree(tmp_path / "runs")
    with pytest.raises(RunFileError, match=r"Cannot write .*runs.*: No such file or directory"):
        Recorder(run, Stopwatch(), None, Progress({}, shown=False)).save()


def test_a_failed_call_is_recorded_only_by_the_kind_of_its_error(proxied):
    store, proxy = proxied
    tin = list_providers(store.config)[0].tin
    watch = Stopwatch()
    with watch.measured(store, 1) as measured:
        watch.time(lambda: count_claims(measured, tin))
        proxy.cut()
        timing = watch.time(lambda: count_claims(measured, tin))
    assert timing.answer is None
    assert timing.error in ("ServerSelectionTimeoutError", "AutoReconnect", "NetworkTimeout", "ConnectionFailure")


def test_a_server_that_goes_away_stops_the_run_and_keeps_what_was_measured(proxied, tmp_path):
    store, proxy = proxied
    proxy.cut_for_good_after = 40
    with pytest.raises(PbmError, match="3 calls in a row failed") as caught:
        run_performance(store, output_dir=tmp_path, progress=False)
    (file,) = (tmp_path / "runs").glob("*.json")
    assert str(file) in str(caught.value)
    left = PerformanceRun.load(file)
    assert not left.complete
    assert [bool(sample.error) for sample in left.samples[-3:]] == [True] * 3
    assert sum(sample.counts for sample in left.samples) > 20
    assert "127.0.0.1" not in file.read_text(encoding="utf-8")


def test_a_run_that_is_killed_keeps_what_it_had_measured(loaded_store, test_uri, tmp_path):
    program = (
        "import sys, pbm_lib; from pbm_lib import run_performance\n"
        "store = pbm_lib.connect(pbm_lib.load_config(sys.argv[1]))\n"
        "run_performance(store, output_dir=sys.argv[2], samples=100_000, seconds_per_series=900, progress=False)"
    )
    process = start_python("-c", program, loaded_store.config.path, tmp_path, uri=test_uri)
    try:
        deadline = time.monotonic() + 60
        samples: tuple[Sample, ...] = ()
        while len(samples) < 50:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
            for file in (tmp_path / "runs").glob("*.json"):
                if file.stat().st_size:  # otherwise the file is still being created
                    samples = PerformanceRun.load(file).samples
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = PerformanceRun.load(file)
    assert not left.complete
    assert left.statistics(section="cold", tier="3K", contestant="warm").n > 0
    assert "INCOMPLETE" in repr(left)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyboardInterrupt(), r"^The run stopped: it was interrupted\. The samples so far are in .*\.json"),
        (ServerUnavailable("It is gone."), r"^The run stopped: It is gone\. The samples so far are in .*\.json"),
    ],
    ids=["interrupt", "failure"],
)
def test_a_run_that_ends_between_timed_calls_says_where_its_samples_are(
    loaded_store, tmp_path, monkeypatch, error, message
):
    def ended(*_, **__):
        raise error

    monkeypatch.setattr("pbm_lib.measure.ranges.explain_range", ended)
    options = {"tiers": ["60"], "samples": 1, "concurrency": (), "progress": False}
    with pytest.raises(PbmError, match=message):
        run_performance(loaded_store, output_dir=tmp_path, **options)
    (file,) = (tmp_path / "runs").glob("*.json")
    left = PerformanceRun.load(file)
    assert not left.complete and left.select(section="latency")


def test_a_series_that_turns_out_far_slower_is_cut_short_with_a_note(loaded_store, tmp_path):
    with recording(loaded_store, tmp_path, samples=60, seconds_per_series=0.5, warmup=1) as recorder:
        calls = iter(range(100))
        slow = Task({"section": "floor", "operation": "ping"}, lambda _: lambda: time.sleep(0.06 * (next(calls) > 0)))
        take_samples(recorder, "floor", [slow], "slow")
        recorder.save()
    found = recorder.run.select(section="floor", warmup=False)
    assert FEWEST <= len(found) < 60
    assert recorder.run.notes == (
        f"ping: {len(found)} of 60 calls, because they took more than twice the time planned for them.",
    )


def test_every_operation_of_a_tier_has_one_call():
    assert {*CALLS, "next_page"} == set(BY_TIER) and "next_page" not in CALLS


# The run file


def test_a_run_survives_saving_and_loading(run, tmp_path):
    loaded = PerformanceRun.load(run.path)
    assert loaded == run
    assert loaded.summary().equals(run.summary())
    assert PerformanceRun.load(run.save(tmp_path / "copy")) == run


@pytest.mark.parametrize(
    "key", ["checks", "costs", "levels", "offered", "rollup", "index_uses", "notes", "ended", "method"]
)
def test_a_run_file_without_one_of_its_keys_is_rejected(make_config, tmp_path, key):
    file = fake_run(make_config(), good_samples()).save(tmp_path)
    content = json.loads(file.read_text(encoding="utf-8"))
    del content[key]
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RunFileError, match=f"{key} is missing"):
        PerformanceRun.load(file)


def test_a_run_file_is_never_overwritten(run, tmp_path):
    file = run.save(tmp_path)
    before = file.read_bytes()
    with pytest.raises(RunFileError, match="never overwritten"):
        run.save(tmp_path)
    assert file.read_bytes() == before


def changed(content: dict, path: str, value) -> dict:
    *way, last = path.split(".")
    part = content
    for key in way:
        part = part[int(key) if key.isdigit() else key]
    part[last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("schema", 0, "must have schema 1 or 2, got 0"),
        ("schema", 3, "must have schema 1 or 2, got 3."),
        ("schema", "1", "must have schema 1 or 2, got '1'."),
        ("schema", 1, "damaged"),
        ("schema", True, "must have schema 1 or 2, got True."),
        ("id", "../../etc/passwd", "damaged or was edited by hand: id is not a run id."),
        ("samples.3.ms", -1, "samples.3.ms must be at least 0."),
        ("samples.3.ms", "fast", "samples.3.ms must be a number."),
        ("samples.0.section", "magic", "samples.0.section"),
        ("samples.0.colour", "red", "samples.0.colour is unknown."),
        ("samples.30.tier", "9M", "no tier is named '9M'"),
        ("settings.performance.samples", 0, "settings.performance.samples"),
        ("settings.performance.targets", {"first_page_p95_ms": {"9M": 1}}, "no tier is named '9M'"),
        ("footprint.claims", -5, "footprint.claims"),
        ("conditions.machine", None, "conditions.machine"),
        ("started", "yesterday", "started"),
        ("levels", [{"clients": 1, "seconds": 0}], "levels.0.seconds"),
        ("path", "/etc/passwd", "path is unknown"),
        ("colour", "red", "colour is unknown"),
    ],
    ids=str,
)
def test_a_run_file_that_was_tampered_with_is_rejected(make_config, tmp_path, path, value, message):
    file = fake_run(make_config(), good_samples()).save(tmp_path)
    content = changed(json.loads(file.read_text(encoding="utf-8")), path, value)
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RunFileError) as caught:
        PerformanceRun.load(file)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b'{"schema": 2, "samples": [', "cut off"),
        (b"[1, 2]", "lacks schema or samples"),
        (b'{"cells": []}', "lacks schema or samples"),
        (b'{"schema": 2, "samples": []}', "id is missing"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 200_000, "not JSON"),
        (b'{"schema": 2, "samples": NaN}', "damaged"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_file_that_is_not_a_run_file_is_rejected(tmp_path, content, message):
    file = tmp_path / "run.json"
    file.write_bytes(content)
    with pytest.raises(RunFileError) as caught:
        PerformanceRun.load(file)
    assert message in str(caught.value)


def test_a_missing_run_file_is_reported_as_missing(tmp_path):
    with pytest.raises(RunFileError, match="No such file"):
        PerformanceRun.load(tmp_path / "none.json")
