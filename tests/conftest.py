"""A real mongod for the session, a fresh database for each test, and small configs made from the real one."""

import copy
import io
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest
import yaml
from proxy import Proxy
from secure_servers import DATABASE, SecureServer, secure_server

from pbm_lib import (
    ClaimExplorer,
    ClaimStore,
    Config,
    connect,
    load_claims,
    load_config,
    setup_collection,
    stop_local_server,
    working,
)
from pbm_lib.claims.generate import claim_generator
from pbm_lib.errors import ConnectionString
from pbm_lib.load.state import LoadRecord
from pbm_lib.store import store as store_module
from pbm_lib.store.connection import open_client
from pbm_lib.store.local_server import start_local_server

PROJECT = Path(__file__).resolve().parents[1]
SMALL = {
    "data_generation": {
        "target_volume": 6_000,
        "tiers": [
            {"name": "3K", "claims_per_provider": 3_000, "providers": 1},
            {"name": "300", "claims_per_provider": 300, "providers": 8},
            {"name": "60", "claims_per_provider": 60, "providers": 10},
        ],
        "batch_size": 500,
        "workers": 1,
    },
    "performance": {
        "samples": 3,
        "seconds_per_series": 1,
        "warmup": 1,
        "unbounded_samples": 2,
        "tiers_to_test": ["3K", "300", "60"],
        "concurrency": [1, 2],
        "concurrency_seconds": 0.2,
        "feed_per_second": 0,
        "live_seconds": 0.4,
        "targets": {"first_page_p95_ms": {"3K": 1000}},
    },
    "live": {"seconds": 1, "feed_per_second": 50},
    "failover": {"claims": 6_000, "first_port": 0, "seconds": 9, "election_timeout_ms": 2_000},
    "local_server": {"port": 0, "cache_gb": 0.25},
}

# Every test run draws the same examples; `.ci/run` also draws random ones, from a seed that it prints.
hypothesis.settings.register_profile("fixed", deadline=None, derandomize=True)
hypothesis.settings.register_profile("random", deadline=None)
hypothesis.settings.load_profile("fixed")


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy of nested settings with some of them changed."""
    result = copy.deepcopy(base)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict) and key != "targets":
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


def small_settings(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """The project's config.yaml, scaled down to a few thousand claims, with changes applied."""
    return merged(_small(), changes or {})


@cache
def _small() -> dict[str, Any]:
    return merged(yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8")), SMALL)


def write_config(folder: Path, changes: dict[str, Any] | None = None) -> Path:
    """Write a small config.yaml into a folder; its local server, if any, lives there too."""
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(small_settings(changes)), encoding="utf-8")
    return file


def pytest_configure(config: pytest.Config) -> None:
    folder, gigabytes = tempfile.gettempdir(), 5
    if (free := shutil.disk_usage(folder).free / 1e9) < gigabytes:
        # A mongod whose disk is full ends, and every test after that fails for another reason.
        pytest.exit(
            f"The tests need {gigabytes} GB of free disk space in {folder}, which has {free:.1f} GB. Free some space, "
            "or set TMPDIR to a folder with more of it.",
            returncode=pytest.ExitCode.USAGE_ERROR,
        )
    # Never touch the user's own cluster: tests use MONGODB_URI_TEST, or a server of their own.
    os.environ.pop("MONGODB_URI", None)
    os.environ.pop("PBM_LIB_CONFIG", None)
    # A background job of a shell ignores Ctrl-C, and the processes that tests interrupt would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def test_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the session's server: MONGODB_URI_TEST, or a temporary mongod from the wheel."""
    if uri := os.environ.get("MONGODB_URI_TEST"):
        yield ConnectionString(uri)  # masked when pytest shows the arguments of a failed test
        return
    config = load_config(write_config(tmp_path_factory.mktemp("server")))
    yield start_local_server(config).uri
    stop_local_server(config)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureServer]:
    """A mongod with TLS and users, for the tests of one module."""
    with secure_server(tmp_path_factory.mktemp("secure")) as server:
        yield server


@pytest.fixture(scope="module")
def as_user(secure, make_config):
    """Call it with a user from `secure_servers.ROLES` to get a store opened as that user, with all claims in place."""
    config = make_config({"mongodb": {"database": DATABASE}})
    opened = []

    def make(user):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MONGODB_URI", secure.uri(user))
            opened.append(connect(config))
        return opened[-1]

    store = setup_collection(make("owner"))
    data = store.config.data_generation
    store.collection.insert_many(claim_generator(data).documents(0, data.target_volume))
    yield make
    for store in opened:
        store.close()


@pytest.fixture
def explorer(loaded_store: ClaimStore) -> ClaimExplorer:
    """An explorer of the loaded claims."""
    return ClaimExplorer(loaded_store)


