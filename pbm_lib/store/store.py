"""Connect to a server, and keep track of which index its claims collection has and which rule it enforces."""

import copy
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Self

import pymongo
from pymongo.collection import Collection

from ..arguments import checked
from ..config import Config
from ..config_file import load_config
from ..display import ShownAsFacts
from ..errors import ConfigError, ConnectionString, InvalidQuery, ServerUnavailable
from ..working import working
from .collection import claims_collection, describe
from .connection import open_client, server_uri
from .driver_errors import translated_driver_errors
from .index import VARIANTS, IndexVariant, find_index, variant_named
from .leaf_page import in_words, leaf_page_kb
from .local_server import why_local_server_ended
from .retry import again_if_dropped
from .rule import max_claim_days_of
from .server import ServerInfo, end_of_support, server_info

# An unreachable server is reported within seconds. Once connected, an operation can wait out an election (about 12 s).
_CONNECT_SECONDS = 8
_GOODBYE_SECONDS = 1
# A shorter time costs more round trips. With a longer one, queries rely longer on a rule that someone has changed.
_KNOWN_SECONDS = 5.0


@dataclass(frozen=True)
class _Known:
    """What the server last reported about the collection."""

    at: float  # when the server was asked, on the monotonic clock
    identity: str | None
    max_claim_days: int | None
    bound_reason: str
    leaf_page_kb: int | None


class ClaimStore(ShownAsFacts):
    """The claims collection on one server, as returned by `connect`.

    The bounded query is exact as long as no claim lasts longer than D days, which the server's validator enforces. The
    store rereads that rule before a query if it last did so more than 5 seconds ago, so it notices when someone changes
    the rule or replaces the collection. A longer claim can still get in:

    - from a writer who has the right to bypass the validator and uses it;
    - while someone has the validator disabled, or its level below strict, and then restores it;
    - during the 5 seconds after someone changed the rule.

    At the validation level constraint (MongoDB 9.0 or newer), the first two cannot happen.

    The bounded query may miss such a claim if it began more than D days before the range; the unbounded query finds it.
    `setup_collection(store, recheck=True)` reads every claim and reports the first that is too long; without `recheck`
    it relies on an earlier check.

    Attributes:
        collection: the pymongo collection.
        config: the settings the store was opened with.
        server: facts about the server (`ServerInfo`).
        uri: the connection string; it may hold a password, so its repr is masked.
        max_claim_days: D in days, as enforced by the validator when it was last read; None if it is not enforced.
        bound_reason: how D is known, or why it is not.
        leaf_page_kb: size in KB of the pages that the server stores the claims in; None if unknown.
        index_name: name of the compound index in use; None before `setup_collection`.
        variant: the `IndexVariant` in use, which sets the order of pages; if there is no index, the config's.
    """

    def __init__(self, collection: Collection, config: Config, server: ServerInfo, uri: ConnectionString):
        self.collection = collection
        self.config = config
        self.server = server
        self.uri = uri
        # Set these before the first refresh: if that fails, a debugger must still be able to show the store.
        self._wanted = VARIANTS[config.mongodb.index]
        self._index: tuple[IndexVariant, str | None] = (self._wanted, None)
        self._known = _Known(0.0, None, None, "not read yet", None)
        self.refresh()

    @checked(InvalidQuery)
    def refresh(self, *, index: str | None = None) -> None:
        """Reread the validator and indexes from the server, for example after someone changed them.

        Args:
            index: the variant to use from now on, if the collection has both; None to keep the current one.

        Raises:
            InvalidQuery: the variant does not exist.
            ServerUnavailable: the server cannot be reached.
        """
        if index is not None:
            self._wanted = variant_named(index, InvalidQuery)
        with self.errors_explained():
            known = again_if_dropped(self._ask)
            indexes = again_if_dropped(self.collection.index_information)
        wanted_first = sorted(VARIANTS.values(), key=lambda variant: variant != self._wanted)
        there = [(variant, name) for variant in wanted_first if (name := find_index(indexes, variant))]
        self._index = there[0] if there else (self._wanted, None)
        # Assign this in one step, since other threads use this store, and last, since it marks everything as known.
        self._known = known

    @checked(InvalidQuery)
    def keep_fresh(self, *, before_timing: bool = False) -> None:
        """Reread the validator if it was last read more than 5 seconds ago, and everything if the collection is new.

        Every query does this first.

        Args:
            before_timing: reread it early, so that a query timed right afterwards does not have to.

        Raises:
            ServerUnavailable: the server cannot be reached.
        """
        if time.monotonic() - self._known.at < (_KNOWN_SECONDS / 2 if before_timing else _KNOWN_SECONDS):
            return
        with self.errors_explained():
            known = again_if_dropped(self._ask)
        if known.identity == self._known.identity:
            self._known = known
        else:
            self.refresh()

    def _ask(self) -> _Known:
        at = time.monotonic()
        described = describe(self.collection)
        # A collection's leaf page size never changes, so asking once is enough.
        kept = described.identity == self._known.identity
        pages = self._known.leaf_page_kb if kept else leaf_page_kb(self.collection)
        return _Known(at, described.identity, *max_claim_days_of(described.options), pages)

    @property
    def index_in_use(self) -> tuple[IndexVariant, str | None]:
        """The index variant and its name on the server, both as of one moment."""
        return self._index

    @property
    def variant(self) -> IndexVariant:
        """The index variant in use, which sets the order of pages; if there is no index, the config's."""
        return self._index[0]

    @property
    def index_name(self) -> str | None:
        """Name of the compound index in use; None if there is none."""
        return self._index[1]

    @property
    def max_claim_days(self) -> int | None:
        """D in days, as enforced by the validator when it was last read; None if it is not enforced."""
        return self._known.max_claim_days

    @property
    def bound_reason(self) -> str:
        """How D is known, or why it is not."""
        return self._known.bound_reason

    @property
    def leaf_page_kb(self) -> int | None:
        """Size in KB of the pages that the server stores the claims in; None if unknown."""
        return self._known.leaf_page_kb

    @property
    def bounded(self) -> bool:
        """Whether date ranges use the bound D, because the server enforces it."""
        return self.max_claim_days is not None

    def reopened(self, **client_options: Any) -> "ClaimStore":
        """Open the same claims, read and decoded the same way, on a separate client.

        Args:
            client_options: options of `pymongo.MongoClient` to change, for example `event_listeners`.

        Returns:
            Another store. Close it, or use it as a context manager.

        Raises:
            ServerUnavailable: the server cannot be reached.
        """
        return open_known(self.uri, self.config, self.server, **client_options)

    @checked(InvalidQuery)
    def using(self, index: str) -> Self:
        """Return a store on the same client that uses another index variant, if the collection has both.

        Args:
            index: "three_field" or "overlap".

        Returns:
            Another store, which is closed together with this one.

        Raises:
            InvalidQuery: the variant does not exist.
            ServerUnavailable: the server cannot be reached.
        """
        other = copy.copy(self)
        other.refresh(index=index)
        return other

    def close(self) -> None:
        """Close the connections. The server keeps running."""
        with pymongo.timeout(_GOODBYE_SECONDS):  # closing sends the server a last command, and it may be gone
            self.collection.database.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def errors_explained(self) -> AbstractContextManager[None]:
        """Return a context manager that turns a driver error into a `PbmError` with a readable message.

        Raises:
            ServerUnavailable: the server cannot be used; for the local server, the message says why it stopped.
        """

        def ended() -> ServerUnavailable | None:
            why = why_local_server_ended(self.config, self.uri)
            return ServerUnavailable(f"{why} To restart it, call connect(config).") if why else None

        return translated_driver_errors(ended)

    def facts(self) -> dict[str, str]:
        """Return facts about this store, as labels and their values."""
        ended = end_of_support(self.server.version)
        leaf_pages = in_words(self.leaf_page_kb, self.config.mongodb.leaf_page_kb)
        return {
            "Collection": self.collection.full_name,
            "Server": str(self.server),
            **({"Support": ended} if ended else {}),
            "Index": self.index_name or "none yet: run setup_collection(store)",
            "Leaf pages": leaf_pages if self._known.identity else "none yet",
            "Date ranges": f"{'bounded' if self.bounded else 'unbounded'} query: {self.bound_reason}",
        }


