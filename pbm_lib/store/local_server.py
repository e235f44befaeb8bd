"""The embedded default: a real mongod on 127.0.0.1, started once and found again by every later process."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil
from filelock import FileLock, Timeout
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from ..config import Config
from ..errors import ServerUnavailable

_START_SECONDS = 60
_FULL_BELOW = 2**20  # bytes; mongod cannot even write its log then
_STATE, _LOG = "server.json", "mongod.log"
_START_MARKS = (20698, 4615611)  # numbers of "SERVER RESTARTED" and "MongoDB starting" in mongod's log


@dataclass(frozen=True)
class LocalServer:
    """A running mongod of ours. `created` is the process's start time, so that a reused pid is not taken for it."""

    pid: int
    created: float
    port: int

    @property
    def uri(self) -> str:
        """Connection string; no credentials, loopback only."""
        # On this machine a server that does not answer within two seconds has ended: nobody waits longer to be told.
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true&serverSelectionTimeoutMS=2000"


def start_local_server(config: Config) -> LocalServer:
    """Return the running local server, ready to answer; start it when there is none."""
    folder = config.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "start.lock", timeout=_START_SECONDS + 15):
            return running_server(config) or _start(config, folder)
    except Timeout:
        raise ServerUnavailable(
            f"Another process has been starting the local server in {folder} for over a minute. Try again; if it "
            "stays so, end that process."
        ) from None
    except OSError as error:
        raise ServerUnavailable(
            f"Cannot use the local server's data folder {folder}: {error.strerror or error}. Make it writable, or "
            "set local_server.data_dir in the config to another folder."
        ) from None


def running_server(config: Config) -> LocalServer | None:
    """Return the server of this config's data folder; None if it does not run."""
    server = _last_started(config)
    return server if server and _process_of(server) else None


def is_local_uri(config: Config, uri: str) -> bool:
    """Whether a connection string is that of this config's local server, as last started."""
    server = _last_started(config)
    return server is not None and server.uri == uri


def why_local_server_ended(config: Config, uri: str) -> str | None:
    """Say why the local server ended; None if it runs, or if the connection string is another server's."""
    if not is_local_uri(config, uri) or running_server(config):
        return None
    return f"The local server ended. {diagnose(config.data_dir)}"


def stop_local_server(config: Config) -> bool:
    """Shut the local server down cleanly and wait until its process has ended.

    Args:
        config: names the data folder.

    Returns:
        True if a server was stopped, False if none was running.
    """
    server = running_server(config)
    if server is None:
        return False
    process = _process_of(server)
    # The connection breaks when the server goes; the wait below tells whether it went.
    with suppress(PyMongoError), MongoClient(server.uri, serverSelectionTimeoutMS=5_000) as client:
        client.admin.command("shutdown")
    try:
        process.wait(timeout=60)
    except psutil.TimeoutExpired:
        process.terminate()
        process.wait(timeout=30)
    except psutil.NoSuchProcess:
        pass
    (config.data_dir / _STATE).unlink(missing_ok=True)
    return True


def find_mongod() -> Path:
    """Return a mongod program that runs here: the one from the wheel, else one on PATH."""
    candidates = []
    if (spec := find_spec("fiftyone")) and spec.submodule_search_locations:
        name = "mongod.exe" if sys.platform == "win32" else "mongod"
        candidates += [Path(place) / "db" / "bin" / name for place in spec.submodule_search_locations]
    if on_path := shutil.which("mongod"):
        candidates.append(Path(on_path))
    complaints = []
    for program in candidates:
        if not program.is_file():
            continue
        try:
            tried = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30)
        except (OSError, subprocess.TimeoutExpired) as error:
            complaints.append(str(error))
            continue
        if tried.returncode == 0:
            return program
        complaints.append(tried.stderr.strip() or f"it exits with {tried.returncode}")
    if not complaints:
        raise ServerUnavailable(
            "No mongod program for the local server. Run: pip install -r requirements.txt (or install MongoDB so "
            "that mongod is on PATH, or set MONGODB_URI to a server of yours)."
        )
    reason = "; ".join(complaints)
    if "libcurl" in reason or "libssl" in reason or "libcrypto" in reason:
        raise ServerUnavailable(
            f"mongod lacks a system library ({reason.splitlines()[0].rpartition('libraries: ')[2][-120:]}). On Debian "
            "and Ubuntu run: apt-get update && apt-get install -y libcurl4 libssl3. Or set MONGODB_URI to a server of "
            "yours."
        )
    raise ServerUnavailable(
        f"mongod cannot run here ({reason[:200]}). Install MongoDB so that mongod is on PATH, or set MONGODB_URI."
    )


