"""What a performance run asks: providers and windows of service dates, drawn from a seed."""

import datetime as dt
import random
from functools import cache

from ..claims.tins import tins_of_tier
from ..config import Config, PerformanceConfig
from ..query.filters import Question
from ..vocabulary import PROVIDER

DEEP = 0.9
"""A deep page is about this far into the claims of an answer."""
_AROUND = 0.05  # deep pages begin up to this much before or after that place, so that each reads other claims
_GOLDEN = (5**0.5 - 1) / 2


class Questions:
    """Numbered questions: the same seed, name, and number give the same question, whatever else a run does.

    Windows are spread over the period by the golden ratio, so that even the first few are spread evenly. The providers
    of a tier take turns.

    Attributes:
        random: the generator, for anything else that is drawn.
    """

    def __init__(self, config: Config, settings: PerformanceConfig, name: str):
        self.random = random.Random(f"{settings.seed} {name}")
        data = config.data_generation
        self._first, self._last = data.first_service_date, data.last_service_date
        self._window = min(settings.window_days, self.period_days)
        self._sizes = {tier.name: tier.claims_per_provider for tier in data.tiers}
        self._offset = self.random.random()
        shuffled = cache(lambda tier: self._shuffled(tins_of_tier(data, tier)))
        self._tins = shuffled

    @property
    def period_days(self) -> int:
        """Number of days in the period in which claims begin."""
        return (self._last - self._first).days + 1

    @property
    def window_days(self) -> int:
        """Number of days in a window: as configured, or the whole period if that is shorter."""
        return self._window

    def number(self, number: int, tier: str, scenario: str) -> Question:
        """Return question `number`, from 0, about a provider of a tier."""
        tins = self._tins(tier)
        tin = tins[number % len(tins)]
        if scenario == PROVIDER:
            return Question(tin)
        return self.window(tin, (self._offset + number * _GOLDEN) % 1)

    def window(self, tin: str, part: float) -> Question:
        """Return a question about a provider and a window; `part` goes from 0 (earliest window) to 1 (latest)."""
        latest = self.period_days - self._window
        start = self._first + dt.timedelta(days=min(int(part * (latest + 1)), latest))
        return Question(tin, start, start + dt.timedelta(days=self._window - 1))

    def deep(self, number: int) -> float:
        """Return how far into the claims of an answer deep page `number` begins, 0.85 to 0.95."""
        return DEEP + _AROUND * (2 * ((self._offset + number * _GOLDEN) % 1) - 1)

    def expected_claims(self, tier: str, scenario: str) -> float:
        """Return about how many claims the answer has, since claims are spread evenly over the period."""
        share = 1.0 if scenario == PROVIDER else self._window / self.period_days
        return self._sizes[tier] * share

    def moment(self, question: Question, part: float) -> dt.datetime:
        """Return the time that is `part`, 0 to 1, of the way through the question's window or the whole period."""
        first = dt.datetime.combine(question.start or self._first, dt.time())
        last = dt.datetime.combine((question.end or self._last) + dt.timedelta(days=1), dt.time())
        return first + dt.timedelta(seconds=round((last - first).total_seconds() * part))

    def _shuffled(self, tins: list[str]) -> list[str]:
        return self.random.sample(tins, len(tins))
