"""The cards of the notebooks: the number to remember is the one that was measured."""

import datetime as dt
import math
from dataclasses import replace

import numpy as np
import pytest
from cell_output import cell_output

from pbm_lib import (
    LoadReport,
    PbmError,
    bound_card,
    list_providers,
    load_card,
    number_card,
    observe_claims,
    performance_cards,
    run_performance,
)
from pbm_lib.load.pace import LoadPace
from pbm_lib.report.first_page import key_figures


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3_000_000, "3,000,000"),
        (3.26, "3.3"),
        (335.6, "336"),
        (48_000.0, "48,000"),
        ("3.4 ms", "3.4 ms"),
        (np.int64(1_234), "1,234"),
    ],
    ids=str,
)
def test_a_card_is_a_number_its_label_and_its_note(value, shown):
    card = number_card(value, "claims & more", "counted")
    assert repr(card) == f"{shown} claims & more\n    counted"
    in_notebook = cell_output(card)["text/html"]
    assert f">{shown}</div>" in in_notebook
    assert "claims &amp; more" in in_notebook


def test_a_card_without_a_valid_number_says_so():
    assert repr(number_card(math.nan, "claims")) == "nan claims"
    with pytest.raises(PbmError, match=r"^value must be a number or text, got None\."):
        number_card(None, "claims")
    with pytest.raises(PbmError, match=r"^label must be text, got 5\."):
        number_card(5, 5)


def report(pace):
    return LoadReport(6_000, 0, 0.0, 1, 500, (("3K", 1, 3_000),), ((0.0, 0),), pace)


def test_the_card_of_a_load_is_its_rate_or_the_number_of_claims():
    pace = LoadPace(6_000, 4.0, 2, 500, ((0.0, 0), (4.0, 6_000)), dt.datetime(2026, 11, 22))
    assert repr(load_card(report(pace))).startswith("1,500 claims per second")
    assert "6,000 claims in 4.0 s" in repr(load_card(report(pace)))
    assert repr(load_card(report(None))).startswith(
        "6,000 claims on the server\n    The load's rate was not recorded: "
    )


def test_the_card_of_the_bound_compares_keys_and_says_if_they_are_not_all_known(loaded_store):
    question = (list_providers(loaded_store.config)[0].tin, dt.date(2025, 6, 1), dt.date(2025, 6, 30))
    unbounded, bounded = (observe_claims(loaded_store, *question, bounded=each) for each in (False, True))
    unbounded, bounded = replace(unbounded, ms=6_100.0), replace(bounded, ms=13.2)
    ratio = unbounded.plan.keys_examined / bounded.plan.keys_examined
    assert ratio > 10
    note = "\n    6.1 s without it, 13 ms with it, one call each"
    shown = f"{ratio:,.0f} times as many index keys without the bound{note}"
    assert repr(bound_card(unbounded, bounded)) == shown

    def stopped(page):
        return replace(page, plan=replace(page.plan, complete=False))

    assert repr(bound_card(stopped(unbounded), bounded)) == f"at least {shown}"
    assert repr(bound_card(unbounded, stopped(bounded))) == "6.1 s without the bound\n    13 ms with it, one call each"


def test_the_cards_of_a_run_are_the_reports_key_figures(loaded_store, tmp_path):
    run = run_performance(
        loaded_store, samples=3, warmup=0, concurrency=[], compare_indexes=False, output_dir=tmp_path, progress=False
    )
    figures = key_figures(run)
    assert len(figures) >= 3
    shown = repr(performance_cards(run))
    assert all(f"{figure.text} {figure.what}" in shown for figure in figures)
    assert cell_output(performance_cards(run))["text/html"].count("font-size:2.4em") == len(figures)
