"""The local server, the default: a real mongod on 127.0.0.1, started once and reused by every later process."""

import errno
import os
import secrets
import shlex
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
from filelock import FileLock, Timeout
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from ..arguments import checked
from ..config import Config
from ..errors import ConfigError, ServerUnavailable
from .local_state import (
    LOCK,
    USER,
    LocalServer,
    cannot_use,
    close_to_others,
    holds_database,
    read_state,
    reject_others_files,
    reject_others_folder,
    running_mongod,
    write_state,
)
from .mongod import diagnose, find_mongod, free_ports, has_ended, is_taken, launch, listens

_START_SECONDS = 60
_END_SECONDS = 60
_LOGIN_REJECTED = 18


class _LoginTaken(ServerUnavailable):
    """Someone else created the first login of a new server."""


def start_local_server(config: Config) -> LocalServer:
    """Return the local server, ready to answer; start it if it is not running."""
    folder = config.data_dir
    try:
        if not folder.exists():
            _find(config, None)  # raises an error if a server still uses the missing folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        reject_others_folder(folder)
        with FileLock(folder / LOCK, timeout=_START_SECONDS + 15):
            last = read_state(folder)
            server = _find(config, last)
            if server is None and (last is None or not holds_database(folder)):
                reject_others_files(folder)
                last = None
            close_to_others(folder)
            return server or _start(config, last)
    except Timeout:
        raise ServerUnavailable(
            f"Another process has been starting the local server in {folder} for over a minute. Try again; if that "
            "fails, stop that process."
        ) from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ServerUnavailable(diagnose(folder)) from None
        raise cannot_use(folder, error) from None


def running_server(config: Config) -> LocalServer | None:
    """Return the running server of this config's data folder; None if there is none."""
    last = read_state(config.data_dir)
    if last is None or not last.port:
        return None
    found = running_mongod(config.data_dir, last)
    return replace(last, pid=found.process.pid, port=found.port) if found and found.has_login else None


def is_local_uri(config: Config, uri: str) -> bool:
    """Return whether a connection string is that of this config's local server, as last started."""
    last = read_state(config.data_dir)
    return last is not None and last.uri == uri


def why_local_server_ended(config: Config, uri: str) -> str | None:
    """Return why the local server stopped; None if it is running or the connection string is another server's."""
    if not is_local_uri(config, uri) or running_server(config):
        return None
    return f"The local server stopped. {diagnose(config.data_dir)}"


@checked(ConfigError)
def stop_local_server(config: Config) -> bool:
    """Shut down the local server cleanly and wait until its process has ended.

    Args:
        config: the settings, which name the data folder.

    Returns:
        True if a server was stopped, False if none was running.

    Raises:
        ServerUnavailable: the data folder belongs to another user.
    """
    reject_others_folder(config.data_dir)
    last = read_state(config.data_dir)
    found = running_mongod(config.data_dir, last)
    if found is None:
        return False
    if os.name != "posix" and last:  # on POSIX, terminate() shuts the server down cleanly
        # The connection breaks when the server shuts down. The wait below shows whether it did.
        with suppress(PyMongoError), MongoClient(last.uri, serverSelectionTimeoutMS=5_000) as client:
            client.admin.command("shutdown")
        with suppress(psutil.TimeoutExpired):
            found.process.wait(_END_SECONDS)
    _end(found.process)
    return True


