"""Several clients at once, each asking without a pause: what rate they reach together, and on how many processors."""

from ..display import quantity
from .client import Job
from .crowd import Crowd
from .recorder import Recorder
from .records import Level


def measure_concurrency(recorder: Recorder, crowd: Crowd) -> None:
    """Let 1, 2, 4, ... clients work at once for a while, each a process that walks from question to question.

    Each question is a client's own. A client's first walk opens its connection, and is kept as warm-ups.
    """
    settings = recorder.settings
    for clients in settings.concurrency:
        recorder.show(f"{quantity(clients, 'client')} at once", {"operation": "page"})
        jobs = [Job(f"{clients} clients, number {number}", settings.concurrency_seconds) for number in range(clients)]
        together = crowd.work(jobs, section="concurrency", operation="page", clients=clients)
        # Each client asks until its own last answer: their rates add up to all pages over the mean of these times.
        seconds = sum(outcome.seconds for outcome in together.outcomes) / clients
        cpu = together.client_cpu(seconds), together.server_cpu, together.machine_cpu
        recorder.level(Level(clients, seconds, *cpu))
        recorder.save()
