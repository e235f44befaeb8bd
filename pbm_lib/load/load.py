"""Load the claims: parallel, resumable, exact."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm import tqdm

from ..claims.roster import provider_roster
from ..display import ShownAsFacts
from ..errors import LoadError, ServerUnavailable, check_kind
from ..store.driver_errors import translated_driver_errors
from ..store.local_server import diagnose, is_local_uri, running_server
from ..store.store import ClaimStore
from .state import claim_collection, count_by_provider, flush, mark, missing_ranges, wrong_counts
from .worker import insert_batch, start_worker

_ROUNDS = 3
_POINTS = 200
_PARTS = 60
_WATCH_SECONDS = 1.0
_GO_ON = "Run load_claims(store) again: it goes on from there."
_RECONNECT = "Then run load_claims again on a new connection (connect): it goes on from there."


@dataclass(frozen=True, repr=False)
class LoadReport(ShownAsFacts):
    """What a load did.

    Attributes:
        volume: claims on the server now, checked by counting.
        inserted: claims that this call added, as far as the server acknowledged them.
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
        return pd.DataFrame(self.tiers, columns=["tier", "providers", "claims"])

    def rate_frame(self):
        """Return claims a second over the time of the load as a pandas DataFrame: seconds, claims_per_second.

        The time is cut into equal parts, at most 60: batches of several workers get done in bursts.
        """
        seconds, claims = zip(*self.progress, strict=True)
        cuts = np.linspace(0, seconds[-1], min(len(seconds), _PARTS + 1))
        rate = np.diff(np.interp(cuts, seconds, claims)) / np.diff(cuts)
        return pd.DataFrame({"seconds": cuts[1:], "claims_per_second": rate})

    def facts(self) -> dict[str, str]:
        """Return what a reader wants to know of this load, label to value."""
        added = (
            f"{self.inserted:,} in {self.seconds:.1f} s, {self.claims_per_second:,.0f} claims a second "
            f"({self.workers} worker{'s' if self.workers != 1 else ''}, batches of {self.batch_size:,})"
            if self.inserted
            else "nothing to add"
        )
        tiers = {
            f"Tier {tier}": f"{claims:,} claims of {count:,} provider{'s' if count != 1 else ''}"
            for tier, count, claims in self.tiers
        }
        total = f"{self.volume:,} claims on the server, every provider's count checked"
        return {"Loaded": total, "Added now": added, **tiers}


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

    The check at the end, which on a complete collection is all that happens, counts the claims of each provider on the
    server and looks for documents of anybody else.

    Args:
        store: a store that `setup_collection` has set up.
        replace: drop the claims that this program loaded before and start over. Claims of another origin stay. A
            sharded collection is made anew unsharded.
        workers: loading processes, 1 to 32; None takes `data_generation.workers`.
        batch_size: claims in one insert, 1 to 50,000; None takes `data_generation.batch_size`.
        progress: show a bar on standard output.

    Returns:
        The report; counts by tier are those on the server.

    Raises:
        LoadError: the collection holds other claims, or the load stopped; the message says how to go on.
        ServerUnavailable: the server cannot be reached to begin with.
    """
    check_kind("store", store, ClaimStore, "what connect(config) returned", LoadError)
    data = store.config.data_generation
    workers = _within("workers", workers, 32) or _worker_count(store)
    batch_size = _within("batch_size", batch_size, 50_000) or data.batch_size
    added, seconds, points = 0, 0.0, [(0.0, 0)]
    with translated_driver_errors():
        complete = claim_collection(store, replace=replace)
        counted = count_by_provider(store) if complete else {}
    for turn in range(_ROUNDS):
        if not wrong_counts(store, counted):
            break
        with _told_how_to_go_on(), translated_driver_errors():
            complete = False
            mark(store, "loading")
            # Counting sees nearly every gap. The second look is at each claim: a server that was killed may have lost
            # the last batches that it had acknowledged, and a document of somebody else can hide a gap from counts.
            missing = missing_ranges(store, batch_size, by_id=turn > 0)
            if missing:
                started = time.perf_counter()
                added += _load(store, missing, workers, progress, points)
                seconds += time.perf_counter() - started
            elif turn > 0:
                break
            counted = count_by_provider(store)
    if wrong := wrong_counts(store, counted):
        raise LoadError(wrong)
    if not complete:  # else there is nothing to write, which a user who only reads may not
        with translated_driver_errors():
            mark(store, "complete")
            flush(store)
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
        progress=tuple(points[: -1 : -(-len(points) // _POINTS)] + points[-1:]),
    )


def _within(name: str, value: int | None, most: int) -> int | None:
    if value is None or (type(value) is int and 1 <= value <= most):
        return value
    raise LoadError(f"{name}: {value!r} is not accepted; accepted: 1 to {most:,}, or None for the config's.")


@contextmanager
def _told_how_to_go_on():
    """Within this block an interrupt, or a server that goes away, becomes a LoadError that says how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        raise LoadError(f"The load was interrupted. {_GO_ON}") from None
    except ServerUnavailable as error:
        raise LoadError(f"The load stopped: {error} {_RECONNECT}") from None


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
    others = multiprocessing.active_children()
    pool = ProcessPoolExecutor(
        min(workers, len(missing)),
        mp_context=multiprocessing.get_context("spawn"),  # a MongoClient does not survive a fork
        initializer=start_worker,
        initargs=(store.uri, store.config),
    )
    done, added, (before, base) = volume - todo, 0, points[-1]
    started = time.perf_counter()
    bar = tqdm(
        total=volume, initial=done, unit=" claims", unit_scale=True, desc="Loading", file=sys.stdout,
        disable=not progress, mininterval=0.5,
    )  # fmt: skip
    try:
        for claims, inserted in _run(pool, missing, 2 * workers, lambda: _check_local_server(store)):
            done += claims
            added += inserted
            bar.update(claims)
            points.append((before + time.perf_counter() - started, base + added))
        pool.shutdown()
    except BaseException as error:
        # At once, in the middle of a batch: whatever is lost is made again. A plain shutdown would wait for the rest.
        for process in set(multiprocessing.active_children()).difference(others):
            process.kill()
        pool.shutdown(cancel_futures=True)
        so_far = f"About {done:,} of {volume:,} claims are on the server ({100 * done / volume:.0f} %)."
        if isinstance(error, KeyboardInterrupt):
            raise LoadError(f"The load was interrupted. {so_far} {_GO_ON}") from None
        if isinstance(error, BrokenProcessPool):
            raise LoadError(f"A loading process ended (killed, or out of memory). {so_far} {_GO_ON}") from None
        if isinstance(error, LoadError):
            raise LoadError(f"The load stopped: {str(error).rstrip('.')}. {so_far} {_RECONNECT}") from None
        raise
    finally:
        bar.close()
    return added


