"""The charts of notebooks 02 and 03: the title says what the figures say, and any report can be drawn."""

import pytest
from cell_output import cell_output

from pbm_lib import LoadReport, compare_paging, list_providers, load_rate_chart, paging_chart

TIERS = (("3K", 1, 3_000),)


def loaded(inserted, progress):
    return LoadReport(3_000, inserted, 2.0 if inserted else 0.0, 1, 500, TIERS, progress)


def title(figure):
    assert cell_output(figure)["image/png"].startswith(b"\x89PNG")
    return " ".join(figure.get_suptitle().split())


def test_the_rate_of_a_load_is_drawn_over_its_time():
    figure = load_rate_chart(loaded(3_000, ((0.0, 0), (1.0, 500), (2.0, 3_000))))
    assert title(figure) == "3,000 claims in 2 s: 1,500 claims a second"
    rates = figure.axes[0].lines[0].get_ydata()
    assert list(rates) == pytest.approx([500, 2_500])


def test_a_load_with_nothing_to_add_says_so_in_place_of_the_chart():
    assert title(load_rate_chart(loaded(0, ((0.0, 0),)))) == "Nothing was added: the claims were there already"


def test_the_depth_chart_names_the_deepest_page(loaded_store):
    tin = list_providers(loaded_store.config, "3K")[0].tin
    paging = compare_paging(loaded_store, tin)
    assert title(paging_chart(paging)).startswith("2,700 claims deep, a keyset page takes ")
    assert title(paging_chart(paging)).endswith(", for the same claims")
    other = paging.assign(**{"same claims": False})
    assert title(paging_chart(other)).endswith(", for NOT the same claims")
