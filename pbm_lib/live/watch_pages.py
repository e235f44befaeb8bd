"""Watch pages at a fixed rate while claims arrive, a node fails, or nothing happens."""

import math
import sys
import time
from collections.abc import Callable

from tqdm import tqdm

from ..arguments import checked, in_short, not_accepted
from ..claims.document import ID
from ..display import quantity
from ..errors import InvalidQuery, PbmError, SetupError
from ..load.ready import require_loaded
from ..load.state import fed_filter
from ..query.filters import make_query
from ..query.stopwatch import Stopwatch
from ..store.store import ClaimStore
from .check import Check
from .elections import Elections
from .feed import Feed
from .live_chart import LiveChart
from .stretch import read_stretches
from .walker import Walker
from .watch import Watch

_MOST_SECONDS, _MOST_PAGES, _MOST_CLAIMS = 3_600, 1_000, 5_000
_LEAD_SECONDS = 0.2
_LISTEN_SECONDS = 0.5


@checked(InvalidQuery)
def watch_pages(
    store: ClaimStore,
    tin: str | None = None,
    *,
    seconds: float = 20,
    pages_per_second: float = 20,
    feed_per_second: float = 0,
    progress: bool = True,
) -> Watch:
    """Request page after page at a fixed rate, and check that no claim is lost or repeated.

    Each page is due at a moment set in advance, and its time counts from then (open loop). A walk requests one page at
    a time, because each page needs the cursor of the one before. A late page delays the next one, which then starts at
    once but is still timed from when it was due. A page that fails is requested again when the next one is due.

    Every claim present at the start must be on exactly one page of each walk, in its place. Their `_id`s are read in
    advance, in order, as far as a walk can get, and every page is compared with them, leaving out claims that arrive
    during the watch. A walk cut off by the end of the watch is checked as far as it got. A claim that someone deletes
    during the watch counts as lost, once per walk that passes its place; claims that someone else inserts are noted.
    For arriving claims, the watch checks that none appears twice on a walk.

    The feed runs in its own process. Its claims have numbers from `data_generation.target_volume` up. They are
    generated like the others and spread over the providers, with the current time as their last update. Half are for
    recent services; half are late claims for services on any day. They are removed at the end, however the watch ends.
    If the process is killed, `remove_fed_claims` removes them.

    Args:
        store: a store whose claims are loaded.
        tin: the billing provider's TIN, nine digits as text, walked through again and again; None to draw providers
            from all tiers and end each walk after 20 pages.
        seconds: duration of the watch in seconds, above 0 and at most 3,600.
        pages_per_second: pages due per second, above 0 and at most 1,000.
        feed_per_second: claims arriving per second, 0 to 5,000; 0 inserts nothing, so a read-only user is enough.
        progress: show a bar on standard output and, in a notebook, a small live chart.

    Returns:
        What the watch saw. If the server becomes unavailable during the watch, the errors are recorded, not raised.

    Raises:
        InvalidQuery: an argument is invalid; the message names it.
        LoadError: the configured claims are not loaded.
        SetupError: the collection lacks the rule.
        FeedError: claims cannot be fed, for example because the user is read-only.
        PbmError: the watch was interrupted.
        ServerUnavailable: the server cannot be reached at the start.

    Example:
        >>> watch_pages(store, seconds=20, feed_per_second=200)
    """
    return watch_with(
        store, tin, seconds=seconds, pages_per_second=pages_per_second, feed_per_second=feed_per_second,
        progress=progress,
    )  # fmt: skip


