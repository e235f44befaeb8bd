"""How fast a load was: the data for the chart of its rate, stored with the load's state on the server."""

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
        inserted: claims that it added, as acknowledged by the server; at least 1.
        seconds: time that adding them took, without the checks.
        workers: loading processes.
        batch_size: claims per insert.
        progress: (seconds since the start, claims added by then), at most about 200 points.
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
        """The pace in words: claims, time, rate, workers, and batch size."""
        return (
            f"{self.inserted:,} in {self.seconds:.1f} s, {self.claims_per_second:,.0f} claims per second "
            f"({quantity(self.workers, 'worker')}, batches of {self.batch_size:,})"
        )

    def rates(self) -> tuple[np.ndarray, np.ndarray]:
        """Return times, in seconds since the start, and the claims per second from the previous time to each.

        The load's time is divided into at most 60 equal parts, because batches of several workers finish in bursts.
        """
        seconds, claims = zip(*self.progress, strict=True)
        cuts = np.linspace(0, seconds[-1], min(len(seconds), _PARTS + 1))
        return cuts[1:], np.diff(np.interp(cuts, seconds, claims)) / np.diff(cuts)

    def to_document(self) -> dict[str, Any]:
        """Return the pace as a document for MongoDB."""
        return asdict(self) | {"progress": [list(point) for point in self.progress]}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """Return the pace that `to_document` turned into this document."""
        points = tuple((seconds, claims) for seconds, claims in document["progress"])
        return cls(**{**document, "progress": points})
