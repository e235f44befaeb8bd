"""What a run calls at each tier, and a whole provider streamed. Only the call itself is timed, not what prepares it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..claims.document import TIN
from ..claims.roster import list_providers
from ..config import PerformanceConfig
from ..query.filters import Question
from ..query.find import count_claims, find_claims
from ..query.jump import cursor_at
from ..query.stream import iter_claims
from ..store.store import ClaimStore
from ..vocabulary import BY_TIER, OPERATIONS, PROVIDER, SCENARIOS
from .questions import DEEP, Questions
from .recorder import Recorder

_VOLUME_CLAIMS = 100_000


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
    """Count, first, next and deep page, for each tier, with and without a window; all in one shuffled order.

    Each sample has a provider and a window of its own. A ping goes along in each round.
    """
    questions = Questions(recorder.store.config, recorder.settings, "latency")
    tasks = [
        (tier, scenario, operation)
        for tier in recorder.settings.tiers_to_test
        for scenario in SCENARIOS
        for operation in BY_TIER
        if _has_pages(recorder, questions, tier, scenario, operation)
    ]
    warmups = recorder.settings.warmup
    for round_number in range(warmups + recorder.settings.iterations):
        warmup = round_number < warmups
        labels = {"iteration": round_number if warmup else round_number - warmups, "warmup": warmup}
        recorder.show("latency: ping")
        recorder.time(lambda: _ping(recorder.store), section="floor", operation="ping", **labels)
        for tier, scenario, operation in questions.random.sample(tasks, len(tasks)):
            recorder.show(f"latency: {tier}, {SCENARIOS[scenario].words}, {OPERATIONS[operation].words}")
            question = questions.draw(tier, scenario)
            labels |= {"section": "latency", "tier": tier, "scenario": scenario, "operation": operation}
            _time_operation(recorder, questions, question, labels)
        recorder.round_done()


def measure_volume(recorder: Recorder) -> None:
    """Stream all claims of one provider of about 100,000. No warm-up: its claims may well not fit in the cache."""
    store = recorder.store
    sizes = {tier: recorder.run.claims_per_provider(tier) for tier in recorder.settings.tiers_to_test}
    tier = min(sizes, key=lambda tier: max(sizes[tier], _VOLUME_CLAIMS) / min(sizes[tier], _VOLUME_CLAIMS))
    tin = list_providers(store.config, tier)[0].tin
    labels = {"section": "volume", "operation": "stream", "scenario": PROVIDER, "tier": tier}
    for iteration in range(volume_rounds(recorder.settings)):
        recorder.show(f"volume: all claims of a {tier} provider")
        recorder.time(lambda: sum(1 for _ in iter_claims(store, tin)), iteration=iteration, **labels)
        recorder.round_done()
    size = {"$group": {"_id": None, "bytes": {"$sum": {"$bsonSize": "$$ROOT"}}}}
    with store.errors_explained():
        recorder.measured_bytes(store.collection.aggregate([{"$match": {TIN: tin}}, size]).next()["bytes"], **labels)


def _time_operation(recorder: Recorder, questions: Questions, question: Question, labels: dict[str, Any]) -> None:
    prepare = CALLS[labels["operation"]].prepare
    prepared = recorder.watch.time(lambda: prepare(recorder.store, questions, question))
    if prepared.error:  # a page that cannot be asked for is a failed call, not a missing one
        recorder.add(prepared, **labels)
    elif prepared.answer is None:
        recorder.note(_one_page(labels["tier"], labels["scenario"]))
    else:
        recorder.time(prepared.answer, **labels)


def _has_pages(recorder: Recorder, questions: Questions, tier: str, scenario: str, operation: str) -> bool:
    if not CALLS[operation].goes_on:
        return True
    several = questions.expected_claims(tier, scenario) > recorder.run.settings.page_size
    if not several:
        recorder.note(_one_page(tier, scenario))
    return several


def _one_page(tier: str, scenario: str) -> str:
    return (
        f"Tier {tier}, {SCENARIOS[scenario].words}: an answer mostly fits on one page, so next and deep page are not "
        "(or not always) measured there."
    )


def volume_rounds(settings: PerformanceConfig) -> int:
    """Streams of `measure_volume`."""
    return min(settings.iterations, 2)


def _ping(store: ClaimStore) -> None:
    with store.errors_explained():
        store.collection.database.client.admin.command("ping")
