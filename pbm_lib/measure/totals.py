"""A provider's total, obtained in four ways: counted, counted up to a cap, from a rollup, and by `$facet`."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from ..errors import PbmError
from ..query.find import count_claims, find_claims
from ..query.page import ClaimPage
from ..query.rollup import ClaimRollup, RollupGone, drop_left_rollups
from ..query.stopwatch import Timing, timed
from ..query.totals import CAP, TimeLimitPassed, count_up_to, page_and_total
from ..vocabulary import CAPPED, COUNT, FACET, PROVIDER, ROLLUP
from .confidence import FEWEST_FOR_UPPER_END
from .questions import Questions
from .recorder import Recorder
from .records import Rollup
from .sampling import FEWEST, Task, take_samples

_NO_ROLLUP = "Totals: no rollup was built."
_BUILD_SECONDS = 60.0
_FACET_SECONDS = 20.0
# `$facet` fetches all claims of a provider each time. Its series is taken at about the first number of claims per
# provider, and never at more than the second.
_FACET_CLAIMS, _FACET_MOST = 10_000, 100_000
_FACET_LEAST = 4


def measure_totals(recorder: Recorder, *, cap: int = CAP, facet_seconds: float = _FACET_SECONDS) -> None:
    """Ask for the totals of the same providers in each way, and compare the answers with the exact count.

    If the user may not write, or the server does not build the rollup, only the rollup is left out; a note says so.

    Args:
        recorder: the recorder of the run.
        cap: limit of the capped count, in claims.
        facet_seconds: how long the server may take for one `$facet`.
    """
    store = recorder.store
    with _rollup(recorder) as rollup:
        ways = {COUNT: partial(count_claims, store), CAPPED: partial(count_up_to, store, cap=cap)}
        if rollup:
            ways[ROLLUP] = rollup.total
        asked = {name: _Way(recorder, ask) for name, ask in ways.items()}
        agreement = _Agreement(recorder, cap)
        tasks = [
            _count_task(recorder, agreement, tier, name, way)
            for tier in recorder.settings.tiers_to_test
            for name, way in asked.items()
        ]
        take_samples(recorder, "totals", tasks, "totals")
    _measure_facet(recorder, _Way(recorder, partial(page_and_total, store, seconds=facet_seconds)))


class _Way:
    """One way to get the total. It is given up, with a note, once there is no point in going on."""

    def __init__(self, recorder: Recorder, ask: Callable[[str], Any]):
        self._recorder, self._ask = recorder, ask
        self.is_given_up = False

    def asking(self, tin: str) -> Callable[[], Any] | None:
        """Return a call that gets the total of a provider; None if this way has been given up."""
        return None if self.is_given_up else partial(self._call, tin)

    def _call(self, tin: str) -> Any:
        try:
            return self._ask(tin)
        except (RollupGone, TimeLimitPassed) as error:
            self.is_given_up = True
            self._recorder.note(f"Totals: {error}")
            raise


class _Agreement:
    """Compares each total with the exact one of the same provider, as soon as both are known."""

    def __init__(self, recorder: Recorder, cap: int):
        self._recorder, self._cap = recorder, cap
        self._exact: dict[str, int] = {}
        self._waiting: dict[str, list[tuple[str, int]]] = {}

    def add(self, tier: str, contestant: str, tin: str, total: int) -> None:
        """Keep a total, and compare what can be compared now."""
        waiting = self._waiting.setdefault(tin, [])
        if contestant == COUNT:
            self._exact[tin] = total
        else:
            waiting.append((contestant, total))
        while tin in self._exact and waiting:
            against, found = waiting.pop()
            exact = self._exact[tin]
            expected = min(exact, self._cap + 1) if against == CAPPED else exact
            self._recorder.check("totals", tier, "count", against, found == expected)


def _count_task(recorder: Recorder, agreement: _Agreement, tier: str, name: str, way: _Way) -> Task:
    tin = _tins(recorder, tier)

    def answered(number: int, total: int | None, _: Mapping[str, Any]) -> None:
        if total is not None:
            agreement.add(tier, name, tin(number), total)

    return Task(
        _labels(tier, "count", name),
        lambda number: way.asking(tin(number)),
        answered,
        least=FEWEST_FOR_UPPER_END if name == COUNT else FEWEST,
        lag=0.5 if name == CAPPED else 0.0,  # it examines the same keys as the exact count
    )


def _measure_facet(recorder: Recorder, way: _Way) -> None:
    tier, largest = recorder.nearest_tier(_FACET_CLAIMS), recorder.run.tiers[0]
    if recorder.run.claims_per_provider(tier) <= _FACET_MOST:
        tin = _tins(recorder, tier)
        task = Task(
            _labels(tier, "page_and_total", FACET),
            lambda number: way.asking(tin(number)),
            lambda number, page, _: _check_facet(recorder, tier, tin(number), page),
            least=_FACET_LEAST,
        )
        take_samples(recorder, "totals", [task], "facet")
        if tier == largest:
            return
    tin = _tins(recorder, largest)(0)
    labels = _labels(largest, "page_and_total", FACET)
    if ask := way.asking(tin):
        recorder.show("totals", labels)
        timing = recorder.watch.time(ask)
        if not way.is_given_up:
            recorder.add(timing, **labels)
        _check_facet(recorder, largest, tin, timing.answer)


def _check_facet(recorder: Recorder, tier: str, tin: str, page: ClaimPage | None) -> None:
    """Compare the page, its cursor, and its total with what an application gets from two queries."""
    if page is None:
        return
    with suppress(PbmError):  # this call is not timed, so its failure is not counted
        recorder.check("totals", tier, "page_and_total", FACET, page == find_claims(recorder.store, tin))


@contextmanager
def _rollup(recorder: Recorder) -> Iterator[ClaimRollup | None]:
    """Yield the rollup for the duration of the block; None if it cannot be built, or could not be dropped again."""
    rollup = ClaimRollup(recorder.store, recorder.run.id)
    if not _may_drop(recorder, rollup):
        yield None
        return
    try:
        yield rollup if _make(recorder, rollup) else None
    finally:
        try:
            rollup.drop()
        except PbmError as error:
            recorder.note(f"Totals: {rollup.name} may still be there; the next run drops it. {error}")


def _may_drop(recorder: Recorder, rollup: ClaimRollup) -> bool:
    """Drop rollups that other runs left behind; return whether this run could drop its own."""
    try:
        if left := drop_left_rollups(recorder.store):
            recorder.note(
                f"Totals: dropped {', '.join(left)}, left behind by another run. If that run is still in progress, "
                "each of the two affects the other's figures."
            )
        rollup.drop()
    except PbmError as error:
        recorder.note(f"{_NO_ROLLUP} {error}")
        return False
    return True


def _make(recorder: Recorder, rollup: ClaimRollup) -> bool:
    """Build the rollup, with one sample for the time that takes; return whether it was built."""
    labels = {"section": "totals", "operation": "build", "contestant": ROLLUP}
    recorder.show("totals", labels)
    as_of = dt.datetime.now(dt.UTC)
    try:
        _, ms = timed(recorder.store, partial(rollup.make, seconds=_BUILD_SECONDS))
        documents, claims = rollup.size()
    except PbmError as error:
        recorder.note(f"{_NO_ROLLUP} {error}")
        return False
    recorder.add(Timing(claims, ms), **labels)
    recorder.rollup(Rollup(as_of, documents, claims))
    return True


def _tins(recorder: Recorder, tier: str) -> Callable[[int], str]:
    """Return a function from the number of a question to a provider's TIN; it is the same for each way."""
    questions = Questions(recorder.store.config, recorder.settings, f"totals {tier}")
    return lambda number: questions.number(number, tier, PROVIDER).tin


def _labels(tier: str, operation: str, contestant: str) -> dict[str, str]:
    labels = {"section": "totals", "scenario": PROVIDER, "tier": tier}
    return {**labels, "operation": operation, "contestant": contestant}
