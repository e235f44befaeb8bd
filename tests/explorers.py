"""Shared by the explorer's tests: a slow unbounded query, and an explorer whose commands are recorded."""

import time
from contextlib import contextmanager

import pytest
from oracle import Wire
from servers import wait_for

from pbm_lib import ClaimExplorer
from pbm_lib.query.filters import ClaimQuery


@contextmanager
def heard(explorer: ClaimExplorer, wire: Wire):
    """Within the block, a wire records what the explorer's steps send."""
    asker = explorer._asker  # noqa: SLF001
    store = asker.store
    with store.reopened(event_listeners=[wire, asker.listener]) as asker.store:
        wire.clear()
        yield wire
        asker.store = store


@contextmanager
def slow_unbounded(ms: int):
    """Within the block, the unbounded query takes this long for each claim, on the real server."""
    fast = ClaimQuery.filter
    body = f"function(x) {{ sleep({ms}); return true; }}"
    slow = {"$expr": {"$function": {"body": body, "args": ["$_id"], "lang": "js"}}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClaimQuery, "filter", lambda query, *at: {**fast(query, *at), **({} if query.bounded else slow)})
        yield


class Held(Wire):
    """Calls a function before each page query goes to the server."""

    def __init__(self, hold):
        super().__init__()
        self._hold = hold

    def started(self, event):
        super().started(event)
        if event.command_name == "find":
            self._hold()


def at_the_beginning(explorer: ClaimExplorer, **choice):
    """The explorer, with a date range from the first claims to the current page, so that no query reads many claims."""
    return explorer.choose(service_date_end=explorer.page[-1]["serviceBeginDate"].date(), **choice)


def ids(claims):
    """The claims' ids, in order."""
    return [claim["_id"] for claim in claims]


def settled(explorer: ClaimExplorer) -> ClaimExplorer:
    """The explorer, once everything that it loads after its page has arrived."""

    def followed() -> bool:
        shown = explorer.shown
        plans = all(request.plan or request.error for request in shown.log)
        return not shown.reading and bool(shown.error or (plans and shown.total is not None))

    wait_for(followed, 10, "the explorer")
    time.sleep(0.05)  # the panel is notified a little later
    return explorer
