"""What a performance run asks: providers and windows of service dates, drawn from a seed."""

import datetime as dt
import random

from ..claims.roster import list_providers
from ..config import Config, PerformanceConfig
from ..query.filters import Question
from ..vocabulary import PROVIDER

DEEP = 0.9
"""A deep page lies this far into the claims of an answer."""


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
        """Return a question to a provider of a tier; its window begins in `part` (i, n): the i-th, from 0, of n."""
        tin = self.random.choice(self._tins[tier])
        if scenario == PROVIDER:
            return Question(tin)
        (number, parts), latest = part, self.period_days - self._window
        day = int((number + self.random.random()) / parts * (latest + 1))
        start = self._first + dt.timedelta(days=day)
        return Question(tin, start, start + dt.timedelta(days=self._window - 1))

    def expected_claims(self, tier: str, scenario: str) -> float:
        """Return about how many claims the answer has: they are spread evenly over the period."""
        share = 1.0 if scenario == PROVIDER else self._window / self.period_days
        return self._sizes[tier] * share

    def moment(self, question: Question, part: float) -> dt.datetime:
        """Return the moment at a part, 0 to 1, of the question's window or of the whole period."""
        first = dt.datetime.combine(question.start or self._first, dt.time())
        last = dt.datetime.combine((question.end or self._last) + dt.timedelta(days=1), dt.time())
        return first + dt.timedelta(seconds=round((last - first).total_seconds() * part))