@pytest.fixture
def proxied(loaded_store: ClaimStore, test_uri: str) -> Iterator[tuple[ClaimStore, Proxy]]:
    """A store with its own client that reaches the loaded claims through a proxy, and that proxy."""
    if "MONGODB_URI_TEST" in os.environ:
        pytest.skip("cuts connections of the tests' own local server")
    with Proxy(test_uri) as proxy, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MONGODB_URI", proxy.uri.replace("TimeoutMS=2000", "TimeoutMS=400"))
        with connect(loaded_store.config) as store:
            yield store, proxy


@pytest.fixture(scope="session")
def _databases(test_uri: str) -> Iterator[list[str]]:
    """Names of the databases that tests create; dropped at the end of the session."""
    names: list[str] = []
    yield names
    with open_client(test_uri) as client:
        for name in names:
            client.drop_database(name)


@pytest.fixture(scope="session")
def make_config(tmp_path_factory: pytest.TempPathFactory, _databases: list[str]) -> Callable[..., Config]:
    """Call it with changes to get a small config with its own database."""

    def make(changes: dict[str, Any] | None = None) -> Config:
        database = f"pbm_test_{uuid.uuid4().hex[:12]}"
        _databases.append(database)
        settings = merged({"mongodb": {"database": database}}, changes or {})
        return load_config(write_config(tmp_path_factory.mktemp("config"), settings))

    return make


@pytest.fixture
def new_config(make_config: Callable[..., Config]) -> Iterator[Callable[..., Config]]:
    """Call it to get a config whose local server has an empty folder; both are gone after the test."""
    configs: list[Config] = []

    def make(**local: Any) -> Config:
        configs.append(make_config({"local_server": local}))
        return configs[-1]

    yield make
    for config in configs:
        stop_local_server(config)
        shutil.rmtree(config.path.parent, ignore_errors=True)


@contextmanager
def opening(test_uri: str, make_config: Callable[..., Config]) -> Iterator[Callable[..., ClaimStore]]:
    """Yield a function that opens a store from changes or a Config; all stores are closed at the end of the block.

    Each open store has two connections and three threads that wake twice per second. Hundreds would slow all tests.
    """
    stores: list[ClaimStore] = []

    def make(changes: dict[str, Any] | Config | None = None) -> ClaimStore:
        config = changes if isinstance(changes, Config) else make_config(changes)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MONGODB_URI", test_uri)
            stores.append(connect(config))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def open_store(test_uri: str, make_config: Callable[..., Config]) -> Iterator[Callable[..., ClaimStore]]:
    """Call it with changes (or a Config) to get a connected store; closed after the test."""
    with opening(test_uri, make_config) as make:
        yield make


@pytest.fixture(scope="module")
def open_shared_store(test_uri: str, make_config: Callable[..., Config]) -> Iterator[Callable[..., ClaimStore]]:
    """Like `open_store`, for a store that the tests of a module share; closed after the last of them."""
    with opening(test_uri, make_config) as make:
        yield make


@pytest.fixture
def store(open_store: Callable[..., ClaimStore]) -> ClaimStore:
    """A store with a set-up, empty collection for this test only."""
    return setup_collection(open_store())


@pytest.fixture
def filled(store: ClaimStore) -> ClaimStore:
    """A store with all its claims, as a load leaves it, but inserted faster: a load starts processes."""
    data = store.config.data_generation
    LoadRecord(store).mark("loading")
    store.collection.insert_many(claim_generator(data).documents(0, data.target_volume))
    LoadRecord(store).mark("complete")
    return store


class Terminal(io.StringIO):
    """A terminal that records what was shown on it."""

    def isatty(self) -> bool:
        return True

    @property
    def shown(self) -> list[str]:
        """The successive texts of its one line since this property was last read."""
        texts = [text.strip() for text in self.getvalue().split("\r")]
        self.seek(0)
        self.truncate()
        return [text for text in texts if text]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Replaces standard error for the progress line of a slow call."""
    terminal = Terminal()
    # Don't replace sys.stderr itself: pytest sets it again when the test begins.
    monkeypatch.setattr(working, "sys", SimpleNamespace(stderr=terminal))
    return terminal


class Clock:
    """The clock by which a store's knowledge of the server ages; it moves only when a test moves it."""

    def __init__(self):
        self.now = 1e9

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replaces the clock that tells a store when to reread the server's rule."""
    clock = Clock()
    monkeypatch.setattr(store_module, "time", clock)
    return clock


@pytest.fixture(scope="session")
def loaded_store(test_uri: str, make_config: Callable[..., Config]) -> Iterator[ClaimStore]:
    """A store with 6,000 claims, loaded once per session; tests only read it."""
    with opening(test_uri, make_config) as make:
        store = setup_collection(make())
        load_claims(store, progress=False)
        yield store
