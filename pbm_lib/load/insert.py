"""Insert missing claims with loading processes, and say how to continue if that is interrupted."""

import itertools
import math
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field

from tqdm import tqdm

from ..errors import LoadError, PbmError, ServerUnavailable
from ..spawn import spawning
from ..store.local_server import why_local_server_ended
from ..store.store import ClaimStore
from .state import LoadRecord
from .worker import insert_batch, start_worker

_WATCH_SECONDS = 1.0
_GO_ON = "Run load_claims(store) again to continue from there."
_RECONNECT = "Then run load_claims(connect(store.config)) to continue from there."


@dataclass
class Added:
    """What a load has added so far."""

    seconds: float = 0.0
    # (seconds spent adding, claims added by then), one pair per batch.
    points: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, 0)])

    @property
    def claims(self) -> int:
        """Claims that the server acknowledged."""
        return self.points[-1][1]


@contextmanager
def told_how_to_go_on(record: LoadRecord) -> Iterator[None]:
    """Turn whatever stops the load in this block into a LoadError that says how to continue."""
    try:
        yield
    except KeyboardInterrupt:
        raise LoadError(f"The load was interrupted. {_GO_ON}") from None
    except ServerUnavailable as error:
        raise LoadError(f"The load stopped: {error} {_RECONNECT}") from None
    except PbmError:
        # If the collection is lost, that is the cause, whatever the error says.
        if lost := record.lost():
            raise LoadError(f"The load stopped: {lost}") from None
        raise


def insert_missing(
    store: ClaimStore,
    missing: list[tuple[int, int]],
    workers: int,
    added: Added,
    lost: Callable[[], str | None],
    *,
    progress: bool,
) -> None:
    """Insert the missing batches, and record in `added` what they add.

    A batch is (start, stop) of claim numbers, stop exclusive. Once per second, `lost` is called: it returns why the
    load may no longer insert into the collection, or None if it still may.
    """
    volume = store.config.data_generation.target_volume
    done = volume - sum(stop - start for start, stop in missing)
    before = added.points[-1][0]
    others = multiprocessing.active_children()
    started = time.perf_counter()
    pool = ProcessPoolExecutor(
        min(workers, len(missing)),
        mp_context=multiprocessing.get_context("spawn"),  # a MongoClient does not survive a fork
        initializer=start_worker,
        initargs=(store.uri, store.config),
    )
    bar = tqdm(
        total=volume, initial=done, unit=" claims", unit_scale=True, desc="Loading", file=sys.stdout,
        disable=not progress, mininterval=0.5,
    )  # fmt: skip
    try:
        for claims, inserted in _run(pool, missing, 2 * workers, lambda: _check_server(store, lost)):
            done += claims
            bar.update(claims)
            added.points.append((before + time.perf_counter() - started, added.claims + inserted))
        pool.shutdown()
    except BaseException as error:
        # Stop at once, even mid-batch: whatever is lost is generated again. A plain shutdown would wait for the rest.
        for process in set(multiprocessing.active_children()).difference(others):
            process.kill()
        pool.shutdown(cancel_futures=True)
        so_far = f"About {done:,} of {volume:,} claims are on the server ({100 * done / volume:.0f}%)."
        if isinstance(error, KeyboardInterrupt):
            raise LoadError(f"The load was interrupted. {so_far} {_GO_ON}") from None
        if isinstance(error, BrokenProcessPool):
            raise LoadError(f"A loading process was killed or ran out of memory. {so_far} {_GO_ON}") from None
        if isinstance(error, OSError):
            raise LoadError(
                f"This machine could not start {workers} loading processes ({error.strerror}). {so_far} Continue with "
                "fewer, for example load_claims(store, workers=2), or raise the limit (ulimit -n for open files)."
            ) from None
        if isinstance(error, LoadError):
            raise LoadError(f"The load stopped: {str(error).rstrip('.')}. {so_far} {_RECONNECT}") from None
        raise
    finally:
        bar.close()
    added.seconds += time.perf_counter() - started


def _check_server(store: ClaimStore, lost: Callable[[], str | None]) -> None:
    """Raise at once if the local server ended or the collection is lost; workers would wait, or recreate it."""
    if reason := why_local_server_ended(store.config, store.uri) or lost():
        raise LoadError(reason)


def _run(
    pool: ProcessPoolExecutor, batches: Iterable[tuple[int, int]], most: int, check: Callable[[], None]
) -> Iterator[tuple[int, int]]:
    """Yield (claims, claims added) as batches finish, with at most `most` in progress; check once per second."""
    waiting: dict[Future, int] = {}
    left = iter(batches)
    checked = -math.inf
    while True:
        if time.monotonic() - checked >= _WATCH_SECONDS:
            check()
            checked = time.monotonic()
        for start, stop in itertools.islice(left, most - len(waiting)):
            with spawning():
                waiting[pool.submit(insert_batch, start, stop)] = stop - start
        if not waiting:
            return
        done = wait(waiting, timeout=_WATCH_SECONDS, return_when=FIRST_COMPLETED).done
        for future in done:
            if future.exception():
                check()  # why the server ended says more than the worker's error
            yield waiting.pop(future), future.result()
