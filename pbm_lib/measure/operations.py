"""The parts of a performance run. Only the call itself is timed; cursors are made and answers compared outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..claims.document import TIN
from ..claims.roster import list_providers
from ..config import PerformanceConfig
from ..query.explain import explain_claims
from ..query.filters import Question
from ..query.find import count_claims, find_claims, iter_claims
from ..query.jump import cursor_after, cursor_at, skip_page
from ..store.driver_errors import translated_driver_errors
from ..store.store import ClaimStore
from ..vocabulary import BY_TIER, KEYSET, OPERATIONS, PLANS, PROVIDER, RANGE, SCENARIOS, SKIP
from .questions import Questions
from .recorder import Recorder
from .run_file import PlanCost

_DEEP = 0.9
_VOLUME_CLAIMS = 100_000


def planned_rounds(settings: PerformanceConfig) -> int:
    """Return the rounds of a run, all parts together: what its progress bar counts."""
    return (
        settings.warmup
        + settings.iterations
        + settings.plain_iterations
        + _depth_warmups(settings)
        + _depth_rounds(settings)
        + _volume_rounds(settings)
        + len(settings.concurrency)
    )


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
    return _page(store, question, cursor_at(store, question, questions.moment(question, _DEEP)))


_CALLS = {
    "count": _Call(_count),
    "first_page": _Call(_first_page),
    "next_page": _Call(_next_page, goes_on=True),
    "deep_page": _Call(_deep_page, goes_on=True),
}
"""Every operation of `vocabulary.BY_TIER`."""


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


def measure_plans(recorder: Recorder) -> None:
    """The bounded against the plain plan: the same window for both, one after the other, the answers compared.

    The bounded plan goes first: the plain one reads the window's claims into the cache, and whoever comes second finds
    them there. No warm-ups: a plain sample takes seconds, and reads more claims than a small cache holds.
    """
    questions = Questions(recorder.store.config, recorder.settings, "plans")
    rounds, most = recorder.settings.plain_iterations, recorder.settings.plain_seconds
    tiers, spent = recorder.settings.tiers_to_test, 0.0
    for iteration in range(rounds):
        if spent > most:
            recorder.note(
                f"Plain plan: stopped after {iteration} of {rounds} rounds, since they had taken {spent:.0f} s; "
                f"performance.plain_seconds allows {most:g} s."
            )
            break
        for tier in questions.random.sample(tiers, len(tiers)):
            for operation in questions.random.sample(("count", "first_page"), 2):
                # The plain plan's cost grows with the window's distance from the provider's first claim: early, middle
                # and late ones are all asked, so that few samples do not hang on the draw.
                question = questions.draw(tier, RANGE, part=(iteration, rounds))
                spent += _time_both_plans(recorder, question, tier, operation, iteration)
        recorder.round_done()
    if rounds:
        _explain_plans(recorder, questions)


def measure_depth(recorder: Recorder) -> None:
    """Keyset against skip/limit on the largest provider, page by page at growing depth, the pages compared.

    Skip/limit takes long when deep, so there are a fifth as many samples.
    """
    questions = Questions(recorder.store.config, recorder.settings, "depth")
    store, size = recorder.store, recorder.run.settings.page_size
    tier = recorder.run.tiers[0]
    tin = list_providers(store.config, tier)[0].tin
    depths = _depths(recorder.run.conditions.provider_claims[tier])
    cursors = {depth: cursor_after(store, tin, depth) for depth in depths}

    contestants = {
        KEYSET: lambda depth: list(find_claims(store, tin, cursor=cursors[depth], with_total=False)),
        SKIP: lambda depth: skip_page(store, tin, depth, size),
    }
    tasks = [(depth, name) for depth in depths for name in contestants]
    warmups, rounds = _depth_warmups(recorder.settings), _depth_rounds(recorder.settings)
    for round_number in range(warmups + rounds):
        warmup = round_number < warmups
        answers: dict[int, list] = {}
        for depth, name in questions.random.sample(tasks, len(tasks)):
            recorder.show(f"depth {depth:,}: {name}")
            answer = recorder.time(
                partial(contestants[name], depth),
                section="depth",
                operation="page",
                scenario=PROVIDER,
                tier=tier,
                contestant=name,
                depth=depth,
                iteration=round_number if warmup else round_number - warmups,
                warmup=warmup,
            )
            if answer is not None and answers.setdefault(depth, answer) is not answer:
                recorder.check("depth", tier, "page", answers[depth] == answer)
        recorder.round_done()


def measure_volume(recorder: Recorder) -> None:
    """Stream all claims of one provider of about 100,000. No warm-up: its claims may well not fit in the cache."""
    store = recorder.store
    sizes = {tier: recorder.run.claims_per_provider(tier) for tier in recorder.settings.tiers_to_test}
    tier = min(sizes, key=lambda tier: max(sizes[tier], _VOLUME_CLAIMS) / min(sizes[tier], _VOLUME_CLAIMS))
    tin = list_providers(store.config, tier)[0].tin
    labels = {"section": "volume", "operation": "stream", "scenario": PROVIDER, "tier": tier}
    for iteration in range(_volume_rounds(recorder.settings)):
        recorder.show(f"volume: all claims of a {tier} provider")
        recorder.time(lambda: sum(1 for _ in iter_claims(store, tin)), iteration=iteration, **labels)
        recorder.round_done()
    size = {"$group": {"_id": None, "bytes": {"$sum": {"$bsonSize": "$$ROOT"}}}}
    with translated_driver_errors():
        recorder.measured_bytes(store.collection.aggregate([{"$match": {TIN: tin}}, size]).next()["bytes"], **labels)


def _time_operation(recorder: Recorder, questions: Questions, question: Question, labels: dict[str, Any]) -> None:
    prepare = _CALLS[labels["operation"]].prepare
    prepared = recorder.watch.time(lambda: prepare(recorder.store, questions, question))
    if prepared.error:  # a page that cannot be asked for is a failed call, not a missing one
        recorder.add(prepared, **labels)
    elif prepared.answer is None:
        recorder.note(_one_page(labels["tier"], labels["scenario"]))
    else:
        recorder.time(prepared.answer, **labels)


def _time_both_plans(recorder: Recorder, question: Question, tier: str, operation: str, iteration: int) -> float:
    """Returns the seconds that it took."""
    store, answers, started = recorder.store, [], time.monotonic()
    for plan in PLANS:
        recorder.show(f"{plan} plan: {tier}, {OPERATIONS[operation].words}")
        labels = {"section": "plans", "tier": tier, "scenario": RANGE, "operation": operation, "contestant": plan}
        if operation == "count":
            call = partial(count_claims, store, *question, plan=plan)
        else:
            call = partial(find_claims, store, *question, with_total=False, plan=plan)
        answers.append(recorder.time(call, iteration=iteration, **labels))
    if None not in answers:
        recorder.check("plans", tier, operation, answers[0] == answers[1])
    return time.monotonic() - started


def _has_pages(recorder: Recorder, questions: Questions, tier: str, scenario: str, operation: str) -> bool:
    if not _CALLS[operation].goes_on:
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


def _explain_plans(recorder: Recorder, questions: Questions) -> None:
    tier = recorder.run.tiers[0]
    question = questions.draw(tier, RANGE, part=(1, 3))  # neither the cheapest nor the dearest for the plain plan
    for plan in PLANS:
        recorder.show(f"{plan} plan: {tier}, explain")
        cost = explain_claims(recorder.store, *question, plan=plan)
        recorder.plan(
            PlanCost(plan, tier, "first_page", cost.index, cost.keys_examined, cost.docs_examined, cost.returned)
        )


def _depth_warmups(settings: PerformanceConfig) -> int:
    return min(settings.warmup, 1)


def _depth_rounds(settings: PerformanceConfig) -> int:
    return max(settings.iterations // 5, 1)


def _volume_rounds(settings: PerformanceConfig) -> int:
    return min(settings.iterations, 2)


def _depths(claims: int) -> list[int]:
    """0, then powers of ten from 1,000 on, then nine tenths of the claims."""
    deepest = int(claims * _DEEP)
    powers = [10**power for power in range(3, 10) if 10**power < deepest]
    return sorted({0, *powers, deepest})


def _ping(store: ClaimStore) -> None:
    with translated_driver_errors():
        store.collection.database.client.admin.command("ping")