def diagnose(folder: Path) -> str:
    """Say in one sentence why the mongod of a data folder ended, from the end of its log, and what to do."""
    if not folder.is_dir():
        return f"Its data folder {folder} is gone. Put it back, or set local_server.data_dir, and start again."
    errors = _last_errors(folder / _LOG)

    def says(*words: str) -> bool:
        return any(word in errors for word in words)

    if says("No space left on device", "ENOSPC") or shutil.disk_usage(folder).free < _FULL_BELOW:
        return (
            f"The disk that holds {folder} is full. Free some space (3 million claims take about 1 GB), then try again."
        )
    if says("Address already in use"):
        return "Its port is in use by another program. Set local_server.port in the config to a free port, or to 0."
    if says("SocketException"):
        return "It may not listen on its port. Set local_server.port in the config to another one, or to 0."
    if says("Unable to lock the lock file"):
        return f"Another mongod uses the data folder {folder}. Stop that one, or set local_server.data_dir."
    if says("Permission denied", "not permitted", "Read-only file system", "create a lock file on a read-only"):
        return f"The data folder {folder} is not writable. Change its owner, or set local_server.data_dir."
    if says("UPGRADE PROBLEM") or (says("featureCompatibilityVersion") and "invalid" in errors.lower()):
        return (
            f"The data in {folder} was written by another MongoDB version. Set local_server.data_dir to a new folder."
        )
    return f"See the end of its log: {folder / _LOG}."


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


def _start(config: Config, folder: Path) -> LocalServer:
    program, settings = find_mongod(), config.local_server
    port = settings.port or _free_port()
    if settings.port and _answers(port):
        raise ServerUnavailable(
            f"Port {port} on 127.0.0.1 is in use by another program. Set local_server.port in the config to a free "
            "port, or to 0 to take any."
        )
    (folder / _LOG).unlink(missing_ok=True)
    command = [
        str(program),
        *("--dbpath", str(folder)),
        *("--port", str(port)),
        *("--bind_ip", "127.0.0.1"),
        *("--wiredTigerCacheSizeGB", str(settings.cache_gb)),
        *("--logpath", str(folder / _LOG)),
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
    server = LocalServer(process.pid, psutil.Process(process.pid).create_time(), port)
    try:
        _wait_until_ready(server, process, folder)
        written = folder / f"{_STATE}.new"
        written.write_text(json.dumps(asdict(server)), encoding="utf-8")
        written.replace(folder / _STATE)
    except BaseException:  # an interrupted start, or a full disk, must not leave a server that nobody finds again
        process.terminate()
        process.wait()
        raise
    process.returncode = 0  # it goes on without us, which is no "subprocess still running" to warn about
    return server


def _wait_until_ready(server: LocalServer, process: subprocess.Popen, folder: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    with MongoClient(server.uri, serverSelectionTimeoutMS=500, connect=False) as client:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise ServerUnavailable(f"The local mongod ended while starting. {diagnose(folder)}")
            try:
                client.admin.command("ping")
                return
            except PyMongoError:
                continue  # server selection itself waits half a second
    raise ServerUnavailable(f"The local mongod did not get ready in {_START_SECONDS} seconds. {diagnose(folder)}")


def _last_started(config: Config) -> LocalServer | None:
    """The server that was last started in this config's data folder, running or not; None if nothing tells."""
    try:
        return LocalServer(**json.loads((config.data_dir / _STATE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _process_of(server: LocalServer) -> psutil.Process | None:
    try:
        process = psutil.Process(server.pid)
        alive = abs(process.create_time() - server.created) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return None
    return process if alive else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
