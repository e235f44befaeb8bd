"""What the server reports about the application's queries and about the use of its indexes."""

import pytest
from recordings import recording

from pbm_lib import count_claims, explain_claims, explain_count, find_claims, list_providers, setup_collection
from pbm_lib.claims.document import ID
from pbm_lib.claims.generate import claim_generator
from pbm_lib.measure.explains import counted_index_uses, explain_application, explain_range, index_uses
from pbm_lib.measure.questions import Questions
from pbm_lib.query.filters import ClaimQuery
from pbm_lib.vocabulary import BOUNDED, BY_TIER, PROVIDER, RANGE, UNBOUNDED


@pytest.fixture(scope="module", params=["three_field", "overlap"])
def claims(request, open_shared_store):
    store = setup_collection(open_shared_store({"mongodb": {"index": request.param}}))
    data = store.config.data_generation
    store.collection.insert_many(claim_generator(data).documents(0, data.target_volume))
    return store


@pytest.fixture
def recorder(claims, tmp_path):
    with recording(claims, tmp_path) as made:
        yield made


def costs(recorder):
    recorder.save()
    found = {(cost.tier, cost.scenario, cost.operation): cost for cost in recorder.run.costs}
    assert len(found) == len(recorder.run.costs)
    return found


def questions_of(store):
    return Questions(store.config, store.config.performance, "explain")


def window(store, tier):
    return questions_of(store).window(list_providers(store.config, tier)[0].tin, 0.5)


def test_each_operation_of_each_tier_is_explained_once(claims, recorder):
    explain_application(recorder)
    found = costs(recorder)
    pages = {"first_page", "next_page", "deep_page"}
    expected = {(tier, scenario, "count") for tier in ("3K", "300", "60") for scenario in (PROVIDER, RANGE)}
    expected |= {("3K", scenario, page) for scenario in (PROVIDER, RANGE) for page in pages}
    # A provider of tier 300 has three pages of claims, but only one in a window. A provider of tier 60 has only one.
    expected |= {("300", PROVIDER, page) for page in pages} | {("300", RANGE, "first_page")}
    expected |= {("60", PROVIDER, "first_page"), ("60", RANGE, "first_page")}
    assert set(found) == expected
    assert {cost.query for cost in found.values()} == {BOUNDED}
    assert {(cost.variant, cost.index) for cost in found.values()} == {(claims.variant.name, claims.index_name)}
    assert recorder.run.notes == ()


def test_the_costs_show_what_the_server_examines(claims, recorder):
    explain_application(recorder)
    found = costs(recorder)
    count = found["3K", PROVIDER, "count"]
    assert (count.stages, count.keys_examined, count.docs_examined, count.returned) == (
        ("COUNT", "COUNT_SCAN"), 3_001, 0, 3_000,
    )  # fmt: skip
    for operation in ("first_page", "next_page", "deep_page"):
        page = found["3K", PROVIDER, operation]
        assert (page.docs_examined, page.returned) == (100, 100)
        assert page.keys_examined <= 102
        assert "FETCH" in page.stages
        assert ("SORT_MERGE" in page.stages) == (operation != "first_page")
    tin, start, end = window(claims, "3K")
    ranged = found["3K", RANGE, "first_page"]
    plan = explain_claims(claims, tin, start, end)
    assert (ranged.keys_examined, ranged.docs_examined, ranged.stages) == (
        plan.keys_examined, plan.docs_examined, plan.stages,
    )  # fmt: skip


def test_a_bounded_total_is_the_sum_of_its_two_counts(claims, recorder):
    explain_application(recorder)
    cost = costs(recorder)["3K", RANGE, "count"]
    first, second = explain_count(claims, *window(claims, "3K"))
    assert cost.returned == first.returned + second.returned == count_claims(claims, *window(claims, "3K"))
    assert cost.keys_examined == first.keys_examined + second.keys_examined
    assert cost.docs_examined == first.docs_examined + second.docs_examined
    assert cost.stages == first.stages + second.stages


