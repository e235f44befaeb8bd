"""Collect the samples of a run, and save them to its file while the run is in progress."""

import datetime as dt
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self

from ..errors import PbmError
from ..query.stopwatch import Stopwatch, Timing
from ..store.footprint import Footprint
from ..store.store import ClaimStore
from ..vocabulary import CONTESTANTS, OPERATIONS, SCENARIOS
from .live_chart import LiveChart
from .progress import Progress
from .records import Arrivals, Check, Level, OfferedRate, QueryCost, Rollup
from .run import PerformanceRun
from .run_file import write_over
from .samples import Sample

_FAILURES_IN_A_ROW = 3
_SAVE_SECONDS = 2.0
_SAVE_SHARE = 0.04  # of the time, at most: a long run's file takes longer to write, so it is written less often


class Recorder:
    """What the parts of a run share: the store, the stopwatch, and the samples recorded so far.

    Attributes:
        run: the run so far.
        store: the claims, on the stopwatch's own client.
        settings: section `performance` as this run uses it.
        watch: the stopwatch that times calls.
        progress: the progress bar.
        is_stopped: whether an error says why the run ended early.
        uses_before: how often the server had used each index when the run began; None if unknown.
    """

    def __init__(
        self,
        run: PerformanceRun,
        watch: Stopwatch,
        store: ClaimStore,
        progress: Progress,
        chart: LiveChart | None = None,
    ):
        self.run, self.watch, self.store, self.progress = run, watch, store, progress
        self._chart = chart
        self.settings = run.settings.performance
        self.uses_before: dict[str, int] | None = None
        self._samples: list[Sample] = []
        self._checks: dict[tuple[str, str, str, str], list[bool]] = {}
        self._costs: list[QueryCost] = []
        self._levels: list[Level] = []
        self._offered: list[OfferedRate] = []
        self._notes: list[str] = []
        self._failures = 0
        self.is_stopped = False
        self._save_at = time.monotonic() + _SAVE_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.close()
        if self._chart:
            self._chart.update(self._samples, now=True)
        self.save()

    def nearest_tier(self, claims: int) -> str:
        """Return the measured tier whose claims per provider are closest to `claims`, by ratio."""
        sizes = {tier: self.run.claims_per_provider(tier) for tier in self.settings.tiers_to_test}
        return min(sizes, key=lambda tier: max(sizes[tier], claims) / min(sizes[tier], claims))

    def show(self, part: str, labels: Mapping[str, Any]) -> None:
        """Show in the progress bar what is being measured: a part of the run, and the labels of a sample."""
        self.progress.describe(f"{part}: {self.in_words(labels)}")

    @staticmethod
    def in_words(labels: Mapping[str, Any]) -> str:
        """Return the labels of a sample as a person reads them: tier, scenario, operation, contestant."""
        words = [labels.get("tier"), *(
            names[labels[label]].words for label, names in (("scenario", SCENARIOS), ("operation", OPERATIONS))
            if labels.get(label)
        ), CONTESTANTS.get(labels.get("contestant", ""))]  # fmt: skip
        return ", ".join(filter(None, words))

    def time(self, call: Callable[[], Any], *, store: ClaimStore | None = None, **labels: Any) -> Timing:
        """Time a call, record it as a sample with these labels, and return the timing.

        If the call fails, the timing's answer is None.

        Args:
            call: the call to time.
            store: as in `Stopwatch.time`.
            labels: the labels of the sample.

        Raises:
            PbmError: this was the third failure in a row.
        """
        timing = self.watch.time(call, store)
        self.add(timing, **labels)
        if time.monotonic() > self._save_at:
            self.save()
        if self._chart:
            self._chart.update(self._samples)
        return timing

    def add(self, timing: Timing, **labels: Any) -> None:
        """Record a timing as a sample; the third failure in a row ends the run."""
        answer = timing.answer
        claims = answer if isinstance(answer, int) else None if answer is None else len(answer)
        self.add_samples([
            Sample(ms=round(timing.ms, 4), claims=claims, retries=timing.retries, error=timing.error, **labels)
        ])  # fmt: skip

    def add_samples(self, samples: list[Sample]) -> None:
        """Record samples in the order they were taken; the third failure in a row ends the run."""
        for sample in samples:
            self._samples.append(sample)
            self._failures = self._failures + 1 if sample.error else 0
            if self._failures >= _FAILURES_IN_A_ROW:
                raise self.stopped(f"{_FAILURES_IN_A_ROW} calls in a row failed (last: {sample.error})")

    def stopped(self, why: str, advice: str = "Check the server, then measure again.") -> PbmError:
        """Return the error that ends the run. It says why, where the samples so far are, and what to do."""
        self.is_stopped = True
        return PbmError(
            f"The run stopped: {why}. The samples so far are in {self.run.path}, marked incomplete. {advice}"
        )

    def measured_bytes(self, size: int, **labels: Any) -> None:
        """Set the BSON size of the answer, measured afterwards, on all successful samples with these labels."""
        self._samples = [
            replace(s, bytes=size)
            if s.error is None and all(getattr(s, name) == value for name, value in labels.items())
            else s
            for s in self._samples
        ]

    def check(self, section: str, tier: str, operation: str, against: str, equal: bool) -> None:
        """Record whether two contestants gave the same answer."""
        self._checks.setdefault((section, tier, operation, against), []).append(equal)

    def cost(self, cost: QueryCost) -> None:
        """Record the explain figures of a query."""
        self._costs.append(cost)

    def level(self, level: Level) -> None:
        """Record how long a number of concurrent clients worked."""
        self._levels.append(level)

    def offered(self, rate: OfferedRate) -> None:
        """Record a rate of the open loop."""
        self._offered.append(rate)

    def rollup(self, rollup: Rollup) -> None:
        """Record the rollup that was built."""
        self.run = replace(self.run, rollup=rollup)

    def arrivals(self, arrivals: Arrivals) -> None:
        """Record the claims that were fed while pages were read."""
        self.run = replace(self.run, arrivals=arrivals)

    def index_uses(self, uses: dict[str, int]) -> None:
        """Record how often each index was used during the run, as counted by the server."""
        self.run = replace(self.run, index_uses=uses)

    def note(self, text: str) -> None:
        """Record a note about what was left out, and why; the same note is recorded only once."""
        if text not in self._notes:
            self._notes.append(text)

    def footprint(self, footprint: Footprint) -> None:
        """Record the sizes as they are now."""
        self.run = replace(self.run, footprint=footprint)

    def complete(self) -> None:
        """Mark the run as complete; nothing is recorded after that."""
        self.run = replace(self.run, complete=True)

    def save(self) -> None:
        """Bring the run and its file up to date."""
        began = time.monotonic()
        checks = tuple(Check(*key, len(found), sum(found)) for key, found in self._checks.items())
        self.run = replace(
            self.run,
            ended=dt.datetime.now(dt.UTC),
            checks=checks,
            costs=tuple(self._costs),
            levels=tuple(self._levels),
            offered=tuple(self._offered),
            notes=tuple(self._notes),
            samples=tuple(self._samples),
        )
        write_over(self.run, self.run.path)
        ended = time.monotonic()
        self._save_at = ended + max(_SAVE_SECONDS, (ended - began) / _SAVE_SHARE)
