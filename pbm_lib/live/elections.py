"""Changes of primary in a replica set, as the driver reports them."""

import ipaddress
import itertools
import time
from typing import Any, NamedTuple

from pymongo.monitoring import TopologyListener


class Election(NamedTuple):
    """A replica set elected a new primary, or elected the same node again after it had stepped down.

    Attributes:
        at: seconds from the start of the watch until the driver knew of it.
        before: short name of the node that was primary before.
        after: short name of the node that is primary now.
    """

    at: float
    before: str
    after: str


class Elections(TopologyListener):
    """Records the elections that its client sees; behind a standalone server or a router, there are none."""

    def __init__(self) -> None:
        self._primaries: list[tuple[float, tuple[Any, ...]]] = []

    def since(self, start: float) -> tuple[Election, ...]:
        """Return the elections at or after `start`, a moment on `time.perf_counter`, in order."""
        known = self._primaries.copy()  # the driver's own thread appends to it
        return tuple(
            Election(round(at - start, 4), _short_name(*before[:2]), _short_name(*after[:2]))
            for (_, before), (at, after) in itertools.pairwise(known)
            if at >= start
        )

    def opened(self, event: Any) -> None:
        """Do nothing: the driver has only begun to look for servers."""

    def closed(self, event: Any) -> None:
        """Do nothing: the client was closed."""

    def description_changed(self, event: Any) -> None:
        """Record the primary that the driver knows now, if it has changed."""
        at = time.perf_counter()
        for server in event.new_description.server_descriptions().values():
            if server.server_type_name == "RSPrimary":
                # If the same node is elected again, its election id changes.
                primary = (*server.address, server.election_id)
                if not self._primaries or self._primaries[-1][1] != primary:
                    self._primaries.append((at, primary))


def _short_name(host: str, port: int) -> str:
    """A node's name without its domain, which would reveal whose cluster it is.

    An IP address or a name without a domain keeps its port, because several nodes can share it.
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.partition(".")[0] if "." in host else f"{host}:{port}"
    return f"{host}:{port}"
