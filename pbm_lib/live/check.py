"""Checks the pages of walks against the claims present at the start: none lost, none repeated, all in order."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from bson.datetime_ms import DatetimeMS

from ..claims.document import ID
from .stretch import ID_BYTES, Stretch

_EPOCH = dt.datetime(1970, 1, 1)
_MS = dt.timedelta(milliseconds=1)


class Check:
    """Counts, over all walks, the claims that pages show, lose, or repeat.

    Args:
        order: fields that pages are sorted by; the last is `_id`.
        fed: condition on the `_id` of claims that a watch feeds.

    Attributes:
        checked: claims of the stretches that were seen in their place.
        lost: claims of the stretches that a walk passed without seeing, counted once per walk.
        repeated: claims that a walk saw twice or out of order, no matter who inserted them.
        arrived: fed claims seen.
        others: claims seen that were neither present at the start nor fed by a watch.
        walks: walks that reached the provider's last claim.
    """

    def __init__(self, order: Sequence[str], fed: dict[str, Any]):
        self._order, self._first_fed, self._last_fed = order, fed["$gte"], fed["$lte"]
        self.checked = self.lost = self.repeated = self.arrived = self.others = self.walks = 0
        self._stretch = Stretch("", b"", whole=False, pages=0)
        self._at = 0  # position of the next claim expected from the stretch
        self._last: tuple[Any, ...] | None = None

    def begin(self, stretch: Stretch) -> None:
        """Begin a walk."""
        self._stretch, self._at, self._last = stretch, 0, None

    def page(self, claims: Sequence[dict[str, Any]]) -> None:
        """Check the next page of the walk."""
        for claim in claims:
            key = tuple(_in_ms(claim[field]) for field in self._order)
            if self._last is not None and key <= self._last:
                self.repeated += 1
                continue
            self._last = key
            if self._first_fed <= claim[ID] <= self._last_fed:
                self.arrived += 1
            else:
                self._one(claim[ID].binary)

    def end(self) -> None:
        """End the walk: the provider has no further page."""
        self.walks += 1
        if self._stretch.whole:
            self.lost += self._stretch.claims - self._at
            self._at = self._stretch.claims

    def _one(self, id_: bytes) -> None:
        ids, at = self._stretch.ids, self._at * ID_BYTES
        if ids.startswith(id_, at):
            self._at += 1
            self.checked += 1
        elif (place := self._find(id_, self._at, self._stretch.claims)) is not None:
            self.lost += place - self._at
            self._at = place + 1
            self.checked += 1
        elif self._find(id_, 0, self._at) is not None:
            self.repeated += 1
        elif self._stretch.whole or at < len(ids):  # beyond the end of a partial stretch, nothing is known
            self.others += 1

    def _find(self, id_: bytes, first: int, stop: int) -> int | None:
        """Position of a claim in the stretch, from `first` up to but excluding `stop`; None if it is not there."""
        place = self._stretch.ids.find(id_, first * ID_BYTES, stop * ID_BYTES)
        while place >= 0 and place % ID_BYTES:  # a match that spans two ids
            place = self._stretch.ids.find(id_, place + 1, stop * ID_BYTES)
        return None if place < 0 else place // ID_BYTES


def _in_ms(value: Any) -> Any:
    """A date of either class as ms since 1970; any other value unchanged."""
    if isinstance(value, DatetimeMS):
        return int(value)
    return (value - _EPOCH) // _MS if isinstance(value, dt.datetime) else value
