"""The parts of a performance run. Only the call itself is timed; cursors are made and answers compared outside."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from ..claims.document import BEGIN, ID, TIN
from ..claims.roster import list_providers
from ..config import PerformanceConfig
from ..query.explain import explain_claims
from ..query.filters import Question
from ..query.find import count_claims, find_claims, iter_claims
from ..query.jump import cursor_after, cursor_at
from ..store.driver_errors import translated_driver_errors
from ..store.store import ClaimStore
from .questions import Questions
from .recorder import Recorder
from .run_file import PlanCost

_ORDER = [(BEGIN, 1), (ID, 1)]
_DEEP = 0.9
_VOLUME_CLAIMS = 100_000
_SCENARIO_NAMES = {"provider": "provider only", "range": "date range"}


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


def measure_latency(recorder: Recorder) -> None:
    """Count, first, next and deep page, for each tier, with and without a window; all in one shuffled order.

    Each sample has a provider and a window of its own. A ping goes along in each round.
    """
    questions = Questions(recorder.store.config, recorder.settings, "latency")
    tasks = [
        (tier, scenario, operation)
        for tier in recorder.settings.tiers_to_test
        for scenario in ("provider", "range")
        for operation in ("count", "first_page", "next_page", "deep_page")
        if _has_pages(recorder, questions, tier, scenario, operation)
    ]
    warmups = recorder.settings.warmup
    for round_number in range(warmups + recorder.settings.iterations):
        warmup = round_number < warmups
        labels = {"iteration": round_number if warmup else round_number - warmups, "warmup": warmup}
        recorder.show("latency: ping")
        recorder.time(lambda: _ping(recorder.store), section="floor", operation="ping", **labels)
        for tier, scenario, operation in questions.random.sample(tasks, len(tasks)):
            recorder.show(f"latency: {tier}, {_SCENARIO_NAMES[scenario]}, {operation.replace('_', ' ')}")
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
                question = questions.draw(tier, "range", part=(iteration, rounds))
                spent += _time_both_plans(recorder, question, tier, operation, iteration)
        recorder.round_done()
    if rounds:
        _explain_plans(recorder, questions)


def measure_depth(recorder: Recorder) -> None:
    """Keyset against skip/limit on the largest provider, page by page at growing depth, the pages compared.

    The skip contestant is bare pymongo. It takes long when deep, so there are a fifth as many samples.
    """
    questions = Questions(recorder.store.config, recorder.settings, "depth")
    store, size = recorder.store, recorder.run.settings.page_size
    tier = recorder.run.tiers[0]
    tin = list_providers(store.config, tier)[0].tin
    depths = _depths(recorder.run.conditions.provider_claims[tier])
    cursors = {depth: cursor_after(store, tin, depth) for depth in depths}

    def keyset(depth: int) -> list:
        return list(find_claims(store, tin, cursor=cursors[depth], with_total=False))

    def skip(depth: int) -> list:
        return store.collection.find({TIN: tin}).sort(_ORDER).skip(depth).limit(size).to_list()

    contestants = {"keyset": keyset, "skip": skip}
    tasks = [(depth, name) for depth in depths for name in contestants]
    warmups, rounds = _depth_warmups(recorder.settings), _depth_rounds(recorder.settings)
    for round_number in range(warmups + rounds):
        warmup = round_number < warmups
        answers: dict[int, list] = {}
        for depth, name in questions.random.sample(tasks, len(tasks)):
            recorder.show(f"depth {depth:,}: {name}")
            answer = recorder.time(
                lambda depth=depth, name=name: contestants[name](depth),
                section="depth",
                operation="page",
                scenario="provider",
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
    labels = {"section": "volume", "operation": "stream", "scenario": "provider", "tier": tier}
    for iteration in range(_volume_rounds(recorder.settings)):
        recorder.show(f"volume: all claims of a {tier} provider")
        recorder.time(lambda: sum(1 for _ in iter_claims(store, tin)), iteration=iteration, **labels)
        recorder.round_done()
    size = {"$group": {"_id": None, "bytes": {"$sum": {"$bsonSize": "$$ROOT"}}}}
    with translated_driver_errors():
        recorder.measured_bytes(store.collection.aggregate([{"$match": {TIN: tin}}, size]).next()["bytes"], **labels)


def _time_operation(recorder: Recorder, questions: Questions, question: Question, labels: dict[str, Any]) -> None:
    store, operation = recorder.store, labels["operation"]
    if operation == "count":
        recorder.time(lambda: count_claims(store, *question), **labels)
        return
    cursor = None
    if operation == "deep_page":
        cursor = cursor_at(store, question, questions.moment(question, _DEEP))
    elif operation == "next_page":
        before = recorder.watch.time(lambda: find_claims(store, *question, with_total=False))
        if before.error:  # a page that cannot be asked for is a failed call, not a missing one
            recorder.add(before, **labels)
            return
        cursor = before.answer.next_cursor
        if cursor is None:
            recorder.note(_one_page(labels["tier"], labels["scenario"]))
            return
    recorder.time(lambda: find_claims(store, *question, cursor=cursor, with_total=False), **labels)


def _time_both_plans(recorder: Recorder, question: Question, tier: str, operation: str, iteration: int) -> float:
    """Returns the seconds that it took."""
    store, answers, started = recorder.store, [], time.monotonic()
    for plan in ("bounded", "plain"):
        recorder.show(f"{plan} plan: {tier}, {operation.replace('_', ' ')}")
        labels = {"section": "plans", "tier": tier, "scenario": "range", "operation": operation, "contestant": plan}
        if operation == "count":
            call = partial(count_claims, store, *question, plan=plan)
        else:
            call = partial(find_claims, store, *question, with_total=False, plan=plan)
        answers.append(recorder.time(call, iteration=iteration, **labels))
    if None not in answers:
        recorder.check("plans", tier, operation, answers[0] == answers[1])
    return time.monotonic() - started


def _has_pages(recorder: Recorder, questions: Questions, tier: str, scenario: str, operation: str) -> bool:
    if operation in ("count", "first_page"):
        return True
    several = questions.expected_claims(tier, scenario) > recorder.run.settings.page_size
    if not several:
        recorder.note(_one_page(tier, scenario))
    return several


def _one_page(tier: str, scenario: str) -> str:
    return (
        f"Tier {tier}, {_SCENARIO_NAMES[scenario]}: an answer mostly fits on one page, so next and deep page are not "
        "(or not always) measured there."
    )


def _explain_plans(recorder: Recorder, questions: Questions) -> None:
    tier = recorder.run.tiers[0]
    question = questions.draw(tier, "range", part=(1, 3))  # neither the cheapest nor the dearest for the plain plan
    for plan in ("bounded", "plain"):
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
