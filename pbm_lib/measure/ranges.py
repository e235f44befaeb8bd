"""A date range queried in every way: bounded, unbounded, and with either index; the answers are compared as well."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..claims.document import BEGIN, ID
from ..errors import SetupError
from ..query.find import count_claims, find_claims
from ..query.stopwatch import Timing
from ..store.index import VARIANTS, find_index
from ..store.setup import both_indexes
from ..store.store import ClaimStore
from ..vocabulary import BOUNDED, INDEX_WORDS, INDEXES, RANGE, UNBOUNDED
from .confidence import FEWEST_FOR_UPPER_END
from .explains import explain_range, note_index_uses
from .operations import time_next_page
from .questions import Questions
from .recorder import Recorder
from .sampling import FEWEST, Task, take_samples

_OPERATIONS = ("first_page", "count")


@dataclass(frozen=True)
class _Way:
    """One way to query a date range: which query, with which index."""

    query: str
    index: str
    store: ClaimStore


@dataclass
class _Answers:
    """The answers so far. Those of the first way are what the others are compared with."""

    recorder: Recorder
    ways: list[_Way]
    found: dict[tuple[str, str, int], dict[_Way, Any]] = field(default_factory=dict)

    def add(self, way: _Way, tier: str, operation: str, number: int, answer: Any) -> None:
        """Keep an answer, and compare it if its counterpart is known."""
        if answer is None:
            return
        kept = answer if isinstance(answer, int) else [(claim[BEGIN], claim[ID]) for claim in answer]
        answers = self.found.setdefault((tier, operation, number), {})
        answers[way] = kept
        first = self.ways[0]
        others = [way] if way is not first else [other for other in answers if other is not first]
        for other in others if first in answers else ():
            against = other.query if other.index == first.index else other.index
            equal = _equal(answers[first], answers[other], same_order=other.index == first.index)
            self.recorder.check("ranges", tier, operation, against, equal)


def measure_ranges(recorder: Recorder) -> None:
    """Measure the first page and the total of the same windows, at every tier, in each way.

    The application's own way comes first, and the others are compared with it. If `performance.compare_indexes` is set
    and the user may build an index, the other variant is built for the duration of this part and then dropped.
    """
    with _both_indexes(recorder) as stores:
        index, own = next(iter(stores.items()))
        ways = [_Way(BOUNDED, name, store) for name, store in stores.items()]
        if recorder.settings.unbounded_samples:
            ways.append(_Way(UNBOUNDED, index, own))
        answers = _Answers(recorder, ways)
        tasks = [
            _task(recorder, answers, way, tier, operation)
            for tier in recorder.settings.tiers_to_test
            for operation in _OPERATIONS
            for way in ways
        ]
        take_samples(recorder, "date ranges", tasks, "ranges")
        note_index_uses(recorder)  # while both indexes exist


def _task(recorder: Recorder, answers: _Answers, way: _Way, tier: str, operation: str) -> Task:
    questions = Questions(recorder.store.config, recorder.settings, f"ranges {tier} {operation}")
    unbounded, own = way.query == UNBOUNDED, answers.ways[0]
    goes_on = questions.expected_claims(tier, RANGE) > recorder.run.settings.page_size
    labels = {"section": "ranges", "tier": tier, "scenario": RANGE, "operation": operation}
    expected_ms = None
    if way is not own:  # the application's own way is explained with its other queries
        recorder.show("explain", {**labels, "contestant": way.query})
        cost = explain_range(way.store, questions, tier, operation, bounded=not unbounded)
        recorder.cost(cost)
        expected_ms = float(max(cost.server_ms or 0, 1)) if unbounded else None

    def answered(number: int, answer: Any, labels_of_sample: Mapping[str, Any]) -> None:
        answers.add(way, tier, operation, number, answer)
        if way is own and operation == "first_page" and goes_on:
            question = questions.number(number, tier, RANGE)
            time_next_page(recorder, question, answer, tier=tier, scenario=RANGE, **labels_of_sample)

    def prepare(number: int) -> Callable[[], Any]:
        question = questions.number(number, tier, RANGE)
        if operation == "count":
            return partial(count_claims, way.store, *question, bounded=not unbounded)
        return partial(find_claims, way.store, *question, with_total=False, bounded=not unbounded)

    bounded = [other for other in answers.ways if other.query == BOUNDED]
    return Task(
        {**labels, "contestant": way.query, "index": way.index},
        prepare,
        answered,
        store=way.store,
        expected_ms=expected_ms,
        lag=0.0 if unbounded else bounded.index(way) / len(bounded),
        dear_last=unbounded,
        least=_fewest(recorder, way, own, operation),
    )


def _fewest(recorder: Recorder, way: _Way, own: _Way, operation: str) -> int:
    """Return the minimum number of samples for a way, however slow it is.

    The application's own way gets as many as a verdict on a target needs. With the unbounded query, a total gets
    half as many as a page: both take seconds at a large provider, for the same reason.
    """
    if way.query == UNBOUNDED:
        samples = recorder.settings.unbounded_samples
        return math.ceil(samples / 2) if operation == "count" else samples
    return FEWEST_FOR_UPPER_END if way is own else FEWEST


@contextmanager
def _both_indexes(recorder: Recorder) -> Iterator[dict[str, ClaimStore]]:
    """Yield a store for each index variant, by name: the config's own, and the other one if it may be built."""
    store, stores = recorder.store, {recorder.store.variant.name: recorder.store}
    other = next(name for name in INDEXES if name not in stores)
    try:
        with ExitStack() as stack:
            if recorder.settings.compare_indexes:
                try:
                    _build(recorder, other, stack)
                    stores[other] = store.using(other)
                except SetupError as error:
                    recorder.note(f"The {INDEX_WORDS[other]} was not compared: {error}")
            yield stores
    except SetupError as error:
        recorder.note(str(error))


def _build(recorder: Recorder, other: str, stack: ExitStack) -> None:
    store = recorder.store
    with store.errors_explained():
        is_missing = find_index(store.collection.index_information(), VARIANTS[other]) is None
    recorder.progress.describe(f"the {INDEX_WORDS[other]} (building)")
    started = time.perf_counter()
    stack.enter_context(both_indexes(store))
    ms = (time.perf_counter() - started) * 1000
    if is_missing:
        recorder.add(Timing(recorder.run.footprint.claims, ms), section="ranges", operation="build", index=other)


def _equal(ours: Any, theirs: Any, *, same_order: bool) -> bool:
    """Whether two answers are the same, given that the other index orders the claims of one day differently.

    With that index, a page has the same begin dates, and the same claims before the last begin date. Which claims of
    that last day are on the page depends on the order.
    """
    if same_order or isinstance(ours, int):
        return ours == theirs
    if [begin for begin, _ in ours] != [begin for begin, _ in theirs]:
        return False
    last = ours[-1][0] if ours else None
    return {claim for claim in ours if claim[0] != last} == {claim for claim in theirs if claim[0] != last}