def _check_local_server(store: ClaimStore) -> None:
    """Say at once why the local server ended, where workers would wait for its return."""
    if is_local_uri(store.config, store.uri) and not running_server(store.config):
        raise LoadError(f"The local server ended. {diagnose(store.config.data_dir)}")


def _run(
    pool: ProcessPoolExecutor, batches: Iterable[tuple[int, int]], most: int, check: Callable[[], None]
) -> Iterator[tuple[int, int]]:
    """Yield (claims, claims added) as batches get done, with at most so many under way; check while none gets done."""
    waiting: dict[Future, int] = {}
    left = iter(batches)
    while True:
        for start, stop in itertools.islice(left, most - len(waiting)):
            with _script_left_out():
                waiting[pool.submit(insert_batch, start, stop)] = stop - start
        if not waiting:
            return
        done = wait(waiting, timeout=_WATCH_SECONDS, return_when=FIRST_COMPLETED).done
        if not done:
            check()
        for future in done:
            if future.exception():
                check()  # what ended the server says more than what a worker saw of it
            yield waiting.pop(future), future.result()


@contextmanager
def _script_left_out() -> Iterator[None]:
    """Within this block a process that starts does not run the caller's script again, as Python has it do by default.

    Ours need nothing of it. So a script may load without `if __name__ == "__main__":`, and from a pipe, too.
    """
    main = vars(sys.modules["__main__"])
    hidden = {name: main.pop(name) for name in ("__file__", "__spec__") if name in main}
    main["__spec__"] = None
    try:
        yield
    finally:
        main.update(hidden)


def _worker_count(store: ClaimStore) -> int:
    asked = store.config.data_generation.workers
    if asked != "auto":
        return asked
    # Over a network two are enough for a small tier, which takes few new connections a second; the local server
    # shares this machine's cores with the workers.
    most = 2 if store.server.host_kind == "Atlas" else 4
    return max(1, min(most, os.cpu_count() or 1))
