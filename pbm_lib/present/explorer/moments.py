"""The moments of an explorer: frozen snapshots of what it shows, one after another, and their listeners."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from ...query.explain import QueryPlan
from ...query.filters import Question
from ...query.page import ClaimPage
from ...query.request import Request
from ...vocabulary import OLDEST, query_words

_Seen = TypeVar("_Seen")
LOG_LENGTH, STRIP_LENGTH = 100, 50
"""Number of requests that the log keeps, and of page times that the strip shows."""


@dataclass(frozen=True)
class Choice:
    """What a reader has chosen: a question, and how to answer it.

    Attributes:
        question: provider and dates.
        page_size: claims on a page.
        bounded: whether to use the bound D.
        order: "oldest" or "newest" claims first.
        count_each_page: whether to count the total again with every page.
    """

    question: Question
    page_size: int
    bounded: bool = True
    order: str = OLDEST
    count_each_page: bool = False

    @property
    def query(self) -> str:
        """The chosen query, in words."""
        return query_words(self.bounded)


class Asked(NamedTuple):
    """Which page is requested: the first, the one at a cursor, or the last; `size` overrides the chosen page size."""

    cursor: str | None = None
    last: bool = False
    size: int | None = None


FIRST = Asked()
"""The first page."""


class Earlier(NamedTuple):
    """The page shown before: its query, its time in ms, and its claims if the other query now reads the same page."""

    query: str
    ms: float
    claims: tuple[dict[str, Any], ...] | None


@dataclass(frozen=True)
class Shown:
    """One moment of the explorer: a snapshot of what it shows.

    Attributes:
        choice: what the reader has chosen.
        page: the page shown; None before one is read, or if there is none.
        asked: how that page was requested.
        asking: how the page being read, or the last page read, was requested.
        before: number of claims before the page; None if unknown.
        request: the request sent for the page, with its plan once that is known.
        page_ms: time of the page in ms, from sending the request to having decoded the answer.
        is_alone: whether no other query of this process was running when the page was requested.
        total: number of claims in the whole result; None until counted.
        count_ms: time of the count in ms.
        wants_total: whether to count the total if it is not known; False after its count was canceled.
        earlier: the page shown before.
        error: what went wrong, in a sentence.
        notice: anything else to tell the reader, in a sentence.
        reading_since, counting_since: when the current page read or count began, on the monotonic clock; None if none
            is running.
        log: the requests sent, newest first.
        times: (query in words, ms) of each page read, oldest first.
    """

    choice: Choice
    page: ClaimPage | None = None
    asked: Asked = FIRST
    asking: Asked = FIRST
    before: int | None = 0
    request: Request | None = None
    page_ms: float | None = None
    is_alone: bool = True
    total: int | None = None
    count_ms: float | None = None
    wants_total: bool = True
    earlier: Earlier | None = None
    error: str | None = None
    notice: str | None = None
    reading_since: float | None = None
    counting_since: float | None = None
    log: tuple[Request, ...] = ()
    times: tuple[tuple[str, float], ...] = ()

    @property
    def reading(self) -> bool:
        """Whether a page is being read."""
        return self.reading_since is not None

    @property
    def examined(self) -> QueryPlan | None:
        """The plan of the page: what the server did for it; None until known."""
        return self.request.plan if self.request is not None else None

    @property
    def waiting_since(self) -> float | None:
        """When the current page read, or otherwise the count, began, on the monotonic clock; None if neither runs."""
        return self.reading_since if self.reading else self.counting_since

    @property
    def place(self) -> int | None:
        """Number of claims before the page, derived from the total for the last page; None if unknown."""
        if self.before is None and self.asked.last and None not in (self.total, self.page):
            return max(self.total - len(self.page), 0)
        return self.before

    @property
    def same_claims(self) -> bool | None:
        """Whether both queries returned the same page; None if the other query did not read it, or during a read."""
        if self.earlier is None or self.earlier.claims is None or self.page is None or self.reading:
            return None
        return self.earlier.claims == self.page.documents


class Moments:
    """Holds the current moment, and resolves steps that overlap.

    Steps can overlap because each click has its own thread. The latest step wins: an answer to an earlier one is
    dropped.

    Attributes:
        now: the current moment.
        step: number of the latest step.
        cancelled: number of calls to `cancel`.
    """

    def __init__(self, choice: Choice):
        self.now = Shown(choice)
        self.step = self.cancelled = 0
        self._before_step = self.now
        self._listeners: list[Callable[[Shown], None]] = []
        self._lock = threading.RLock()

    def listen(self, listener: Callable[[Shown], None]) -> None:
        """Call the listener with the current moment and every later one, one at a time, on whichever thread sets it."""
        with self._lock:
            self._listeners.append(listener)
            listener(self.now)

    def look(self, call: Callable[[Shown], _Seen]) -> _Seen:
        """Call a function with the current moment, and return its result. The moment cannot change meanwhile."""
        with self._lock:
            return call(self.now)

    def begin(self, choice: Choice, asking: Asked, total: int | None, count_ms: float | None) -> int:
        """Show that a page is being read, with the total if it is known, and return the number of this step."""
        with self._lock:
            self.step += 1
            old = self.now
            if not old.reading:
                self._before_step = old
            same = choice.question == old.choice.question
            self._show(
                choice=choice, asking=asking, total=total, count_ms=count_ms,
                earlier=_earlier(self._before_step, choice, asking),
                request=None, error=None, notice=None, reading_since=time.monotonic(), counting_since=None,
                wants_total=True, page=old.page if same else None,
            )  # fmt: skip
            return self.step

    def end(self, step: int, page_ms: float, **answer: Any) -> None:
        """Show the answer to a step, unless it is no longer the latest one."""
        with self._lock:
            if step != self.step:
                return
            times = (*self.now.times, (self.now.choice.query, page_ms))
            self._show(page_ms=page_ms, **answer, reading_since=None, times=times[-STRIP_LENGTH:])

    def fail(self, step: int, error: str) -> None:
        """Show why a step failed. The page shown before it stays, but if the choice has changed, no page is shown."""
        with self._lock:
            if step != self.step:
                return
            if self.now.choice == self._before_step.choice:
                self._restore(error=error)
            else:
                self._show(page=None, request=None, page_ms=None, reading_since=None, error=error)

    def cancel(self) -> None:
        """Go back to the page shown before the running step. If only a count is running, stop waiting for it."""
        with self._lock:
            now, self.step, self.cancelled = self.now, self.step + 1, self.cancelled + 1
            if now.reading:
                seconds = time.monotonic() - now.reading_since
                self._restore(notice=f"Canceled after {seconds:.1f} s: the {now.choice.query} was ended on the server.")
            elif now.counting_since is not None:
                seconds = time.monotonic() - now.counting_since
                notice = f"Canceled after {seconds:.1f} s: the count was ended on the server."
                self._show(counting_since=None, wants_total=False, notice=notice)

    def add(self, to: Shown, **more: Any) -> None:
        """Show more about the page of a moment, unless that page is no longer shown."""
        with self._lock:
            if self.now.page is to.page and self.now.choice == to.choice and not self.now.reading:
                self._show(**more)

    def counting(self, choice: Choice, since: float | None) -> None:
        """Show when the count of a choice's total began; None if it is no longer running."""
        with self._lock:
            if self._asks_for_same_total(choice):
                self._show(counting_since=since)

    def add_total(self, to: Choice, total: int, count_ms: float) -> None:
        """Show the total of a choice, whichever of its pages is shown by now."""
        with self._lock:
            if self._asks_for_same_total(to):
                self._show(total=total, count_ms=count_ms, counting_since=None)

    def log(self, requests: Sequence[Request]) -> None:
        """Add requests to the log."""
        if requests:
            with self._lock:
                self._show(log=(*reversed(requests), *self.now.log)[:LOG_LENGTH])

    def clear_log(self) -> None:
        """Empty the log."""
        with self._lock:
            self._show(log=())

    def planned(self, request: Request, plan: QueryPlan) -> None:
        """Show what the server did for a request, both in the log and with its page if that is shown."""
        with self._lock:
            known = replace(request, plan=plan)
            log = tuple(known if each is request else each for each in self.now.log)
            self._show(log=log, request=known if self.now.request is request else self.now.request)

    def _asks_for_same_total(self, choice: Choice) -> bool:
        now = self.now.choice
        return (now.question, now.bounded) == (choice.question, choice.bounded)

    def _restore(self, **changes: Any) -> None:
        kept = {"log": self.now.log, "times": self.now.times, "counting_since": None}
        self._show(**{**vars(self._before_step), **kept, **changes})

    def _show(self, **changes: Any) -> None:
        self.now = replace(self.now, **changes)
        for listener in self._listeners:
            listener(self.now)


def _earlier(old: Shown, choice: Choice, asked: Asked) -> Earlier | None:
    """Return the page shown before, with its claims only if the other query now reads the same page."""
    if old.page is None or old.page_ms is None:
        return None
    same_page = asked == old.asked and choice == replace(old.choice, bounded=choice.bounded)
    claims = old.page.documents if same_page and choice.bounded != old.choice.bounded else None
    return Earlier(old.choice.query, old.page_ms, claims)
