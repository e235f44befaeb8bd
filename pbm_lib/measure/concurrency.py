"""Several clients at once: the part of a performance run that measures rates."""

import threading
import time
from dataclasses import replace

from ..query.filters import Question
from ..query.find import find_claims
from ..vocabulary import SCENARIOS
from .questions import Questions
from .recorder import Recorder
from .stopwatch import Stopwatch, Timing

_WALK = 5
_WARMUP_SHARE = 0.3


def measure_concurrency(recorder: Recorder) -> None:
    """Several clients at once, each walking some pages from a question of its own. They are threads of this process."""
    settings = recorder.settings
    for clients in settings.concurrency:
        recorder.show(f"{clients} clients at once")
        crowd = [_Client(recorder, clients, number) for number in range(clients)]
        seconds = _run_together(crowd, settings.concurrency_seconds)
        recorder.level(clients, seconds)
        for client in crowd:
            for iteration, timing in enumerate(client.timings):
                recorder.add(
                    timing,
                    section="concurrency",
                    operation="page",
                    clients=clients,
                    iteration=iteration if iteration < client.warmups else iteration - client.warmups,
                    warmup=iteration < client.warmups,
                )
        recorder.round_done()


class _Client(threading.Thread):
    """One of several clients; walks from question to question until told to stop.

    Attributes:
        timings: its calls.
        warmups: how many of the first of them ended before the clock was started.
    """

    def __init__(self, recorder: Recorder, clients: int, number: int):
        super().__init__(name=f"client {number + 1} of {clients}", daemon=True)
        self.timings: list[Timing] = []
        self.warmups = 1
        self.ready, self.stop = threading.Event(), threading.Event()
        self._watch: Stopwatch = recorder.watch
        self._store = recorder.store
        self._tiers = recorder.settings.tiers_to_test
        self._questions = Questions(recorder.store.config, recorder.settings, f"{clients} clients, number {number}")
        self._failures = 0

    def run(self) -> None:
        try:
            while not self.stop.is_set() and self._failures < 3:  # the recorder will say so
                self._walk()
                self.ready.set()
        finally:
            self.ready.set()  # the others wait for this one

    def _walk(self) -> None:
        question, cursor = self._draw(), None
        for _ in range(_WALK):
            cursor = self._ask(question, cursor)
            if cursor is None or self.stop.is_set():
                break

    def _draw(self) -> Question:
        drawn = self._questions.random
        return self._questions.draw(drawn.choice(self._tiers), drawn.choice(tuple(SCENARIOS)))

    def _ask(self, question: Question, cursor: str | None) -> str | None:
        timing = self._watch.time(lambda: find_claims(self._store, *question, cursor=cursor, with_total=False))
        page = timing.answer
        self._failures = self._failures + 1 if page is None else 0
        # The length alone is kept: thousands of pages would fill the memory.
        self.timings.append(replace(timing, answer=None if page is None else len(page)))
        return None if page is None else page.next_cursor


def _run_together(crowd: list[_Client], seconds: float) -> float:
    """Let all clients work for some seconds; returns how long it was until the last page had arrived."""
    try:
        for client in crowd:
            client.start()
        for client in crowd:
            client.ready.wait()
        crowd[0].stop.wait(seconds * _WARMUP_SHARE)
        for client in crowd:  # all are at work: a call that has ended by now was a warm-up
            client.warmups = len(client.timings)
        started = time.perf_counter()
        crowd[0].stop.wait(seconds)
    finally:  # also when interrupted: no client may go on behind the next cell's back
        for client in crowd:
            client.stop.set()
    for client in crowd:
        client.join()
    return time.perf_counter() - started
