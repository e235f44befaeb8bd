"""A cluster sizing: the size of the claims, how they fit each Atlas tier, and how both are shown."""

import datetime as dt
import html
import math
import re
from dataclasses import dataclass

import pandas as pd

from ..frame_style import table
from .table import NONE, mb

PRODUCTION_RAM_GB = 8
"""RAM of an M30. Atlas' guide to cluster sizing and tier selection recommends M30 and larger for production, and M10
and M20 for low traffic. So a tier counts as a production tier if it has at least this much RAM."""


@dataclass(frozen=True)
class TierFit:
    """How the claims fit one Atlas tier.

    Attributes:
        name: name of the tier.
        ram_gb: RAM of each of its nodes, in GB.
        usd_per_hour: list price per hour in USD.
        usd_per_month: list price per month in USD.
        usd: list price in USD for the requested number of hours.
        confirmed: whether the price was seen on Atlas' own pages.
        storage_used: size of claims and indexes on disk as a fraction of the tier's storage; above 1 if it is larger.
        cache_used: size of the indexes as a fraction of the tier's WiredTiger cache; above 1 if it is larger.
        working_set_used: size of the indexes and of the claims in the server's cache as a fraction of the tier's
            cache; above 1 if it is larger. None if it is not known what the server's cache held.
        shards: how many shards of this tier hold the claims, with an equal part on each; 1 if one is enough.
    """

    name: str
    ram_gb: float
    usd_per_hour: float
    usd_per_month: float
    usd: float
    confirmed: bool
    storage_used: float
    cache_used: float
    working_set_used: float | None
    shards: int

    @property
    def fits(self) -> bool:
        """Whether the tier alone holds the claims."""
        return self.shards == 1

    @property
    def for_production(self) -> bool:
        """Whether Atlas recommends a tier of this size for production."""
        return self.ram_gb >= PRODUCTION_RAM_GB

    @property
    def price_mark(self) -> str:
        """Whether the price is confirmed, in words."""
        return "confirmed" if self.confirmed else "to be confirmed"

    @property
    def texts(self) -> tuple[str, ...]:
        """Storage taken, cache used by indexes and by the working set, USD per hour, per month, and for the hours."""
        return (
            f"{self.storage_used:,.1%}",
            f"{self.cache_used:,.1%}",
            NONE if self.working_set_used is None else f"{self.working_set_used:,.1%}",
            f"{self.usd_per_hour:.2f}",
            f"{self.usd_per_month:,.0f}",
            f"{self.usd:,.2f}",
        )


