"""The walker: asks for page after page, each at its moment, in walk after walk."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import pymongo

from ..query.find import find_claims
from ..query.stopwatch import Stopwatch
from ..store.store import ClaimStore
from .check import Check
from .stretch import Stretch

_OVERTIME_SECONDS = 5.0
_FOREIGN_ORDER = ("InvalidCursor", "IndexChanged")


class PageSample(NamedTuple):
    """One page that was asked for.

    Attributes:
        at: seconds from the start of the watch at which it was meant to be asked for.
        ms: ms from then to its end.
        retries: commands that failed and that the driver sent again.
        error: kind of error that it ended with; None if there was a page.
        claims: claims on it; None if there was no page.
    """

    at: float
    ms: float
    retries: int
    error: str | None
    claims: int | None

    @property
    def end(self) -> float:
        """When it ended, in seconds from the start of the watch."""
        return self.at + self.ms / 1000


class Walker:
    """Asks for pages in order. Where one fails, the same one is asked for again next time.

    Args:
        watch: times the pages.
        store: the store that the watch times.
        walks: what the walks come by, from the first walk on; behind the last one it begins again.
        check: takes the pages.

    Attributes:
        samples: a sample each page asked for.
        is_lost: the index was switched, and with it the order of pages, so there is nothing to go on with.
    """

    def __init__(self, watch: Stopwatch, store: ClaimStore, walks: Sequence[Stretch], check: Check):
        self._watch, self._store, self._walks, self._check = watch, store, walks, check
        self._variant = store.variant
        self._number, self._pages = 0, 0
        self._cursor: str | None = None
        self.samples: list[PageSample] = []
        self.is_lost = False

    def warm_up(self) -> None:
        """Open the connection."""
        self._watch.time(lambda: find_claims(self._store, self._walk.tin, with_total=False))

    def ask(self, start: float, meant: float, end: float) -> None:
        """Ask for the next page.

        Args:
            start: of the watch, on `time.perf_counter`.
            meant: when it is meant to be asked for, in seconds from then.
            end: of the watch, on `time.perf_counter`; 5 seconds later a page that is not there has failed.
        """
        if self._cursor is None:
            self._check.begin(self._walk)
        with pymongo.timeout(max(end - time.perf_counter(), 0.0) + _OVERTIME_SECONDS):
            timing = self._watch.time(
                lambda: find_claims(self._store, self._walk.tin, cursor=self._cursor, with_total=False)
            )
        ms = round((time.perf_counter() - start - meant) * 1000, 4)
        page = timing.answer
        self.samples.append(PageSample(meant, ms, timing.retries, timing.error, None if page is None else len(page)))
        if timing.error in _FOREIGN_ORDER or self._store.variant != self._variant:
            self.is_lost = True
        elif page is not None:
            self._check.page(page)
            self._turn(page.next_cursor)

    @property
    def _walk(self) -> Stretch:
        return self._walks[self._number % len(self._walks)]

    def _turn(self, cursor: str | None) -> None:
        self._cursor, self._pages = cursor, self._pages + 1
        if cursor is None:
            self._check.end()
        if cursor is None or self._pages >= self._walk.pages:
            self._cursor, self._pages, self._number = None, 0, self._number + 1
