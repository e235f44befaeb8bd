"""The mix of pages that clients ask for; it is the same in the closed loop and in the open loop."""

import datetime as dt
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..query.filters import Question
from ..vocabulary import SCENARIOS
from .questions import Questions

PAGES = 5
"""A walk has at most this many pages."""


class Walk(NamedTuple):
    """One pass through the pages of a question, from the first one on.

    Attributes:
        question: a provider, with or without a date range.
        claims: about how many claims the answer has.
    """

    question: Question
    claims: float


class Place(NamedTuple):
    """One page of a walk, asked for on its own.

    Attributes:
        question: the question of the walk.
        begin: the page begins with the first claim that begins at this time or later; None for the first page.
    """

    question: Question
    begin: dt.datetime | None


def walks(questions: Questions, tiers: Sequence[str]) -> Iterator[Walk]:
    """Yield walks without end: every tier is equally likely, and about half of the walks have a date range."""
    for number in itertools.count():
        tier, scenario = questions.random.choice(tiers), questions.random.choice(tuple(SCENARIOS))
        yield Walk(questions.number(number, tier, scenario), questions.expected_claims(tier, scenario))


def places(questions: Questions, tiers: Sequence[str], page_size: int) -> Iterator[Place]:
    """Yield the pages of such walks without end; each can be read without the pages before it."""
    for question, claims in walks(questions, tiers):
        for page in range(min(PAGES, max(math.ceil(claims / page_size), 1))):
            part = page * page_size / claims
            yield Place(question, questions.moment(question, part) if page else None)
