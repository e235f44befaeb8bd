"""How large the claims are, which Atlas tiers hold them, and what the cheapest of those costs."""

import datetime as dt
import html
from dataclasses import dataclass

import pandas as pd

from ..arguments import checked, in_short, not_accepted
from ..config import AtlasConfig, AtlasTier
from ..errors import ConfigError, LoadError
from ..measure.run import PerformanceRun
from ..store.footprint import Footprint, measure_footprint
from ..store.store import ClaimStore

STORAGE_SHARE = 0.8
"""Part of a tier's storage that claims and indexes may take; the rest is for oplog, journal and growth."""
CACHE_SHARE = 0.8
"""Part of a tier's cache that the indexes may take: where it is fuller, WiredTiger starts to evict."""


@dataclass(frozen=True)
class TierFit:
    """One Atlas tier against the claims.

    Attributes:
        name: the tier's.
        usd_per_hour: list price.
        usd: price of the hours asked for.
        storage_used: claims and indexes on disk over the tier's storage.
        cache_used: indexes over the tier's WiredTiger cache.
    """

    name: str
    usd_per_hour: float
    usd: float
    storage_used: float
    cache_used: float

    @property
    def storage_fits(self) -> bool:
        """Whether the claims fit on its disk, with room to spare."""
        return self.storage_used <= STORAGE_SHARE

    @property
    def cache_fits(self) -> bool:
        """Whether the indexes fit in its cache, with room to spare."""
        return self.cache_used <= CACHE_SHARE

    @property
    def fits(self) -> bool:
        """Whether both do."""
        return self.storage_fits and self.cache_fits

    @property
    def texts(self) -> tuple[str, ...]:
        """Storage taken, cache taken by indexes, price per hour, price of the hours asked for."""
        return f"{self.storage_used:.1%}", f"{self.cache_used:.1%}", f"{self.usd_per_hour:.2f}", f"{self.usd:.2f}"


@dataclass(frozen=True, repr=False)
class ClusterSizing:
    """The claims' size and the tiers that hold it.

    Attributes:
        claims: claims that are sized.
        measured_claims: claims that the sizes were measured on; the rest is in proportion.
        data_bytes: uncompressed BSON.
        storage_bytes: documents on disk.
        index_bytes: all indexes on disk.
        hours: hours that `usd` of a tier pays.
        tiers: the price table's tiers, cheapest first.
        prices_as_of: date of the prices.
        prices_source: where they are from.
    """

    claims: int
    measured_claims: int
    data_bytes: int
    storage_bytes: int
    index_bytes: int
    hours: float
    tiers: tuple[TierFit, ...]
    prices_as_of: dt.date
    prices_source: str

    @property
    def cheapest(self) -> TierFit | None:
        """The cheapest tier that holds the claims; None if no tier of the table does."""
        return next((tier for tier in self.tiers if tier.fits), None)

    @property
    def bytes_per_million(self) -> dict[str, int]:
        """Bytes that a million claims take: data, storage and indexes."""
        sizes = {"data": self.data_bytes, "storage": self.storage_bytes, "indexes": self.index_bytes}
        return {name: round(size / self.claims * 1_000_000) for name, size in sizes.items()}

    @property
    def sentence(self) -> str:
        """The finding in one sentence."""
        if self.cheapest is None:
            return f"No tier in the price table holds {self.claims:,} claims. Use a larger tier, or shards."
        tier = self.cheapest
        # In USD: two dollar signs would make a formula of it in JupyterLab.
        return (
            f"{tier.name} is the cheapest tier that holds {self.claims:,} claims: {tier.usd_per_hour:.2f} USD per "
            f"hour, {tier.usd:.2f} USD for {self.hours:g} hours."
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the tiers as a pandas DataFrame: tier, whether it holds the claims, how full it is, what it costs."""
        return pd.DataFrame(
            [
                {
                    "tier": tier.name,
                    "holds them": tier.fits,
                    "storage taken, %": round(100 * tier.storage_used, 1),
                    "indexes in cache, %": round(100 * tier.cache_used, 1),
                    "USD per hour": tier.usd_per_hour,
                    f"USD for {self.hours:g} h": round(tier.usd, 2),
                }
                for tier in self.tiers
            ]
        )

    def __repr__(self) -> str:
        sizes = (
            f"{self.data_bytes / 1e9:.2f} GB of BSON, {self.storage_bytes / 1e9:.2f} GB on disk, "
            f"{self.index_bytes / 1e9:.3f} GB of indexes"
        )
        rows = ""
        for tier in self.tiers:
            storage, cache, price, _ = tier.texts
            rows += f"\n  {tier.name:<4} ${price:>5}/h  storage {storage:>6}  indexes in cache {cache:>6}  "
            rows += "holds them" if tier.fits else "too small"
        return f"ClusterSizing: {self.sentence}\n  {sizes}; prices of {self.prices_as_of}{rows}"

    def _repr_html_(self) -> str:
        frame = self.to_frame()
        frame["holds them"] = frame["holds them"].map({True: "yes", False: "no"})
        table = frame.to_html(index=False, border=0, escape=True)
        source = html.escape(f"List prices of {self.prices_as_of} ({self.prices_source}).")
        return f"<p><b>{self.sentence}</b></p>{table}<p>{source}</p>"


@checked(ConfigError)
def size_cluster(
    source: PerformanceRun | ClaimStore, *, claims: int | None = None, hours: float = 2.0
) -> ClusterSizing:
    """Size a cluster for the claims measured, or for a customer's own volume in proportion to them.

    A tier holds the claims if documents and indexes take at most 80 % of its storage and the indexes at most 80 % of
    its WiredTiger cache. Prices are the config's (section `atlas`), for the three nodes that a tier consists of.

    Args:
        source: a run, whose recorded sizes and prices are taken; or a store, which is asked.
        claims: claims to size for; None for those that are there.
        hours: hours that the demo lasts.

    Returns:
        The sizing.

    Raises:
        ConfigError: claims or hours are not accepted.
        LoadError: there are no claims to measure.
    """
    if claims is not None and claims < 1:
        raise not_accepted("claims", in_short(claims), "a whole number from 1, or None", ConfigError)
    if not 0 < hours < float("inf"):
        raise not_accepted("hours", in_short(hours), error=ConfigError)
    if isinstance(source, PerformanceRun):
        return _sizing(source.footprint, source.settings.atlas, claims, hours)
    return _sizing(measure_footprint(source), source.config.atlas, claims, hours)


def _sizing(footprint: Footprint, prices: AtlasConfig, claims: int | None, hours: float) -> ClusterSizing:
    if not footprint.claims:
        raise LoadError("There are no claims to measure. Run load_claims(store) first (notebook 02).")
    claims = claims or footprint.claims
    factor = claims / footprint.claims
    storage, indexes = round(footprint.storage_bytes * factor), round(footprint.total_index_bytes * factor)

    def fit(tier: AtlasTier) -> TierFit:
        return TierFit(
            name=tier.name,
            usd_per_hour=tier.usd_per_hour,
            usd=tier.usd_per_hour * hours,
            storage_used=(storage + indexes) / (tier.storage_gb * 1e9),
            cache_used=indexes / (tier.cache_gb * 2**30),
        )

    return ClusterSizing(
        claims=claims,
        measured_claims=footprint.claims,
        data_bytes=round(footprint.data_bytes * factor),
        storage_bytes=storage,
        index_bytes=indexes,
        hours=hours,
        tiers=tuple(sorted((fit(tier) for tier in prices.tiers), key=lambda tier: tier.usd_per_hour)),
        prices_as_of=prices.prices_as_of,
        prices_source=prices.prices_source,
    )
