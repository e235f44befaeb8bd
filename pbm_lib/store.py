"""The way to the claims: connect to a server, and set up the collection, its validator and its one index."""

from __future__ import annotations

import html
import os
import time
from dataclasses import dataclass
from typing import Any

import pymongo
from dotenv import dotenv_values
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from .claim import (
    BEGIN,
    COVERING_INDEX,
    END,
    ID,
    PROVIDER_INDEX,
    claim_validator,
    duration_rule,
    max_claim_days_of,
)
from .config import Config, load_config
from .errors import SetupError, remember_secret, translated_driver_errors
from .local_server import start_local_server

__all__ = ["ClaimStore", "ServerInfo", "connect", "open_client", "ping_ms", "server_uri", "setup_collection"]

_INDEX_NAMES = {False: "claims_by_provider", True: "claims_by_provider_covering"}
# An unreachable server is reported within seconds; once connected, an operation outlasts an election (about 12 s).
_CONNECT_SECONDS = 8
_DEFAULT_TIMEOUTS = {"connectTimeoutMS": 5_000, "serverSelectionTimeoutMS": 20_000}


@dataclass(frozen=True)
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

    def __str__(self) -> str:
        cache = f", cache {self.cache_bytes / 2**30:.2g} GB" if self.cache_bytes else ""
        return f"MongoDB {self.version}, {self.topology}, {self.host_kind}{cache}, ping {self.ping_ms:.2f} ms"


class ClaimStore:
    """The claims collection of one server, as `connect` returns it.

    Attributes:
        collection: the pymongo collection.
        config: the settings it was opened with.
        server: facts about the server (`ServerInfo`).
        max_claim_days: D in days as the server's validator enforces it; None if nothing does.
        bound_reason: how D is known, or why it is not.
        index_name: name of the compound index in use; None before `setup_collection`.
    """

    def __init__(self, collection: Collection, config: Config, server: ServerInfo, uri: str):
        self.collection = collection
        self.config = config
        self.server = server
        self._uri = uri
        self.refresh()

    def refresh(self) -> None:
        """Read validator and indexes from the server again, for example after somebody changed them."""
        with translated_driver_errors():
            self.max_claim_days, self.bound_reason = max_claim_days_of(self.collection.options())
            indexes = self.collection.index_information()
        ours = {covering: _same_index(indexes, covering) for covering in (False, True)}
        self.index_name = ours[self.config.mongodb.covering_index] or ours[False] or ours[True]

    @property
    def plan(self) -> str:
        """The plan that date ranges use: "bounded" where the server enforces D, else "plain"."""
        return "plain" if self.max_claim_days is None else "bounded"

    def close(self) -> None:
        """Close the connections. The server goes on."""
        self.collection.database.client.close()

    def __enter__(self) -> ClaimStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def facts(self) -> dict[str, str]:
        """Return what a reader wants to know of this store, label to value."""
        return {
            "Collection": self.collection.full_name,
            "Server": str(self.server),
            "Index": self.index_name or "none yet: run setup_collection(store)",
            "Date ranges": f"{self.plan} plan: {self.bound_reason}",
        }

    def __repr__(self) -> str:
        return "ClaimStore\n" + "\n".join(f"  {label:<12} {value}" for label, value in self.facts().items())

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{label}</th><td style='text-align:left'>{html.escape(value)}</td></tr>"
            for label, value in self.facts().items()
        )
        return f"<table>{rows}</table>"


def connect(config: Config | None = None) -> ClaimStore:
    """Open the claims collection, on MONGODB_URI or else on the local server.

    MONGODB_URI is read from the environment, or from a `.env` file beside the config file; the environment wins.

    Args:
        config: the settings; None loads config.yaml.

    Returns:
        The store. Close it, or use it as a context manager.

    Raises:
        ConfigError: the settings are not accepted.
        ServerUnavailable: the server cannot be reached, refuses the login, or cannot be started.
    """
    config = config or load_config()
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


def server_uri(config: Config) -> str:
    """Return the connection string to use, starting the local server when none is set.

    Args:
        config: names the folder of `.env` and the local server's settings.

    Returns:
        A connection string; it may hold credentials, so it is never shown.
    """
    uri = os.environ.get("MONGODB_URI") or dotenv_values(config.path.parent / ".env").get("MONGODB_URI")
    if uri:
        remember_secret(uri)
        return uri
    return start_local_server(config).uri


def open_client(uri: str, **options: Any) -> MongoClient:
    """Open a client with the demo's timeouts, unless the URI sets its own.

    Args:
        uri: connection string.
        options: further options of `MongoClient`.

    Returns:
        The client; the caller closes it.
    """
    defaults = {name: ms for name, ms in _DEFAULT_TIMEOUTS.items() if f"{name.lower()}=" not in uri.lower()}
    return MongoClient(uri, appname="pbm_lib", **{**defaults, **options})


