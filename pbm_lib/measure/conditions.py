"""What a run was taken on: server, indexes, sizes, machine and versions. No address, no path, no user."""

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
    """The machine that the client ran on; with the local server, the server's as well.

    Attributes:
        cpus: logical processors.
        cpu_model: as the processor names itself; None if it does not.
        memory_bytes: main memory.
        system: operating system and release.
        python: version of Python.
    """

    cpus: int
    cpu_model: str | None
    memory_bytes: Bytes
    system: str
    python: str


@dataclass(frozen=True, config=_CLOSED)
class Conditions:
    """All that a figure of the run depends on, apart from its settings.

    Attributes:
        server_version: MongoDB's.
        topology: standalone, replica set or sharded cluster.
        host_kind: Atlas, local or remote.
        cache_bytes: WiredTiger cache; None where it cannot be read.
        indexes: name to key pattern, as text.
        max_claim_days: D in days, as the server's validator enforces it.
        provider_claims: claims of the first provider of each tier measured, counted on the server.
        machine: where the client ran.
        pymongo: version of the driver.
        pbm_lib: version of this package.
        git_commit: of this package's source, with "-dirty" if it was changed since; None outside a checkout.
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
    """Gather what the figures depend on; `provider_claims` were counted for the first provider of each tier."""
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
        # No locks: somebody may be committing at this moment.
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", package, *arguments],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    try:
        # Installed elsewhere, the package may lie in somebody else's checkout: only its own source counts.
        if not git("ls-files", "__init__.py"):
            return None
        return git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.SubprocessError):
        return None
