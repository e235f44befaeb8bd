"""Changes of primary in a replica set, as the driver learns of them."""

import ipaddress
import itertools
import time
from typing import Any, NamedTuple

from pymongo.monitoring import TopologyListener


class Election(NamedTuple):
    """A replica set has another primary than before, or the same one again after it had stepped down.

    Attributes:
        at: seconds from the start of the watch at which the driver knew of it.
        before: the node that was primary, by its short name.
        after: the node that is.
    """

    at: float
    before: str
    after: str


class Elections(TopologyListener):
    """Notes them on the client that it listens to; on a standalone server or a router there are none."""

    def __init__(self) -> None:
        self._primaries: list[tuple[float, tuple[Any, ...]]] = []

    def since(self, start: float) -> tuple[Election, ...]:
        """Return those after a moment of `time.perf_counter`, in order."""
        known = self._primaries.copy()  # the driver's own thread adds to it
        return tuple(
            Election(round(at - start, 4), _short_name(*before[:2]), _short_name(*after[:2]))
            for (_, before), (at, after) in itertools.pairwise(known)
            if at >= start
        )

    def opened(self, event: Any) -> None:
        """Hear that the driver begins to look; there is nothing to note yet."""

    def closed(self, event: Any) -> None:
        """Hear that the client was closed."""

    def description_changed(self, event: Any) -> None:
        """Hear what the driver knows of the servers now."""
        at = time.perf_counter()
        for server in event.new_description.server_descriptions().values():
            if server.server_type_name == "RSPrimary":
                # A node that is elected again has another election id.
                primary = (*server.address, server.election_id)
                if not self._primaries or self._primaries[-1][1] != primary:
                    self._primaries.append((at, primary))


def _short_name(host: str, port: int) -> str:
    """A node's name without its domain, which tells whose cluster it is; nodes at one address differ by their port."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.partition(".")[0] if "." in host else f"{host}:{port}"
    return f"{host}:{port}"