@dataclass(frozen=True, repr=False)
class ClusterSizing:
    """The size of the claims, and which Atlas tiers hold them.

    Attributes:
        claims: number of claims to size for.
        measured_claims: number of claims that were measured; all sizes are scaled from these in proportion.
        data_bytes: claims as uncompressed BSON.
        storage_bytes: claims on disk.
        index_bytes: all indexes on disk.
        cached_bytes: claims in the server's cache, uncompressed; after a run, those that its page queries read. None if
            unknown.
        may_have_read_more: whether the cache may have evicted claims that were read, because it was nearly full or its
            size is unknown; then `cached_bytes` is a lower bound for the working set.
        hours: hours that a tier's `usd` pays for.
        tiers: the tiers of the price table, cheapest first.
        prices_as_of: date of the prices.
        prices_source: where the prices come from.
    """

    claims: int
    measured_claims: int
    data_bytes: int
    storage_bytes: int
    index_bytes: int
    cached_bytes: int | None
    may_have_read_more: bool
    hours: float
    tiers: tuple[TierFit, ...]
    prices_as_of: dt.date
    prices_source: str

    @property
    def cheapest(self) -> TierFit | None:
        """The cheapest tier that holds the claims; None if no tier in the price table does."""
        return next((tier for tier in self.tiers if tier.fits), None)

    @property
    def largest(self) -> TierFit:
        """The tier with the most RAM."""
        return max(self.tiers, key=lambda tier: tier.ram_gb)

    @property
    def shards(self) -> int:
        """How many shards hold the claims: 1 if a single tier does, otherwise the number of shards of the largest tier.

        The index {providerTin, serviceBeginDate, _id} serves as the shard key. So one provider's claims stay together,
        and a query reads few shards, usually one. A provider too large for one shard is split by date.
        """
        return 1 if self.cheapest else self.largest.shards

    @property
    def bytes_per_million(self) -> dict[str, int]:
        """Bytes that a million claims take: data, storage, and indexes."""
        sizes = {"data": self.data_bytes, "storage": self.storage_bytes, "indexes": self.index_bytes}
        return {name: round(size / self.claims * 1_000_000) for name, size in sizes.items()}

    # Prices say "USD" because JupyterLab renders text between two dollar signs as a formula.

    @property
    def sentence(self) -> str:
        """The finding: the cheapest tier that holds the claims, or else the number of shards, and the price."""
        if tier := self.cheapest:
            return (
                f"{tier.name} is the smallest tier that holds {self.claims:,} claims: about "
                f"{tier.usd_per_month:,.0f} USD per month, {tier.usd:,.2f} USD per {self.hours:g}-hour demo."
            )
        price = self.shards * self.largest.usd_per_month
        return (
            f"No single tier in the price table holds {self.claims:,} claims. {self.shards} shards of "
            f"{self.largest.name} do: about {price:,.0f} USD per month, not counting config servers."
        )

    @property
    def production_note(self) -> str:
        """What production needs if the cheapest tier is only enough for a demo; empty if it is enough for both."""
        if self.cheapest is None or self.cheapest.for_production:
            return ""
        note = f"{self.cheapest.name} is enough for a demo. Atlas recommends M30 and larger for production"
        larger = next((tier for tier in self.tiers if tier.fits and tier.for_production), None)
        return f"{note}: {larger.name} at about {larger.usd_per_month:,.0f} USD per month." if larger else f"{note}."

    @property
    def working_set_note(self) -> str:
        """What the working set consists of and how large it is, in one sentence."""
        if self.cached_bytes is None:
            return "The working set is not known, because the server does not say what its cache holds."
        subject = "The working set" if self.claims == self.measured_claims else "At this size, the working set"
        indexes, claims = mb(self.index_bytes), mb(self.cached_bytes)
        if self.may_have_read_more:
            claims = f"at least {claims}: a full cache evicts earlier reads"
        return f"{subject} is all indexes ({indexes}) and the claims that were in the server's cache ({claims})."

    @property
    def prices_note(self) -> str:
        """Where the prices come from, their date, and what to check before quoting them."""
        rows = "them" if all(tier.confirmed for tier in self.tiers) else 'the rows marked "to be confirmed"'
        return (
            f"{self.prices_source} as of {self.prices_as_of}. Check {rows} on the Atlas pricing page before you quote "
            "them."
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the tiers as a pandas DataFrame: name, whether it holds the claims, how full it gets, and prices."""
        return pd.DataFrame(
            [
                {
                    "tier": tier.name,
                    "holds the claims": tier.fits,
                    "storage used, %": round(100 * tier.storage_used, 1),
                    "indexes in cache, %": round(100 * tier.cache_used, 1),
                    "working set in cache, %": math.nan
                    if tier.working_set_used is None
                    else round(100 * tier.working_set_used, 1),
                    "USD per hour": tier.usd_per_hour,
                    "USD per month": round(tier.usd_per_month),
                    f"USD for {self.hours:g} h": round(tier.usd, 2),
                    "price": tier.price_mark,
                }
                for tier in self.tiers
            ]
        )

    def __repr__(self) -> str:
        lines = [
            f"ClusterSizing: {self.sentence}",
            self.production_note,
            f"{self.data_bytes / 1e9:.2f} GB of BSON, {self.storage_bytes / 1e9:.2f} GB on disk, "
            f"{self.index_bytes / 1e9:.3f} GB of indexes",
        ]
        for tier in self.tiers:
            storage, indexes, working_set, _, month, _ = tier.texts
            working_set = "unknown" if tier.working_set_used is None else working_set
            lines.append(
                f"{tier.name:<4} {month:>6} USD per month ({tier.price_mark})".ljust(48)
                + f"storage {storage:>6}, indexes in cache {indexes:>6}, working set {working_set:>7}: "
                + ("holds the claims" if tier.fits else "too small")
            )
        lines += [self.working_set_note, self.prices_note]
        return "\n  ".join(line for line in lines if line)

    def _repr_html_(self) -> str:
        names = list(self.to_frame().columns)
        rows = [(tier.name, tier.fits, *map(_unless_zero, tier.texts), tier.price_mark) for tier in self.tiers]
        tiers = table(pd.DataFrame(rows, columns=[name.removesuffix(", %") for name in names])).to_html()
        notes = f"<p>{html.escape(self.working_set_note)}</p><p>{html.escape(self.prices_note)}</p>"
        return f"<p><b>{html.escape(self.sentence)}</b> {html.escape(self.production_note)}</p>{tiers}{notes}"


def _unless_zero(text: str) -> str:
    """A share or a price as text; empty if all its digits are zero."""
    return text if re.search("[1-9]|[^0.,%]", text) else ""
