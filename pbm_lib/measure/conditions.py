"""The conditions of a run: server, indexes, sizes, machine, and versions. No address, path, or user name."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
import pymongo
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from ..store.footprint import Bytes
from ..store.store import ClaimStore

_CLOSED = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_CLOSED)
class Machine:
    """The machine that the client ran on; with the local server, also the server's machine.

    Attributes:
        cpus: number of logical processors.
        cpu_model: model name of the processor; None if unknown.
        memory_bytes: main memory.
        system: operating system, release, and architecture.
        python: version of Python.
    """

    cpus: int
    cpu_model: str | None
    memory_bytes: Bytes
    system: str
    python: str


@dataclass(frozen=True, config=_CLOSED)
class Conditions:
    """Everything that the figures of a run depend on, apart from its settings.

    Attributes:
        server_version: version of MongoDB.
        topology: standalone, replica set, or sharded cluster.
        host_kind: Atlas, local, or remote.
        cache_bytes: size of the WiredTiger cache; None if it cannot be read.
        indexes: name to key pattern, as text.
        max_claim_days: D, in days, as enforced by the server's validator.
        provider_claims: for each tier measured, the number of its first provider's claims, counted on the server.
        machine: the machine that the client ran on.
        pymongo: version of the driver.
        pbm_lib: version of this package.
        git_commit: commit of this package's source, with "-dirty" if it was changed since; None outside a checkout.
    """

    server_version: str
    topology: str
    host_kind: str
    cache_bytes: Bytes | None
    indexes: dict[str, str]
    max_claim_days: int | None
    provider_claims: dict[str, Bytes]
    machine: Machine
    pymongo: str
    pbm_lib: str
    git_commit: str | None


def measure_conditions(store: ClaimStore, provider_claims: dict[str, int]) -> Conditions:
    """Return the conditions of a run; `provider_claims` holds the count of each tier's first provider."""
    with store.errors_explained():
        indexes = store.collection.index_information()
    server = store.server
    return Conditions(
        server_version=server.version,
        topology=server.topology,
        host_kind=server.host_kind,
        cache_bytes=server.cache_bytes,
        indexes={
            name: ", ".join(f"{field}: {order}" for field, order in index["key"]) for name, index in indexes.items()
        },
        max_claim_days=store.max_claim_days,
        provider_claims=provider_claims,
        machine=Machine(
            cpus=os.cpu_count() or 1,
            cpu_model=_cpu_model(),
            memory_bytes=psutil.virtual_memory().total,
            system=f"{platform.system()} {platform.release()} {platform.machine()}",
            python=platform.python_version(),
        ),
        pymongo=pymongo.version,
        pbm_lib=_package_version(),
        git_commit=_git_commit(Path(__file__).resolve().parent),
    )


def _cpu_model() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or None


def _package_version() -> str:
    try:
        return version("pbm-lib")
    except PackageNotFoundError:
        return "not installed"


def _git_commit(package: Path) -> str | None:
    def git(*arguments: str) -> str:
        # Take no locks: a commit may be in progress.
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", package, *arguments],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    try:
        # An installed package may lie inside an unrelated checkout, so make sure that git tracks its files.
        if not git("ls-files", "__init__.py"):
            return None
        return git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.SubprocessError):
        return None
