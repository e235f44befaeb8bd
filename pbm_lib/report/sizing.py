"""Computes how large the claims are, which Atlas tiers hold them, and what those tiers cost."""

import math

from ..arguments import checked, in_short, not_accepted
from ..config import AtlasConfig, AtlasTier
from ..errors import ConfigError, LoadError
from ..measure.run import PerformanceRun
from ..store.footprint import Footprint, measure_footprint
from ..store.store import ClaimStore
from .cluster_sizing import ClusterSizing, TierFit

STORAGE_SHARE = 0.8
"""Share of a tier's storage that claims and indexes may take; the rest is for the oplog, the journal, and growth."""
CACHE_SHARE = 0.8
"""Share of a tier's cache that the indexes may take; in a fuller cache, WiredTiger starts to evict."""
NEARLY_FULL = 0.75
"""Once claims and index keys fill this share of a cache, some may have been evicted: WiredTiger starts to evict at 80%,
and the cache holds other data, too."""
HOURS_PER_MONTH = 730
"""Hours per month: 365 days of 24 hours, divided by 12. List prices are in whole cents per hour, so the monthly price
of the smallest tier is accurate to a few USD."""


@checked(ConfigError)
def size_cluster(
    source: PerformanceRun | ClaimStore, *, claims: int | None = None, hours: float = 2.0
) -> ClusterSizing:
    """Size an Atlas cluster for the measured claims, or for a customer's own volume in proportion.

    A tier holds the claims if documents and indexes take at most 80% of its storage and the indexes at most 80% of its
    WiredTiger cache. If no tier does, shards of the largest tier each hold an equal part, by the same rule. Prices come
    from the config (section `atlas`) and cover the three nodes of a tier.

    Args:
        source: a run, for its recorded sizes and prices; or a store, whose server is measured now.
        claims: number of claims to size for, at least 1; None for the number measured.
        hours: length of the demo in hours, above 0.

    Returns:
        The sizing.

    Raises:
        ConfigError: `claims` or `hours` is invalid.
        LoadError: there are no claims to measure.

    Example:
        >>> size_cluster(store, claims=50_000_000)
    """
    if claims is not None and claims < 1:
        raise not_accepted("claims", in_short(claims), "a whole number of at least 1, or None", ConfigError)
    if not 0 < hours < float("inf"):
        raise not_accepted("hours", in_short(hours), error=ConfigError)
    if isinstance(source, PerformanceRun):
        return _sizing(source.footprint, source.conditions.cache_bytes, source.settings.atlas, claims, hours)
    return _sizing(measure_footprint(source), source.server.cache_bytes, source.config.atlas, claims, hours)


def _sizing(
    footprint: Footprint, cache_bytes: int | None, prices: AtlasConfig, claims: int | None, hours: float
) -> ClusterSizing:
    if not footprint.claims:
        raise LoadError("There are no claims to measure. Run load_claims(store) first (notebook 02).")
    claims = claims or footprint.claims
    factor = claims / footprint.claims
    storage, indexes = round(footprint.storage_bytes * factor), round(footprint.total_index_bytes * factor)
    cached = None if footprint.cached_data_bytes is None else round(footprint.cached_data_bytes * factor)

    def fit(tier: AtlasTier) -> TierFit:
        cache = tier.cache_gb * 2**30
        storage_used, cache_used = (storage + indexes) / (tier.storage_gb * 1e9), indexes / cache
        return TierFit(
            name=tier.name,
            ram_gb=tier.ram_gb,
            usd_per_hour=tier.usd_per_hour,
            usd_per_month=tier.usd_per_hour * HOURS_PER_MONTH,
            usd=tier.usd_per_hour * hours,
            confirmed=tier.confirmed,
            storage_used=storage_used,
            cache_used=cache_used,
            working_set_used=None if cached is None else (indexes + cached) / cache,
            shards=max(1, math.ceil(storage_used / STORAGE_SHARE), math.ceil(cache_used / CACHE_SHARE)),
        )

    return ClusterSizing(
        claims=claims,
        measured_claims=footprint.claims,
        data_bytes=round(footprint.data_bytes * factor),
        storage_bytes=storage,
        index_bytes=indexes,
        cached_bytes=cached,
        may_have_read_more=_may_have_evicted(footprint, cache_bytes),
        hours=hours,
        tiers=tuple(sorted((fit(tier) for tier in prices.tiers), key=lambda tier: tier.usd_per_hour)),
        prices_as_of=prices.prices_as_of,
        prices_source=prices.prices_source,
    )


def _may_have_evicted(footprint: Footprint, cache_bytes: int | None) -> bool:
    held = footprint.cached_data_bytes, footprint.cached_index_bytes
    return cache_bytes is None or None in held or sum(held) >= NEARLY_FULL * cache_bytes