def watch_with(
    store: ClaimStore,
    tin: str | None,
    *,
    seconds: float,
    pages_per_second: float,
    feed_per_second: float,
    progress: bool,
    begun: Callable[[float], None] | None = None,
) -> Watch:
    """Watch as `watch_pages` does; just before the start, call `begun` with its time on `time.perf_counter`."""
    for name, value, low, most in (
        ("seconds", seconds, math.ulp(0.0), _MOST_SECONDS),
        ("pages_per_second", pages_per_second, math.ulp(0.0), _MOST_PAGES),
        ("feed_per_second", feed_per_second, 0, _MOST_CLAIMS),
    ):
        if not low <= value <= most:
            raise not_accepted(name, in_short(value))
    if tin is not None:
        make_query(store, tin, None, None, fresh=False)
    record = require_loaded(store)
    if not store.bounded:
        raise SetupError(
            f"{store.collection.full_name} lacks the rule ({store.bound_reason}). Run setup_collection(store) first "
            "(notebook 01)."
        )
    fed = fed_filter(record.loaded_with)[ID]
    pages = max(math.floor(seconds * pages_per_second), 1)
    feed, check, elections, watch = (
        Feed(store, feed_per_second),
        Check(store.variant.order, fed),
        Elections(),
        Stopwatch(),
    )
    try:
        walks = read_stretches(store, tin, pages, fed)
        if not walks[0].ids:
            raise InvalidQuery(f"tin must be a provider with claims here (see list_providers), got {in_short(tin)}.")
        with watch.measured(store, 1, [elections]) as measured, feed:
            walker = Walker(watch, measured, walks, check)
            walker.warm_up()
            moments = [number / pages_per_second for number in range(pages)]
            start, took = _walk(walker, feed, elections, moments, seconds, begun, progress=progress)
            changes = elections.since(start)
    except KeyboardInterrupt:
        left = f" {feed.removed:,} fed claims were removed." if feed.rate else ""
        raise PbmError(" ".join([f"The watch was interrupted.{left}", *feed.notes])) from None
    notes = list(feed.notes)
    if walker.is_lost:
        notes.append("The index was switched, and with it the order of pages, so the watch ended early.")
    if unasked := pages - len(walker.samples):
        notes.append(
            f"{unasked:,} of the pages that were due were never requested, so the real waits were longer than these figures show."
        )
    if check.others:
        notes.append(f"Pages showed {quantity(check.others, 'claim')} that someone else inserted.")
    return Watch(
        tin=tin,
        seconds=took,
        samples=tuple(walker.samples),
        pages_offered=pages_per_second,
        unasked=unasked,
        feed_offered=feed_per_second,
        feed=tuple((round(at - start, 4), claims) for at, claims in feed.points),
        feed_errors=tuple(feed.errors.items()),
        elections=changes,
        walks=check.walks,
        checked=check.checked,
        lost=check.lost,
        repeated=check.repeated,
        arrived=check.arrived,
        removed=feed.removed,
        notes=tuple(notes),
    )


def _walk(
    walker: Walker,
    feed: Feed,
    elections: Elections,
    moments: list[float],
    seconds: float,
    begun: Callable[[float], None] | None,
    *,
    progress: bool,
) -> tuple[float, float]:
    """Request a page at each moment until the time is over; return the start and the duration."""
    start = time.perf_counter() + _LEAD_SECONDS
    end = start + seconds
    feed.begin(start, end)
    if begun:
        begun(start)
    chart = LiveChart(seconds, feed.rate) if progress else None
    with tqdm(
        total=seconds, desc="Watching ", bar_format="{desc}{percentage:3.0f}%|{bar}| {elapsed}<{remaining}",
        file=sys.stdout, disable=not progress, mininterval=0.5,
    ) as bar:  # fmt: skip

        def wait_until(moment: float) -> None:
            while True:
                feed.listen()
                now = time.perf_counter()
                bar.update(min(max(now - start, 0.0), seconds) - bar.n)
                if chart:
                    chart.update(walker.samples, feed.points, elections, start)
                if now >= moment:
                    return
                time.sleep(min(moment - now, _LISTEN_SECONDS))

        for meant in moments:
            wait_until(start + meant)
            if walker.is_lost or time.perf_counter() >= end:
                break
            walker.ask(start, meant, end)
        if not walker.is_lost:
            wait_until(end)
        took = time.perf_counter() - start
        if chart:
            chart.update(walker.samples, feed.points, elections, start, now=True)
    return start, round(took, 4)
