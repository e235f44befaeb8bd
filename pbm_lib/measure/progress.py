"""How far a run is, by the time that it is expected to take."""

import sys
from collections.abc import Mapping

from tqdm import tqdm

_FORMAT = "{desc}{percentage:3.0f}%|{bar}| {elapsed}<{remaining}"


class Progress:
    """A bar on standard output that fills with the expected seconds of a run's parts.

    A part's time is a guess until the part has begun and knows its calls; then the bar is put right.
    """

    def __init__(self, guesses: Mapping[str, float], *, shown: bool):
        """Begin with the parts of the run and their guessed seconds."""
        self._left = dict(guesses)
        self._done = 0.0
        self._part = ""
        self._bar = tqdm(
            total=sum(self._left.values()), bar_format=_FORMAT, file=sys.stdout, disable=not shown, mininterval=0.5
        )

    def begin(self, part: str) -> None:
        """Turn to a part; what was left of the one before is dropped."""
        self._left.pop(self._part, None)
        self._part = part
        self._refresh()

    def expect(self, seconds: float) -> None:
        """Say how long the rest of this part will take."""
        self._left[self._part] = seconds
        self._refresh()

    def advance(self, seconds: float) -> None:
        """Say that so many of the expected seconds of this part are over."""
        self._left[self._part] = max(self._left.get(self._part, 0.0) - seconds, 0.0)
        self._done += seconds
        self._refresh()

    def describe(self, what: str) -> None:
        """Name what is being measured."""
        self._bar.set_description(f"Measuring {what}", refresh=False)
        self._bar.update(0)

    def close(self) -> None:
        """Leave the bar as it stands; full, where nothing is left."""
        self._refresh()
        self._bar.close()

    def _refresh(self) -> None:
        self._bar.total = max(self._done + sum(self._left.values()), 1e-9)
        self._bar.update(self._done - self._bar.n)
