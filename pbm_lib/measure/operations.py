"""What an application calls, measured at each tier. Only the call itself is timed, not its preparation."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..query.filters import Question
from ..query.find import count_claims, find_claims
from ..query.jump import cursor_at
from ..query.page import ClaimPage
from ..store.store import ClaimStore
from ..vocabulary import SCENARIOS
from .confidence import FEWEST_FOR_UPPER_END
from .questions import Questions
from .recorder import Recorder
from .sampling import Task, take_samples


def _count(store: ClaimStore, question: Question, *_: Any) -> Callable[[], int]:
    return partial(count_claims, store, *question)


def _first_page(store: ClaimStore, question: Question, *_: Any) -> Callable[[], ClaimPage]:
    return partial(find_claims, store, *question, with_total=False)


def _deep_page(store: ClaimStore, question: Question, questions: Questions, number: int) -> Callable[[], ClaimPage]:
    cursor = cursor_at(store, question, questions.moment(question, questions.deep(number)))
    return partial(find_claims, store, *question, cursor=cursor, with_total=False)


CALLS = {"count": _count, "first_page": _first_page, "deep_page": _deep_page}
"""Operation of `vocabulary.BY_TIER` to what prepares its call. Next pages follow from a page: see `time_next_page`."""


def measure_latency(recorder: Recorder) -> None:
    """Measure first, next, and deep pages at each tier, with and without a date range, and a ping, in shuffled order.

    First pages of a date range and all totals are measured where they are compared: in `ranges` and `totals`.
    """
    tasks = [Task({"section": "floor", "operation": "ping"}, lambda _: partial(_ping, recorder.store))]
    for tier in recorder.settings.tiers_to_test:
        for scenario in SCENARIOS:
            for operation in CALLS:
                labels = {"tier": tier, "operation": operation, "scenario": scenario}
                if recorder.run.latency_labels(**labels)["section"] == "latency":
                    tasks += _task(recorder, labels)
    take_samples(recorder, "latency", tasks, "latency")


def time_next_page(recorder: Recorder, question: Question, page: ClaimPage | None, **labels: Any) -> None:
    """Time the page after a first page that was just read, if there is one, as a sample with these labels."""
    if page is None:
        return
    if page.next_cursor is None:
        recorder.note(_one_page(labels["tier"], labels["scenario"]))
        return
    call = partial(find_claims, recorder.store, *question, cursor=page.next_cursor, with_total=False)
    recorder.time(call, section="latency", operation="next_page", **labels)


def _task(recorder: Recorder, labels: dict[str, str]) -> list[Task]:
    tier, scenario, operation = labels["tier"], labels["scenario"], labels["operation"]
    questions = Questions(recorder.store.config, recorder.settings, f"latency {tier} {scenario} {operation}")
    goes_on = questions.expected_claims(tier, scenario) > recorder.run.settings.page_size
    if not goes_on:
        recorder.note(_one_page(tier, scenario))
    if operation == "deep_page" and not goes_on:
        return []

    def answered(number: int, page: ClaimPage | None, own: Mapping[str, Any]) -> None:
        if operation == "first_page" and goes_on:
            question = questions.number(number, tier, scenario)
            time_next_page(recorder, question, page, tier=tier, scenario=scenario, **own)

    return [
        Task(
            {"section": "latency", **labels},
            lambda number: CALLS[operation](
                recorder.store, questions.number(number, tier, scenario), questions, number
            ),
            answered,
            least=FEWEST_FOR_UPPER_END,
        )
    ]


def _one_page(tier: str, scenario: str) -> str:
    return (
        f"Tier {tier}, {SCENARIOS[scenario].words}: most results fit on one page, so some or all next and deep "
        "pages were not measured."
    )


def _ping(store: ClaimStore) -> None:
    with store.errors_explained():
        store.collection.database.client.admin.command("ping")
