"""Pages at a fixed rate before, during, and after a feed: how the feed affects them, and whether claims are lost."""

from collections.abc import Sequence

from ..display import quantity
from ..errors import LoadError, PbmError, ServerUnavailable
from ..live.watch import Watch
from ..live.watch_pages import watch_pages
from ..load.fed import clear_fed, count_fed, remove_fed_claims
from ..load.ready import require_loaded
from ..load.state import LoadRecord
from ..store.store import ClaimStore
from ..vocabulary import CONTESTANTS, DURING, PHASES
from .recorder import Recorder
from .records import Arrivals
from .samples import Sample

_PAGES_PER_SECOND = 30
_BURST = 2
_REACHED = 0.9
_NOT_MEASURED = "Pages while claims arrive: not measured."


def clear_left_claims(store: ClaimStore) -> str:
    """Remove fed claims that a killed run or watch left behind, and return a note about them; empty if there are none.

    If the user may not remove them, they stay, and the run measures with them.

    Raises:
        LoadError: a watch or another run is feeding claims right now.
        ServerUnavailable: the server went away.
    """
    with store.errors_explained():
        record = LoadRecord(store)
        left = count_fed(store, record)
        if not left:
            return ""
        found = f"The collection held {quantity(left, 'extra claim')}, fed by a watch or a run that was killed"
        try:
            clear_fed(store, record)
        except (LoadError, ServerUnavailable):
            raise
        except PbmError as error:
            return f"{found}, and counts include them. {error}"
    return f"{found}. They were removed."


def measure_arrivals(recorder: Recorder) -> None:
    """Walk through providers of all tiers at a fixed rate, before, during, and after a feed.

    A burst comes first, at twice the rates and for half the time. It reads the pages that the three phases will read,
    so that no phase is the first to read them. It also shows what the server accepts: if it falls short of a rate, half
    of what it reached is used. The fed claims are removed again, however this part ends.

    If the user may not write, this part only adds a note.
    """
    settings, store = recorder.settings, recorder.store
    if not settings.feed_per_second:
        return
    try:
        remove_fed_claims(store)  # if the user may not write, this fails before anything is fed
        require_loaded(store)
    except ServerUnavailable:
        raise
    except PbmError as error:
        recorder.note(f"{_NOT_MEASURED} {error}")
        return
    seconds, due = settings.live_seconds, _BURST * settings.feed_per_second
    recorder.progress.expect((len(PHASES) + 1 / _BURST) * seconds)
    burst = _watched(recorder, DURING, seconds / _BURST, _BURST * _PAGES_PER_SECOND, due, warmup=True)
    if not (burst.pages and burst.fed):
        reasons = "; ".join(kind for kind, _ in burst.feed_errors)
        recorder.note(f"{_NOT_MEASURED} No claims could be fed" + (f": {reasons}." if reasons else "."))
        return
    pages = _sustained(burst.pages_achieved, burst.pages_offered)
    feed = _sustained(burst.feed_achieved, burst.feed_offered)
    watches = {phase: _watched(recorder, phase, seconds, pages, feed if phase == DURING else 0) for phase in PHASES}
    with store.errors_explained():
        left = count_fed(store, LoadRecord(store))
    recorder.arrivals(_arrivals(burst, watches[DURING], [burst, *watches.values()], left))


def _sustained(achieved: float, offered: float) -> float:
    """Return half the rate offered in the burst, or half the rate that it reached if it fell short."""
    return (offered if achieved >= _REACHED * offered else achieved) / _BURST


def _watched(
    recorder: Recorder, phase: str, seconds: float, pages: float, feed: float, *, warmup: bool = False
) -> Watch:
    recorder.show("while claims arrive", {"operation": "page", "contestant": phase})
    try:
        watch = watch_pages(
            recorder.store, seconds=seconds, pages_per_second=pages, feed_per_second=feed, progress=False
        )
    except PbmError as error:
        raise recorder.stopped(str(error).rstrip("."), "Measure again.") from None
    recorder.progress.advance(seconds)
    kinds = "; ".join(f"{count:,} x {kind}" for kind, count in watch.feed_errors)
    for note in (*watch.notes, *([f"Feed errors: {kinds}."] if kinds else [])):
        if not warmup:  # the burst may fall short of its rates
            recorder.note(f"Pages {CONTESTANTS[phase]}: {note}")
    recorder.add_samples([
        Sample(
            section="live", operation="page", contestant=phase, iteration=number, warmup=warmup, ms=sample.ms,
            claims=sample.claims, retries=sample.retries, error=sample.error,
        )
        for number, sample in enumerate(watch.samples)
    ])  # fmt: skip
    recorder.save()
    return watch


def _arrivals(burst: Watch, during: Watch, watches: Sequence[Watch], left: int) -> Arrivals:
    return Arrivals(
        offered=during.feed_offered,
        achieved=during.feed_achieved,
        pages_offered=during.pages_offered,
        burst_offered=burst.feed_offered,
        burst_achieved=burst.feed_achieved,
        left=left,
        elections=sum(len(watch.elections) for watch in watches),
        fed=sum(watch.fed for watch in watches),
        removed=sum(watch.removed for watch in watches),
        seen=sum(watch.arrived for watch in watches),
        checked=sum(watch.checked for watch in watches),
        lost=sum(watch.lost for watch in watches),
        repeated=sum(watch.repeated for watch in watches),
    )
