"""Both indexes timed on one range: same claims, medians of alternating calls, and only the config's index afterward."""

import datetime as dt
import re

import pytest
from cell_output import cell_output

from pbm_lib import IndexComparison, InvalidQuery, compare_indexes, count_claims, list_providers
from pbm_lib.present import index_comparison

WINDOW = (dt.date(2025, 3, 1), dt.date(2025, 5, 29))
NAMES = ["claims_by_provider", "claims_by_provider_overlap"]


@pytest.fixture
def tin(store):
    return list_providers(store.config, "3K")[0].tin


@pytest.mark.parametrize("build", [False, "false", "False", "FALSE"], ids=repr)
def test_without_permission_nothing_is_built_however_false_is_written(store, tin, build):
    before = store.collection.index_information()
    compared = compare_indexes(store, tin, *WINDOW, build=build)
    assert "build_overlap_index is False" in repr(compared)
    assert cell_output(compared)["text/html"].startswith("<p>")
    assert (compared.frame.empty, compared.plans) == (True, ())
    assert store.collection.index_information() == before


@pytest.mark.parametrize("build", ["yes", "", 1, None], ids=repr)
def test_a_permission_that_is_neither_true_nor_false_is_rejected(store, build):
    with pytest.raises(InvalidQuery, match=r"^build must be true or false, got .*\.$"):
        compare_indexes(store, "411234567", *WINDOW, build=build)


@pytest.mark.parametrize("build", [True, "TRUE"], ids=repr)
def test_with_permission_both_indexes_are_compared_and_only_the_first_remains(filled, tin, build, capsys):
    before = filled.collection.index_information()
    compared = compare_indexes(filled, tin, *WINDOW, build=build)
    assert isinstance(compared, IndexComparison)
    assert list(compared.frame.columns) == ["three_field", "overlap"]
    assert set(compared.frame.loc["same claims, same total"]) == {True}
    assert list(compared.frame.loc["total"]) == [f"{count_claims(filled, tin, *WINDOW):,}"] * 2
    assert [plan.index for plan in compared.plans] == NAMES
    assert all(plan.bounded and plan.returned == 100 for plan in compared.plans)
    assert [int(keys) for keys in compared.frame.loc["keys examined"]] == [p.keys_examined for p in compared.plans]
    assert compared.plans[1].keys_examined < compared.plans[0].keys_examined
    assert (filled.collection.index_information(), filled.index_name) == (before, NAMES[0])
    # What a shell shows, and what a notebook shows.
    assert "\nclaims on 2025-03-01 " in repr(compared)
    assert max(map(len, repr(compared).splitlines())) < 100
    shown = cell_output(compared)["text/html"]
    assert ">overlap index</th>" in shown
    # In the cell itself, because Lab drops the style sheet of a notebook that it does not trust.
    assert re.search(r"<th[^>]*row_heading[^>]* style='text-align:left;", shown)
    assert capsys.readouterr().out == ""


def test_the_indexes_take_turns_and_medians_are_shown(filled, tin, monkeypatch):
    pages, totals = (9.0, 50.0, 4.0, 30.0, 6.0), (1.0, 2.0, 3.0, 4.0, 900.0)
    in_turns = [ms for both in zip(pages, totals, strict=True) for ms in both]
    times = {"overlap": iter(in_turns), "three_field": iter([10 * ms for ms in in_turns])}
    calls = []

    def timed(store, call):
        calls.append(store.variant.name)
        return call(), next(times[store.variant.name])

    monkeypatch.setattr(index_comparison, "timed", timed)
    frame = compare_indexes(filled, tin, *WINDOW, build=True).frame
    assert calls == ["three_field", "three_field", "overlap", "overlap"] * 5
    assert list(frame.loc["first page, median of 5"]) == ["90 ms", "9.0 ms"]
    assert list(frame.loc["total, median of 5"]) == ["30 ms", "3.0 ms"]


@pytest.mark.parametrize("wrong", ["iter_claims", "count_claims"])
def test_different_claims_or_totals_are_shown_as_such(filled, tin, wrong, monkeypatch):
    right = getattr(index_comparison, wrong)

    def other(store, *arguments, **options):
        found = right(store, *arguments, **options)
        if store.variant.name == "three_field":
            return found
        return list(found)[1:] if wrong == "iter_claims" else found + 1

    monkeypatch.setattr(index_comparison, wrong, other)
    compared = compare_indexes(filled, tin, *WINDOW, build=True)
    assert set(compared.frame.loc["same claims, same total"]) == {False}


def test_ctrl_c_in_the_middle_leaves_only_the_configs_index(filled, tin, monkeypatch):
    before = filled.collection.index_information()

    def timed(store, call):
        if store.variant.name == "overlap":
            assert set(store.collection.index_information()) == {"_id_", *NAMES}
            raise KeyboardInterrupt
        return call(), 1.0

    monkeypatch.setattr(index_comparison, "timed", timed)
    with pytest.raises(KeyboardInterrupt):
        compare_indexes(filled, tin, *WINDOW, build=True)
    assert (filled.collection.index_information(), filled.index_name) == (before, NAMES[0])


def test_a_conflicting_index_gives_a_clear_message_and_no_error(store, tin):
    store.collection.create_index("x", name=NAMES[1])
    before = store.collection.index_information()
    compared = compare_indexes(store, tin, *WINDOW, build=True)
    assert f"a different index named {NAMES[1]}; it was left alone" in repr(compared)
    assert (compared.frame.empty, compared.plans) == (True, ())
    assert (store.collection.index_information(), store.index_name) == (before, NAMES[0])
