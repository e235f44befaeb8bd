"""How fast a load was: what the chart of its rate is drawn from, kept with the load's state on the server."""

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from ..display import quantity

_PARTS = 60


@dataclass(frozen=True)
class LoadPace:
    """How many claims one call of `load_claims` added, and how fast.

    Attributes:
        inserted: claims that it added, as far as the server acknowledged them; at least 1.
        seconds: time that adding them took, without the checks.
        workers: loading processes.
        batch_size: claims in one insert.
        progress: (seconds since the start, claims added until then), at most about 200 points.
        ended: when it ended, UTC.
    """

    inserted: int
    seconds: float
    workers: int
    batch_size: int
    progress: tuple[tuple[float, int], ...]
    ended: dt.datetime

    @property
    def claims_per_second(self) -> float:
        """Claims added per second."""
        return self.inserted / self.seconds

    @property
    def words(self) -> str:
        """The pace in words: claims, time, rate, and with how many processes."""
        return (
            f"{self.inserted:,} in {self.seconds:.1f} s, {self.claims_per_second:,.0f} claims per second "
            f"({quantity(self.workers, 'worker')}, batches of {self.batch_size:,})"
        )

    def rates(self) -> tuple[np.ndarray, np.ndarray]:
        """Return moments, in seconds since the start, and the claims per second until each from the one before.

        The time is cut into equal parts, at most 60: batches of several workers get done in bursts.
        """
        seconds, claims = zip(*self.progress, strict=True)
        cuts = np.linspace(0, seconds[-1], min(len(seconds), _PARTS + 1))
        return cuts[1:], np.diff(np.interp(cuts, seconds, claims)) / np.diff(cuts)

    def to_document(self) -> dict[str, Any]:
        """Return it as MongoDB stores it."""
        return asdict(self) | {"progress": [list(point) for point in self.progress]}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """Return what `to_document` was called on."""
        points = tuple((seconds, claims) for seconds, claims in document["progress"])
        return cls(**{**document, "progress": points})