def ping_ms(client: MongoClient, samples: int = 9) -> float:
    """Return the median round trip of a ping in ms.

    Args:
        client: an open client.
        samples: pings to take, at least 1.
    """
    times = []
    for _ in range(samples):
        started = time.perf_counter()
        client.admin.command("ping")
        times.append((time.perf_counter() - started) * 1000)
    return sorted(times)[len(times) // 2]


def setup_collection(store: ClaimStore) -> ClaimStore:
    """Create the collection, its validator and its one compound index; safe to repeat.

    On a collection that holds claims, checks first that none breaks the rule begin <= end <= begin + D days, since
    the validator only guards what is written from then on. The check reads every claim.

    Args:
        store: an open store; D is its config's `data_generation.max_claim_days`.

    Returns:
        The same store, refreshed from the server.

    Raises:
        SetupError: another validator, another index of our name, or a claim longer than D is there.
        PbmError: the database user lacks the right to do this.
    """
    days = store.config.data_generation.max_claim_days
    with translated_driver_errors():
        database, name = store.collection.database, store.collection.name
        if name not in database.list_collection_names():
            database.create_collection(name, validator=claim_validator(days))
        else:
            _install_validator(store, days)
        _install_index(store)
    store.refresh()
    return store


def _collection(client: MongoClient, config: Config) -> Collection:
    # Naive datetimes in UTC, whatever the URI asks: claims, cursors and tests then compare alike everywhere.
    database = client.get_database(config.mongodb.database)
    return database.get_collection(
        config.mongodb.collection,
        codec_options=database.codec_options.with_options(tz_aware=False, tzinfo=None),
    )


def _server_info(client: MongoClient) -> ServerInfo:
    hello = client.admin.command("hello")
    hosts = [client.address[0]] if client.address else [host for host, _ in client.nodes]
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


def _install_validator(store: ClaimStore, days: int) -> None:
    wanted, options = claim_validator(days), store.collection.options()
    present = options.get("validator") or {}
    known_days, _ = max_claim_days_of({"validator": present})
    if known_days is not None and known_days != days:
        raise SetupError(
            f"{store.collection.full_name} was set up for claims of at most {known_days} days, the config says "
            f"data_generation.max_claim_days: {days}. Set it to {known_days}, or load anew with replace=True."
        )
    if present and present != wanted:
        raise SetupError(
            f"{store.collection.full_name} has a validator that is not this program's; it was left alone. Choose "
            "another mongodb.collection in the config, or remove that validator yourself."
        )
    _refuse_longer_claims(store, days)
    if max_claim_days_of(options)[0] != days:
        store.collection.database.command(
            "collMod",
            store.collection.name,
            validator=wanted,
            validationLevel="strict",
            validationAction="error",
        )
        # Once more: a claim may have arrived between the check and the rule.
        _refuse_longer_claims(store, days)


def _refuse_longer_claims(store: ClaimStore, days: int) -> None:
    dates = {BEGIN: {"$type": "date"}, END: {"$type": "date"}}
    offender = store.collection.find_one({"$nor": [{**dates, "$expr": duration_rule(days)}]}, {BEGIN: 1, END: 1})
    if offender:
        raise SetupError(
            f"Claim {offender[ID]} in {store.collection.full_name} does not keep begin <= end <= begin + {days} days "
            f"({BEGIN} {offender.get(BEGIN)}, {END} {offender.get(END)}), so date ranges cannot rely on that bound. "
            "Correct or delete it, or raise data_generation.max_claim_days."
        )


def _same_index(indexes: dict[str, Any], covering: bool) -> str | None:
    """Name of the plain index with our key pattern, whoever made it."""
    keys = list((COVERING_INDEX if covering else PROVIDER_INDEX).items())
    for name, index in indexes.items():
        if list(index["key"]) == keys and not set(index) - {"v", "key", "ns"}:
            return name
    return None


def _install_index(store: ClaimStore) -> None:
    covering, collection = store.config.mongodb.covering_index, store.collection
    indexes = collection.index_information()
    name = _INDEX_NAMES[covering]
    if not _same_index(indexes, covering):
        if name in indexes:
            raise SetupError(
                f"{collection.full_name} has another index named {name}; it was left alone. Drop or rename it "
                "yourself, then set up again."
            )
        keys = COVERING_INDEX if covering else PROVIDER_INDEX
        try:
            collection.create_index(list(keys.items()), name=name)
        except OperationFailure as error:
            if error.code in (85, 86):
                raise SetupError(
                    f"{collection.full_name} has an index on the same fields with other options; it was left alone. "
                    "Drop it yourself, then set up again."
                ) from None
            raise
    other = _INDEX_NAMES[not covering]
    if other in indexes and _same_index({other: indexes[other]}, not covering):
        collection.drop_index(other)
