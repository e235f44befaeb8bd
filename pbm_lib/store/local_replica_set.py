"""A replica set of three mongods on this machine that runs for the length of a block, so that its nodes can fail."""

import errno
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pymongo
from filelock import FileLock, Timeout
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from ..config import Config
from ..errors import ConnectionString, ServerUnavailable, remember_secret
from ..working import working
from .connection import open_client
from .driver_errors import translated_driver_errors
from .local_state import (
    LOCK,
    USER,
    cannot_use,
    close_to_others,
    mongod_on_port,
    reject_others_folder,
    running_mongod,
)
from .mongod import diagnose, find_mongod, free_ports, has_ended, is_taken, known_reason, launch, listens

_NODES = 3
_NAME = "pbm_failover"
_KEY = "key"
_CACHE_GB = 0.25  # the least that mongod accepts
_OPLOG_MB = 128
_START_SECONDS = 60
_END_SECONDS = 30
_FIRST_ELECTION_MS = 2_000  # how long a new set waits before its first election; the config's timeout is set later
_STEP_DOWN_SECONDS, _CATCH_UP_SECONDS = 20, 10
_GOODBYE_SECONDS = 1
_HEALTHY = [1, 2, 2]  # one primary, two secondaries


class LocalReplicaSet:
    """Three nodes, any of which can fail.

    Attributes:
        ports: the nodes' ports on 127.0.0.1.
        uri: connection string with a login; a write is acknowledged once a majority of the nodes has it.
        leftovers: pids of the mongods that a killed earlier run left behind, and that were ended before this one.
    """

    def __init__(self, folder: Path, ports: list[int], leftovers: list[int]):
        self._folder, self.ports, self.leftovers = folder, ports, leftovers
        self._nodes: dict[int, psutil.Process] = {}
        self._password = secrets.token_urlsafe()
        self._hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        options = f"authSource=admin&replicaSet={_NAME}&w=majority"
        self.uri = ConnectionString(f"mongodb://{USER}:{self._password}@{self._hosts}/?{options}")
        remember_secret(self.uri)
        self._client = open_client(self.uri)  # kept open, so that a node fails on time, not a login later

    def step_down(self) -> str:
        """Make the primary step down, and return its address; it cannot become primary again for 20 seconds."""
        primary = self._primary()
        with translated_driver_errors():
            self._client.admin.command(
                "replSetStepDown", _STEP_DOWN_SECONDS, secondaryCatchUpPeriodSecs=_CATCH_UP_SECONDS
            )
        return primary

    def kill_primary(self) -> str:
        """Kill the primary as a crash would (SIGKILL), and return its address."""
        primary = self._primary()
        with suppress(psutil.NoSuchProcess):  # it has already ended
            self._nodes[int(primary.rpartition(":")[2])].kill()
        return primary

    def _primary(self) -> str:
        with translated_driver_errors():
            return self._client.admin.command("hello")["primary"]

    def start(self, program: Path, election_timeout_ms: int) -> None:
        """Start the nodes and wait until all three are healthy; then set the timeout for replacing a silent primary."""
        key = self._folder / _KEY  # the nodes log in to each other with it
        key.touch(mode=0o600)
        key.write_text(secrets.token_hex(48), encoding="ascii")
        for folder, port in zip(_node_folders(self._folder), self.ports, strict=True):
            folder.mkdir()
            options = ("--replSet", _NAME, "--keyFile", str(key), "--oplogSize", str(_OPLOG_MB))
            self._nodes[port] = launch(program, folder, port, _CACHE_GB, *options)
        deadline = time.monotonic() + _START_SECONDS
        for folder, (port, process) in zip(_node_folders(self._folder), self._nodes.items(), strict=True):
            # Until it listens, another user's program might listen on its port, and must not be given the password.
            _wait(deadline, lambda process=process, port=port: has_ended(process) or listens(process, port))
            if has_ended(process):
                reason = known_reason(folder) or "Its log shows no known reason. Try again."
                raise ServerUnavailable(f"One of the three mongods stopped during startup. {reason}")
        self._make_set(deadline, election_timeout_ms)

    def _make_set(self, deadline: float, election_timeout_ms: int) -> None:
        members = [{"_id": number, "host": f"127.0.0.1:{port}"} for number, port in enumerate(self.ports)]
        settings = {"electionTimeoutMillis": _FIRST_ELECTION_MS}
        with translated_driver_errors():
            # While there are no users yet, mongod lets a client on this machine create the set and the first user.
            with MongoClient(f"mongodb://127.0.0.1:{self.ports[0]}/?directConnection=true") as client:
                client.admin.command("replSetInitiate", {"_id": _NAME, "members": members, "settings": settings})
            with MongoClient(f"mongodb://{self._hosts}/?replicaSet={_NAME}") as client:
                _wait(deadline, lambda: client.admin.command("hello")["isWritablePrimary"])
                client.admin.command("createUser", USER, pwd=self._password, roles=["root"])
            _wait(deadline, lambda: _states(self._client) == _HEALTHY)
            current = self._client.admin.command("replSetGetConfig")["config"]
            current["version"] += 1
            current["settings"]["electionTimeoutMillis"] = election_timeout_ms
            self._client.admin.command("replSetReconfig", current)

    def close(self) -> None:
        """Close the connection; the nodes keep running."""
        with pymongo.timeout(_GOODBYE_SECONDS):
            self._client.close()