def _find(config: Config, last: LocalServer | None) -> LocalServer | None:
    """The running server of a data folder, with its login, or None; raises ServerUnavailable if it cannot be used."""
    found = running_mongod(config.data_dir, last)
    if found is None:
        return None
    settings, pid = config.local_server, found.process.pid
    stop = f"Run: python -m pbm_lib stop --config {shlex.quote(str(config.path))}"
    if not found.has_login:
        raise ServerUnavailable(
            f"Another mongod uses the data folder {config.data_dir}: process {pid}, which requires no login. It is "
            f"from an earlier version of this program, or someone else's. {stop}. Then delete the folder, or set "
            "local_server.data_dir in the config to a new one."
        )
    if last is None or found.folder != config.data_dir:
        raise ServerUnavailable(
            f"The local server (process {pid}) still uses the data folder {found.folder}, which was deleted, moved, or "
            f"emptied. {stop}. Then try again."
        )
    differences = []
    if settings.port not in (0, found.port):
        differences.append(f"port {found.port} (local_server.port: {settings.port})")
    if found.cache_gb != settings.cache_gb:
        differences.append(f"a cache of {found.cache_gb} GB (local_server.cache_gb: {settings.cache_gb})")
    if config.mongod and last.program not in ("", str(config.mongod)):
        differences.append(f"the program {last.program} (local_server.mongod: {config.mongod})")
    if differences:
        raise ServerUnavailable(
            f"The local server (process {pid}) does not match the config: it uses {' and '.join(differences)}. {stop}. "
            "Then try again."
        )
    server = replace(last, pid=pid, port=found.port)
    if not last.port:  # the process that started it was killed before it created the login
        return _make_ready(server, last, config.data_dir)
    if server != last:
        write_state(config.data_dir, server)
    return server


def _start(config: Config, last: LocalServer | None) -> LocalServer:
    folder, program, settings = config.data_dir, find_mongod(config.mongod), config.local_server
    port = settings.port or free_ports(1)[0]
    if settings.port and is_taken(port):
        raise ServerUnavailable(
            f"Port {port} on 127.0.0.1 is in use by another program. Set local_server.port in the config to a free "
            "port, or to 0 for any."
        )
    if last is None:
        # Save the login before there is any data: an interrupted start must not leave data without a login.
        last = LocalServer(0, 0, secrets.token_urlsafe())
        write_state(folder, last)
    process = launch(program, folder, port, settings.cache_gb)
    return _make_ready(LocalServer(process.pid, port, last.password, str(program.resolve())), last, folder)


def _make_ready(server: LocalServer, last: LocalServer, folder: Path) -> LocalServer:
    """Wait until a server accepts its login, which the first start creates, then save the server's state."""
    first = not last.port
    process = psutil.Process(server.pid)
    try:
        _wait_until_ready(server, process, folder, first=first)
        write_state(folder, server)
    except BaseException as error:  # an interrupted start, or a full disk, must not leave a server behind
        _end(process)
        if isinstance(error, _LoginTaken):
            _empty(folder)
        raise
    return server


def _wait_until_ready(server: LocalServer, process: psutil.Process, folder: Path, *, first: bool) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if has_ended(process):
            raise ServerUnavailable(f"The local mongod stopped during startup. {diagnose(folder)}")
        # Until it listens, another user's program might listen on its port, and must not be given the password.
        if listens(process, server.port):
            try:
                _log_in(server, folder, first=first)
                return
            except PyMongoError:
                pass  # it is still starting, or already shutting down
        time.sleep(0.05)
    raise ServerUnavailable(f"The local mongod was not ready after {_START_SECONDS} seconds. {diagnose(folder)}")


def _log_in(server: LocalServer, folder: Path, *, first: bool) -> None:
    with MongoClient(server.uri, serverSelectionTimeoutMS=500) as client:
        try:
            client.admin.command("ping")
            return
        except OperationFailure as error:
            if error.code != _LOGIN_REJECTED:
                raise
    if not first:
        raise ServerUnavailable(
            f"The database in {folder} rejects the folder's own login: one of its files was replaced. Delete the "
            "folder (the claims can be loaded again), or set local_server.data_dir to a new one."
        )
    # While there are no users yet, mongod lets any client on this machine create the first one.
    address = f"mongodb://127.0.0.1:{server.port}/?directConnection=true"
    with MongoClient(address, serverSelectionTimeoutMS=500) as client:
        try:
            client.admin.command("createUser", USER, pwd=server.password, roles=["root"])
        except OperationFailure:
            raise _LoginTaken(
                f"Another user of this machine created the first login of the new local server in {folder}, so it was "
                "stopped and its files removed; it held no claims. Try again."
            ) from None


def _empty(folder: Path) -> None:
    """Delete what a first start wrote, but keep the lock."""
    for file in folder.iterdir():
        if file.is_dir():
            shutil.rmtree(file)
        elif file.name != LOCK:
            file.unlink()


def _end(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(_END_SECONDS)
