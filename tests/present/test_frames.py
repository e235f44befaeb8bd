"""What the notebooks show, and what they say when something is missing."""

import re

import pytest
from cell_output import cell_output
from pandas import DataFrame

from pbm_lib import (
    InvalidQuery,
    LoadError,
    ServerInfo,
    claims_sample,
    codes_frame,
    find_claims,
    indexes_frame,
    refusal,
    require_claims,
    rule_note,
    sample_claim,
    setup_collection,
    show_claim,
    table,
    tiers_frame,
    topology_note,
)
from pbm_lib.load.state import LoadRecord


def test_a_claim_shows_as_indented_json():
    shown = repr(show_claim(sample_claim()))
    assert shown.splitlines()[0] == "{"
    assert 'overpaymentAmount: {amount: NumberDecimal("124.60")}' in shown
    assert "&lt;b&gt;" in cell_output(show_claim({"name": "<b>"}))["text/html"]


def test_a_table_shows_names_as_they_are_and_not_as_html():
    frame = DataFrame({"<i>name</i>": ["<script>alert(1)</script>", "A & B", None], "claims": [1234, 2, 3]})
    shown = table(frame).to_html()
    assert "<script>" not in shown
    assert "<i>" not in shown
    assert "&lt;i&gt;name&lt;/i&gt;" in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "A &amp; B" in shown
    assert "1,234" in shown


def test_a_table_has_check_marks_and_ratios_and_leaves_missing_values_blank():
    frame = DataFrame(
        {"depth": [0, 900_000], "same claims": [True, False], "ms": [3.21, None], "ratio": [1.04, 111.4]}, dtype=object
    )
    shown = cells(table(frame))
    assert shown == [["0", "\N{CHECK MARK}", "3.2", "1.0\N{MULTIPLICATION SIGN}"], ["900,000", "no", "", RATIO]]
    typed = frame.astype({"same claims": bool, "ms": float, "ratio": float, "depth": int})
    assert cells(table(typed)) == shown


RATIO = "111\N{MULTIPLICATION SIGN}"


def cells(styled):
    """Return the text of each cell of a styled frame, row by row, without the row labels."""
    rows = re.findall(r"<tr>(.*?)</tr>", styled.to_html(), re.DOTALL)[1:]
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]


def test_words_are_left_aligned_and_figures_right_aligned_even_as_text():
    frame = DataFrame({"tier": ["1M", "10K"], "p50 (n)": ["3.2 ms (110)", "\N{EN DASH}"], "note": ["2 retried", ""]})
    shown = cell_output(table(frame))["text/html"]
    assert "<style" not in re.sub(r"<style[^>]*>\s*</style>", "", shown)  # JupyterLab drops it from another's notebook
    sides = re.findall(r"<(t[dh])[^>]* style='text-align:(\w+);white-space:nowrap'", shown)
    head, row = (
        [("th", side) for side in ("left", "right", "left")],
        [("td", side) for side in ("left", "right", "left")],
    )
    assert sides == [*head, *row, *row]


def test_long_text_wraps_and_nothing_else_does():
    shown = cell_output(table(DataFrame({"code": ["A B"], "meaning": ["long " * 13]})))["text/html"]
    assert re.findall(r"<td[^>]* style='text-align:left;white-space:(\w+)", shown) == ["nowrap", "normal"]


def test_row_labels_are_left_aligned():
    shown = cell_output(table(DataFrame({"x": [1]}, index=["label"])))["text/html"]
    assert re.search(r"<th[^>]*row_heading[^>]* style='text-align:left;", shown)


@pytest.mark.parametrize(
    ("text", "is_figure"),
    [
        *dict.fromkeys(["3.2 ms", "1,234", "7.1 ms to 8.9 ms", "12.5%", "3, 110", "2.28 GB", RATIO], True).items(),
        *dict.fromkeys(["from 3.2 ms", "134\N{MULTIPLICATION SIGN} (120 to 150, 12)", "similar", ""], True).items(),
        *dict.fromkeys(["1M", "M10", "123 Main Street", "first page", "2025-01-01", "10K to 1M"], False).items(),
    ],
)
def test_which_texts_count_as_figures(text, is_figure):
    shown = cell_output(table(DataFrame({"words": ["a"], "other": [text]})))["text/html"]
    assert ("text-align:right" in shown) is is_figure


