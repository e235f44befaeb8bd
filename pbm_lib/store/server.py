"""Facts about the server that help to interpret its answers."""

import datetime as dt
import re
from dataclasses import dataclass

import psutil
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from .connection import ping_ms

# Last day of support, from https://www.mongodb.com/legal/support-policy/lifecycles as of 2026-11. For a series that is
# not listed here, the day is unknown.
_SUPPORTED_UNTIL = {(6, 0): dt.date(2025, 7, 31), (7, 0): dt.date(2027, 8, 31), (8, 0): dt.date(2029, 10, 31)}


@dataclass(frozen=True, repr=False)
class ServerInfo:
    """The server that the store is connected to.

    Attributes:
        version: MongoDB version, for example "6.0.5".
        topology: "standalone", "replica set" or "sharded cluster".
        host_kind: "Atlas", "local" (this machine) or "remote".
        cache_bytes: size of the WiredTiger cache in bytes; None if the user cannot read it, or on a router.
        ping_ms: median round-trip time of a ping in ms.
    """

    version: str
    topology: str
    host_kind: str
    cache_bytes: int | None
    ping_ms: float

    @property
    def series(self) -> tuple[int, int]:
        """Major and minor version, for example (6, 0)."""
        return _series(self.version)

    def __repr__(self) -> str:
        return f"ServerInfo: {self}"

    def __str__(self) -> str:
        cache = f", cache {self.cache_bytes / 2**30:.2g} GB" if self.cache_bytes else ""
        return f"MongoDB {self.version}, {self.topology}, {self.host_kind}{cache}, ping {self.ping_ms:.2f} ms"


def end_of_support(version: str, today: dt.date | None = None) -> str | None:
    """Say when MongoDB ended support for a version's series; return None if it has not, or if that is unknown."""
    series = _series(version)
    last = _SUPPORTED_UNTIL.get(series)
    if last is None or (today or dt.date.today()) <= last:
        return None
    return f"MongoDB ended support for version {series[0]}.{series[1]} in {last:%B %Y}."


def _series(version: str) -> tuple[int, int]:
    told = re.match(r"(\d+)\.(\d+)", version)
    return (int(told[1]), int(told[2])) if told else (0, 0)


def server_info(client: MongoClient) -> ServerInfo:
    """Return facts about the server that a client is connected to."""
    hello = client.admin.command("hello")
    hosts = [host for host, _ in client.nodes]
    if hello.get("msg") == "isdbgrid":
        topology = "sharded cluster"
    else:
        topology = "replica set" if "setName" in hello else "standalone"
    if any(host.endswith((".mongodb.net", ".mongodbgov.net", ".mongodb-dev.net")) for host in hosts):
        host_kind = "Atlas"
    else:
        host_kind = "local" if all(host in ("localhost", "127.0.0.1", "::1") for host in hosts) else "remote"
    try:
        cache = client.admin.command("serverStatus")["wiredTiger"]["cache"]["maximum bytes configured"]
    except (OperationFailure, KeyError):
        cache = None  # needs the role clusterMonitor; shared Atlas tiers and routers do not report it
    version = client.server_info()["version"]
    return ServerInfo(version, topology, host_kind, cache and int(cache), ping_ms(client))


def server_process(client: MongoClient, info: ServerInfo) -> psutil.Process | None:
    """Return the server's process if it is a mongod on this machine and the user may read its pid, else None."""
    if info.host_kind != "local":
        return None
    try:
        # The pid may be from a container or the far end of a tunnel. Then it is another process here, or none.
        process = psutil.Process(int(client.admin.command("serverStatus")["pid"]))
        return process if process.name().startswith("mongod") else None
    except (PyMongoError, KeyError, psutil.Error):
        return None
