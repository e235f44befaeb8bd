"""Totals for the explorer: each question is counted once, however many pages, threads and readers ask."""

import threading
from concurrent.futures import Future

from ..measure.stopwatch import timed
from ..query.filters import Question
from ..query.find import count_claims
from ..query.under_way import UnderWay
from ..store.store import ClaimStore


class Counts:
    """The counts made so far, each with the ms that it took, by question and plan."""

    def __init__(self, under_way: UnderWay):
        self._under_way = under_way
        self._counts: dict[tuple[Question, str], Future[tuple[int, float]]] = {}
        self._lock = threading.RLock()

    def count(self, store: ClaimStore, question: Question, plan: str) -> tuple[int, float]:
        """Return a total and the ms of its count; one that is known or under way is not counted again."""
        with self._lock:
            is_new = (question, plan) not in self._counts
            counted = self._counts.setdefault((question, plan), Future())
        if is_new:
            try:
                with self._under_way.query(store, (question, plan)):
                    counted.set_result(timed(store, lambda: count_claims(store, *question, plan=plan)))
            except BaseException as error:  # an interrupt too: nobody may wait for a count that is not under way
                with self._lock:
                    del self._counts[question, plan]
                counted.set_exception(error)
        return counted.result()

    def known(self, question: Question, plan: str) -> tuple[int, float] | tuple[None, None]:
        """Return what `count` would, if that needs no waiting."""
        with self._lock:
            counted = self._counts.get((question, plan))
            return counted.result() if counted is not None and counted.done() else (None, None)

    def forget(self, question: Question, plan: str) -> None:
        """Let a total be counted anew; one that is being counted is new enough."""
        with self._lock:
            if self.known(question, plan) != (None, None):
                del self._counts[question, plan]
