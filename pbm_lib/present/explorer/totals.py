"""Totals for the explorer: each question is counted once, no matter how many pages, threads, and readers need it."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

from ...query.filters import Question
from ...query.under_way import QueryEnded


class Totals:
    """The totals counted so far, each with the time of its count in ms, by question and by whether it is bounded."""

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
        """Return a total and the time of its count in ms. A known or running count is not repeated.

        Args:
            question: the question whose claims are counted.
            bounded: whether to use the bounded query.
            count: counts the claims.
            is_wanted: whether to count again after a page read has ended the count.
        """
        with self._lock:
            is_new = (question, bounded) not in self._totals
            total = self._totals.setdefault((question, bounded), Future())
        if is_new:
            try:
                total.set_result(_until_counted(count, is_wanted))
            except BaseException as error:  # also an interrupt: no thread may wait for a count that is not running
                with self._lock:
                    del self._totals[question, bounded]
                total.set_exception(error)
        return total.result()

    def known(self, question: Question, bounded: bool) -> tuple[int, float] | tuple[None, None]:
        """Return what `get` would return, or (None, None) if that would mean waiting."""
        with self._lock:
            total = self._totals.get((question, bounded))
            return total.result() if total is not None and total.done() else (None, None)

    def forget(self, question: Question, bounded: bool) -> None:
        """Have a total counted again next time; a count that is still running is recent enough and is kept."""
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
