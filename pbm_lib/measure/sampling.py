"""How many samples each series gets, and in which order they are all taken."""

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..store.store import ClaimStore
from .recorder import Recorder

FEWEST = 20
"""Minimum number of samples per series, however slow. The application's own queries get more, so that there can be a
verdict on a target; the unbounded query and reads of whole providers get fewer."""
_OTHERS = 1_000_000  # the questions of warm-ups are numbered from here, apart from those of samples that count
_AFTERWARDS_MS = 50.0
_OVERSPENT = 2.0


@dataclass(frozen=True)
class Task:
    """One series to be sampled.

    Attributes:
        labels: the labels of its samples.
        prepare: takes the number of a question and returns the call to time; None if there is no call to make.
        answered: called after each call, including warm-ups, with the number of the question, the answer (None if the
            call failed), and the labels of the sample that are not the task's. It may time another call that follows
            from the answer.
        store: the store that the calls use, if it is not the run's own.
        expected_ms: how long a call is known to take; the task then has no warm-ups.
        least: minimum number of samples, even if they take longer than `performance.seconds_per_series`.
        most: number of questions available; None if there is no limit.
        lag: 0 to 1; how far into its questions the task begins. If two contestants go through the same questions half
            of them apart, neither always comes second and finds its claims in the cache.
        dear_last: whether it waits until the others have ended, if a call takes more than 50 ms. It would fill the
            cache with claims that the others do not need.
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
    """A task, and what its warm-ups have shown."""

    task: Task
    samples: int
    call_ms: float
    step_ms: float  # including the call's preparation
    spent_ms: float = 0.0
    taken: int = 0

    @property
    def last(self) -> bool:
        """Whether it waits until the others have ended."""
        return self.task.dear_last and self.call_ms > _AFTERWARDS_MS


def take_samples(recorder: Recorder, part: str, tasks: Sequence[Task], name: str) -> None:
    """Take the samples of several series, all of them in one shuffled order.

    The number of samples in a series is planned before the first one: `performance.samples`, or, if the series' calls
    were slow in its warm-ups, as many as fit into `performance.seconds_per_series`, but at least `Task.least`. Each
    series is spread evenly over the whole time, so that a disturbance affects all of them equally. A series that takes
    more than twice its time is cut short, with a note.

    Args:
        recorder: the recorder of the run.
        part: the part of the run, in words, for the progress bar.
        tasks: the series.
        name: part of the seed from which the order is drawn.
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
        # Stop a series that goes far beyond its budget: its warm-ups were too few to show how slow it is.
        if plan.spent_ms <= _OVERSPENT * budget or plan.taken < plan.task.least:
            lag = int(plan.task.lag * plan.samples)
            _step(recorder, part, plan, (plan.taken + lag) % plan.samples)
        recorder.progress.advance(plan.step_ms / 1000)
    for plan in plans:
        if plan.taken < plan.samples:
            recorder.note(
                f"{recorder.in_words(plan.task.labels)}: {plan.taken} of {plan.samples} calls, because they took more "
                "than twice the time planned for them."
            )


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
    """Make a call, and return how long it took, in ms; None if no call was made."""
    recorder.show(part, {**task.labels, **labels})
    prepared = recorder.watch.time(lambda: task.prepare(number))
    if prepared.error:  # a call that cannot be prepared has failed; it is not a missing page
        recorder.add(prepared, **task.labels, **labels)
        return None
    if prepared.answer is None:
        return None
    timing = recorder.time(prepared.answer, store=task.store, **task.labels, **labels)
    task.answered(number, timing.answer, labels)
    return timing.ms
