"""A provider's total in four ways: all agree, and nothing is left on the server."""

import signal

import pytest
import recordings
from oracle import Wire, listened_to
from processes import start_python
from recordings import recording, slow_to_make
from servers import wait_for

from pbm_lib import (
    ServerUnavailable,
    connect,
    count_claims,
    find_claims,
    list_providers,
    require_claims,
    setup_collection,
)
from pbm_lib.claims.document import BEGIN, ID, TIN
from pbm_lib.claims.generate import claim_generator
from pbm_lib.measure import totals
from pbm_lib.measure.totals import measure_totals
from pbm_lib.query.rollup import ClaimRollup, drop_left_rollups
from pbm_lib.query.totals import count_up_to, page_and_total
from pbm_lib.vocabulary import CAPPED, COUNT, FACET, PROVIDER, ROLLUP, TOTALS

RUN_ID = "20261122T081500Z-1a2b3c4d"


def tin_of(store, tier):
    return list_providers(store.config, tier)[0].tin


def collections(store):
    return set(store.collection.database.list_collection_names())


def rollups(store):
    return {name for name in collections(store) if "rollup" in name}


def being_made(store):
    """Whether the server is building a rollup, which it does in a temporary collection."""
    operations = store.collection.database.client.admin.aggregate([{"$currentOp": {}}])
    return any(op.get("ns", "").startswith(f"{store.collection.database.name}.tmp.agg_out") for op in operations)


def examined(store, command):
    """Return the keys and documents that the server examines for an aggregate."""
    sent = {name: command[name] for name in ("aggregate", "pipeline", "hint", "cursor") if name in command}
    answer = store.collection.database.command("explain", sent, verbosity="executionStats")
    stats = (answer["stages"][0]["$cursor"] if "stages" in answer else answer)["executionStats"]
    return stats["totalKeysExamined"], stats["totalDocsExamined"]


def sent_by(store, ask):
    """Return the one aggregate that a call with a store sends."""
    wire = Wire()
    with listened_to(store, wire) as heard:
        wire.clear()
        ask(heard)
    (command,) = [command for name, command in wire.sent if name == "aggregate"]
    return command


@pytest.fixture
def recorder(filled, tmp_path):
    with recording(filled, tmp_path, samples=4) as made:
        yield made


@pytest.fixture
def rollup(filled):
    made = ClaimRollup(filled, RUN_ID)
    made.make(seconds=60)
    return made


@pytest.mark.parametrize("index", ["three_field", "overlap"])
def test_all_four_ways_agree(open_store, tmp_path, index):
    store = setup_collection(open_store({"mongodb": {"index": index}}))
    data = store.config.data_generation
    store.collection.insert_many(claim_generator(data).documents(0, data.target_volume))
    with recording(store, tmp_path, samples=4) as recorder:
        measure_totals(recorder)
    run = recorder.run
    assert run.notes == ()
    found = {(s.tier, s.operation, s.contestant): set() for s in run.samples}
    for sample in run.samples:
        assert sample.error is None
        found[sample.tier, sample.operation, sample.contestant].add(sample.claims)
    sizes = {"3K": 3_000, "300": 300, "60": 60}
    expected = {(t, "count", way): {size} for t, size in sizes.items() for way in TOTALS if way != FACET}
    expected[None, "build", ROLLUP] = {6_000}
    expected["3K", "page_and_total", FACET] = {100}
    assert found == expected
    assert {s.scenario for s in run.samples if s.tier} == {PROVIDER}
    # Each answer, including warm-ups, was compared with the exact count.
    checks = {(check.tier, check.operation, check.against): check for check in run.checks}
    assert set(checks) == {key for key in expected if key[2] != COUNT and key[0]}
    assert all(check.compared == check.equal == 4 + 1 for check in run.checks)
    assert run.rollup.claims == 6_000
    months = store.collection.aggregate(
        [{"$group": {"_id": [f"${TIN}", {"$substr": [f"${BEGIN}", 0, 7]}]}}, {"$count": "documents"}]
    ).next()
    assert run.rollup.documents == months["documents"] > len(list_providers(store.config)) * 30
    assert run.started <= run.rollup.as_of <= run.ended


