"""Concurrent clients, each asking without a pause: the rate that they reach together, and the processors it takes."""

from ..display import quantity
from .client import Job
from .crowd import Crowd
from .recorder import Recorder
from .records import Level


def measure_concurrency(recorder: Recorder, crowd: Crowd) -> None:
    """Measure each configured number of concurrent clients. Each client is a process that makes walk after walk.

    Every client draws its own questions. Its first walk opens its connection; those calls are recorded as warm-ups.
    """
    settings = recorder.settings
    for clients in settings.concurrency:
        recorder.show(f"{quantity(clients, 'client')} at once", {"operation": "page"})
        jobs = [Job(f"{clients} clients, number {number}", settings.concurrency_seconds) for number in range(clients)]
        together = crowd.work(jobs, section="concurrency", operation="page", clients=clients)
        # Each client works until its own last answer, so their rates add up to all pages over the mean of these times.
        seconds = sum(outcome.seconds for outcome in together.outcomes) / clients
        cpu = together.client_cpu(seconds), together.server_cpu, together.machine_cpu
        recorder.level(Level(clients, seconds, *cpu))
        recorder.save()
