"""What the explorer shows, and how a page, its total, and what follows them get there."""

from functools import partial
from typing import Self

from ...arguments import in_short, not_accepted
from ...claims.roster import list_providers
from ...errors import InvalidQuery, PbmError
from ...query.filters import Question
from ...query.page import ClaimPage
from ...query.request import Request
from ...query.under_way import QueryEnded
from ...store.store import ClaimStore
from .asker import Asker
from .moments import FIRST, Asked, Choice, Moments, Shown
from .totals import Totals

_MOST_SECONDS = 3_600


class ExplorerState:
    """What the explorer shows now, and the reading that its steps share."""

    def __init__(self, store: ClaimStore, seconds: float):
        if not 0 < seconds <= _MOST_SECONDS:
            raise not_accepted("seconds", in_short(seconds))
        question = Question(list_providers(store.config)[0].tin)
        self._moments = Moments(Choice(question, store.config.query.default_page_size))
        self._asker = Asker(store, seconds, self._moments)
        self._totals = Totals()

    @property
    def store(self) -> ClaimStore:
        """The claims, on the explorer's own connection."""
        return self._asker.store

    @property
    def page(self) -> ClaimPage | None:
        """The page shown; None if there is no answer."""
        return self.shown.page

    @property
    def page_ms(self) -> float | None:
        """Time of the page in ms, from sending the request to having decoded the answer."""
        return self.shown.page_ms

    @property
    def total(self) -> int:
        """Number of claims in the whole result; counted on first use, not with each page (unless `count_each_page`)."""
        return self._count(self.shown.choice)[0]

    @property
    def count_ms(self) -> float:
        """Time of the count of the total in ms."""
        return self._count(self.shown.choice)[1]

    @property
    def requests(self) -> tuple[Request, ...]:
        """The requests sent, newest first."""
        return self.shown.log

    @property
    def error(self) -> str | None:
        """Why the choice has no answer, or only part of one, in a sentence; None if there was no error."""
        return self.shown.error

    @property
    def shown(self) -> Shown:
        """The current moment: a frozen snapshot of what is shown."""
        return self._moments.now

    def follow_up(self) -> None:
        """Get what follows a page: what the server examined for it, and the total. Errors are shown, not raised."""
        shown = self.shown
        try:
            if not shown.is_alone:
                self._read_alone()
            self._asker.examine()
            if shown.page is not None and shown.wants_total:
                self._count(shown.choice)
                self._asker.examine()
        except QueryEnded:
            return
        except PbmError as error:
            self._moments.add(shown, error=str(error))

    def _read(self, choice: Choice, asked: Asked = FIRST, before: int | None = 0) -> Self:
        if choice.count_each_page or asked == FIRST:
            self._totals.forget(choice.question, choice.bounded)
        step = self._moments.begin(choice, asked, *self._totals.known(choice.question, choice.bounded))
        try:
            answer = self._asker.find(choice, asked, ends_earlier=True)
        except PbmError as error:
            self._moments.fail(step, _sentence(error, choice.question))
            raise
        before = before if answer.page.prev_cursor else 0
        self._moments.end(
            step, answer.ms, page=answer.page, asked=asked, before=before and max(before, 0), request=answer.request,
            is_alone=answer.is_alone,
        )  # fmt: skip
        return self

    def _read_alone(self) -> None:
        """Read the page again, because another query was running, and show the time that it takes alone."""
        shown = self.shown
        answer = self._asker.find(shown.choice, shown.asked, ends_earlier=False)
        self._moments.add(
            shown, request=answer.request, page_ms=answer.ms, is_alone=True,
            notice="Timed again: another query was still running the first time." if answer.is_alone else None,
        )  # fmt: skip

    def _count(self, choice: Choice) -> tuple[int, float]:
        counted, cancelled = (choice.question, choice.bounded), self._moments.cancelled

        def is_wanted() -> bool:
            now = self.shown.choice
            return self._moments.cancelled == cancelled and (now.question, now.bounded) == counted

        total, count_ms = self._totals.get(*counted, partial(self._asker.count, choice, is_wanted), is_wanted)
        self._moments.add_total(choice, total, count_ms)
        return total, count_ms


def _sentence(error: PbmError, question: Question) -> str:
    _, start, end = question
    if type(error) is InvalidQuery and start and end:  # each date was valid on its own, so their order is wrong
        return f"The last service date, {end}, is before the first, {start}. Choose a later last date."
    return str(error)
