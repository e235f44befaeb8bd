"""What a load did: counts, times and the rate."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..display import ShownAsFacts

_PARTS = 60


@dataclass(frozen=True, repr=False)
class LoadReport(ShownAsFacts):
    """What a load did.

    Attributes:
        volume: claims on the server now, checked by counting.
        inserted: claims that this call added, as far as the server acknowledged them.
        seconds: time spent adding them, without the checks.
        workers: loading processes.
        batch_size: claims per insert.
        tiers: (tier, providers, claims counted on the server), one row per tier.
        progress: (seconds since the start, claims added by then), at most about 200 points.
    """

    volume: int
    inserted: int
    seconds: float
    workers: int
    batch_size: int
    tiers: tuple[tuple[str, int, int], ...]
    progress: tuple[tuple[float, int], ...]

    @property
    def claims_per_second(self) -> float:
        """Claims added per second; 0 if there was nothing to add."""
        return self.inserted / self.seconds if self.seconds else 0.0

    def tiers_frame(self):
        """Return the checked counts as a pandas DataFrame, one row per tier."""
        return pd.DataFrame(self.tiers, columns=["tier", "providers", "claims"])

    def rate_frame(self):
        """Return the load rate over time as a pandas DataFrame: seconds, claims_per_second.

        The time is cut into equal parts, at most 60, because batches of several workers finish in bursts.
        """
        seconds, claims = zip(*self.progress, strict=True)
        cuts = np.linspace(0, seconds[-1], min(len(seconds), _PARTS + 1))
        rate = np.diff(np.interp(cuts, seconds, claims)) / np.diff(cuts)
        return pd.DataFrame({"seconds": cuts[1:], "claims_per_second": rate})

    def facts(self) -> dict[str, str]:
        """Return facts about this load, label to value."""
        added = (
            f"{self.inserted:,} in {self.seconds:.1f} s, {self.claims_per_second:,.0f} claims per second "
            f"({self.workers} worker{'s' if self.workers != 1 else ''}, batches of {self.batch_size:,})"
            if self.inserted
            else "nothing to add"
        )
        tiers = {
            f"Tier {tier}": f"{count:,} provider{'s' if count != 1 else ''}, {claims:,} claims"
            for tier, count, claims in self.tiers
        }
        total = f"{self.volume:,} claims on the server; every provider's count checked"
        return {"Loaded": total, "Added now": added, **tiers}
