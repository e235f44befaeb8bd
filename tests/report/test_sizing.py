"""Size and cost: known sizes with a known price table, and the sizes of a real collection."""

import html
from dataclasses import replace

import pytest
from fake_runs import FOOTPRINT, fake_run

from pbm_lib import ConfigError, LoadError, setup_collection, size_cluster
from pbm_lib.report.sizing import CACHE_SHARE, STORAGE_SHARE
from pbm_lib.report.table import NONE
from pbm_lib.report.tables import tiers_table

GIB = 2**30


@pytest.fixture(scope="module")
def run(make_config):
    return fake_run(make_config(), [])


def prices(run):
    return run.settings.atlas.tiers


def with_prices(run, tiers):
    atlas = replace(run.settings.atlas, tiers=tuple(tiers))
    return replace(run, settings=replace(run.settings, atlas=atlas))


def with_cache(run, cache_bytes):
    return replace(run, conditions=replace(run.conditions, cache_bytes=cache_bytes))


def test_three_million_claims_fit_on_the_smallest_tier(run):
    sizing = size_cluster(run)
    assert sizing.cheapest.name == "M10"
    assert sizing.cheapest.storage_used == pytest.approx(0.75 / 10)
    assert sizing.cheapest.cache_used == pytest.approx(150e6 / (0.5 * GIB))
    assert (sizing.cheapest.usd_per_hour, sizing.cheapest.usd) == (0.08, 0.16)
    assert sizing.cheapest.usd_per_month == pytest.approx(58.4)
    assert sizing.shards == 1
    assert sizing.sentence == (
        "M10 is the smallest tier that holds 3,000,000 claims: about 58 USD per month, 0.16 USD per 2-hour demo."
    )


def test_sizes_are_given_per_million_claims(run):
    assert size_cluster(run).bytes_per_million == {
        "data": 800_000_000,
        "storage": 200_000_000,
        "indexes": 50_000_000,
    }


@pytest.mark.parametrize(
    ("claims", "tier"),
    [
        (8_589_934, "M10"),  # 80% of a 0.5 GB cache, at 50 MB of index keys per million claims
        (8_589_935, "M20"),
        (17_179_870, "M30"),  # with its 2 GB of cache
        (50_000_000, "M40"),
        (137_438_953, "M40"),
        (137_438_954, "M50"),
        (274_877_907, "M60"),
        (549_755_814, "M80"),
        (1_099_511_627, "M80"),
    ],
)
def test_a_customers_own_volume_takes_the_tier_that_it_needs(run, claims, tier):
    sizing = size_cluster(run, claims=claims)
    assert (sizing.cheapest.name, sizing.shards) == (tier, 1)


