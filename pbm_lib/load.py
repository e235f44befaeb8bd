"""Load the claims: parallel, resumable, exact."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from tqdm import tqdm

from .errors import LoadError, translated_driver_errors
from .load_state import claim_collection, finish, missing_ranges
from .load_worker import insert_batch, start_worker
from .local_server import diagnose, is_local_uri, running_server
from .roster import provider_roster
from .store import ClaimStore

__all__ = ["LoadReport", "load_claims"]

_ROUNDS = 3
_GO_ON = "Run load_claims(store) again: it goes on from there."


@dataclass(frozen=True)
class LoadReport:
    """What a load did.

    Attributes:
        volume: claims on the server now, checked by counting.
        inserted: claims that this call added.
        seconds: time that adding them took, without the checks.
        workers: loading processes.
        batch_size: claims in one insert.
        tiers: (tier, providers, claims counted on the server), a row a tier.
        progress: (seconds since the start, claims added until then), at most about 200 points.
    """

    volume: int
    inserted: int
    seconds: float
    workers: int
    batch_size: int
    tiers: tuple[tuple[str, int, int], ...]
    progress: tuple[tuple[float, int], ...]

    @property
    def claims_per_second(self) -> float:
        """Claims added a second; 0 when there was nothing to add."""
        return self.inserted / self.seconds if self.seconds else 0.0

    def tiers_frame(self):
        """Return the check of counts as a pandas DataFrame, a row a tier."""
        import pandas as pd  # here, since the worker processes import this package and need no pandas

        return pd.DataFrame(self.tiers, columns=["tier", "providers", "claims"])

    def rate_frame(self):
        """Return claims a second over the time of the load as a pandas DataFrame: seconds, claims_per_second."""
        import pandas as pd

        frame = pd.DataFrame(self.progress, columns=["seconds", "claims"])
        rate = frame["claims"].diff() / frame["seconds"].diff()
        return pd.DataFrame({"seconds": frame["seconds"], "claims_per_second": rate}).dropna()

    def __repr__(self) -> str:
        done = (
            f"{self.inserted:,} added in {self.seconds:.1f} s, {self.claims_per_second:,.0f} claims/s "
            f"({self.workers} workers, batches of {self.batch_size:,})"
            if self.inserted
            else "nothing to add"
        )
        rows = "".join(
            f"\n  {tier:<6} {claims:>12,} claims of {count:,} providers" for tier, count, claims in self.tiers
        )
        return f"LoadReport: {self.volume:,} claims on the server, every provider's count checked; {done}{rows}"


def load_claims(
    store: ClaimStore,
    *,
    replace: bool = False,
    workers: int | None = None,
    batch_size: int | None = None,
    progress: bool = True,
) -> LoadReport:
    """Bring the collection to exactly the configured claims, adding what is missing.

    Claim number n is the same whatever the workers and batches, and so is its `_id`. A load that was interrupted,
    whatever died, is therefore continued by calling this again.

    In a script, call it under `if __name__ == "__main__":`, since it starts processes.

    Args:
        store: a store that `setup_collection` has set up.
        replace: drop the claims that this program loaded before and start over. Claims of another origin stay.
        workers: loading processes; None takes `data_generation.workers`.
        batch_size: claims in one insert; None takes `data_generation.batch_size`.
        progress: show a bar on standard output.

    Returns:
        The report; counts by tier are those on the server.

    Raises:
        LoadError: the collection holds other claims, or the load stopped; the message says how to go on.
    """
    data = store.config.data_generation
    workers = workers or _worker_count(store)
    batch_size = batch_size or data.batch_size
    added, seconds, points = 0, 0.0, [(0.0, 0)]
    with translated_driver_errors():
        claim_collection(store, replace=replace)
        missing = missing_ranges(store, batch_size)
        for _ in range(_ROUNDS):
            if not missing:
                break
            started = time.perf_counter()
            added += _load(store, missing, workers, progress, points)
            seconds += time.perf_counter() - started
            # Once more: a server that was killed may have lost the last batches that it had acknowledged.
            missing = missing_ranges(store, batch_size)
        if missing:
            raise LoadError(f"{len(missing):,} batches are still incomplete after {_ROUNDS} rounds. {_GO_ON}")
        counted = finish(store)
    tiers: dict[str, list[int]] = {tier.name: [] for tier in data.tiers}
    for provider in provider_roster(data):
        tiers[provider.tier].append(counted[provider.tin])
    return LoadReport(
        volume=sum(counted.values()),
        inserted=added,
        seconds=seconds,
        workers=workers,
        batch_size=batch_size,
        tiers=tuple((name, len(counts), sum(counts)) for name, counts in tiers.items()),
        progress=tuple(points[:: max(1, len(points) // 200)]),
    )


def _load(
    store: ClaimStore,
    missing: list[tuple[int, int]],
    workers: int,
    progress: bool,
    points: list[tuple[float, int]],
) -> int:
    """Insert the missing batches; returns the claims added."""
    volume = store.config.data_generation.target_volume
    todo = sum(stop - start for start, stop in missing)
    context = multiprocessing.get_context("spawn")  # a MongoClient does not survive a fork
    stop_now = context.Event()
    pool = ProcessPoolExecutor(
        min(workers, len(missing)),
        mp_context=context,
        initializer=start_worker,
        initargs=(store._uri, store.config, stop_now),
    )
    added, (before, base) = 0, points[-1]
    started = time.perf_counter()
    bar = tqdm(
        total=volume, initial=volume - todo, unit=" claims", unit_scale=True, desc="Loading", file=sys.stdout,
        disable=not progress, mininterval=0.5,
    )  # fmt: skip
    try:
        for claims, inserted in _run(pool, missing, 2 * workers):
            added += inserted
            bar.update(claims)
            points.append((before + time.perf_counter() - started, base + added))
    except KeyboardInterrupt:
        raise LoadError(f"The load was interrupted: {_so_far(volume - todo + added, volume)} {_GO_ON}") from None
    except BrokenProcessPool:
        raise LoadError(
            f"A loading process ended (killed, or out of memory): {_so_far(volume - todo + added, volume)} "
            f'{_GO_ON} In a script, load_claims must be called under if __name__ == "__main__":.'
        ) from None
    except LoadError as error:
        cause = str(error).rstrip(".")
        if is_local_uri(store.config, store._uri) and not running_server(store.config):
            cause = f"The local server ended. {diagnose(store.config.data_dir)}".rstrip(".")
        raise LoadError(
            f"The load stopped: {cause}. {_so_far(volume - todo + added, volume)} Then run load_claims again on a new "
            "connection (connect): it goes on from there."
        ) from None
    finally:
        bar.close()
        stop_now.set()
        pool.shutdown(wait=True, cancel_futures=True)
    return added


def _run(pool: ProcessPoolExecutor, batches: Iterable[tuple[int, int]], most: int):
    """Yield (claims, claims added) as batches get done, with at most so many under way."""
    waiting: dict[Future, int] = {}
    for start, stop in batches:
        waiting[pool.submit(insert_batch, start, stop)] = stop - start
        if len(waiting) >= most:
            yield from _done(waiting)
    while waiting:
        yield from _done(waiting)


def _done(waiting: dict[Future, int]):
    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
        yield waiting.pop(future), future.result()


def _so_far(done: int, volume: int) -> str:
    return f"About {done:,} of {volume:,} claims are on the server ({100 * done / volume:.0f} %)."


def _worker_count(store: ClaimStore) -> int:
    asked = store.config.data_generation.workers
    if asked != "auto":
        return asked
    # Over a network two are enough for a small tier, which takes few new connections a second; the local server
    # shares this machine's cores with the workers.
    most = 2 if store.server.host_kind == "Atlas" else 4
    return max(1, min(most, os.cpu_count() or 1))
