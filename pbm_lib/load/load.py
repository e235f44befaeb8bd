"""Load the claims: parallel, resumable, exact."""

import datetime as dt
import math
import os

from ..arguments import checked, not_accepted
from ..claims.roster import provider_roster
from ..errors import LoadError
from ..store.store import ClaimStore
from ..working import working
from .claim import claim_collection
from .insert import Added, insert_missing, told_how_to_go_on
from .pace import LoadPace
from .report import LoadReport
from .state import (
    COMPLETE,
    LOADING,
    START_OVER,
    LoadRecord,
    count_by_provider,
    flush,
    foreign_documents,
    missing_ranges,
    wrong_counts,
)

_ROUNDS = 3
_POINTS = 200
_COUNTING = "Counting the claims of each provider"


@checked(LoadError)
def load_claims(
    store: ClaimStore,
    *,
    replace: bool = False,
    workers: int | None = None,
    batch_size: int | None = None,
    progress: bool = True,
) -> LoadReport:
    """Bring the collection to exactly the configured claims by adding what is missing.

    To continue an interrupted load, call this again. Claim number n and its `_id` are the same for any number of
    workers and any batch size.

    The final check counts each provider's claims on the server and looks for documents from elsewhere. On a complete
    collection, only this check runs.

    Args:
        store: a store that `setup_collection` has set up.
        replace: drop the claims that this program loaded, and start over. If the collection has anything else
            (documents, indexes, a validator, or options), nothing is dropped and the error names it. A sharded
            collection is recreated unsharded.
        workers: loading processes, 1 to 32; None for `data_generation.workers`.
        batch_size: claims per insert, 1 to 50,000; None for `data_generation.batch_size`.
        progress: show a progress bar on standard output, and say what is being done before and after it.

    Returns:
        The report; its counts per tier are those on the server.

    Raises:
        LoadError: the collection holds other claims, the load stopped, someone dropped the collection, or another load
            is replacing its claims; the message says how to continue.
        ServerUnavailable: the server cannot be reached at the start.

    Example:
        >>> store = setup_collection(connect())
        >>> load_claims(store)
    """
    workers = _within("workers", workers, 32) or _worker_count(store)
    batch_size = _within("batch_size", batch_size, 50_000) or store.config.data_generation.batch_size
    with store.errors_explained():
        record = claim_collection(store, replace=replace)
    added = Added()
    with told_how_to_go_on(record), store.errors_explained():
        counted = _complete(store, record, workers, batch_size, added, progress=progress)
    return LoadReport(
        volume=sum(counted.values()),
        inserted=added.claims,
        seconds=added.seconds,
        workers=workers,
        batch_size=batch_size,
        tiers=_by_tier(store, counted),
        progress=_thinned(added),
        pace=record.pace,
    )


def _complete(
    store: ClaimStore, record: LoadRecord, workers: int, batch_size: int, added: Added, *, progress: bool
) -> dict[str | None, int]:
    """Add what is missing, mark the load as complete, and return the claims of each provider on the server."""
    # A complete collection needs no writes, so a read-only user can check it.
    counted: dict[str | None, int] = {}
    if complete := record.is_complete:
        with working(_COUNTING, progress=progress):
            counted = count_by_provider(store)
    for turn in range(_ROUNDS):
        if not wrong_counts(store, counted):
            break
        complete = False
        record.mark(LOADING)
        # Counting finds nearly every gap. Later rounds look for each claim: a server that was killed may have lost
        # the last batches that it had acknowledged, and a foreign document can hide a gap from the counts.
        with working("Looking for missing claims", progress=progress):
            missing = missing_ranges(store, batch_size, by_id=turn > 0)
        if missing:
            insert_missing(store, missing, workers, added, record.lost, progress=progress)
        elif turn > 0:
            break
        with working(_COUNTING, progress=progress):
            counted = count_by_provider(store)
    if wrong := wrong_counts(store, counted):
        others = foreign_documents(store, record.wanted)
        advice = f"Delete what this program did not load, {others}, then load again." if others else START_OVER
        raise LoadError(f"{wrong} {advice}")
    if lost := record.lost():
        raise LoadError(lost)
    if not complete:
        record.mark(COMPLETE, _pace(added, workers, batch_size))
        with working("Waiting until everything is on disk", progress=progress):
            flush(store)
    return counted


def _pace(added: Added, workers: int, batch_size: int) -> LoadPace | None:
    """How fast this load added its claims; None if it added none."""
    if not added.claims:
        return None
    return LoadPace(
        inserted=added.claims,
        seconds=added.seconds,
        workers=workers,
        batch_size=batch_size,
        progress=_thinned(added),
        ended=dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0),
    )


def _thinned(added: Added) -> tuple[tuple[float, int], ...]:
    every = math.ceil(len(added.points) / _POINTS)
    return (*added.points[:-1:every], added.points[-1])


def _within(name: str, value: int | None, most: int) -> int | None:
    if value is None or 1 <= value <= most:
        return value
    raise not_accepted(name, repr(value), f"1 to {most:,}, or None for the config's value", LoadError)


def _worker_count(store: ClaimStore) -> int:
    asked = store.config.data_generation.workers
    if asked != "auto":
        return asked
    # Over a network, two are enough for a small Atlas tier, which accepts few new connections per second. The local
    # server shares this machine's cores with the workers.
    most = 2 if store.server.host_kind == "Atlas" else 4
    return max(1, min(most, os.cpu_count() or 1))


def _by_tier(store: ClaimStore, counted: dict[str | None, int]) -> tuple[tuple[str, int, int], ...]:
    """(tier, providers, claims counted) for each tier."""
    data = store.config.data_generation
    counts: dict[str, list[int]] = {tier.name: [] for tier in data.tiers}
    for provider in provider_roster(data):
        counts[provider.tier].append(counted[provider.tin])
    return tuple((name, len(claims), sum(claims)) for name, claims in counts.items())
