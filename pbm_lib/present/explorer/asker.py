"""How the explorer queries the server: one query at a time, within a time limit, and with every request logged."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ...errors import PbmError
from ...query.examined import examined
from ...query.find import count_claims, find_claims
from ...query.observe import Observer
from ...query.page import ClaimPage
from ...query.request import Request
from ...query.turns import Turn, end_turns, turn
from ...query.under_way import QueryEnded
from ...store.store import ClaimStore
from .moments import Asked, Choice, Moments


@dataclass(frozen=True)
class Answer:
    """A page, and how it was read.

    Attributes:
        page: the page.
        request: the request sent for it.
        ms: time in ms from sending the request to having decoded the answer.
        is_alone: whether no other query of this process was running when the page was requested.
    """

    page: ClaimPage
    request: Request
    ms: float
    is_alone: bool


class Asker:
    """Runs the queries of one explorer on a connection of its own, and logs every request.

    Args:
        store: an open store.
        seconds: time limit of a query; a query that takes longer is ended on the server.
        moments: the explorer's moments, which hold the log.

    Attributes:
        store: the same claims, on the connection whose requests are logged.
    """

    def __init__(self, store: ClaimStore, seconds: float, moments: Moments):
        self._observer = Observer(store)
        self.store = self._observer.store
        self.listener = self._observer.listener
        self._seconds, self._moments = seconds, moments
        self._not_examined: list[tuple[Request, bool]] = []
        self._examining = threading.Lock()

    def find(self, choice: Choice, asked: Asked, *, ends_earlier: bool) -> Answer:
        """Read a page. With `ends_earlier`, end this explorer's running queries instead of waiting for them."""
        with self._turn(ends_earlier=ends_earlier) as mine, self._noted(choice.bounded) as requests:
            page = find_claims(
                self.store, *choice.question, page_size=asked.size or choice.page_size, cursor=asked.cursor,
                last=asked.last, order=choice.order, with_total=False, bounded=choice.bounded,
            )  # fmt: skip
        return Answer(page, requests[-1], _ms(requests), mine.alone)

    def count(self, choice: Choice, is_wanted: Callable[[], bool]) -> tuple[int, float]:
        """Return a total and the time of its count in ms; raise QueryEnded if nobody wants it when its turn comes."""
        with self._turn(), self._noted(choice.bounded) as requests:
            if not is_wanted():
                raise QueryEnded("The count was not started, because another query was requested.")
            self._moments.counting(choice, time.monotonic())
            try:
                total = count_claims(self.store, *choice.question, bounded=choice.bounded)
            finally:
                self._moments.counting(choice, None)
        return total, _ms(requests)

    def examine(self) -> None:
        """Find out what the server did for each request not examined yet, the latest first."""
        with self._examining:
            while self._not_examined:
                request, bounded = self._not_examined.pop()
                try:
                    with self._turn():
                        plan = examined(self.store, request, bounded=bounded)
                except QueryEnded:
                    self._not_examined.append((request, bounded))
                    raise
                if plan is not None:
                    self._moments.planned(request, plan)

    def stop(self) -> None:
        """End this explorer's running queries on the server."""
        end_turns(self)

    @contextmanager
    def _turn(self, *, ends_earlier: bool = False) -> Iterator[Turn]:
        too_long = PbmError(
            f"No answer within {self._seconds:g} s, so the query was ended. Choose a shorter range of dates or the "
            "bounded query, or open the explorer with a longer time limit (seconds=)."
        )
        with turn(self.store, self, ends_earlier=ends_earlier) as mine:
            limit = threading.Timer(self._seconds, mine.stop, [too_long])
            limit.daemon = True
            limit.start()
            try:
                yield mine
            finally:
                limit.cancel()

    @contextmanager
    def _noted(self, bounded: bool) -> Iterator[list[Request]]:
        """Add the requests that a block sends to the log, even if the block fails."""
        with self.listener.listening() as requests:
            try:
                yield requests
            finally:
                self._moments.log(requests)
                self._not_examined += [(request, bounded and self.store.bounded) for request in requests]


def _ms(requests: list[Request]) -> float:
    """Return the total time of consecutive requests, without the checks between them."""
    return sum(request.ms for request in requests)
