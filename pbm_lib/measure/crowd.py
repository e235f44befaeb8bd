"""Concurrent client processes: start them, let them begin at the same moment, monitor them, and end them."""

import multiprocessing
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any, Self, TypeVar

import psutil

from ..errors import PbmError
from ..spawn import spawning
from ..store.server import server_process
from .client import FAILURES, Call, Job, Outcome, serve
from .recorder import Recorder
from .samples import Sample

_READY_SECONDS = 90.0
_ANSWER_SECONDS = 30.0
_END_SECONDS = 5.0
_LEAD_SECONDS = 0.2  # from announcing the start to the start, so that every client knows of it in time
_TICK_SECONDS = 0.5
_Answer = TypeVar("_Answer", list, Outcome)


@dataclass(frozen=True)
class Together:
    """What the clients have done together.

    Attributes:
        outcomes: what each client has done.
        server_cpu: processors that the server kept busy; None if it runs on another machine, or if unknown.
        machine_cpu: processors of this machine that any process kept busy.
    """

    outcomes: tuple[Outcome, ...]
    server_cpu: float | None
    machine_cpu: float

    def client_cpu(self, seconds: float) -> float:
        """Return how many processors the clients kept busy, given how long they took."""
        return sum(outcome.cpu_seconds for outcome in self.outcomes) / seconds


class Crowd:
    """Client processes, each started when it is first needed. None outlives the `with` block.

    Args:
        recorder: the recorder of the run.
        answer_seconds: how long to wait for the last answers before the run is stopped.
    """

    def __init__(self, recorder: Recorder, *, answer_seconds: float = _ANSWER_SECONDS):
        self._recorder, self._answer_seconds = recorder, answer_seconds
        store = recorder.store
        self._server = server_process(store.collection.database.client, store.server)
        self._clients: list[tuple[multiprocessing.process.BaseProcess, connection.Connection]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for process, pipe in self._clients:
            pipe.close()
            if kind:
                process.kill()
        deadline = time.monotonic() + _END_SECONDS
        for process, _ in self._clients:
            process.join(max(deadline - time.monotonic(), 0.0))
            process.kill()
            process.join(_END_SECONDS)

    def work(self, jobs: Sequence[Job], **labels: Any) -> Together:
        """Run one client per job, all at once, and record their calls as samples with these labels.

        Raises:
            PbmError: a client ended, did not answer, could not connect, or gave up after too many failures in a row.
        """
        self._start(len(jobs))
        for number, job in enumerate(jobs):
            self._send(number, job)
        warm_ups = self._answers(range(len(jobs)), list, _READY_SECONDS)
        start = time.perf_counter() + _LEAD_SECONDS
        for number in range(len(jobs)):
            self._send(number, start)
        time.sleep(_LEAD_SECONDS)
        before, busy_before, began = _cpu_seconds(self._server), _busy_seconds(), time.perf_counter()
        seconds = max(job.seconds for job in jobs)
        patience = max(job.seconds + job.overtime for job in jobs) + self._answer_seconds
        outcomes = self._answers(range(len(jobs)), Outcome, patience, progress_seconds=seconds)
        after, busy_after, took = _cpu_seconds(self._server), _busy_seconds(), time.perf_counter() - began
        self._record([call for calls in warm_ups for call in calls], warmup=True, **labels)
        # Sorted by start, so that the first half of the samples is also the first half of the time.
        calls = [call for outcome in outcomes for call in outcome.calls]
        self._record(sorted(calls, key=lambda call: call.at), **labels)
        for outcome in outcomes:
            if outcome.gave_up:
                error = outcome.calls[-1].error
                raise self._recorder.stopped(f"{FAILURES} calls in a row failed in one client (last: {error})")
        known = before is not None and after is not None
        return Together(
            outcomes=tuple(outcomes),
            server_cpu=max(after - before, 0.0) / took if known else None,
            machine_cpu=max(busy_after - busy_before, 0.0) / took,
        )

    def _start(self, count: int) -> None:
        """Start the clients that are missing, all at once, and wait until each has connected."""
        missing = range(len(self._clients), count)
        try:
            for _ in missing:
                self._start_one()
        except OSError as error:
            raise self._recorder.stopped(
                f"this machine could not start {count} client processes ({error.strerror})",
                "Set performance.concurrency to fewer clients or raise the limit (ulimit -n for open files), then "
                "measure again.",
            ) from None
        self._answers(missing, list, _READY_SECONDS)

    def _start_one(self) -> None:
        store, spawn = self._recorder.store, multiprocessing.get_context("spawn")  # forking breaks a MongoClient
        ours, theirs = spawn.Pipe()
        arguments = (theirs, store.uri, store.config, store.server, self._recorder.settings)
        process = spawn.Process(target=serve, args=arguments, daemon=True)
        try:
            with spawning():
                process.start()
                self._clients.append((process, ours))
        finally:
            theirs.close()  # now only the client holds it, so the pipe closes when the client ends

    def _send(self, number: int, message: Job | float) -> None:
        with suppress(OSError):  # the client has ended; waiting for its answer will report that
            self._clients[number][1].send(message)

    def _answers(
        self, numbers: Sequence[int], kind: type[_Answer], seconds: float, *, progress_seconds: float = 0.0
    ) -> list[_Answer]:
        """Wait for an answer from each of these clients, for at most `seconds`."""
        pipes = {self._clients[number][1]: number for number in numbers}
        answers: dict[int, _Answer] = {}
        began, shown = time.monotonic(), 0.0
        while waiting := [pipe for pipe, number in pipes.items() if number not in answers]:
            passed = time.monotonic() - began
            if passed > seconds:
                raise self._recorder.stopped(
                    f"{_named(pipes[waiting[0]])} did not respond within {seconds:.0f} seconds"
                )
            for pipe in connection.wait(waiting, min(_TICK_SECONDS, seconds - passed)):
                answers[pipes[pipe]] = self._received(pipes[pipe])
            step = min(time.monotonic() - began, progress_seconds) - shown
            self._recorder.progress.advance(step)
            shown += step
        return [answers[number] for number in numbers]

    def _received(self, number: int) -> Any:
        process, pipe = self._clients[number]
        try:
            answer = pipe.recv()
        except (EOFError, OSError):
            process.join(_END_SECONDS)
            raise self._recorder.stopped(
                f"{_named(number)} was killed or ran out of memory (exit code {process.exitcode})",
                "Find out what ended it (the system log shows what ran out of memory), then measure again.",
            ) from None
        if isinstance(answer, PbmError):
            raise self._recorder.stopped(f"{_named(number)} failed. {str(answer).rstrip('.')}")
        return answer

    def _record(self, calls: Sequence[Call], **labels: Any) -> None:
        self._recorder.add_samples([
            Sample(
                ms=round(call.ms, 4),
                service_ms=None if call.service_ms is None else round(call.service_ms, 4),
                claims=call.claims,
                retries=call.retries,
                error=call.error,
                iteration=iteration,
                **labels,
            )
            for iteration, call in enumerate(calls)
        ])  # fmt: skip


def _named(number: int) -> str:
    return f"client process {number + 1}"


def _cpu_seconds(process: psutil.Process | None) -> float | None:
    """Processor time that a process has used so far; None if unknown."""
    if process is None:
        return None
    try:
        times = process.cpu_times()
    except psutil.Error:
        return None
    return times.user + times.system


def _busy_seconds() -> float:
    """Busy time of all processors of this machine so far, added up, whichever process kept them busy."""
    times = psutil.cpu_times()
    return times.user + times.system + sum(getattr(times, name, 0.0) for name in ("nice", "irq", "softirq", "steal"))
