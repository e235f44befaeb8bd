"""What an application calls at each tier. Only the call itself is timed, not what prepares it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..query.filters import Question
from ..query.find import count_claims, find_claims
from ..query.jump import cursor_at
from ..store.store import ClaimStore
from ..vocabulary import BY_TIER, SCENARIOS
from .questions import DEEP, Questions
from .recorder import Recorder
from .sampling import Task, take_samples


@dataclass(frozen=True)
class _Call:
    """How an operation is called: what has to be done before the call that is timed, which `prepare` returns.

    `prepare` returns None where the answer turned out to have no such page; `goes_on` says that it needs a second page.
    """

    prepare: Callable[[ClaimStore, Questions, Question], Callable[[], Any] | None]
    goes_on: bool = False


def _count(store: ClaimStore, _: Questions, question: Question) -> Callable[[], int]:
    return partial(count_claims, store, *question)


def _page(store: ClaimStore, question: Question, cursor: str | None = None) -> Callable[[], Any]:
    return partial(find_claims, store, *question, cursor=cursor, with_total=False)


def _first_page(store: ClaimStore, _: Questions, question: Question) -> Callable[[], Any]:
    return _page(store, question)


def _next_page(store: ClaimStore, _: Questions, question: Question) -> Callable[[], Any] | None:
    cursor = _page(store, question)().next_cursor
    return None if cursor is None else _page(store, question, cursor)


def _deep_page(store: ClaimStore, questions: Questions, question: Question) -> Callable[[], Any]:
    return _page(store, question, cursor_at(store, question, questions.moment(question, DEEP)))


CALLS = {
    "count": _Call(_count),
    "first_page": _Call(_first_page),
    "next_page": _Call(_next_page, goes_on=True),
    "deep_page": _Call(_deep_page, goes_on=True),
}
"""Every operation of `vocabulary.BY_TIER`, and how it is called."""


def measure_latency(recorder: Recorder) -> None:
    """First, next and deep page for each tier, with and without a window, and a ping; all in one shuffled order.

    The first page of a window and all counts are measured where they are compared: `ranges`, `totals`.
    """
    tasks = [Task({"section": "floor", "operation": "ping"}, lambda _: partial(_ping, recorder.store))]
    for tier in recorder.settings.tiers_to_test:
        for scenario in SCENARIOS:
            for operation in BY_TIER:
                labels = {"tier": tier, "operation": operation, "scenario": scenario}
                if recorder.run.latency_labels(**labels)["section"] == "latency":
                    tasks += _task(recorder, labels)
    take_samples(recorder, "latency", tasks, "latency")


def _task(recorder: Recorder, labels: dict[str, str]) -> list[Task]:
    tier, scenario, operation = labels["tier"], labels["scenario"], labels["operation"]
    questions = Questions(recorder.store.config, recorder.settings, f"latency {tier} {scenario} {operation}")
    call = CALLS[operation]
    if call.goes_on and questions.expected_claims(tier, scenario) <= recorder.run.settings.page_size:
        recorder.note(_one_page(tier, scenario))
        return []

    def prepare(number: int) -> Callable[[], Any] | None:
        prepared = call.prepare(recorder.store, questions, questions.number(number, tier, scenario))
        if prepared is None:
            recorder.note(_one_page(tier, scenario))
        return prepared

    return [Task({"section": "latency", **labels}, prepare)]


def _one_page(tier: str, scenario: str) -> str:
    return (
        f"Tier {tier}, {SCENARIOS[scenario].words}: an answer mostly fits on one page, so next and deep page are not "
        "(or not always) measured there."
    )


def _ping(store: ClaimStore) -> None:
    with store.errors_explained():
        store.collection.database.client.admin.command("ping")
