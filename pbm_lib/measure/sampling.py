"""How many samples each series gets, and in which order all of them are taken."""

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..store.store import ClaimStore
from .recorder import Recorder

FEWEST = 20
"""No series has fewer samples than that, however dear, but for those of the unbounded query and of whole providers."""
_OTHERS = 1_000_000  # the questions of warm-ups have numbers from here on: they are none of those that count
_AFTERWARDS_MS = 50.0
_OVERSPENT = 2.0


@dataclass(frozen=True)
class Task:
    """One series to be sampled.

    Attributes:
        labels: those of its samples.
        prepare: makes the call that is timed for a question of this number; None where the answer has no such page.
        answered: told the number and the answer of each call, warm-ups included (None where a call failed), and the
            labels of its sample that are not the task's; so it may time another call that follows from the answer.
        store: that the calls ask, if it is not the run's own.
        expected_ms: what a call is known to take; then it has no warm-ups.
        least: samples that it gets even if they take longer than `performance.seconds_per_series`.
        most: questions that there are.
        lag: 0 to 1; it begins with the question that lies so far into all of its own. Two contestants that are asked
            the same questions half of them apart find the cache alike: each is the first to ask every other half.
        dear_last: whether it waits until the others have ended, if a call takes more than 50 ms: it would fill the
            cache with claims that the others have no use for.
    """

    labels: Mapping[str, Any]
    prepare: Callable[[int], Callable[[], Any] | None]
    answered: Callable[[int, Any, Mapping[str, Any]], None] = field(default=lambda number, answer, labels: None)
    store: ClaimStore | None = None
    expected_ms: float | None = None
    least: int = FEWEST
    most: int | None = None
    lag: float = 0.0
    dear_last: bool = False


@dataclass
class _Plan:
    """A task with what its warm-ups have shown."""

    task: Task
    samples: int
    call_ms: float
    step_ms: float  # with what prepares the call
    spent_ms: float = 0.0
    taken: int = 0

    @property
    def last(self) -> bool:
        """Whether it waits for the others."""
        return self.task.dear_last and self.call_ms > _AFTERWARDS_MS


def take_samples(recorder: Recorder, part: str, tasks: Sequence[Task], name: str) -> None:
    """Take the samples of several series, all of them in one shuffled order.

    How many a series gets is settled before the first one: `performance.samples`, or if a call was dear in its
    warm-ups, as many as fit into `performance.seconds_per_series`, but at least `Task.least`. Each is spread evenly
    over the whole time, so that a disturbance hits all alike.

    Args:
        recorder: of the run.
        part: of the run, in words, for whoever watches.
        tasks: the series.
        name: of the draw of the order.
    """
    drawn = random.Random(f"{recorder.settings.seed} {name}")
    plans = _warm_up(recorder, part, tasks, drawn)
    order = []
    for plan in plans:
        order += [(plan.last, (number + drawn.random()) / plan.samples, plan) for number in range(plan.samples)]
    order.sort(key=lambda step: step[:2])
    recorder.progress.expect(sum(plan.step_ms for _, _, plan in order) / 1000)
    budget = recorder.settings.seconds_per_series * 1000
    for _, _, plan in order:
        # The warm-ups were too few to know the cost of a series that goes far beyond its budget.
        if plan.spent_ms <= _OVERSPENT * budget or plan.taken < plan.task.least:
            lag = int(plan.task.lag * plan.samples)
            _step(recorder, part, plan, (plan.taken + lag) % plan.samples)
        recorder.progress.advance(plan.step_ms / 1000)


def _warm_up(recorder: Recorder, part: str, tasks: Sequence[Task], drawn: random.Random) -> list[_Plan]:
    calls: dict[int, list[float]] = {number: [] for number in range(len(tasks))}
    steps: dict[int, list[float]] = {number: [] for number in range(len(tasks))}
    for iteration in range(recorder.settings.warmup):
        for number in drawn.sample(range(len(tasks)), len(tasks)):
            task = tasks[number]
            if task.expected_ms is not None:
                continue
            started = time.perf_counter()
            ms = _call(recorder, part, task, _OTHERS + iteration, {"iteration": iteration, "warmup": True})
            if ms is not None:
                calls[number].append(ms)
                steps[number].append((time.perf_counter() - started) * 1000)
    plans = []
    for number, task in enumerate(tasks):
        call_ms = task.expected_ms or (statistics.median(calls[number]) if calls[number] else 0.0)
        step_ms = statistics.median(steps[number]) if steps[number] else call_ms
        plans.append(_Plan(task, _samples(recorder, task, call_ms), call_ms, max(step_ms, 0.1)))
    return plans


def _samples(recorder: Recorder, task: Task, call_ms: float) -> int:
    settings = recorder.settings
    affordable = int(settings.seconds_per_series * 1000 / call_ms) if call_ms else settings.samples
    wanted = min(settings.samples, max(affordable, task.least))
    return wanted if task.most is None else min(wanted, task.most)


def _step(recorder: Recorder, part: str, plan: _Plan, number: int) -> None:
    ms = _call(recorder, part, plan.task, number, {"iteration": number})
    plan.spent_ms += ms or 0.0
    plan.taken += 1


def _call(recorder: Recorder, part: str, task: Task, number: int, labels: dict[str, Any]) -> float | None:
    """Returns how long the call took, in ms; None if there was none."""
    recorder.show(part, {**task.labels, **labels})
    prepared = recorder.watch.time(lambda: task.prepare(number))
    if prepared.error:  # a page that cannot be asked for is a failed call, not a missing one
        recorder.add(prepared, **task.labels, **labels)
        return None
    if prepared.answer is None:
        return None
    timing = recorder.time(prepared.answer, store=task.store, **task.labels, **labels)
    task.answered(number, timing.answer, labels)
    return timing.ms
