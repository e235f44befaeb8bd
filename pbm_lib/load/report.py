"""What a load did: counts, times, and the rate."""

from dataclasses import dataclass

import pandas as pd

from ..display import ShownAsFacts
from .pace import LoadPace

NO_PACE = "The rate of the load is not recorded: it was interrupted, or an earlier version of this program ran it."
"""Shown for claims whose load did not record its pace."""


@dataclass(frozen=True, repr=False)
class LoadReport(ShownAsFacts):
    """What a load did.

    Attributes:
        volume: claims on the server now, checked by counting.
        inserted: claims that this call added, as acknowledged by the server.
        seconds: time spent adding them, without the checks.
        workers: loading processes.
        batch_size: claims per insert.
        tiers: (tier, providers, claims counted on the server), one row per tier.
        progress: (seconds since the start, claims added by then), at most about 200 points.
        pace: rate of the load that added most of these claims (this one or an earlier one), as recorded on the server;
            None if it was not recorded.
    """

    volume: int
    inserted: int
    seconds: float
    workers: int
    batch_size: int
    tiers: tuple[tuple[str, int, int], ...]
    progress: tuple[tuple[float, int], ...]
    pace: LoadPace | None = None

    @property
    def claims_per_second(self) -> float:
        """Claims that this call added per second; 0 when there was nothing to add."""
        return self.inserted / self.seconds if self.seconds else 0.0

    def tiers_frame(self):
        """Return the checked counts as a pandas DataFrame, one row per tier: tier, providers, claims."""
        return pd.DataFrame(self.tiers, columns=["tier", "providers", "claims"])

    def rate_frame(self):
        """Return the load's rate over time as a pandas DataFrame: seconds, claims_per_second.

        There is one row for each of at most 60 equal parts of the time, and none if the pace was not recorded.
        """
        seconds, rates = self.pace.rates() if self.pace else ((), ())
        return pd.DataFrame({"seconds": seconds, "claims_per_second": rates})

    def facts(self) -> dict[str, str]:
        """Return facts about this load, label to value."""
        providers = sum(count for _, count, _ in self.tiers)
        counted = (
            f"{self.volume:,} claims on the server; every provider ({providers:,} in all) has exactly its configured "
            "number"
        )
        if self.pace and self.pace.inserted == self.inserted:
            return {"Loaded": counted, "Added now": self.pace.words}
        facts = {
            "Loaded": counted,
            "Added now": f"{self.inserted:,} claims" if self.inserted else "Already loaded; nothing to add.",
        }
        if self.pace is None:
            return facts | {"Rate": NO_PACE}
        return facts | {f"Loaded on {self.pace.ended:%Y-%m-%d}": self.pace.words}