@contextmanager
def local_replica_set(config: Config) -> Iterator[LocalReplicaSet]:
    """Start three mongods for the length of a block, as set in the config's section `failover`.

    Their data is in a separate folder next to the local server's. That folder is closed to other users and deleted at
    the end. The nodes require a password, which is new each time and not saved. However the block ends, the nodes are
    killed. If this process itself is killed, they keep running, and the next block ends them before it starts its own.
    It recognizes them by their command line, which names a data folder inside its own, and ends each by its pid.

    Raises:
        ServerUnavailable: the nodes cannot be started, a port is in use, or another process is running a failover.
    """
    folder = config.data_dir.with_name(f"{config.data_dir.name}-failover")
    with ExitStack() as at_the_end:
        with working("Starting three MongoDB servers"):
            cluster = _prepared(config, folder, at_the_end)
        yield cluster


def _prepared(config: Config, folder: Path, at_the_end: ExitStack) -> LocalReplicaSet:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        reject_others_folder(folder)
        close_to_others(folder)
        _reject_others_files(folder)
        at_the_end.enter_context(FileLock(folder / LOCK, timeout=0))
        at_the_end.callback(_clear, folder)
        return _started(config, folder, at_the_end)
    except Timeout:
        raise ServerUnavailable(
            f"Another process is running a failover in {folder}. Wait for it to end, or stop it, then try again."
        ) from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ServerUnavailable(diagnose(folder)) from None
        raise cannot_use(folder, error) from None


def _started(config: Config, folder: Path, at_the_end: ExitStack) -> LocalReplicaSet:
    leftovers = _end_nodes(folder)
    _empty(folder)
    first = config.failover.first_port
    ports = [first + number for number in range(_NODES)] if first else free_ports(_NODES)
    for port in ports:
        if is_taken(port):
            raise ServerUnavailable(
                f"Port {port} on 127.0.0.1 is in use by {_who_listens(port)}. Set failover.first_port in the config to "
                f"the first of {_NODES} free ports, or to 0 for any."
            )
    cluster = LocalReplicaSet(folder, ports, leftovers)
    at_the_end.callback(cluster.close)
    cluster.start(find_mongod(config.mongod), config.failover.election_timeout_ms)
    return cluster


def _reject_others_files(folder: Path) -> None:
    if {file.name for file in folder.iterdir()} - {LOCK, _KEY, *(node.name for node in _node_folders(folder))}:
        raise ServerUnavailable(
            f"The failover needs the folder {folder} to itself, but it holds other files. Move them, or set "
            "local_server.data_dir in the config to another folder."
        )


def _empty(folder: Path) -> None:
    for node in _node_folders(folder):
        shutil.rmtree(node, ignore_errors=True)
    (folder / _KEY).unlink(missing_ok=True)


def _node_folders(folder: Path) -> list[Path]:
    return [folder / f"node{number}" for number in range(1, _NODES + 1)]


def _end_nodes(folder: Path) -> list[int]:
    """Kill every mongod that uses one of these nodes' data folders, and return their pids."""
    ended = []
    for node in _node_folders(folder):
        while found := running_mongod(node, None):
            with suppress(psutil.NoSuchProcess):
                found.process.kill()
                found.process.wait(_END_SECONDS)
            ended.append(found.process.pid)
    return ended


def _clear(folder: Path) -> None:
    """Kill the nodes and delete the folder, whose lock this process holds."""
    try:
        _end_nodes(folder)
        shutil.rmtree(folder, ignore_errors=True)
    except KeyboardInterrupt:  # a second interrupt; finish cleaning up before obeying it
        _end_nodes(folder)
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _who_listens(port: int) -> str:
    found = mongod_on_port(port)
    return f"process {found.process.pid}, a mongod with the data folder {found.folder}" if found else "another program"


def _states(client: MongoClient) -> list[int]:
    return sorted(member["state"] for member in client.admin.command("replSetGetStatus")["members"])


def _wait(deadline: float, holds: Callable[[], object]) -> None:
    while True:
        with suppress(PyMongoError):  # a node is still starting, or an election is running
            if holds():
                return
        if time.monotonic() > deadline:
            raise ServerUnavailable(
                f"The three mongods were not ready after {_START_SECONDS} seconds. Close other programs and try again."
            )
        time.sleep(0.05)