def test_row_labels_are_shown_if_there_are_any():
    assert "<b>" not in table(DataFrame({"x": [1]}, index=["<b>label</b>"])).to_html()
    assert "label" in table(DataFrame({"x": [1]}, index=["<b>label</b>"])).to_html()
    assert not re.search(r"<th[^>]*row_heading", table(DataFrame({"x": [1]})).to_html())


def test_a_table_without_rows_says_so():
    shown = cell_output(table(DataFrame({"tier": [], "note": []})))["text/html"]
    assert "note" in shown
    assert "<caption>No rows</caption>" in shown
    assert "<caption>" not in table(DataFrame({"tier": ["1M"]})).to_html()


def test_the_roster_by_tier_adds_up(loaded_store):
    frame = tiers_frame(loaded_store.config)
    assert list(frame["tier"]) == ["3K", "300", "60"]
    assert frame["claims in total"].sum() == 6_000


def test_the_indexes_are_those_of_the_server(store):
    frame = indexes_frame(store)
    assert list(frame["index"]) == ["_id_", "claims_by_provider"]
    assert frame["key"][1] == '{"billingProvider.providerTin": 1, serviceBeginDate: 1, _id: 1}'


@pytest.mark.parametrize(
    ("topology", "told"),
    [("standalone", "Standalone"), ("replica set", "Replica set"), ("sharded cluster", "sh.shardCollection(")],
)
def test_the_topology_is_explained(store, monkeypatch, topology, told):
    monkeypatch.setattr(store, "server", ServerInfo("8.0.0", topology, "remote", None, 1.0))
    assert told in repr(topology_note(store))
    assert told in cell_output(topology_note(store))["text/html"]


def test_a_refusal_reads_as_a_sentence(store):
    assert repr(refusal(find_claims, store, "12")).startswith("InvalidQuery: tin must be nine digits as text")
    with pytest.raises(AssertionError, match="was not rejected"):
        refusal(find_claims, store, "123456789")
    assert issubclass(InvalidQuery, ValueError)


class TestWhatANotebookNeeds:
    def test_a_loaded_collection_is_enough(self, loaded_store):
        assert require_claims(loaded_store) is loaded_store

    def test_without_an_index_the_first_notebook_is_named(self, open_store):
        with pytest.raises(LoadError, match="01_setup"):
            require_claims(open_store())

    def test_without_claims_the_second_notebook_is_named(self, store):
        with pytest.raises(LoadError, match=r"no claims of this demo\. Run notebook 02_load"):
            require_claims(store)

    def test_an_unfinished_load_is_reported(self, store):
        store.collection.insert_one(sample_claim())
        LoadRecord(store).mark("loading")
        with pytest.raises(LoadError, match="only partly loaded"):
            require_claims(store)

    def test_different_settings_are_reported(self, store, open_store, make_config):
        store.collection.insert_one(sample_claim())
        LoadRecord(store).mark("complete")
        changes = {"mongodb": {"database": store.collection.database.name}, "data_generation": {"seed": 5}}
        other = setup_collection(open_store(make_config(changes)))
        with pytest.raises(LoadError, match="settings other than the config's"):
            require_claims(other)


def test_the_rule_is_that_of_the_server(store, open_store):
    days = store.config.data_generation.max_claim_days
    assert f'NumberLong("{days * 86_400_000}")' in repr(rule_note(store))
    assert 'overpaymentAmount: {amount: "decimal"}' in repr(rule_note(store))
    assert max(map(len, repr(rule_note(store)).splitlines()[1:])) <= 4 + 88
    shown = cell_output(rule_note(store))["text/html"]
    assert "one day is 86,400,000 ms" in shown
    # Outside of <code>, JupyterLab would take the dollar sign for the start of a formula.
    assert ">$jsonSchema</code>" in shown and ">$expr</code>" in shown
    assert "white-space:pre;" in shown  # so that no line wraps
    assert "Run setup_collection" in repr(rule_note(open_store()))


def test_every_code_that_a_claim_may_have_is_explained_in_one_line(make_config):
    frame = codes_frame()
    sample = claims_sample(make_config())
    assert set(frame.loc[frame["field"] == "claimSystemCode", "code"]) == set(sample["system"])
    assert set(frame.loc[frame["field"] == "recoveryMethod", "code"]) == set(sample["recovery"])
    assert frame["what it means"].str.fullmatch(r"[A-Z].{30,100}\.").all()


def test_a_foreign_rule_is_not_shown_as_this_programs_rule(open_store):
    store = open_store()
    store.collection.database.create_collection(store.collection.name, validator={"$expr": {"$gt": ["$x", 1]}})
    assert "does not have this program's rule" in repr(rule_note(store))
