"""The state of the local server: its folder, which only its owner can enter, its login, and its process."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from ..errors import ConnectionString, ServerUnavailable, remember_secret
from .mongod import LOG

USER = "pbm_lib_local"  # not a word that messages use: redact hides a text that contains a user's name
LOCK = "start.lock"
_STATE = "server.json"
# What a folder without a database may hold. A mongod whose folder was deleted writes diagnostic.data again.
_HARMLESS = {LOCK, LOG, _STATE, f"{_STATE}.new", "diagnostic.data"}


@dataclass(frozen=True)
class LocalServer:
    """A mongod that this program starts, and its login. pid and port are 0 until the first start creates the login."""

    pid: int
    port: int
    password: str = field(repr=False)
    program: str = ""  # "" if an earlier version started it

    @property
    def uri(self) -> ConnectionString:
        """Connection string with the login; loopback only."""
        place = f"{USER}:{self.password}@127.0.0.1:{self.port}"
        # A server on this machine that does not answer within two seconds has ended. Don't wait longer to say so.
        options = "authSource=admin&directConnection=true&serverSelectionTimeoutMS=2000"
        uri = ConnectionString(f"mongodb://{place}/?{options}")
        remember_secret(uri)
        return uri


@dataclass(frozen=True)
class RunningMongod:
    """A mongod process of this user, as its command line describes it."""

    process: psutil.Process
    folder: Path
    port: int
    cache_gb: float | None
    has_login: bool


def read_state(folder: Path) -> LocalServer | None:
    """Return the server last started in a data folder, running or not; None if it has no usable state file."""
    try:
        state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        return LocalServer(int(state["pid"]), int(state["port"]), str(state["password"]), str(state.get("program", "")))
    except (OSError, ValueError, TypeError, KeyError):  # an earlier version's file has no password
        return None


def write_state(folder: Path, server: LocalServer) -> None:
    """Replace the state file with one that only its owner can read."""
    written = folder / f"{_STATE}.new"
    written.unlink(missing_ok=True)
    # Create the file with this mode. If it were closed to others only afterwards, someone could open it in between.
    with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(server), file)
    written.replace(folder / _STATE)


def close_to_others(folder: Path) -> None:
    """Let only its owner enter a data folder."""
    # On Windows, the mode does not affect other users. There, a folder inside the user's own profile is closed to them.
    if os.name == "posix" and stat.S_IMODE(folder.stat().st_mode) & 0o077:
        folder.chmod(0o700)


def holds_database(folder: Path) -> bool:
    """Return whether a mongod has written to a data folder."""
    return (folder / "WiredTiger").exists() or (folder / "mongod.lock").exists()


def reject_others_files(folder: Path) -> None:
    """Reject a folder that holds a database without a saved login, or other files.

    Using it would put claims into someone else's database, or keep others out of their own files.
    """
    if holds_database(folder):
        raise ServerUnavailable(
            f"The data folder {folder} holds a database but no login for it: it is from an earlier version of this "
            f"program or another mongod, or its file {_STATE} is gone. Delete the folder (the claims can be loaded "
            "again), or set local_server.data_dir in the config to a new one."
        )
    if {file.name for file in folder.iterdir()} - _HARMLESS:
        raise ServerUnavailable(
            f"The data folder {folder} holds other files. Set local_server.data_dir in the config to a new folder."
        )


def reject_others_folder(folder: Path) -> None:
    """Reject a data folder that belongs to another user of this machine."""
    if os.name != "posix":
        return
    try:
        owner = folder.stat().st_uid
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise cannot_use(folder, error) from None
    if owner != psutil.Process().uids().effective:
        name = str(owner)
        with suppress(KeyError):
            name = folder.owner()
        raise ServerUnavailable(
            f"The local server's data folder {folder} belongs to the user {name}, and only that user can use it. "
            "Set local_server.data_dir in the config to a folder of your own."
        )


def cannot_use(folder: Path, error: OSError) -> ServerUnavailable:
    """Return the error for a data folder that the system does not let this program use."""
    return ServerUnavailable(
        f"Cannot use the local server's data folder {folder}: {error.strerror or error}. Make it writable, or "
        "set local_server.data_dir in the config to another folder."
    )


def running_mongod(folder: Path, last: LocalServer | None) -> RunningMongod | None:
    """Return this user's mongod that uses a data folder; None if there is none.

    It is recognized by its command line. The pid alone is not enough, since pids are reused, and neither is the start
    time, which changes when the clock is adjusted.
    """
    for found in _mongods(last):
        # If its folder was moved, its command line still names the old place.
        same = last is not None and (found.process.pid, found.port) == (last.pid, last.port)
        moved = same and not holds_database(found.folder)
        if found.folder == folder or moved:
            return found
    return None


def mongod_on_port(port: int) -> RunningMongod | None:
    """Return this user's mongod that was started on a port; None if there is none."""
    return next((found for found in _mongods(None) if found.port == port), None)


def _mongods(last: LocalServer | None) -> Iterator[RunningMongod]:
    me = psutil.Process().username()
    for process in _candidates(last):
        with suppress(psutil.Error, OSError, KeyError, ValueError):  # it has ended, or was started in another way
            if process.name().startswith("mongod") and process.username() == me:
                yield _described(process)


def _candidates(last: LocalServer | None) -> Iterator[psutil.Process]:
    with suppress(psutil.Error):
        if last and last.pid:
            yield psutil.Process(last.pid)
    yield from psutil.process_iter()


def _described(process: psutil.Process) -> RunningMongod:
    words = [part for word in process.cmdline() for part in (word.split("=", 1) if word[:2] == "--" else [word])]
    options = dict(zip(words, [*words[1:], ""], strict=True))
    cache = options.get("--wiredTigerCacheSizeGB")
    return RunningMongod(
        process=process,
        folder=Path(options["--dbpath"]).resolve(),
        port=int(options["--port"]),
        cache_gb=float(cache) if cache else None,
        has_login="--auth" in options,
    )
