"""Real mongod processes that tests may kill: one, three as a replica set, with authentication, with TLS."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Self

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from pbm_lib.store.mongod import find_mongod


def free_port() -> int:
    """A TCP port on 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port: int) -> bool:
    """Whether any process listens on a TCP port on 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


_mongod = cache(find_mongod)  # cached, because it runs the program to get its version


@dataclass
class Mongod:
    """One mongod process with its own data folder and port; it can be killed and started again."""

    folder: Path
    options: list[str] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    client_options: dict = field(default_factory=dict)
    process: subprocess.Popen | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def uri(self) -> str:
        return f"mongodb://{self.address}/?directConnection=true"

    def start(self) -> Self:
        self.launch()
        return self.ready()

    def launch(self) -> None:
        """Start the process without waiting until it listens, so that several can start at once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [
                str(_mongod()),
                *("--dbpath", str(self.folder), "--port", str(self.port), "--bind_ip", "127.0.0.1"),
                *("--wiredTigerCacheSizeGB", "0.25", "--nounixsocket"),
                *("--logpath", str(self.folder / "mongod.log"), "--logappend"),
                *self.options,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def ready(self) -> Self:
        """Wait until it answers."""
        # A client that cannot connect tries again only after half a second.
        wait_for(lambda: self.process.poll() is not None or listens(self.port), 60, f"mongod {self.port} to listen")
        with self.client() as client:
            wait_for(lambda: self.process.poll() is not None or answers(client), 60, f"mongod {self.port}")
        assert self.process.poll() is None, f"mongod ended with {self.process.returncode}"
        return self

    def client(self, **options) -> MongoClient:
        return MongoClient(self.uri, serverSelectionTimeoutMS=2_000, **{**self.client_options, **options})

    def kill(self) -> None:
        """End it the way a crash would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it cleanly, if it is still running."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()


@dataclass
class ReplicaSet:
    """Mongods that elect a primary within a second or two."""

    nodes: list[Mongod]
    name: str = "rs"

    @property
    def uri(self) -> str:
        return f"mongodb://{','.join(node.address for node in self.nodes)}/?replicaSet={self.name}"

    def primary(self) -> Mongod:
        """The node that reports itself as primary, waiting up to a minute for one."""
        found: list[Mongod] = []

        def is_there() -> bool:
            for node in self.nodes:
                if node.process.poll() is None:
                    with node.client() as client, contextlib.suppress(PyMongoError):
                        if client.admin.command("hello").get("isWritablePrimary"):
                            found.append(node)
                            return True
            return False

        wait_for(is_there, 60, "a primary")
        return found[0]

    def step_down(self) -> None:
        """Make the primary step down for 20 seconds."""
        with self.primary().client() as client, contextlib.suppress(PyMongoError):
            client.admin.command("replSetStepDown", 20, secondaryCatchUpPeriodSecs=10)


def answers(client: MongoClient) -> bool:
    """Whether a ping comes back."""
    try:
        client.admin.command("ping")
    except PyMongoError:
        return False
    return True


def wait_for(condition, seconds: float, what: str) -> None:
    """Poll until a condition holds; fail the test if it does not within this many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)


SLOW = {"$expr": {"$function": {"body": "function(x) { sleep(300); return true; }", "args": ["$_id"], "lang": "js"}}}
"""A condition that every claim meets, but only after 0.3 s."""


def under_way(client: MongoClient, namespace: str, *, kill: bool = False) -> list[str]:
    """Names of the commands that the server is now running on a collection; `kill` also ends them."""
    operations = list(client.admin.aggregate([{"$currentOp": {}}, {"$match": {"ns": namespace}}]))
    for operation in operations if kill else ():
        client.admin.command("killOp", op=operation["opid"])
    return [next(iter(operation["command"])) for operation in operations]


@contextlib.contextmanager
def running(mongod: Mongod) -> Iterator[Mongod]:
    """A mongod for the length of a block; its data is removed afterward."""
    try:
        yield mongod.start()
    finally:
        mongod.stop()
        shutil.rmtree(mongod.folder, ignore_errors=True)


@contextlib.contextmanager
def replica_set(
    folder: Path, options: list[str] | None = None, client_options: dict | None = None, *, lagging: bool = False
) -> Iterator[ReplicaSet]:
    """A replica set for the length of a block: three nodes, or a primary and a lagging secondary."""
    extra = ["--replSet", "rs", "--oplogSize", "128", *(options or [])]
    if lagging:
        extra += ["--setParameter", "enableTestCommands=1"]
    nodes = [
        Mongod(folder / f"node{number}", list(extra), client_options=client_options or {})
        for number in range(2 if lagging else 3)
    ]
    cluster = ReplicaSet(nodes)
    try:
        for node in cluster.nodes:
            node.launch()
        for node in cluster.nodes:
            node.ready()
        members = [{"_id": number, "host": node.address} for number, node in enumerate(cluster.nodes)]
        if lagging:
            members[1] |= {"priority": 0, "votes": 0}
        with cluster.nodes[0].client() as client:
            settings = {"electionTimeoutMillis": 2_000, "heartbeatIntervalMillis": 500}
            client.admin.command("replSetInitiate", {"_id": "rs", "members": members, "settings": settings})
        cluster.primary()
        if lagging:
            with cluster.nodes[1].client() as client:
                wait_for(lambda: client.admin.command("hello").get("secondary"), 60, "a secondary")
                # secondaryDelaySecs would hide the member from drivers.
                client.admin.command("configureFailPoint", "stopReplProducer", mode="alwaysOn")
        yield cluster
    finally:
        for node in cluster.nodes:
            if node.process:  # a clean shutdown would wait for the other nodes, and no data is kept
                node.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def tmpfs(folder: Path, megabytes: int) -> Iterator[Callable[[int], None]]:
    """A file system of this many megabytes in memory; yields a function that resizes it."""
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"mounting a small file system is not permitted here: {mounted.stderr.strip()}")

    def resize(to: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={to}m", str(folder)], check=True)

    try:
        yield resize
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
