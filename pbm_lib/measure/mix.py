"""The mix of pages that clients ask for: the same where one follows the other as where each comes at its own time."""

import datetime as dt
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..query.filters import Question
from ..vocabulary import SCENARIOS
from .questions import Questions

PAGES = 5
"""A walk has so many pages at most."""


class Walk(NamedTuple):
    """A question, whose pages are walked through from the first one on.

    Attributes:
        question: to which provider, with or without a date range.
        claims: about how many claims the answer has.
    """

    question: Question
    claims: float


class Place(NamedTuple):
    """A page of a walk, asked for by itself.

    Attributes:
        question: of the walk.
        begin: the page begins with the first claim of this moment or later; None: it is the first page.
    """

    question: Question
    begin: dt.datetime | None


def walks(questions: Questions, tiers: Sequence[str]) -> Iterator[Walk]:
    """Yield walks without end: tiers come evenly, about every second walk has a date range."""
    for number in itertools.count():
        tier, scenario = questions.random.choice(tiers), questions.random.choice(tuple(SCENARIOS))
        yield Walk(questions.number(number, tier, scenario), questions.expected_claims(tier, scenario))


def places(questions: Questions, tiers: Sequence[str], page_size: int) -> Iterator[Place]:
    """Yield the pages of such walks without end, each to be found without those before it."""
    for question, claims in walks(questions, tiers):
        for page in range(min(PAGES, max(math.ceil(claims / page_size), 1))):
            part = page * page_size / claims
            yield Place(question, questions.moment(question, part) if page else None)
