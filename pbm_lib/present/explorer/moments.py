"""The moments of an explorer: what it shows, one frozen value after the other, and who is told of the next one."""

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
"""Requests that are kept, and pages whose times are."""


@dataclass(frozen=True)
class Choice:
    """What a reader has chosen: a question, and how it is to be answered.

    Attributes:
        question: provider and dates.
        page_size: claims on a page.
        bounded: whether the bound D is to be used.
        order: "oldest" or "newest" claims first.
        count_each_page: whether the total is counted again with every page.
    """

    question: Question
    page_size: int
    bounded: bool = True
    order: str = OLDEST
    count_each_page: bool = False

    @property
    def query(self) -> str:
        """Which query it is, in words."""
        return query_words(self.bounded)


class Asked(NamedTuple):
    """Which page is asked for: the first one, the one behind a cursor, or the last one, of so many claims."""

    cursor: str | None = None
    last: bool = False
    size: int | None = None


FIRST = Asked()
"""The first page."""


class Earlier(NamedTuple):
    """The page before: with which query it was read, its ms, and its claims if the same page was asked for."""

    query: str
    ms: float
    claims: tuple[dict[str, Any], ...] | None


@dataclass(frozen=True)
class Shown:
    """One moment of the explorer.

    Attributes:
        choice: what was chosen.
        page: the page that is shown; None before one is read, or when there is none.
        asked: how that page was asked for.
        asking: how the page is asked for that is being read, or was read last.
        before: claims before the page; None if that is not known.
        request: what was sent for the page, with what the server examined once that is known.
        page_ms: time of the page in ms, from the request sent to the answer decoded.
        is_alone: whether no other query of this process ran when the page was read.
        total: claims in the whole result; None until counted.
        count_ms: time of the count in ms.
        wants_total: whether the total is still to be counted if it is not known; not after its count was canceled.
        earlier: the page before.
        error: what went wrong, in a sentence.
        notice: what else there is to say, in a sentence.
        reading_since, counting_since: since when a page is being read, or the total counted, on the monotonic clock;
            None if it is not.
        log: the requests sent, newest first.
        times: the query, in words, and ms of the pages read, oldest first.
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
        """What the server did for the page; None until known."""
        return self.request.plan if self.request is not None else None

    @property
    def waiting_since(self) -> float | None:
        """Since when something is awaited that may take long, on the monotonic clock; None if nothing is."""
        return self.reading_since if self.reading else self.counting_since

    @property
    def place(self) -> int | None:
        """Claims before the page; None if that is not known."""
        if self.before is None and self.asked.last and None not in (self.total, self.page):
            return max(self.total - len(self.page), 0)
        return self.before

    @property
    def same_claims(self) -> bool | None:
        """Whether this query and the other one gave the same page; None where the other did not read it."""
        if self.earlier is None or self.earlier.claims is None or self.page is None or self.reading:
            return None
        return self.earlier.claims == self.page.documents


class Moments:
    """What is shown now, and what comes of steps that overlap, since each click has a thread of its own.

    The latest step wins: an answer to an earlier one is dropped.

    Attributes:
        now: the current moment.
        step: number of the latest step.
        cancelled: how often something was cancelled.
    """

    def __init__(self, choice: Choice):
        self.now = Shown(choice)
        self.step = self.cancelled = 0
        self._before_step = self.now
        self._listeners: list[Callable[[Shown], None]] = []
        self._lock = threading.RLock()

    def listen(self, listener: Callable[[Shown], None]) -> None:
        """Call a listener with this moment and each that follows, one at a time, from whichever thread brings it."""
        with self._lock:
            self._listeners.append(listener)
            listener(self.now)

    def look(self, call: Callable[[Shown], _Seen]) -> _Seen:
        """Call with the current moment while no other one comes, and return what that returns."""
        with self._lock:
            return call(self.now)

    def begin(self, choice: Choice, asking: Asked, total: int | None, count_ms: float | None) -> int:
        """Show that a page is being read, with its total where that is known, and return the number of this step."""
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
        """Show the answer to a step, unless something else was asked for meanwhile."""
        with self._lock:
            if step != self.step:
                return
            times = (*self.now.times, (self.now.choice.query, page_ms))
            self._show(page_ms=page_ms, **answer, reading_since=None, times=times[-STRIP_LENGTH:])

    def fail(self, step: int, error: str) -> None:
        """Show why a step has no answer. One still stands on the page before it; after another choice, on none."""
        with self._lock:
            if step != self.step:
                return
            if self.now.choice == self._before_step.choice:
                self._restore(error=error)
            else:
                self._show(page=None, request=None, page_ms=None, reading_since=None, error=error)

    def cancel(self) -> None:
        """Show the page before the step that is under way; a total that is being counted is not waited for."""
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
        """Show more of the same page; a page that is gone needs it no longer."""
        with self._lock:
            if self.now.page is to.page and self.now.choice == to.choice and not self.now.reading:
                self._show(**more)

    def counting(self, choice: Choice, since: float | None) -> None:
        """Show that the total of a choice is being counted, or no longer."""
        with self._lock:
            if self._asks_for_same_total(choice):
                self._show(counting_since=since)

    def add_total(self, to: Choice, total: int, count_ms: float) -> None:
        """Show the total of a choice, on whichever of its pages one stands by now."""
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
        """Show what the server did for a request, in the log and where its page is shown."""
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
    """What is known of the page before: the same page, if it was read with the other query."""
    if old.page is None or old.page_ms is None:
        return None
    same_page = asked == old.asked and choice == replace(old.choice, bounded=choice.bounded)
    claims = old.page.documents if same_page and choice.bounded != old.choice.bounded else None
    return Earlier(old.choice.query, old.page_ms, claims)