@pytest.mark.parametrize(
    ("claims", "shards"),
    [
        (1_099_511_628, 2),  # one claim more than an M80's 64 GB of cache holds
        (2_199_023_255, 2),
        (2_199_023_256, 3),
        (3_298_534_883, 3),
        (3_298_534_884, 4),
    ],
)
def test_beyond_the_largest_tier_shards_hold_an_equal_part_each(run, claims, shards):
    sizing = size_cluster(run, claims=claims)
    assert (sizing.cheapest, sizing.largest.name, sizing.shards) == (None, "M80", shards)
    # By the same rule, an M80 holds one shard's part, but would not if there were one shard fewer.
    assert size_cluster(run, claims=claims // shards).cheapest.name == "M80"
    assert size_cluster(run, claims=-(-claims // (shards - 1))).cheapest is None


def test_storage_decides_on_shards_where_the_indexes_are_small(run):
    bulky = replace(run, footprint=replace(FOOTPRINT, storage_bytes=1_649_850_000_000))
    assert size_cluster(bulky).shards == 3  # 3 x 600 GB; 1,650 GB with the indexes
    assert size_cluster(bulky, hours=1).sentence.startswith("No single tier in the price table holds 3,000,000 claims.")


def test_the_cost_of_shards_excludes_the_config_servers(run):
    sizing = size_cluster(run, claims=3_000_000_000)
    assert sizing.sentence == (
        "No single tier in the price table holds 3,000,000,000 claims. 3 shards of M80 do: about 15,987 USD per month, "
        "not counting config servers."
    )
    assert sizing.production_note == ""


def test_storage_decides_where_the_indexes_are_small(run):
    bulky = replace(run, footprint=replace(FOOTPRINT, storage_bytes=9_000_000_000))
    sizing = size_cluster(bulky)
    assert sizing.tiers[0].storage_used > STORAGE_SHARE and sizing.tiers[0].cache_used < CACHE_SHARE
    assert sizing.cheapest.name == "M20"


@pytest.mark.parametrize(
    ("claims", "note"),
    [
        (
            3_000_000,
            "M10 is enough for a demo. Atlas recommends M30 and larger for production: M30 at about 394 USD per month.",
        ),
        (
            10_000_000,
            "M20 is enough for a demo. Atlas recommends M30 and larger for production: M30 at about 394 USD per month.",
        ),
        (20_000_000, ""),  # an M30
        (50_000_000, ""),
    ],
)
def test_a_tier_that_is_only_for_a_demo_says_so(run, claims, note):
    assert size_cluster(run, claims=claims).production_note == note


def test_production_takes_the_cheapest_tier_of_the_table_that_is_large_enough(run):
    def note(*names):
        return size_cluster(with_prices(run, [tier for tier in prices(run) if tier.name in names])).production_note

    assert note("M10", "M40", "M50").endswith("for production: M40 at about 759 USD per month.")
    assert note("M10", "M20") == "M10 is enough for a demo. Atlas recommends M30 and larger for production."


def test_the_working_set_is_the_indexes_and_the_claims_in_the_cache(run):
    roomy = with_cache(run, 2**30)
    m10, *_, m80 = size_cluster(roomy).tiers
    assert m10.working_set_used == pytest.approx((150e6 + 430e6) / (0.5 * GIB))
    assert m80.working_set_used == pytest.approx((150e6 + 430e6) / (64 * GIB))
    assert m10.fits  # the working set does not decide whether a tier holds the claims
    assert size_cluster(roomy).working_set_note == (
        "The working set is all indexes (150.0 MB) and the claims that were in the server's cache (430.0 MB)."
    )
    ten_times = size_cluster(roomy, claims=30_000_000)
    assert ten_times.tiers[0].working_set_used == pytest.approx(10 * m10.working_set_used)
    assert ten_times.working_set_note == (
        "At this size, the working set is all indexes (1.50 GB) and the claims that were in the server's cache "
        "(4.30 GB)."
    )


@pytest.mark.parametrize(
    ("cache_bytes", "least"),
    [
        (626_666_666, True),  # 430 MB and 40 MB are 75% of it
        (626_666_667, False),
        (None, True),
    ],
)
def test_with_a_nearly_full_cache_the_working_set_is_at_least_what_it_held(run, cache_bytes, least):
    sizing = size_cluster(with_cache(run, cache_bytes))
    assert sizing.may_have_read_more == least
    assert ("(at least 430.0 MB: a full cache evicts earlier reads)." in sizing.working_set_note) == least
    assert ("cache used by the working set, at least" in tiers_table(sizing).columns) == least


def test_what_the_cache_held_may_be_unknown(run):
    sizing = size_cluster(replace(run, footprint=replace(FOOTPRINT, cached_data_bytes=None, cached_index_bytes=None)))
    assert {tier.working_set_used for tier in sizing.tiers} == {None}
    assert sizing.working_set_note == (
        "The working set is not known, because the server does not say what its cache holds."
    )
    table = tiers_table(sizing)
    assert {row[table.columns.index("cache used by the working set")] for row in table.rows} == {NONE}
    assert sizing.to_frame()["working set in cache, %"].isna().all()
    assert "working set unknown" in repr(sizing)
    assert f">{NONE}</td>" in sizing._repr_html_()


def test_prices_are_to_be_checked_before_they_are_quoted(run):
    sizing = size_cluster(run)
    assert [tier.name for tier in sizing.tiers if tier.confirmed] == ["M10", "M30"]
    assert sizing.prices_note == (
        'AWS us-east-1 list prices as of 2026-09-15. Check the rows marked "to be confirmed" on the Atlas pricing page '
        "before you quote them."
    )
    seen = size_cluster(with_prices(run, [replace(tier, confirmed=True) for tier in prices(run)]))
    assert seen.prices_note == (
        "AWS us-east-1 list prices as of 2026-09-15. Check them on the Atlas pricing page before you quote them."
    )


def test_the_price_table_is_the_configs_and_its_order_does_not_matter(run):
    first, *rest = prices(run)
    sizing = size_cluster(with_prices(run, [replace(first, usd_per_hour=9.0), *reversed(rest)]), hours=0.5)
    assert (sizing.cheapest.name, sizing.cheapest.usd) == ("M20", 0.10)
    assert [tier.name for tier in sizing.tiers] == ["M20", "M30", "M40", "M50", "M60", "M80", "M10"]
    assert sizing.largest.name == "M80"  # the most RAM, not the highest price


@pytest.mark.parametrize("claims", [0, -1, 1.5, "3", True])
def test_an_invalid_volume_is_rejected(run, claims):
    with pytest.raises(ConfigError, match=r"^claims must be a whole number of at least 1, or None, got "):
        size_cluster(run, claims=claims)


@pytest.mark.parametrize("hours", [0, -1, float("nan"), float("inf"), "2", True])
def test_invalid_hours_are_rejected(run, hours):
    with pytest.raises(ConfigError, match=r"^hours must be a number above 0, got "):
        size_cluster(run, hours=hours)


def test_a_store_is_measured_on_its_server(loaded_store):
    stats = loaded_store.collection.database.command("collStats", loaded_store.collection.name)
    sizing = size_cluster(loaded_store)
    assert sizing.measured_claims == sizing.claims == 6_000
    assert (sizing.data_bytes, sizing.storage_bytes) == (stats["size"], stats["storageSize"])
    assert sizing.index_bytes == stats["totalIndexSize"]
    assert sizing.cheapest.name == "M10"
    assert sizing.cached_bytes > 0 and not sizing.may_have_read_more


def test_an_empty_store_has_nothing_to_size(open_store):
    with pytest.raises(LoadError, match="load_claims"):
        size_cluster(setup_collection(open_store()))


def test_a_cell_shows_the_finding_and_the_tiers(run):
    sizing = size_cluster(run, claims=50_000_000)
    shown = html.unescape(sizing._repr_html_())
    for words in (sizing.sentence, sizing.working_set_note, sizing.prices_note, ">to be confirmed</td>"):
        assert words in shown
    assert shown.count(">\N{CHECK MARK}</td>") == 4
    assert shown.count(">no</td>") == 3
    assert ">1,460</td>" in shown and ">0.08</td>" in shown
    assert ">0.0%</td>" not in html.unescape(size_cluster(run, claims=1_000)._repr_html_())
    frame = sizing.to_frame().set_index("tier")
    holds = {"M10": False, "M20": False, "M30": False, "M40": True, "M50": True, "M60": True, "M80": True}
    assert frame["holds the claims"].to_dict() == holds
    assert frame.loc["M40", "USD per hour":].to_dict() == {
        "USD per hour": 1.04,
        "USD per month": 759,
        "USD for 2 h": 2.08,
        "price": "to be confirmed",
    }
    assert frame.loc["M40", "indexes in cache, %":"working set in cache, %"].to_list() == [29.1, 112.5]
    first, _, *tiers, working_set, quoted = map(str.strip, repr(sizing).splitlines())
    assert first == f"ClusterSizing: {sizing.sentence}"
    assert {line.split()[0]: line.endswith("holds the claims") for line in tiers} == holds
    assert (working_set, quoted) == (sizing.working_set_note, sizing.prices_note)
    assert size_cluster(run).production_note in repr(size_cluster(run))
    assert size_cluster(run).production_note in size_cluster(run)._repr_html_()