def test_the_latency_chart_shows_the_exact_count(recorder):
    measure_totals(recorder)
    recorder.save()
    shown = recorder.run.select(**recorder.run.latency_labels("300", "count", PROVIDER))
    assert [sample.claims for sample in shown] == [300] * (4 + 1)


@pytest.mark.parametrize(("cap", "expected"), [(299, 300), (300, 300), (301, 300), (10_000, 300), (10, 11)])
def test_the_capped_count_is_exact_up_to_its_cap_and_one_more_beyond(loaded_store, cap, expected):
    assert count_up_to(loaded_store, tin_of(loaded_store, "300"), cap) == expected


def test_the_capped_count_stops_reading_at_its_cap(loaded_store):
    tin = tin_of(loaded_store, "3K")
    assert examined(loaded_store, sent_by(loaded_store, lambda heard: count_up_to(heard, tin, 1_000))) == (1_001, 0)


def test_above_the_cap_only_the_cap_is_checked(recorder):
    measure_totals(recorder, cap=200)
    recorder.save()
    capped = recorder.run.select(contestant=CAPPED, warmup=False)
    assert {(sample.tier, sample.claims) for sample in capped} == {("3K", 201), ("300", 201), ("60", 60)}
    assert all(check.equal == check.compared == 5 for check in recorder.run.checks)


def test_no_claim_is_fetched_to_build_the_rollup(filled):
    making = sent_by(filled, lambda heard: ClaimRollup(heard, RUN_ID).make(seconds=60))
    assert making["pipeline"].pop() == {"$out": f"claims_pbm_rollup_{RUN_ID}"}
    assert examined(filled, making) == (6_000, 0)


def test_a_rollup_total_reads_only_the_months_of_its_provider(rollup, filled):
    tin = tin_of(filled, "3K")
    assert examined(filled, sent_by(filled, lambda heard: ClaimRollup(heard, RUN_ID).total(tin))) == (36, 36)


def test_every_total_of_a_provider_without_claims_is_0(rollup, filled):
    assert rollup.total("900000001") == count_up_to(filled, "900000001") == 0
    page = page_and_total(filled, "900000001", seconds=20)
    assert page == find_claims(filled, "900000001")


@pytest.mark.parametrize("tier", ["3K", "60"])
def test_page_and_total_in_one_call_equals_the_page_of_find_claims(loaded_store, tier):
    page = page_and_total(loaded_store, tin_of(loaded_store, tier), seconds=20)
    assert page == find_claims(loaded_store, tin_of(loaded_store, tier))
    following = find_claims(loaded_store, tin_of(loaded_store, tier), cursor=page.next_cursor, with_total=False)
    assert (page.next_cursor is None) == (tier == "60")
    assert tier == "60" or page[99] != following[0]


def test_a_claim_written_after_the_rollup_was_built_is_not_in_it(recorder, monkeypatch):
    make = ClaimRollup.make

    def then_a_claim_arrives(rollup, **options):
        make(rollup, **options)
        (claim,) = recorder.store.collection.find({TIN: tin_of(recorder.store, "3K")}, limit=1)
        identifiers = {**claim["identifiers"], "claimSystemClaimId": "late"}
        recorder.store.collection.insert_one({**claim, ID: type(claim[ID])(), "identifiers": identifiers})

    monkeypatch.setattr(ClaimRollup, "make", then_a_claim_arrives)
    measure_totals(recorder)
    recorder.save()
    equal = {(check.tier, check.against): check.equal for check in recorder.run.checks}
    assert equal == {
        ("3K", CAPPED): 5, ("3K", ROLLUP): 0, ("3K", FACET): 5,
        ("300", CAPPED): 5, ("300", ROLLUP): 5, ("60", CAPPED): 5, ("60", ROLLUP): 5,
    }  # fmt: skip
    assert {s.claims for s in recorder.run.select(tier="3K", contestant=COUNT)} == {3_001}
    assert {s.claims for s in recorder.run.select(tier="3K", contestant=ROLLUP)} == {3_000}


