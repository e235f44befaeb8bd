"""Two contestants on the same claims, in turn: bounded and unbounded query, keyset and skip/limit; answers compared."""

import time
from functools import partial

from ..claims.roster import list_providers
from ..config import PerformanceConfig
from ..query.explain import explain_claims
from ..query.filters import Question
from ..query.find import count_claims, find_claims
from ..query.jump import cursor_after, skip_page
from ..vocabulary import BOUNDED, CONTESTANTS, KEYSET, OPERATIONS, PROVIDER, QUERIES, RANGE, SKIP
from .questions import DEEP, Questions
from .recorder import Recorder
from .records import PlanCost


def measure_plans(recorder: Recorder) -> None:
    """The bounded against the unbounded query: the same window for both, one after the other, the answers compared.

    The bounded query goes first: the other one reads the window's claims into the cache, and whoever comes second finds
    them there. No warm-ups: an unbounded sample takes seconds, and reads more claims than a small cache holds.
    """
    questions = Questions(recorder.store.config, recorder.settings, "plans")
    rounds, most = recorder.settings.plain_iterations, recorder.settings.plain_seconds
    tiers, spent = recorder.settings.tiers_to_test, 0.0
    for iteration in range(rounds):
        if spent > most:
            recorder.note(
                f"Unbounded query: stopped after {iteration} of {rounds} rounds, since they had taken {spent:.0f} s; "
                f"performance.plain_seconds allows {most:g} s."
            )
            break
        for tier in questions.random.sample(tiers, len(tiers)):
            for operation in questions.random.sample(("count", "first_page"), 2):
                # The unbounded query's cost grows with the window's distance from the provider's first claim: early,
                # middle and late ones are all asked, so that few samples do not hang on the draw.
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
    warmups, rounds = depth_warmups(recorder.settings), depth_rounds(recorder.settings)
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


def _time_both_plans(recorder: Recorder, question: Question, tier: str, operation: str, iteration: int) -> float:
    """Returns the seconds that it took."""
    store, answers, started = recorder.store, [], time.monotonic()
    for query in QUERIES:
        recorder.show(f"{CONTESTANTS[query]}: {tier}, {OPERATIONS[operation].words}")
        labels = {"section": "plans", "tier": tier, "scenario": RANGE, "operation": operation, "contestant": query}
        if operation == "count":
            call = partial(count_claims, store, *question, bounded=query == BOUNDED)
        else:
            call = partial(find_claims, store, *question, with_total=False, bounded=query == BOUNDED)
        answers.append(recorder.time(call, iteration=iteration, **labels))
    if None not in answers:
        recorder.check("plans", tier, operation, answers[0] == answers[1])
    return time.monotonic() - started


def _explain_plans(recorder: Recorder, questions: Questions) -> None:
    tier = recorder.run.tiers[0]
    question = questions.draw(tier, RANGE, part=(1, 3))  # neither the cheapest nor the dearest for the unbounded query
    for query in QUERIES:
        recorder.show(f"{CONTESTANTS[query]}: {tier}, explain")
        cost = explain_claims(recorder.store, *question, bounded=query == BOUNDED)
        recorder.plan(
            PlanCost(query, tier, "first_page", cost.index, cost.keys_examined, cost.docs_examined, cost.returned)
        )


def depth_warmups(settings: PerformanceConfig) -> int:
    """Rounds of `measure_depth` before those that count."""
    return min(settings.warmup, 1)


def depth_rounds(settings: PerformanceConfig) -> int:
    """Rounds of `measure_depth`."""
    return max(settings.iterations // 5, 1)


def _depths(claims: int) -> list[int]:
    """0, then powers of ten from 1,000 on, then nine tenths of the claims."""
    deepest = int(claims * DEEP)
    powers = [10**power for power in range(3, 10) if 10**power < deepest]
    return sorted({0, *powers, deepest})
