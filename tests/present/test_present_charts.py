"""The charts of notebooks 02 and 03: the titles match the figures, and any report can be drawn."""

import datetime as dt

import pytest
from cell_output import cell_output

from pbm_lib import (
    LoadReport,
    PbmError,
    QueryPlan,
    acts_chart,
    compare_paging,
    explain_claims,
    list_providers,
    load_rate_chart,
    paging_chart,
)
from pbm_lib.load.pace import LoadPace
from pbm_lib.load.report import NO_PACE

TIERS = (("3K", 1, 3_000),)


PACE = LoadPace(3_000, 2.0, 1, 500, ((0.0, 0), (1.0, 500), (2.0, 3_000)), dt.datetime(2026, 11, 22))


def loaded(inserted, pace, volume=3_000):
    return LoadReport(volume, inserted, 2.0 if inserted else 0.0, 1, 500, TIERS, ((0.0, 0),), pace)


def title(figure):
    assert cell_output(figure)["image/png"].startswith(b"\x89PNG")
    return ". ".join(" ".join(text.get_text().split()) for text in figure.texts if text.get_text())


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (loaded(3_000, PACE), "3,000 claims in 2 s."),
        (loaded(0, PACE), "3,000 claims in 2 s, on 2026-11-22."),
        (loaded(3_000, PACE, 30_000), "3,000 of 30,000 claims in 2 s. Other loads added the rest."),
        (loaded(4, PACE), "3,000 claims in 2 s, on 2026-11-22."),
    ],
    ids=["now", "earlier", "resumed", "a few put back"],
)
def test_the_rate_of_a_load_is_drawn_over_its_time(report, said):
    figure = load_rate_chart(report)
    assert title(figure) == f"1,500 claims per second. {said}"
    rates = figure.axes[0].lines[0].get_ydata()
    assert list(rates) == pytest.approx([500, 2_500])


def test_a_load_whose_pace_was_not_recorded_shows_a_sentence_instead_of_a_chart():
    figure = load_rate_chart(loaded(0, None))
    assert title(figure) == f"Already loaded. {NO_PACE}"


def test_the_depth_chart_names_the_deepest_page(loaded_store):
    tin = list_providers(loaded_store.config, "3K")[0].tin
    paging = compare_paging(loaded_store, tin)
    shown = title(paging_chart(paging))
    assert " ms by skip/limit. A page 2,700 claims deep. Both ways return the same claims." in shown
    other = paging.assign(**{"same claims": False})
    assert title(paging_chart(other)).endswith("Both ways return NOT the same claims.")


def plan(bounded, index, keys, docs):
    return QueryPlan(bounded, "db.claims.find({})", index, ("LIMIT", "FETCH", "IXSCAN"), keys, docs, 100, 1)


UNBOUNDED = plan(False, "claims_by_provider", 508_607, 508_607)
BOUNDED = plan(True, "claims_by_provider", 4_001, 4_001)
OVERLAP = plan(True, "claims_by_provider_overlap", 107, 101)


def bars(figure):
    """Return where each bar starts and ends: those of the whole provider, then those of the acts."""
    return [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in figure.axes[0].patches]


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize("acts", [[UNBOUNDED, BOUNDED], [UNBOUNDED, BOUNDED, OVERLAP]], ids=len)
def test_each_act_is_a_bar_as_long_as_what_it_examined(acts):
    figure = acts_chart(acts, 1_000_000)
    assert title(figure) == (
        "One page: 508,607 keys, then 4,001, then 107" if len(acts) == 3 else "One page: 508,607 keys, then 4,001"
    )
    assert bars(figure) == [(1, 1_000_000)] * len(acts) + [(1, act.keys_examined) for act in acts]
    panel = figure.axes[0]
    assert panel.get_xscale() == "log"
    written = [f"{act.keys_examined:,} keys, {act.docs_examined:,} documents" for act in acts]
    assert texts(figure)[: len(acts)] == written
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels == [f"{act.kind}\n{act.index}" for act in acts]
    assert "1,000,000 claims" in panel.get_xlabel()


def test_an_act_that_was_explained_twice_is_drawn_once():
    figure = acts_chart([UNBOUNDED, BOUNDED, BOUNDED, OVERLAP], 1_000_000)
    assert len(bars(figure)) == 2 * 3


def test_a_query_without_an_index_has_a_bar_for_the_documents_it_read():
    figure = acts_chart([plan(False, None, 0, 6_000)], 3_000)
    assert bars(figure) == [(1, 3_000), (1, 6_000)]
    assert title(figure) == "One page: 6,000 claims"
    assert "no index" in figure.axes[0].get_yticklabels()[0].get_text()
    assert figure.axes[0].get_xlim()[1] >= 6_000


def test_acts_of_a_small_provider_and_of_one_without_claims_are_drawn(loaded_store):
    provider = list_providers(loaded_store.config, "60")[0]
    acts = [explain_claims(loaded_store, provider.tin, bounded=bounded) for bounded in (False, True)]
    assert title(acts_chart(acts, 60)) == "One page: 60 keys, then 60"
    nobody = explain_claims(loaded_store, "900000001")
    assert title(acts_chart([nobody], 1)) == "One page: 0 keys"


@pytest.mark.parametrize(("acts", "claims"), [([], 5), ([None], 5), ([BOUNDED], 0)], ids=str)
def test_an_invalid_act_is_rejected(acts, claims):
    with pytest.raises(PbmError, match=r"^(acts|claims) must be (a list of|a whole number).*, got "):
        acts_chart(acts, claims)
