"""Totals for the explorer: each question is counted once, however many pages, threads and readers ask."""

import threading
from concurrent.futures import Future

from ..query.filters import Question
from ..query.find import count_claims
from ..query.stopwatch import timed
from ..query.under_way import UnderWay
from ..store.store import ClaimStore


class Counts:
    """The counts made so far, each with the ms that it took, by question, and whether bounded."""

    def __init__(self, under_way: UnderWay):
        self._under_way = under_way
        self._counts: dict[tuple[Question, bool], Future[tuple[int, float]]] = {}
        self._lock = threading.RLock()

    def count(self, store: ClaimStore, question: Question, bounded: bool) -> tuple[int, float]:
        """Return a total and the ms of its count; one that is known or under way is not counted again."""
        with self._lock:
            is_new = (question, bounded) not in self._counts
            counted = self._counts.setdefault((question, bounded), Future())
        if is_new:
            try:
                with self._under_way.query(store, (question, bounded)):
                    counted.set_result(timed(store, lambda: count_claims(store, *question, bounded=bounded)))
            except BaseException as error:  # an interrupt too: nobody may wait for a count that is not under way
                with self._lock:
                    del self._counts[question, bounded]
                counted.set_exception(error)
        return counted.result()

    def known(self, question: Question, bounded: bool) -> tuple[int, float] | tuple[None, None]:
        """Return what `count` would, if that needs no waiting."""
        with self._lock:
            counted = self._counts.get((question, bounded))
            return counted.result() if counted is not None and counted.done() else (None, None)

    def forget(self, question: Question, bounded: bool) -> None:
        """Let a total be counted anew; one that is being counted is new enough."""
        with self._lock:
            if self.known(question, bounded) != (None, None):
                del self._counts[question, bounded]
