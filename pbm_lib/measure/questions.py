"""What a performance run asks: providers and windows of service dates, drawn from a seed."""

from __future__ import annotations

import datetime as dt
import random
from typing import NamedTuple

from bson import ObjectId

from ..claims.document import BEGIN, ID, TIN
from ..claims.roster import list_providers
from ..config import Config, PerformanceConfig
from ..query.cursor import encode_cursor
from ..query.filters import make_query, query_identity
from ..query.keyset import Boundary, sort_order
from ..store.driver_errors import translated_driver_errors
from ..store.store import ClaimStore

_FIRST_ID = ObjectId("0" * 24)


class Question(NamedTuple):
    """Provider and dates in the order in which `find_claims` and its siblings take them."""

    tin: str
    start: dt.date | None = None
    end: dt.date | None = None


class Questions:
    """Draws questions; the same seed and name draw the same ones, whatever the other parts of the run do.

    Attributes:
        random: the generator, also for the order in which the questions are asked.
    """

    def __init__(self, config: Config, settings: PerformanceConfig, name: str):
        self.random = random.Random(f"{settings.seed} {name}")
        data = config.data_generation
        self._first, self._last = data.first_service_date, data.last_service_date
        self._window = min(settings.window_days, self.period_days)
        self._sizes = {tier.name: tier.claims_per_provider for tier in data.tiers}
        self._tins = {tier: [p.tin for p in list_providers(config, tier)] for tier in settings.tiers_to_test}

    @property
    def period_days(self) -> int:
        """Days in which claims begin."""
        return (self._last - self._first).days + 1

    def draw(self, tier: str, scenario: str, *, part: tuple[int, int] = (0, 1)) -> Question:
        """Return a question.

        Args:
            tier: any provider of this tier.
            scenario: "provider" for all of its claims, "range" for those in a window.
            part: (i, n) lets the window begin in the i-th of n equal parts of the period, i from 0.
        """
        tin = self.random.choice(self._tins[tier])
        if scenario == "provider":
            return Question(tin)
        (number, parts), latest = part, self.period_days - self._window
        day = int((number + self.random.random()) / parts * (latest + 1))
        start = self._first + dt.timedelta(days=day)
        return Question(tin, start, start + dt.timedelta(days=self._window - 1))

    def expected_claims(self, tier: str, scenario: str) -> float:
        """Return about how many claims the answer has: they are spread evenly over the period."""
        share = 1.0 if scenario == "provider" else self._window / self.period_days
        return self._sizes[tier] * share

    def moment(self, question: Question, part: float) -> dt.datetime:
        """Return the moment at a part, 0 to 1, of the question's window or of the whole period."""
        first = dt.datetime.combine(question.start or self._first, dt.time())
        last = dt.datetime.combine((question.end or self._last) + dt.timedelta(days=1), dt.time())
        return first + dt.timedelta(seconds=round((last - first).total_seconds() * part))


def cursor_at(store: ClaimStore, question: Question, begin: dt.datetime, _id: ObjectId = _FIRST_ID) -> str:
    """Return the token of the page behind a place, as if somebody had walked there.

    Args:
        store: the claims.
        question: the query that the token is for.
        begin: service begin date of the place.
        _id: `_id` of the place; the lowest by default.
    """
    return encode_cursor(Boundary("next", (begin, _id)), query_identity(store, make_query(store, *question)))


def cursor_after(store: ClaimStore, tin: str, depth: int) -> str | None:
    """Return the token of the page behind so many claims of a provider, as if somebody had walked there.

    Args:
        store: the claims.
        tin: the billing provider's TIN, with more claims than `depth`.
        depth: claims before the page; 0 is the first page, which needs no token.
    """
    if not depth:
        return None
    with translated_driver_errors():
        before = store.collection.find_one({TIN: tin}, {BEGIN: 1}, sort=sort_order(None), skip=depth - 1)
    return cursor_at(store, Question(tin), before[BEGIN], before[ID])