class TestTheTemporaryCollection:
    def test_exists_while_it_is_queried_and_is_gone_afterward(self, recorder, monkeypatch):
        before, seen = collections(recorder.store), []
        total = ClaimRollup.total
        monkeypatch.setattr(
            ClaimRollup, "total", lambda self, tin: seen.append(rollups(recorder.store)) or total(self, tin)
        )
        measure_totals(recorder)
        assert {frozenset(names) for names in seen} == {frozenset({f"claims_pbm_rollup_{recorder.run.id}"})}
        assert collections(recorder.store) == before

    def test_is_gone_after_an_exception_in_the_middle(self, recorder, monkeypatch):
        before = collections(recorder.store)

        def breaks(*_):
            assert rollups(recorder.store)
            raise RuntimeError("in the middle")

        monkeypatch.setattr(recorder, "check", breaks)
        with pytest.raises(RuntimeError, match="in the middle"):
            measure_totals(recorder)
        assert collections(recorder.store) == before

    def test_does_not_affect_setup_or_a_check_of_the_claims(self, filled, rollup):
        assert rollups(filled) == {rollup.name}
        assert require_claims(setup_collection(filled)) is filled
        assert count_claims(filled, tin_of(filled, "3K")) == 3_000
        assert rollups(filled) == {rollup.name}

    def test_is_dropped_without_touching_anything_else(self, filled, rollup):
        database, ours = filled.collection.database, rollup.name
        others = [
            f"{ours}0", f"my_{ours}", f"other{ours.removeprefix('claims')}", ours.replace("rollup", "Rollup"),
            "claims_pbm_rollup_", "claims_pbm_rollup_mine", f"{ours}\n", ours[:-1],
        ]  # fmt: skip
        for name in others:
            database[name].insert_one({})
        view = ours.replace("1a2b3c4d", "00000000")
        database.create_collection(view, viewOn="claims")
        left = collections(filled) - {ours}
        assert drop_left_rollups(filled) == [ours]
        assert collections(filled) == left
        assert left >= {*others, view}

    def test_dropped_by_another_run_becomes_a_note_and_the_other_ways_continue(self, recorder, monkeypatch):
        total, asked = ClaimRollup.total, []

        def then_another_run_begins(rollup, tin):
            if len(asked) == 2:
                assert drop_left_rollups(recorder.store) == [rollup.name]
            asked.append(tin)
            return total(rollup, tin)

        monkeypatch.setattr(ClaimRollup, "total", then_another_run_begins)
        measure_totals(recorder)
        recorder.save()
        run = recorder.run
        assert run.notes == (f"Totals: Someone else dropped claims_pbm_rollup_{run.id}.",)
        samples = run.select(contestant=ROLLUP, operation="count")
        assert [sample.error for sample in samples] == [None, None, "RollupGone"]  # and no further calls were made
        assert {check.compared == check.equal for check in run.checks} == {True}
        for way in (COUNT, CAPPED):
            assert len([s for s in run.select(contestant=way) if s.counts]) == 3 * 4

    def test_left_behind_by_another_run_is_dropped_with_a_note(self, recorder, rollup):
        measure_totals(recorder)
        recorder.save()
        (note,) = recorder.run.notes
        assert f"dropped {rollup.name}, left behind by another run" in note
        assert rollups(recorder.store) == set()


class TestAnotherProcess:
    """A run in another process that is ended from outside while it measures totals."""

    @pytest.fixture
    def start(self, filled, test_uri, tmp_path):
        started = []

        def go(*words):
            started.append(
                start_python(recordings.__file__, filled.config.path, tmp_path / "runs", *words, uri=test_uri)
            )
            return started[-1]

        yield go
        for process in started:
            if process.poll() is None:
                process.kill()
            process.wait()

    def test_ctrl_c_while_the_rollup_is_queried_leaves_nothing_behind(self, filled, start):
        process = start()
        wait_for(lambda: rollups(filled), 60, "a rollup")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) != 0
        assert rollups(filled) == set()

    def test_ctrl_c_while_the_rollup_is_built_ends_the_build_on_the_server(self, filled, start):
        process = start("slow")
        wait_for(lambda: being_made(filled), 60, "the making")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) != 0
        wait_for(lambda: not being_made(filled), 5, "the end of the making")
        assert rollups(filled) == set()

    def test_what_a_killed_run_left_behind_is_gone_after_the_next_run(self, filled, start, tmp_path):
        process = start()
        wait_for(lambda: rollups(filled), 60, "a rollup")
        process.kill()
        process.wait()
        assert len(rollups(filled)) == 1
        with recording(filled, tmp_path) as recorder:
            measure_totals(recorder)
        assert rollups(filled) == set()
        assert recorder.run.rollup.claims == 6_000