def open_known(uri: ConnectionString, config: Config, server: ServerInfo, **client_options: Any) -> ClaimStore:
    """Open the claims of a server that an earlier store was connected to, in this process or another one.

    Args:
        uri: the earlier store's URI.
        config: the earlier store's config.
        server: the earlier store's server facts.
        client_options: options of `pymongo.MongoClient` to change.

    Raises:
        ServerUnavailable: the server cannot be reached.
    """
    client = open_client(uri, **client_options)
    try:
        return ClaimStore(claims_collection(client, config), config, server, uri)
    except BaseException:
        client.close()
        raise


@checked(ConfigError)
def connect(config: Config | None = None) -> ClaimStore:
    """Open the claims collection on the server in MONGODB_URI if it is set, else on the local server.

    MONGODB_URI comes from the environment, or from a `.env` file next to the config file; the environment wins.
    Whatever the URI says about reads, everything is read from the primary with read concern "local", as naive datetimes
    in UTC: secondaries and majority reads lag behind, which could drop claims from a walk or hide one from setup. The
    URI decides how writes are acknowledged (w).

    Args:
        config: the settings; None loads config.yaml.

    Returns:
        The store. Close it, or use it as a context manager.

    Raises:
        ConfigError: the settings or the `.env` file are invalid.
        ServerUnavailable: the server cannot be reached, rejects the login, or cannot be started.
        PbmError: the user cannot read the database.

    Example:
        >>> store = connect()
        >>> page = find_claims(store, list_providers(store.config)[0].tin)
    """
    config = load_config() if config is None else config
    with working("Connecting to the server"):
        return open_first(server_uri(config), config)


def open_first(uri: ConnectionString, config: Config) -> ClaimStore:
    """Open the claims of the server that a connection string names, as `connect` does."""
    with translated_driver_errors(connected=False):
        client = open_client(uri)
        try:
            with pymongo.timeout(None if "serverselectiontimeoutms=" in uri.lower() else _CONNECT_SECONDS):
                client.admin.command("ping")
            return ClaimStore(claims_collection(client, config), config, server_info(client), uri)
        except BaseException:
            client.close()
            raise
