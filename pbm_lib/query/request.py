"""The finds and aggregates that a store sends, as the driver reports them, without what the driver adds."""

import datetime as dt
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from ..mql import command_mql
from .explain import MQL_WIDTH, QueryPlan

# The fields to keep of each command; the driver adds others.
_PARTS = {
    "find": ("find", "filter", "sort", "skip", "limit", "hint"),
    "aggregate": ("aggregate", "pipeline", "hint"),
}


@dataclass(frozen=True)
class Request:
    """A find for claims, or an aggregate that counts them, as it was sent.

    Attributes:
        sent_at: when, in UTC.
        command: the command.
        session: the driver's id of the session that sent it.
        ms: time from sending the command until the answer is decoded, in ms, as the driver reports it.
        returned: claims returned, or counted; None if it failed.
        error: name of the error that it ended with; None if it succeeded.
        plan: how the server answered it; None until `examined` has determined it.
    """

    sent_at: dt.datetime
    command: dict[str, Any]
    session: Any = field(repr=False)
    ms: float
    returned: int | None
    error: str | None = None
    plan: QueryPlan | None = None

    @cached_property
    def mql(self) -> str:
        """The command as you would type it in mongosh, laid out over several lines if needed."""
        return command_mql(self.command, MQL_WIDTH)

    @cached_property
    def mql_line(self) -> str:
        """The command as you would type it in mongosh, on one line."""
        return command_mql(self.command, sys.maxsize)

    @property
    def is_count(self) -> bool:
        """Whether it counts claims."""
        return "aggregate" in self.command


class RequestListener(CommandListener):
    """Records the requests sent in `listening` blocks, separately for each thread."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    @contextmanager
    def listening(self) -> Iterator[list[Request]]:
        """Record the requests that this thread sends in a block.

        Yields:
            The list of requests so far, in the order of their answers.
        """
        self._of_thread.requests = requests = []
        try:
            yield requests
        finally:
            self._of_thread.requests = None

    def started(self, event: CommandStartedEvent) -> None:
        """Start recording a request."""
        if getattr(self._of_thread, "requests", None) is None or not _is_for_claims(event.command):
            return
        command = {name: event.command[name] for name in _PARTS[event.command_name] if name in event.command}
        self._of_thread.begun = Request(dt.datetime.now(dt.UTC), command, event.command.get("lsid"), 0.0, None)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Record a request that was answered."""
        batch = event.reply.get("cursor", {}).get("firstBatch", [])
        self._end(event, lambda begun: sum(claim["n"] for claim in batch) if begun.is_count else len(batch), None)

    def failed(self, event: CommandFailedEvent) -> None:
        """Record a request that failed."""
        self._end(event, lambda _: None, event.failure.get("codeName") or event.failure.get("errtype") or "failed")

    def _end(self, event: Any, returned: Any, error: str | None) -> None:
        begun = getattr(self._of_thread, "begun", None)
        if begun is None or event.command_name not in begun.command:
            return
        self._of_thread.begun = None
        ended = replace(begun, ms=event.duration_micros / 1000, returned=returned(begun), error=error)
        self._of_thread.requests.append(ended)


def _is_for_claims(command: Any) -> bool:
    return "find" in command or ("aggregate" in command and "$match" in next(iter(command["pipeline"]), {}))
