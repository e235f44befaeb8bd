"""Pages read while claims arrive and while a node fails, as notebook 03 shows them."""

import base64
from dataclasses import dataclass, replace

from ..arguments import checked, switch
from ..chart_style import card_png
from ..config import Config
from ..display import facts_html
from ..errors import FeedError, InvalidQuery
from ..live.chart import watch_chart
from ..live.failover import watch_failover
from ..live.watch import Watch
from ..live.watch_pages import watch_pages
from ..store.store import ClaimStore
from .notes import Note, note


@checked(InvalidQuery)
def watch_arrivals(store: ClaimStore, *, progress: bool = True) -> Watch:
    """Watch pages while claims arrive, with the settings in the config's section `live`.

    If claims cannot be fed, for example because the user is read-only, the watch runs without a feed.

    Args:
        store: a loaded store.
        progress: show a bar on standard output and, in a notebook, a small chart that fills.

    Returns:
        What `watch_pages` returns. If no claims could be fed, its notes say why.

    Raises:
        LoadError: the configured claims are not loaded.
        SetupError: the collection lacks the rule.
        ServerUnavailable: the server cannot be reached at the start.
        PbmError: the watch was interrupted.
    """
    live = store.config.live
    how = {"seconds": live.seconds, "pages_per_second": live.pages_per_second, "progress": progress}
    try:
        return watch_pages(store, feed_per_second=live.feed_per_second, **how)
    except FeedError as error:
        refused = f"No claims arrived during this watch. {error}"
    watch = watch_pages(store, **how)
    return replace(watch, notes=(refused, *watch.notes))


@dataclass(frozen=True, repr=False)
class FailoverScene:
    """What `try_failover` showed.

    Attributes:
        watch: what was seen; None if the failover was not run.
        note: why the failover was not run; otherwise None.
    """

    watch: Watch | None
    note: Note | None = None

    def __repr__(self) -> str:
        return repr(self.watch or self.note)

    def _repr_html_(self) -> str:
        if self.watch is None:
            return self.note.html
        chart = base64.b64encode(card_png(watch_chart(self.watch))).decode()
        return f"<img width='720' alt='Pages over time' src='data:image/png;base64,{chart}'>" + facts_html(
            self.watch.facts()
        )


@checked(InvalidQuery)
def try_failover(config: Config, *, wanted: bool | str) -> FailoverScene:
    """Run a failover on three mongods on this machine, if `wanted`.

    Args:
        config: the settings; sections `live` and `failover` set the times, rates, sizes, and ports.
        wanted: whether to run it. May also be the text "true" or "false", as papermill's -p passes it.

    Returns:
        What was seen, as a table and a chart, or a note that the failover was not run.

    Raises:
        InvalidQuery: an argument is invalid; the message names it.
        ServerUnavailable: the mongods cannot be started, a port is in use, or another process is running a failover.
        LoadError: the small collection could not be loaded.
        PbmError: the watch was interrupted.
    """
    if not switch("wanted", wanted):
        return FailoverScene(None, note("Not run: try_failover is False, so no server was started."))
    return FailoverScene(watch_failover(config))
