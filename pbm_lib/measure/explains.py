"""The server's figures: what it examines for each of the application's queries, and how often it used each index."""

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.errors import OperationFailure

from ..claims.roster import list_providers
from ..errors import PbmError
from ..query.explain import QueryPlan, explain_claims, explain_count
from ..query.filters import Question
from ..query.find import find_claims
from ..query.jump import cursor_at
from ..store.store import ClaimStore
from ..vocabulary import BOUNDED, BY_TIER, PROVIDER, RANGE, ROLLUP, SCENARIOS, UNBOUNDED
from .questions import DEEP, Questions
from .recorder import Recorder
from .records import QueryCost

_MIDDLE = 0.5  # neither the cheapest nor the most expensive window for the unbounded query


def explain_application(recorder: Recorder) -> None:
    """Explain each operation of each tier once, as the application calls it. Pages that do not exist are left out."""
    store = recorder.store
    questions = Questions(store.config, recorder.settings, "explain")
    for tier in recorder.settings.tiers_to_test:
        for scenario in SCENARIOS:
            for operation in BY_TIER:
                labels = {"tier": tier, "scenario": scenario, "operation": operation}
                recorder.show("explain", labels)
                try:
                    cost = _explain(store, questions, **labels)
                except PbmError as error:
                    named = f"{SCENARIOS[scenario].words}, {BY_TIER[operation].words}"
                    reason = error.driver_error or type(error).__name__
                    recorder.note(f"Tier {tier}, {named}: explain failed ({reason}).")
                    continue
                if cost:
                    recorder.cost(cost)
                    _check_index(recorder, cost)


def explain_range(
    store: ClaimStore, questions: Questions, tier: str, operation: str, *, bounded: bool = True
) -> QueryCost:
    """Explain one query for the middle window of a tier's first provider, with the index that the store uses.

    Args:
        store: an open store; it determines the index variant.
        questions: generates the window.
        tier: name of a tier.
        operation: "first_page" or "count".
        bounded: use the bound on claim length.

    Returns:
        The cost of the query; nothing is recorded.

    Raises:
        PbmError: the explain failed.
    """
    question = _question(store, questions, tier, RANGE)
    plans = _plans(store, question, operation, bounded=bounded)
    return _cost(store, plans, tier, RANGE, operation, BOUNDED if bounded else UNBOUNDED)


def index_uses(store: ClaimStore) -> dict[str, int] | None:
    """Return how often the server has used each index of the claims since it started, summed over all shards.

    Returns:
        Index name to number of uses; None if the server rejects the request, for example because the user may not ask.
    """
    uses: dict[str, int] = {}
    with store.errors_explained():
        try:
            found = store.collection.aggregate([{"$indexStats": {}}]).to_list()
        except OperationFailure:
            return None
    for index in found:
        uses[index["name"]] = uses.get(index["name"], 0) + int(index["accesses"]["ops"])
    return uses


@contextmanager
def counted_index_uses(recorder: Recorder) -> Iterator[None]:
    """Record how often each index was used within the block, as counted by the server.

    A note says if this is unknown, or if the server counted fewer uses of the store's index than there were timed calls
    that named it.
    """
    store = recorder.store
    name, recorder.uses_before = store.index_name, index_uses(store)
    yield
    if not note_index_uses(recorder):
        recorder.note(
            "How often the server used each index is unknown: the database user cannot run $indexStats (the role "
            "clusterMonitor allows it)."
        )
        return
    uses = recorder.run.index_uses
    recorder.save()
    asked = sum(
        sample.error is None
        and sample.operation not in ("ping", "build")
        and sample.contestant != ROLLUP
        and sample.index in (None, store.variant.name)
        for sample in recorder.run.samples
    )
    if uses.get(name, 0) < asked:
        recorder.note(
            f"The server counted {uses.get(name, 0):,} uses of {name} during the run, but {asked:,} timed calls named "
            "it. Either the server was restarted, the index was rebuilt, or another index was used."
        )


def note_index_uses(recorder: Recorder) -> bool:
    """Record how often each index has been used since the run began; return whether this is known.

    An index that no longer exists keeps the number that was last recorded.
    """
    before, after = recorder.uses_before, index_uses(recorder.store)
    if before is None or after is None:
        return False
    # The count starts from 0 again if the server was restarted or the index was rebuilt in the meantime.
    uses = {index: ops - before.get(index, 0) if ops >= before.get(index, 0) else ops for index, ops in after.items()}
    recorder.index_uses({**recorder.run.index_uses, **uses})
    return True


def _question(store: ClaimStore, questions: Questions, tier: str, scenario: str) -> Question:
    tin = list_providers(store.config, tier)[0].tin
    return Question(tin) if scenario == PROVIDER else questions.window(tin, _MIDDLE)


def _explain(store: ClaimStore, questions: Questions, *, tier: str, scenario: str, operation: str) -> QueryCost | None:
    """Return the cost of an operation; None if it is a page that the answer does not have."""
    question, cursor = _question(store, questions, tier, scenario), None
    if operation in ("next_page", "deep_page"):
        cursor = find_claims(store, *question, with_total=False).next_cursor
        if cursor is None:
            return None
    if operation == "deep_page":
        cursor = cursor_at(store, question, questions.moment(question, DEEP))
    return _cost(store, _plans(store, question, operation, cursor=cursor), tier, scenario, operation, BOUNDED)


def _plans(
    store: ClaimStore, question: Question, operation: str, *, cursor: str | None = None, bounded: bool = True
) -> list[QueryPlan]:
    if operation == "count":
        return explain_count(store, *question, bounded=bounded)
    return [explain_claims(store, *question, cursor=cursor, bounded=bounded)]


def _cost(store: ClaimStore, plans: list[QueryPlan], tier: str, scenario: str, operation: str, query: str) -> QueryCost:
    """Return the cost of all plans of one answer: a bounded total is counted in two parts."""
    indexes = {plan.index for plan in plans}
    return QueryCost(
        operation=operation,
        tier=tier,
        scenario=scenario,
        query=query,
        variant=store.variant.name,
        index=indexes.pop() if len(indexes) == 1 else None,
        stages=tuple(stage for plan in plans for stage in plan.stages),
        keys_examined=sum(plan.keys_examined for plan in plans),
        docs_examined=sum(plan.docs_examined for plan in plans),
        returned=sum(plan.returned for plan in plans),
        server_ms=sum(plan.server_ms for plan in plans),
    )


def _check_index(recorder: Recorder, cost: QueryCost) -> None:
    named = recorder.store.index_name
    if cost.index != named:
        recorder.note(
            f"Tier {cost.tier}, {SCENARIOS[cost.scenario].words}, {BY_TIER[cost.operation].words}: the server used "
            f"{cost.index or 'no index'}, but the timed calls name {named}."
        )
