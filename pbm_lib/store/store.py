"""The way to the claims: connect to a server, and set up the collection, its validator and its one index."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import pymongo
from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion
from pymongo import MongoClient, ReadPreference
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from ..config import Config
from ..config_file import load_config
from ..display import ShownAsFacts
from ..errors import ConfigError, ServerUnavailable, SetupError, check_kind
from ..vocabulary import BOUNDED, PLAIN
from .connection import ConnectionString, open_client, ping_ms, server_uri
from .driver_errors import translated_driver_errors
from .index import find_index, install_index, refuse_other_collation
from .local_server import why_local_server_ended
from .rule import create_collection, max_claim_days_of

# An unreachable server is reported within seconds; once connected, an operation outlasts an election (about 12 s).
_CONNECT_SECONDS = 8
_GOODBYE_SECONDS = 1


@dataclass(frozen=True, repr=False)
class ServerInfo:
    """What the store is connected to.

    Attributes:
        version: MongoDB version, for example "6.0.5".
        topology: "standalone", "replica set" or "sharded cluster".
        host_kind: "Atlas", "local" (this machine) or "remote".
        cache_bytes: WiredTiger cache in bytes; None where the user may not read it or a router has none.
        ping_ms: median round trip of a ping in ms.
    """

    version: str
    topology: str
    host_kind: str
    cache_bytes: int | None
    ping_ms: float

    def __repr__(self) -> str:
        return f"ServerInfo: {self}"

    def __str__(self) -> str:
        cache = f", cache {self.cache_bytes / 2**30:.2g} GB" if self.cache_bytes else ""
        return f"MongoDB {self.version}, {self.topology}, {self.host_kind}{cache}, ping {self.ping_ms:.2f} ms"


class ClaimStore(ShownAsFacts):
    """The claims collection of one server, as `connect` returns it.

    Attributes:
        collection: the pymongo collection.
        config: the settings it was opened with.
        server: facts about the server (`ServerInfo`).
        uri: the connection string; it may hold a password, so its repr is masked.
        max_claim_days: D in days as the server's validator enforced it when it was last read, by `connect`,
            `setup_collection` or `refresh`; None if nothing does.
        bound_reason: how D is known, or why it is not.
        index_name: name of the compound index in use; None before `setup_collection`.
    """

    def __init__(self, collection: Collection, config: Config, server: ServerInfo, uri: ConnectionString):
        self.collection = collection
        self.config = config
        self.server = server
        self.uri = uri
        self.refresh()

    def refresh(self) -> None:
        """Read validator and indexes from the server again, for example after somebody changed them."""
        with self.errors_explained():
            self.max_claim_days, self.bound_reason = max_claim_days_of(self.collection.options())
            indexes = self.collection.index_information()
        ours = {covering: find_index(indexes, covering=covering) for covering in (False, True)}
        self.index_name = ours[self.config.mongodb.covering_index] or ours[False] or ours[True]

    @property
    def plan(self) -> str:
        """The plan that date ranges use: "bounded" where the server enforces D, else "plain"."""
        return PLAIN if self.max_claim_days is None else BOUNDED

    def reopened(self, **client_options: Any) -> Self:
        """Open the same claims, read and decoded the same way, on a client of its own.

        Args:
            client_options: options of `pymongo.MongoClient` that differ, for example `event_listeners`.

        Returns:
            Another store. Close it, or use it as a context manager.

        Raises:
            ServerUnavailable: the server went away.
        """
        client, claims = open_client(self.uri, **client_options), self.collection
        try:
            collection = client[claims.database.name].get_collection(
                claims.name, codec_options=claims.codec_options, read_preference=claims.read_preference
            )
            return type(self)(collection, self.config, self.server, self.uri)
        except BaseException:
            client.close()
            raise

    def close(self) -> None:
        """Close the connections. The server goes on."""
        with pymongo.timeout(_GOODBYE_SECONDS):  # closing takes leave of the server, which may be gone
            self.collection.database.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def errors_explained(self) -> Iterator[None]:
        """Within this block a driver error becomes a `PbmError` whose message is fit to be shown.

        Raises:
            ServerUnavailable: the server cannot be used; of the local server it says why that one ended.
        """
        try:
            with translated_driver_errors():
                yield
        except ServerUnavailable:
            if ended := why_local_server_ended(self.config, self.uri):
                raise ServerUnavailable(f"{ended} To start it again, call connect(config).") from None
            raise

    def facts(self) -> dict[str, str]:
        """Return what a reader wants to know of this store, label to value."""
        return {
            "Collection": self.collection.full_name,
            "Server": str(self.server),
            "Index": self.index_name or "none yet: run setup_collection(store)",
            "Date ranges": f"{self.plan} plan: {self.bound_reason}",
        }


def connect(config: Config | None = None) -> ClaimStore:
    """Open the claims collection, on MONGODB_URI or else on the local server.

    MONGODB_URI is read from the environment, or from a `.env` file beside the config file; the environment wins.
    Whatever the URI says of reading, claims are read from the primary, as naive datetimes in UTC: a secondary that lags
    behind would leave claims out of a walk, and let the set-up overlook one.

    Args:
        config: the settings; None loads config.yaml.

    Returns:
        The store. Close it, or use it as a context manager.

    Raises:
        ConfigError: the settings, or the `.env` file, are not accepted.
        ServerUnavailable: the server cannot be reached, refuses the login, or cannot be started.
        PbmError: the user may not read the database.
    """
    config = load_config() if config is None else config
    check_kind("config", config, Config, "what load_config(path) returned, or None", ConfigError)
    uri = server_uri(config)
    with translated_driver_errors():
        client = open_client(uri)
        try:
            with pymongo.timeout(None if "serverselectiontimeoutms=" in uri.lower() else _CONNECT_SECONDS):
                client.admin.command("ping")
            return ClaimStore(_collection(client, config), config, _server_info(client), uri)
        except BaseException:
            client.close()
            raise


def setup_collection(store: ClaimStore, *, progress: bool = True) -> ClaimStore:
    """Create the collection, its validator and its one compound index; safe to repeat.

    On a collection that holds claims, checks that none breaks the rule begin <= end <= begin + D days, since the
    validator only guards what is written from then on. The check reads every claim, also when it is repeated: a writer
    with the right to bypass the validator may have left a longer claim.

    When `mongodb.covering_index` was switched in the config, builds the index that it asks for and then drops the other
    one, if it is this program's. No other index is touched.

    Args:
        store: an open store; D is its config's `data_generation.max_claim_days`.
        progress: show the time on standard output while an index is built, if that takes longer than a second.

    Returns:
        The same store, refreshed from the server.

    Raises:
        SetupError: another validator, another index of our name, a default collation other than the simple one, or a
            claim longer than D is there, the index was dropped meanwhile, or the database user lacks a right; the
            message says which.
        ServerUnavailable: the server went away.
    """
    check_kind("store", store, ClaimStore, "what connect(config) returned", SetupError)
    with store.errors_explained():
        refuse_other_collation(store.collection)
        create_collection(store.collection, store.config.data_generation.max_claim_days)
    _switch(store, covering=store.config.mongodb.covering_index, progress=progress)
    return store


@contextmanager
def covering_index(store: ClaimStore, *, progress: bool = True) -> Iterator[ClaimStore]:
    """Use the covering index for the length of a block, and go back to the config's index whatever happens in it.

    Both ways the new index is built first and the old one dropped when it is ready, so that queries stay fast in
    between. With `mongodb.covering_index: true` there is nothing to switch.

    Args:
        store: a store that `setup_collection` has set up.
        progress: show the time on standard output while an index is built, if that takes longer than a second.

    Yields:
        The same store.

    Raises:
        SetupError: another index is in the way, the new one was dropped meanwhile, or the database user lacks a right.
        ServerUnavailable: the server went away; if it was on the way back, `setup_collection(store)` goes back later.
    """
    try:
        _switch(store, covering=True, progress=progress)
        yield store
    finally:
        _switch(store, covering=store.config.mongodb.covering_index, progress=progress)


def _switch(store: ClaimStore, *, covering: bool, progress: bool) -> None:
    with store.errors_explained():
        install_index(store.collection, covering=covering, progress=progress)
    store.refresh()


def _collection(client: MongoClient, config: Config) -> Collection:
    # One way to decode, whatever the URI asks: claims, cursors and tests then compare alike everywhere. A date that no
    # datetime holds (a customer's "never", in the year 10000) and a UUID stay what BSON has, so that a cursor can too.
    database = client.get_database(config.mongodb.database)
    return database.get_collection(
        config.mongodb.collection,
        codec_options=database.codec_options.with_options(
            tz_aware=False,
            tzinfo=None,
            datetime_conversion=DatetimeConversion.DATETIME_AUTO,
            uuid_representation=UuidRepresentation.UNSPECIFIED,
        ),
        read_preference=ReadPreference.PRIMARY,
    )


def _server_info(client: MongoClient) -> ServerInfo:
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
        cache = None  # needs the right clusterMonitor; shared Atlas tiers and routers have no figure
    version = client.server_info()["version"]
    return ServerInfo(version, topology, host_kind, cache and int(cache), ping_ms(client))
