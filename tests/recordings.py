"""A run that has just begun, for tests of one of its parts; and one part in its own process, which a test can end.

Run as a program, it measures totals until it is ended: python tests/recordings.py CONFIG FOLDER [slow]
"""

import contextlib
import datetime as dt
import secrets
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from servers import SLOW

from pbm_lib import ClaimStore, PerformanceRun, connect, count_claims, list_providers, load_config
from pbm_lib.measure.conditions import measure_conditions
from pbm_lib.measure.progress import Progress
from pbm_lib.measure.recorder import Recorder
from pbm_lib.measure.records import RunSettings
from pbm_lib.measure.totals import measure_totals
from pbm_lib.query.rollup import ClaimRollup
from pbm_lib.query.stopwatch import Stopwatch
from pbm_lib.store.footprint import measure_footprint


@contextlib.contextmanager
def recording(store: ClaimStore, folder: Path, **performance: Any) -> Iterator[Recorder]:
    """A recorder for the length of a block, with a run file in this folder; keywords change section `performance`."""
    config, started = store.config, dt.datetime.now(dt.UTC).replace(microsecond=0)
    settings = replace(config.performance, **performance)
    run = PerformanceRun(
        id=f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}",
        complete=False,
        started=started,
        ended=started,
        settings=RunSettings(
            performance=settings,
            data_generation=config.data_generation,
            atlas=config.atlas,
            index=config.mongodb.index,
            page_size=config.query.default_page_size,
        ),
        conditions=measure_conditions(
            store,
            {tier: count_claims(store, list_providers(config, tier)[0].tin) for tier in settings.tiers_to_test},
        ),
        footprint=measure_footprint(store),
    )
    run = replace(run, path=run.save(folder))
    watch = Stopwatch()
    with (
        watch.measured(store, 1) as measured,
        Recorder(run, watch, measured, Progress({}, shown=False)) as recorder,
    ):
        yield recorder


def slow_to_make(rollup: ClaimRollup, pipeline=ClaimRollup.pipeline) -> list[dict[str, Any]]:
    """Pipeline stages that take the server 0.3 s per claim."""
    return [{"$match": SLOW}, *pipeline(rollup)]


def main(config: Path, folder: Path, *, slow: bool) -> None:
    if slow:
        ClaimRollup.pipeline = slow_to_make
    with (
        connect(load_config(config)) as store,
        recording(store, folder, samples=100_000, seconds_per_series=600.0) as recorder,
    ):
        measure_totals(recorder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), slow="slow" in sys.argv[3:])