@pytest.mark.parametrize("operation", ["first_page", "count"])
@pytest.mark.parametrize("query", [BOUNDED, UNBOUNDED])
def test_a_range_is_explained_for_either_query_with_the_index_of_its_store(claims, operation, query):
    cost = explain_range(claims, questions_of(claims), "3K", operation, bounded=query == BOUNDED)
    assert (cost.operation, cost.tier, cost.scenario, cost.query) == (operation, "3K", RANGE, query)
    assert (cost.variant, cost.index) == (claims.variant.name, claims.index_name)
    total = count_claims(claims, *window(claims, "3K"))
    assert cost.returned == (total if operation == "count" else 100)
    assert cost.server_ms is not None


def test_the_unbounded_query_examines_more(claims):
    bounded, unbounded = (
        explain_range(claims, questions_of(claims), "3K", "first_page", bounded=bounded) for bounded in (True, False)
    )
    assert unbounded.keys_examined > bounded.keys_examined


def test_a_failed_explain_becomes_a_note(recorder, monkeypatch):
    monkeypatch.setattr(ClaimQuery, "count_filters", lambda query: [{"$nothing": query.tin}])
    explain_application(recorder)
    found = costs(recorder)
    assert {operation for _, _, operation in found} == set(BY_TIER) - {"count"}
    assert len(recorder.run.notes) == 3 * 2
    assert "Tier 3K, date range, total: explain failed (OperationFailure, code 2)." in recorder.run.notes


def test_an_index_other_than_the_one_the_timed_calls_name_becomes_a_note(claims, recorder, monkeypatch):
    monkeypatch.setattr(ClaimQuery, "hinted", property(lambda _: {"hint": "_id_"}))
    explain_application(recorder)
    costs(recorder)
    assert (
        f"Tier 60, provider only, total: the server used _id_, but the timed calls name {claims.index_name}."
    ) in recorder.run.notes


def test_index_uses_count_each_query(claims):
    before, tin = index_uses(claims), list_providers(claims.config, "3K")[0].tin
    for _ in range(3):
        count_claims(claims, tin)  # one count
        count_claims(claims, *window(claims, "3K"))  # two counts
        find_claims(claims, tin, with_total=False)
    claims.collection.find_one({ID: 0}, hint="_id_")
    after = index_uses(claims)
    assert set(after) == {"_id_", claims.index_name}
    assert after[claims.index_name] - before[claims.index_name] == 3 * (1 + 2 + 1)
    assert after["_id_"] - before["_id_"] == 1


def timed_counts(recorder, times):
    tin = list_providers(recorder.store.config, "60")[0].tin
    labels = {"section": "totals", "operation": "count", "tier": "60", "scenario": PROVIDER}
    for _ in range(times):
        assert recorder.time(lambda: count_claims(recorder.store, tin), **labels).answer == 60


def test_a_run_records_how_often_each_index_was_used_in_it(claims, recorder):
    count_claims(claims, list_providers(claims.config, "60")[0].tin)
    with counted_index_uses(recorder):
        timed_counts(recorder, 5)
    assert recorder.run.index_uses == {"_id_": 0, claims.index_name: 5}
    assert recorder.run.notes == ()


def test_fewer_uses_than_timed_calls_become_a_note(filled, tmp_path):
    with recording(filled, tmp_path) as recorder:
        timed_counts(recorder, 1)  # in the run, but before index uses are counted
        with counted_index_uses(recorder):
            timed_counts(recorder, 2)
    (note,) = recorder.run.notes
    assert note.startswith("The server counted 2 uses of claims_by_provider during the run, but 3 timed calls named it")


def test_a_rebuilt_index_is_counted_from_then_on(filled, tmp_path):
    with recording(filled, tmp_path) as recorder, counted_index_uses(recorder):
        filled.collection.drop_index(filled.index_name)
        setup_collection(filled)
        timed_counts(recorder, 2)
    assert recorder.run.index_uses[filled.index_name] == 2
    assert recorder.run.notes == ()


@pytest.mark.parametrize("user", ["owner", "writer", "reader"])
def test_a_user_who_may_not_read_index_uses_gets_a_note(as_user, tmp_path, user):
    store = as_user(user)
    assert index_uses(store) is None
    with recording(store, tmp_path) as recorder, counted_index_uses(recorder):
        timed_counts(recorder, 2)
        explain_application(recorder)
    assert len(recorder.run.costs) == 18
    assert recorder.run.index_uses == {}
    (note,) = recorder.run.notes
    assert "$indexStats" in note and "clusterMonitor" in note
