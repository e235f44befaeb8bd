"""Size and cost: known sizes against a known price table, and the sizes of a real collection."""

from dataclasses import replace

import pytest
from fake_runs import FOOTPRINT, fake_run

from pbm_lib import ConfigError, LoadError, setup_collection, size_cluster

GIB = 2**30


@pytest.fixture(scope="module")
def run(make_config):
    return fake_run(make_config(), [])


def test_three_million_claims_fit_on_the_smallest_tier(run):
    sizing = size_cluster(run)
    assert sizing.cheapest.name == "M10"
    assert sizing.cheapest.storage_used == pytest.approx(0.75 / 10)
    assert sizing.cheapest.cache_used == pytest.approx(150e6 / (0.5 * GIB))
    assert (sizing.cheapest.usd_per_hour, sizing.cheapest.usd) == (0.08, 0.16)
    assert sizing.sentence == (
        "M10 is the cheapest tier that holds 3,000,000 claims: 0.08 USD per hour, 0.16 USD for 2 hours."
    )


def test_sizes_are_said_by_the_million(run):
    assert size_cluster(run).bytes_per_million == {
        "data": 800_000_000,
        "storage": 200_000_000,
        "indexes": 50_000_000,
    }


@pytest.mark.parametrize(
    ("claims", "tier"),
    [
        (8_589_934, "M10"),  # 80 % of a 0.5 GB cache, at 50 MB of index keys a million
        (8_589_935, "M20"),
        (17_179_870, "M30"),  # its 2 GB of cache
        (50_000_000, "M40"),
        (137_438_953, "M40"),
        (137_438_954, "M50"),
        (274_877_907, None),
    ],
)
def test_a_customers_own_volume_takes_the_tier_that_it_needs(run, claims, tier):
    cheapest = size_cluster(run, claims=claims).cheapest
    assert (cheapest and cheapest.name) == tier


def test_storage_decides_where_the_indexes_are_small(run):
    bulky = replace(run, footprint=replace(FOOTPRINT, storage_bytes=9_000_000_000))
    sizing = size_cluster(bulky)
    assert not sizing.tiers[0].storage_fits and sizing.tiers[0].cache_fits
    assert sizing.cheapest.name == "M20"


def test_no_tier_is_said_to_be_none(run):
    assert size_cluster(run, claims=10**9).sentence == (
        "No tier in the price table holds 1,000,000,000 claims. Use a larger tier, or shards."
    )


def test_the_price_table_is_the_configs_and_its_order_does_not_matter(run):
    atlas = run.settings.atlas
    dearer = replace(atlas, tiers=(replace(atlas.tiers[0], usd_per_hour=9.0), *reversed(atlas.tiers[1:])))
    sizing = size_cluster(replace(run, settings=replace(run.settings, atlas=dearer)), hours=0.5)
    assert (sizing.cheapest.name, sizing.cheapest.usd) == ("M20", 0.10)
    assert [tier.name for tier in sizing.tiers] == ["M20", "M30", "M40", "M50", "M10"]


@pytest.mark.parametrize("claims", [0, -1, 1.5, "3", True])
def test_a_volume_that_is_none_is_refused(run, claims):
    with pytest.raises(ConfigError, match="claims: "):
        size_cluster(run, claims=claims)


@pytest.mark.parametrize("hours", [0, -1, float("nan"), float("inf"), "2", True])
def test_hours_that_are_none_are_refused(run, hours):
    with pytest.raises(ConfigError, match="hours: "):
        size_cluster(run, hours=hours)


def test_a_store_is_measured_on_its_server(loaded_store):
    stats = loaded_store.collection.database.command("collStats", loaded_store.collection.name)
    sizing = size_cluster(loaded_store)
    assert sizing.measured_claims == sizing.claims == 6_000
    assert (sizing.data_bytes, sizing.storage_bytes) == (stats["size"], stats["storageSize"])
    assert sizing.index_bytes == stats["totalIndexSize"]
    assert sizing.cheapest.name == "M10"


def test_an_empty_store_has_nothing_to_size(open_store):
    with pytest.raises(LoadError, match="load_claims"):
        size_cluster(setup_collection(open_store()))


def test_a_cell_shows_the_finding_and_the_tiers(run):
    sizing = size_cluster(run, claims=50_000_000)
    assert sizing.sentence in sizing._repr_html_()
    assert "List prices of 2026-09-15" in sizing._repr_html_()
    frame = sizing.to_frame().set_index("tier")
    assert frame["holds them"].to_dict() == {"M10": False, "M20": False, "M30": False, "M40": True, "M50": True}
    assert frame.loc["M40", "USD for 2 h"] == 2.08
    fits = [(line.split()[0], line.endswith("holds them")) for line in repr(sizing).splitlines()[2:]]
    assert fits == [("M10", False), ("M20", False), ("M30", False), ("M40", True), ("M50", True)]
