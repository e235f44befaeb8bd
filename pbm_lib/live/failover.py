"""A failover demo: of three local mongods, one steps down and the next is killed while pages are watched."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from ..arguments import checked
from ..config import Config
from ..display import milliseconds
from ..errors import LoadError, PbmError
from ..load.load import load_claims
from ..store.local_replica_set import LocalReplicaSet, local_replica_set
from ..store.setup import setup_collection
from ..store.store import ClaimStore, open_first
from ..working import working
from .watch import Watch
from .watch_pages import watch_with

_DEFAULT_ELECTION_TIMEOUT_MS = 10_000
_JOIN_SECONDS = 5.0


@checked(PbmError)
def watch_failover(config: Config, *, progress: bool = True) -> Watch:
    """Watch pages on a local replica set while its nodes fail and claims arrive.

    Starts three mongods on 127.0.0.1 with their own data folder, loads a small collection, and watches it as
    `watch_pages` does. After one third of the time the primary steps down; after two thirds the current primary is
    killed (SIGKILL). All three are stopped and their data deleted, however the watch ends; if the process is killed,
    the next run cleans up. MONGODB_URI and the local server are not touched. A claim counts as arrived once a majority
    of the nodes has it.

    Args:
        config: the settings; sections `live` and `failover` set the times, rates, sizes, and ports.
        progress: show a bar on standard output and, in a notebook, a small live chart.

    Returns:
        What the watch saw; its notes say what happened to the nodes.

    Raises:
        ServerUnavailable: the mongods cannot be started, a port is in use, or another process is running a failover.
        LoadError: the small collection could not be loaded, for example because it was interrupted.
        PbmError: the watch was interrupted.
    """
    scene, live = config.failover, config.live
    with local_replica_set(config) as cluster, open_first(cluster.uri, scaled_down(config)) as store:
        setup_collection(store, progress=False)
        with working("Loading a small collection", progress=progress):
            claims = _loaded(store)
        with _Failures(cluster, scene.seconds) as failures:
            watch = watch_with(
                store, None, seconds=scene.seconds, pages_per_second=live.pages_per_second,
                feed_per_second=live.feed_per_second, progress=progress, begun=failures.begin,
            )  # fmt: skip
    notes = [
        f"{claims:,} claims on three local mongods, ports {', '.join(map(str, cluster.ports))}.",
        *failures.told(watch),
        about_elections(scene.election_timeout_ms),
    ]
    if cluster.leftovers:
        pids = ", ".join(map(str, cluster.leftovers))
        notes.append(f"Mongods left behind by an earlier run were stopped first: process {pids}.")
    return replace(watch, notes=(*notes, *watch.notes))


def _loaded(store: ClaimStore) -> int:
    try:
        return load_claims(store, workers=1, progress=False).volume
    except LoadError as error:  # its advice to continue the load is wrong here: everything is removed
        why = str(error).partition(". ")[0]
    raise LoadError(f"{why} (the failover's small collection). Everything was removed. Run the failover again.")


class _Failures:
    """Makes the nodes fail, in its own thread because the watch keeps the main thread busy."""

    def __init__(self, cluster: LocalReplicaSet, seconds: float):
        self._plan = (
            (seconds / 3, cluster.step_down, "stepped down"),
            (seconds * 2 / 3, cluster.kill_primary, "was killed (SIGKILL)"),
        )
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None
        self._happened: list[tuple[float, str]] = []  # (seconds from the start, what, or why not)

    def __enter__(self) -> "_Failures":
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        if self._thread:
            self._thread.join(_JOIN_SECONDS)

    def begin(self, start: float) -> None:
        """Schedule the failures, given the start of the watch on `time.perf_counter`."""
        self._thread = threading.Thread(target=self._run, args=(start,), daemon=True)
        self._thread.start()

    def told(self, watch: Watch) -> list[str]:
        """Describe each failure, with the longest time without a page between it and the next one."""
        happened = self._happened.copy()  # the thread may still be waiting for a server
        until = [*(at for at, _ in happened[1:]), watch.seconds]
        return [
            f"After {at:.1f} s {words}; the longest gap after that was {milliseconds(gap_ms(watch, at, end))}."
            for (at, words), end in zip(happened, until, strict=True)
        ]

    def _run(self, start: float) -> None:
        for after, fail, words in self._plan:
            if self._is_over.wait(max(start + after - time.perf_counter(), 0.0)):
                return
            self._let(fail, start, words)

    def _let(self, fail: Callable[[], str], start: float, words: str) -> None:
        begun = time.perf_counter() - start
        try:
            primary = fail()
        except PbmError as error:
            self._happened.append((begun, f"no primary {words} ({str(error).rstrip('.')})"))
        else:
            self._happened.append((begun, f"the primary {primary} {words}"))


def gap_ms(watch: Watch, start: float, stop: float) -> float:
    """Return the longest time without a page, in ms, between two moments of a watch.

    Args:
        watch: the watch.
        start: first moment, in seconds from the start of the watch; a gap that began earlier counts in full.
        stop: last moment, likewise; a gap that lasts longer counts only up to it.
    """
    ends = [0.0, *(page.end for page in watch.pages if page.end < stop), stop]
    return max((later - earlier for earlier, later in pairwise(ends) if later > start), default=0.0) * 1000


def scaled_down(config: Config) -> Config:
    """Return the same settings with each provider's claims scaled down to the size of the failover's collection."""
    data = config.data_generation
    tiers = tuple(
        replace(
            tier,
            claims_per_provider=max(1, round(tier.claims_per_provider * config.failover.claims / data.target_volume)),
        )
        for tier in data.tiers
    )
    small = replace(data, tiers=tiers, target_volume=sum(tier.claims for tier in tiers))
    return replace(config, data_generation=small)


def about_elections(timeout_ms: int) -> str:
    """Say how long the nodes wait for a primary that does not respond, and whether that is MongoDB's default."""
    if timeout_ms == _DEFAULT_ELECTION_TIMEOUT_MS:
        return (
            "A primary that stops responding is replaced after 10 s, MongoDB's default; the longest gap includes this "
            "wait."
        )
    return (
        f"A primary that stops responding is replaced after {timeout_ms / 1000:g} s here; MongoDB's default is 10 s, "
        "which would lengthen or shorten the longest gap by the difference."
    )
