"""Pages that are asked for at a fixed rate, whether or not earlier ones have been answered."""

import itertools
import random

from .client import Job
from .crowd import Crowd
from .recorder import Recorder
from .records import Level, OfferedRate
from .run import PerformanceRun
from .samples import Series

LOADS = (25, 50, 75)
"""Rates of calls, as percentages of the highest rate that the closed loop reached."""
_OVERTIME_SECONDS = 30.0


def measure_open_loop(recorder: Recorder, crowd: Crowd) -> None:
    """Ask for pages at 25, 50, and 75% of the highest rate of the closed loop, with as many clients as reached it.

    The times at which calls are due are fixed beforehand, like those of users who act independently. A call's time
    counts from when it was due, so it includes any wait for its turn. A server stall therefore shows in all calls that
    were due meanwhile; in a closed loop, it shows only in the calls in progress.
    """
    recorder.save()
    fastest = fastest_level(recorder.run)
    if fastest is None:
        recorder.note(
            "Open loop: not measured, because its rates are percentages of the concurrent clients' highest rate, which "
            "was not measured (performance.concurrency)."
        )
        return
    level, highest = fastest
    seconds = recorder.settings.concurrency_seconds
    for load in LOADS:
        recorder.show(f"open loop at {load}%", {"operation": "page"})
        drawn = random.Random(f"{recorder.settings.seed} open loop {load}")
        moments = arrivals(max(round(highest * load / 100 * seconds), 1), seconds, drawn)
        jobs = [
            Job(f"open loop {load}, number {number}", seconds, share, _OVERTIME_SECONDS)
            for number, share in enumerate(dealt(moments, level.clients, drawn))
        ]
        labels = {"section": "open_loop", "operation": "page", "clients": level.clients, "load": load}
        together = crowd.work(jobs, **labels)
        if unasked := sum(outcome.unasked for outcome in together.outcomes):
            recorder.note(
                f"Open loop at {load}%: the run dropped {unasked:,} of {len(moments):,} calls that had not "
                f"started {_OVERTIME_SECONDS:g} seconds after the last one was due, so the real waits were longer than "
                "these figures show."
            )
        took = max(seconds, *(outcome.seconds for outcome in together.outcomes))
        recorder.offered(
            OfferedRate(
                load=load,
                clients=level.clients,
                offered=len(moments) / seconds,
                seconds=took,
                client_cpu=together.client_cpu(took),
                server_cpu=together.server_cpu,
                machine_cpu=together.machine_cpu,
            )
        )
        recorder.save()


def fastest_level(run: PerformanceRun) -> tuple[Level, float] | None:
    """Return the level with the highest rate, and that rate in pages per second; None if no rate was measured."""
    rates = [(level, run.throughput(Series("concurrency", "page", clients=level.clients))) for level in run.levels]
    measured = [(level, rate.pages_per_s) for level, rate in rates if rate.pages_per_s]
    return max(measured, key=lambda found: found[1], default=None)


def arrivals(count: int, seconds: float, drawn: random.Random) -> list[float]:
    """Return `count` arrival times of a Poisson process, in seconds from its start, in order.

    The gaps are exponential, and are scaled so that exactly this many arrivals fall into the time.
    """
    moments = list(itertools.accumulate(drawn.expovariate(1.0) for _ in range(count + 1)))
    return [moment * seconds / moments[-1] for moment in moments[:-1]]


def dealt(moments: list[float], clients: int, drawn: random.Random) -> list[tuple[float, ...]]:
    """Return the arrival times of each client, dealt at random, so that each client's are a Poisson process as well."""
    shares: list[list[float]] = [[] for _ in range(clients)]
    for moment in moments:
        drawn.choice(shares).append(moment)
    return [tuple(share) for share in shares]
