"""Totals for the explorer: each question is counted once, however many pages, threads and readers ask."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

from ...query.filters import Question
from ...query.under_way import QueryEnded


class Totals:
    """The counts made so far, each with the ms that it took, by question, and whether bounded."""

    def __init__(self):
        self._totals: dict[tuple[Question, bool], Future[tuple[int, float]]] = {}
        self._lock = threading.RLock()

    def get(
        self,
        question: Question,
        bounded: bool,
        count: Callable[[], tuple[int, float]],
        is_wanted: Callable[[], bool],
    ) -> tuple[int, float]:
        """Return a total and the ms of its count; one that is known or under way is not counted again.

        Args:
            question: what is counted.
            bounded: whether by the bounded query.
            count: counts it.
            is_wanted: whether to count again after a page was read first, which ends a count.
        """
        with self._lock:
            is_new = (question, bounded) not in self._totals
            total = self._totals.setdefault((question, bounded), Future())
        if is_new:
            try:
                total.set_result(_until_counted(count, is_wanted))
            except BaseException as error:  # an interrupt too: nobody may wait for a count that is not under way
                with self._lock:
                    del self._totals[question, bounded]
                total.set_exception(error)
        return total.result()

    def known(self, question: Question, bounded: bool) -> tuple[int, float] | tuple[None, None]:
        """Return what `get` would, if that needs no waiting."""
        with self._lock:
            total = self._totals.get((question, bounded))
            return total.result() if total is not None and total.done() else (None, None)

    def forget(self, question: Question, bounded: bool) -> None:
        """Let a total be counted anew; one that is being counted is new enough."""
        with self._lock:
            if self.known(question, bounded) != (None, None):
                del self._totals[question, bounded]


def _until_counted(count: Callable[[], tuple[int, float]], is_wanted: Callable[[], bool]) -> tuple[int, float]:
    while True:
        try:
            return count()
        except QueryEnded:
            if not is_wanted():
                raise