def test_facet_beyond_its_time_limit_becomes_a_note(recorder):
    measure_totals(recorder, facet_seconds=0.001)
    recorder.save()
    assert recorder.run.notes == ("Totals: $facet was stopped after 0.001 s.",)
    facet = recorder.run.select(contestant=FACET)
    assert [(sample.error, sample.counts) for sample in facet] == [("TimeLimitPassed", False)]


def test_facet_runs_once_for_the_largest_provider(recorder, monkeypatch):
    monkeypatch.setattr(totals, "_FACET_CLAIMS", 100)
    measure_totals(recorder)
    recorder.save()
    facet = recorder.run.select(contestant=FACET)
    assert [s.tier for s in facet] == ["60"] * (1 + 4) + ["3K"]
    assert {check.tier: check.equal for check in recorder.run.checks if check.against == FACET} == {"60": 5, "3K": 1}


def test_facet_for_the_largest_provider_beyond_its_time_limit_is_only_a_note(recorder, monkeypatch):
    monkeypatch.setattr(totals, "_FACET_MOST", 0)
    measure_totals(recorder, facet_seconds=0.001)
    recorder.save()
    assert recorder.run.notes == ("Totals: $facet was stopped after 0.001 s.",)
    assert recorder.run.select(contestant=FACET) == []


def test_a_rollup_that_the_server_rejects_becomes_a_note(recorder):
    recorder.store.collection.drop_index(recorder.store.index_name)
    measure_totals(recorder)
    recorder.save()
    assert "Totals: no rollup was built. The server returned an error (code 2)" in "".join(recorder.run.notes)
    assert {s.contestant for s in recorder.run.samples if s.counts} == {COUNT, CAPPED, FACET}
    assert {check.compared == check.equal for check in recorder.run.checks} == {True}


def test_a_rollup_that_takes_too_long_becomes_a_note(recorder, monkeypatch):
    monkeypatch.setattr(totals, "_BUILD_SECONDS", 0.2)
    monkeypatch.setattr(ClaimRollup, "pipeline", slow_to_make)
    measure_totals(recorder)
    recorder.save()
    assert recorder.run.notes == ("Totals: no rollup was built. Building the rollup was stopped after 0.2 s.",)
    assert recorder.run.rollup is None
    assert rollups(recorder.store) == set()


def test_building_a_rollup_ends_on_the_server_when_the_connection_is_lost(filled, test_uri, monkeypatch):
    monkeypatch.setattr(ClaimRollup, "pipeline", slow_to_make)
    monkeypatch.setenv("MONGODB_URI", f"{test_uri}{'&' if '?' in test_uri else '?'}socketTimeoutMS=700")
    with connect(filled.config) as store, pytest.raises(ServerUnavailable):
        ClaimRollup(store, RUN_ID).make(seconds=20)
    wait_for(lambda: not being_made(filled), 5, "the end of the making")
    assert rollups(filled) == set()


class TestUsersOfFewRights:
    def test_a_user_who_can_only_read_gets_a_note_and_the_other_ways(self, as_user, tmp_path):
        with recording(as_user("reader"), tmp_path) as recorder:
            measure_totals(recorder)
        (note,) = recorder.run.notes
        assert note.startswith("Totals: no rollup was built. The database user lacks permission")
        assert {sample.contestant for sample in recorder.run.samples} == {COUNT, CAPPED, FACET}
        assert not [sample for sample in recorder.run.samples if sample.error]
        assert recorder.run.rollup is None

    def test_a_user_who_can_read_and_write_gets_all_ways(self, as_user, tmp_path):
        store = as_user("writer")
        with recording(store, tmp_path) as recorder:
            measure_totals(recorder)
        assert recorder.run.notes == ()
        assert {sample.contestant for sample in recorder.run.samples} == set(TOTALS)
        assert rollups(store) == set()
