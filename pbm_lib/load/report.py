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
        seconds: time that adding them took, without the checks.
        workers: loading processes.
        batch_size: claims in one insert.
        tiers: (tier, providers, claims counted on the server), a row a tier.
        progress: (seconds since the start, claims added until then), at most about 200 points.
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
        """Claims added a second; 0 when there was nothing to add."""
        return self.inserted / self.seconds if self.seconds else 0.0

    def tiers_frame(self):
        """Return the check of counts as a pandas DataFrame, a row a tier."""
        return pd.DataFrame(self.tiers, columns=["tier", "providers", "claims"])

    def rate_frame(self):
        """Return claims a second over the time of the load as a pandas DataFrame: seconds, claims_per_second.

        The time is cut into equal parts, at most 60: batches of several workers get done in bursts.
        """
        seconds, claims = zip(*self.progress, strict=True)
        cuts = np.linspace(0, seconds[-1], min(len(seconds), _PARTS + 1))
        rate = np.diff(np.interp(cuts, seconds, claims)) / np.diff(cuts)
        return pd.DataFrame({"seconds": cuts[1:], "claims_per_second": rate})

    def facts(self) -> dict[str, str]:
        """Return what a reader wants to know of this load, label to value."""
        added = (
            f"{self.inserted:,} in {self.seconds:.1f} s, {self.claims_per_second:,.0f} claims a second "
            f"({self.workers} worker{'s' if self.workers != 1 else ''}, batches of {self.batch_size:,})"
            if self.inserted
            else "nothing to add"
        )
        tiers = {
            f"Tier {tier}": f"{claims:,} claims of {count:,} provider{'s' if count != 1 else ''}"
            for tier, count, claims in self.tiers
        }
        total = f"{self.volume:,} claims on the server, every provider's count checked"
        return {"Loaded": total, "Added now": added, **tiers}
