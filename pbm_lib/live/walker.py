"""The walker: requests page after page, each when it is due, in walk after walk."""

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
    """One page that was requested.

    Attributes:
        at: when it was due, in seconds from the start of the watch.
        ms: time in ms from then until the request ended.
        retries: commands that failed and were resent by the driver.
        error: kind of error that the request ended with; None if it returned a page.
        claims: claims on the page; None if there was no page.
    """

    at: float
    ms: float
    retries: int
    error: str | None
    claims: int | None

    @property
    def end(self) -> float:
        """When the request ended, in seconds from the start of the watch."""
        return self.at + self.ms / 1000


class Walker:
    """Requests pages in order. If one fails, the next request is for the same page again.

    Args:
        watch: the stopwatch that times the pages.
        store: the store that the stopwatch measures.
        walks: the claims that each walk should see, in order; after the last walk, the first one begins again.
        check: checks the pages.

    Attributes:
        samples: one sample per page requested.
        is_lost: whether the index was switched, and with it the order of pages, so the walk cannot continue.
    """

    def __init__(self, watch: Stopwatch, store: ClaimStore, walks: Sequence[Stretch], check: Check):
        self._watch, self._store, self._walks, self._check = watch, store, walks, check
        self._variant = store.variant
        self._number, self._pages = 0, 0
        self._cursor: str | None = None
        self.samples: list[PageSample] = []
        self.is_lost = False

    def warm_up(self) -> None:
        """Open the connection by requesting a page that is not recorded."""
        self._watch.time(lambda: find_claims(self._store, self._walk.tin, with_total=False))

    def ask(self, start: float, meant: float, end: float) -> None:
        """Request the next page.

        Args:
            start: start of the watch, on `time.perf_counter`.
            meant: when the page is due, in seconds from the start.
            end: end of the watch, on `time.perf_counter`; a page that has not arrived 5 seconds later has failed.
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
