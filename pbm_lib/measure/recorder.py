"""Where the samples of a run go: into the run, and to its file while it goes on."""

import datetime as dt
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

from tqdm import tqdm

from ..errors import PbmError
from ..store.footprint import Footprint
from ..store.store import ClaimStore
from .records import Check, Level, PlanCost
from .run import PerformanceRun
from .run_file import write_over
from .samples import Sample
from .stopwatch import Stopwatch, Timing

_FAILURES_IN_A_ROW = 3
_SAVE_SECONDS = 2.0


class Recorder:
    """What the parts of a run share: the store, the watch, and where the samples go.

    Attributes:
        run: the run as it stands.
        store: the claims, on the watch's own client.
        settings: section `performance` as this run uses it.
        watch: times calls; for those who time in threads.
    """

    def __init__(self, run: PerformanceRun, watch: Stopwatch, store: ClaimStore, rounds: int | None):
        self.run, self.watch, self.store = run, watch, store
        self.settings = run.settings.performance
        self._samples: list[Sample] = []
        self._checks: dict[tuple[str, str, str], list[bool]] = {}
        self._plans: list[PlanCost] = []
        self._levels: list[Level] = []
        self._notes: list[str] = []
        self._failures = 0
        self._saved = time.monotonic()
        self._bar = tqdm(total=rounds, unit=" rounds", file=sys.stdout, disable=rounds is None, mininterval=0.5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        self.save()

    def show(self, what: str) -> None:
        """Name on the progress bar what is being measured."""
        self._bar.set_description(f"Measuring {what}", refresh=False)
        self._bar.update(0)

    def round_done(self) -> None:
        """Move the progress bar on, and save now and then."""
        self._bar.update()
        if time.monotonic() - self._saved > _SAVE_SECONDS:
            self.save()

    def time(self, call: Callable[[], Any], **labels: Any) -> Any:
        """Time a call, record it as a sample with these labels, and return its answer; None if it failed.

        Raises:
            PbmError: it was the third failure in a row.
        """
        timing = self.watch.time(call)
        self.add(timing, **labels)
        if time.monotonic() - self._saved > _SAVE_SECONDS:
            self.save()
        return timing.answer

    def add(self, timing: Timing, **labels: Any) -> None:
        """Record a timing as a sample; the third failure in a row ends the run."""
        answer = timing.answer
        claims = answer if isinstance(answer, int) else None if answer is None else len(answer)
        self._samples.append(
            Sample(ms=round(timing.ms, 4), claims=claims, retries=timing.retries, error=timing.error, **labels)
        )
        self._failures = self._failures + 1 if timing.error else 0
        if self._failures >= _FAILURES_IN_A_ROW:
            raise PbmError(
                f"The run stopped: {_FAILURES_IN_A_ROW} calls in a row failed (last: {timing.error}). What was "
                f"measured until then is in {self.run.path}, marked incomplete. Check the server, then measure again."
            )

    def measured_bytes(self, size: int, **labels: Any) -> None:
        """Put the BSON size of the answer, learnt afterwards, on all samples with these labels."""
        self._samples = [
            replace(s, bytes=size)
            if s.error is None and all(getattr(s, name) == value for name, value in labels.items())
            else s
            for s in self._samples
        ]

    def check(self, section: str, tier: str, operation: str, equal: bool) -> None:
        """Record whether two contestants gave the same answer."""
        self._checks.setdefault((section, tier, operation), []).append(equal)

    def plan(self, cost: PlanCost) -> None:
        """Record what a plan examined."""
        self._plans.append(cost)

    def level(self, clients: int, seconds: float) -> None:
        """Record how long so many clients were at work."""
        self._levels.append(Level(clients, seconds))

    def note(self, text: str) -> None:
        """Record, once, what was left out and why."""
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
        checks = tuple(Check(*key, len(found), sum(found)) for key, found in self._checks.items())
        self.run = replace(
            self.run,
            ended=dt.datetime.now(dt.UTC),
            checks=checks,
            plans=tuple(self._plans),
            levels=tuple(self._levels),
            notes=tuple(self._notes),
            samples=tuple(self._samples),
        )
        write_over(self.run, self.run.path)
        self._saved = time.monotonic()
