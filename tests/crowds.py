"""Shared by the tests of client processes: a recorder, and a measurement in its own process, which can be killed.

Run as a program, it lets one client work for the config's `concurrency_seconds`, then two clients for a minute:
python tests/crowds.py CONFIG RUN
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from fake_runs import fake_run
from processes import spawned
from servers import Mongod, running

from pbm_lib import ClaimStore, Config, connect, load_config, setup_collection
from pbm_lib.claims.generate import claim_generator
from pbm_lib.measure.client import Job
from pbm_lib.measure.clients import measure_concurrency
from pbm_lib.measure.crowd import Crowd
from pbm_lib.measure.progress import Progress
from pbm_lib.measure.recorder import Recorder
from pbm_lib.query.stopwatch import Stopwatch


@contextmanager
def recording(store: ClaimStore, path: Path, **performance: Any) -> Iterator[Recorder]:
    """A recorder for an empty run on a loaded store, with `path` as run file; keywords change section `performance`."""
    config = replace(store.config, performance=replace(store.config.performance, **performance))
    empty = {"complete": False, "checks": (), "levels": (), "offered": (), "rollup": None}
    run = fake_run(config, [], path=path, **empty)
    watch = Stopwatch()
    with watch.measured(store, 1) as measured, Recorder(run, watch, measured, Progress({}, shown=False)) as recorder:
        yield recorder


@contextmanager
def server_with_claims(folder: Path, config: Config) -> Iterator[tuple[Mongod, ClaimStore]]:
    """A server for the length of a block, which may suspend it, and a store on it with all its claims."""
    with running(Mongod(folder)) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MONGODB_URI", server.uri)
        with connect(config) as store:
            try:
                yield server, fill(store)
            finally:
                server.process.send_signal(signal.SIGCONT)


def fill(store: ClaimStore) -> ClaimStore:
    """Set up a new collection and insert its claims."""
    data = setup_collection(store).config.data_generation
    store.collection.insert_many(claim_generator(data).documents(0, data.target_volume))
    return store


def clients_of_ours() -> list[psutil.Process]:
    """The client processes that this process has started."""
    return spawned(psutil.Process())


def main(config: Path, path: Path) -> None:
    with connect(load_config(config)) as store, recording(store, path, concurrency=(1,)) as recorder:
        with Crowd(recorder) as crowd:
            measure_concurrency(recorder, crowd)
        with Crowd(recorder) as crowd:
            crowd.work([Job("one", 60), Job("two", 60)], section="concurrency", operation="page", clients=2)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
