"""The progress of a run, by the time that it is expected to take."""

import sys
from collections.abc import Mapping

from tqdm import tqdm

_FORMAT = "{desc}{percentage:3.0f}%|{bar}| {elapsed}<{remaining}"


class Progress:
    """A bar on standard output that fills with the expected seconds of a run's parts.

    A part's time is a guess until the part begins and knows its calls; then the bar is corrected.
    """

    def __init__(self, guesses: Mapping[str, float], *, shown: bool):
        """Show an empty bar; `guesses` maps each part of the run to its guessed seconds."""
        self._left = dict(guesses)
        self._done = 0.0
        self._part = ""
        self._bar = tqdm(
            total=sum(self._left.values()), bar_format=_FORMAT, file=sys.stdout, disable=not shown, mininterval=0.5
        )

    def begin(self, part: str) -> None:
        """Begin a part; any time left of the previous one is dropped."""
        self._left.pop(self._part, None)
        self._part = part
        self._refresh()

    def expect(self, seconds: float) -> None:
        """Set how long the rest of this part will take."""
        self._left[self._part] = seconds
        self._refresh()

    def advance(self, seconds: float) -> None:
        """Record that this many of the part's expected seconds have passed."""
        self._left[self._part] = max(self._left.get(self._part, 0.0) - seconds, 0.0)
        self._done += seconds
        self._refresh()

    def describe(self, what: str) -> None:
        """Show what is being measured."""
        self._bar.set_description(f"Measuring {what}", refresh=False)
        self._bar.update(0)

    def close(self) -> None:
        """Close the bar and leave it as it is; it is full if nothing is left."""
        self._refresh()
        self._bar.close()

    def _refresh(self) -> None:
        self._bar.total = max(self._done + sum(self._left.values()), 1e-9)
        self._bar.update(self._done - self._bar.n)
