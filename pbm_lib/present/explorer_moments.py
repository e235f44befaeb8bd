"""The moments of an explorer: what it shows, one frozen value after the other, and who is told of the next one."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..query.explain import QueryPlan
from ..query.filters import Question
from ..query.page import ClaimPage

_QUICK_MS = 1_000


@dataclass(frozen=True)
class Choice:
    """What a reader has chosen: a question, and how it is to be answered.

    Attributes:
        question: provider and dates.
        page_size: claims on a page.
        bounded: whether the bound D is to be used.
    """

    question: Question
    page_size: int
    bounded: bool


@dataclass(frozen=True)
class Shown:
    """One moment of the explorer.

    Attributes:
        choice: what was chosen.
        page: the page that is shown; None before one is read, or when there is none.
        cursor: token that led to the page; None for the first.
        before: claims before the page.
        page_ms: time of the page in ms, as the client waited for it.
        total: claims in the whole result; None until counted.
        count_ms: time of the count in ms.
        examined: what the server says that it examined for the page; None until asked.
        error: what went wrong, in a sentence.
        reading: whether a page is being read.
        explaining: whether the server is being asked for its plan.
    """

    choice: Choice
    page: ClaimPage | None = None
    cursor: str | None = None
    before: int = 0
    page_ms: float | None = None
    total: int | None = None
    count_ms: float | None = None
    examined: QueryPlan | None = None
    error: str | None = None
    reading: bool = False
    explaining: bool = False

    @property
    def is_quick(self) -> bool:
        """Whether the page came so quickly that its query may be run again to see what it examines."""
        return self.page_ms is not None and self.page_ms < _QUICK_MS


class Moments:
    """What is shown now, and what comes of steps that overlap, since each click has a thread of its own.

    The latest step wins: an answer to an earlier one is dropped.

    Attributes:
        now: the current moment.
    """

    def __init__(self, choice: Choice):
        self.now = Shown(choice)
        self._before_step = self.now
        self._step = 0
        self._listeners: list[Callable[[Shown], None]] = []
        self._lock = threading.RLock()

    def listen(self, listener: Callable[[Shown], None]) -> None:
        """Call a listener with this moment and each that follows, one at a time, from whichever thread brings it."""
        with self._lock:
            self._listeners.append(listener)
            listener(self.now)

    def begin(self, choice: Choice, total: int | None, count_ms: float | None) -> int:
        """Show that a page is being read, with its total where that is known, and return the number of this step."""
        with self._lock:
            self._step += 1
            self._before_step = old = self.now
            same = choice.question == old.choice.question
            self._show(
                choice=choice, total=total, count_ms=count_ms, examined=None, error=None,
                reading=True, explaining=False,
                page=old.page if same else None, cursor=old.cursor if same else None,
            )  # fmt: skip
            return self._step

    def end(self, step: int, **answer: Any) -> None:
        """Show the answer to a step, unless something else was asked for meanwhile."""
        with self._lock:
            if step == self._step:
                # What was examined while this step was under way belongs to the page before.
                self._show(**answer, examined=None, reading=False)

    def fail(self, step: int, error: str) -> None:
        """Show why a step has no answer. One still stands on the page before it; after another choice, on none."""
        with self._lock:
            old = self._before_step
            self.end(step, error=error, page=old.page if self.now.choice == old.choice else None)

    def add(self, to: Shown, **more: Any) -> None:
        """Show more of the same page; a page that is gone needs it no longer."""
        with self._lock:
            if self.now.page is to.page and self.now.choice == to.choice:
                self._show(**more)

    def add_total(self, to: Choice, total: int, count_ms: float) -> None:
        """Show the total of a choice, on whichever of its pages one stands by now."""
        with self._lock:
            now = self.now.choice
            if self.now.total is None and (now.question, now.bounded) == (to.question, to.bounded):
                self._show(total=total, count_ms=count_ms)

    def _show(self, **changes: Any) -> None:
        self.now = replace(self.now, **changes)
        for listener in self._listeners:
            listener(self.now)
