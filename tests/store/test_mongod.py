"""Which mongod is used, and what its log says after it has ended."""

import contextlib
import dataclasses
import json
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from pymongo.errors import PyMongoError
from servers import Mongod, free_port, tmpfs

from pbm_lib import ServerUnavailable, connect
from pbm_lib.store.local_server import running_server, start_local_server
from pbm_lib.store.mongod import diagnose, find_mongod


def use_program(monkeypatch, folder, text):
    """Make this script the only mongod on the system; None leaves no mongod."""
    monkeypatch.setattr("pbm_lib.store.mongod.find_spec", lambda _: None)
    folder.mkdir()
    if text is not None:
        (folder / "mongod").write_text(f"#!/bin/sh\n{text}\n")
        (folder / "mongod").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


LOADER = "error while loading shared libraries: {}: cannot open shared object file: No such file or directory"


@pytest.mark.parametrize("library", ["libcurl.so.4", "libssl.so.3", "libcrypto.so.3"])
def test_a_missing_system_library_is_reported_with_the_packages_to_install(monkeypatch, tmp_path, library):
    use_program(monkeypatch, tmp_path / "bin", f"echo 'mongod: {LOADER.format(library)}' >&2; exit 127")
    with pytest.raises(ServerUnavailable, match=f"{library}.*apt-get install -y libcurl4 libssl3"):
        find_mongod()


def test_a_program_that_does_not_run_here_is_reported(monkeypatch, tmp_path):
    use_program(monkeypatch, tmp_path / "bin", "kill -ILL $$")
    with pytest.raises(ServerUnavailable, match=r"mongod cannot run here .*MONGODB_URI"):
        find_mongod()


def test_no_program_at_all_is_reported_with_the_command_that_installs_one(monkeypatch, tmp_path):
    use_program(monkeypatch, tmp_path / "bin", None)
    with pytest.raises(ServerUnavailable, match=r"pip install -r requirements\.txt"):
        find_mongod()


def test_a_mongod_on_the_path_is_used_if_the_wheel_is_missing(monkeypatch, tmp_path):
    real = find_mongod()
    use_program(monkeypatch, tmp_path / "bin", f'exec "{real}" "$@"')
    assert find_mongod() == tmp_path / "bin" / "mongod"


def put_on_path(monkeypatch, folder, version):
    """Put a mongod on PATH that reports this version but runs the wheel's."""
    folder.mkdir()
    program = folder / "mongod"
    told = f'[ "$1" = --version ] && echo "db version v{version}" && exit'
    program.write_text(f'#!/bin/sh\n{told}\nexec "{find_mongod()}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return program


@pytest.mark.parametrize(("version", "is_newer"), [("4.4.29", False), ("6.0.10", True), ("10.0.0-rc1", True)])
def test_the_newer_of_the_wheels_mongod_and_the_one_on_the_path_is_used(monkeypatch, tmp_path, version, is_newer):
    wheels = find_mongod()
    on_path = put_on_path(monkeypatch, tmp_path / "bin", version)
    assert find_mongod() == (on_path if is_newer else wheels)
    on_path.write_text("#!/bin/sh\nexit 1\n")
    assert find_mongod() == wheels


def test_the_program_that_the_config_names_is_used_older_or_not(monkeypatch, tmp_path, new_config):
    named = put_on_path(monkeypatch, tmp_path / "bin", "4.4.29")
    assert find_mongod(named) == named
    config = new_config(mongod=str(named))
    server = start_local_server(config)
    assert Path(server.program) == config.mongod == named
    # The newest program, or the one that the config names, may change while the server runs.
    put_on_path(monkeypatch, tmp_path / "newer", "99.0.0")
    auto = dataclasses.replace(config, local_server=dataclasses.replace(config.local_server, mongod="auto"))
    assert start_local_server(auto) == start_local_server(config) == running_server(auto) == server
    other = dataclasses.replace(config, local_server=dataclasses.replace(config.local_server, mongod="newer/mongod"))
    told = rf"it uses the program {named} \(local_server\.mongod: {config.path.parent}/newer/mongod\)\. "
    with pytest.raises(ServerUnavailable, match=told):
        start_local_server(other)
    # A state file of an earlier version does not name a program.
    file = config.data_dir / "server.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "program": ""}))
    assert start_local_server(other).pid == server.pid


@pytest.mark.parametrize(
    ("program", "told"),
    [
        (None, "No such file"),
        ("exit 3", "it exited with 3"),
        ("echo hello", "it reports no MongoDB version"),
    ],
)
def test_a_named_program_that_is_not_a_mongod_is_reported_and_no_other_is_used(new_config, tmp_path, program, told):
    if program:
        (tmp_path / "server").write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / "server").chmod(0o755)
    config = new_config(mongod=str(tmp_path / "server"))
    message = (
        r"local_server\.mongod must be auto or the path of a mongod that can run on this machine, "
        rf"got {tmp_path}/server .*{told}"
    )
    with pytest.raises(ServerUnavailable, match=message):
        connect(config)
    assert running_server(config) is None


# --- diagnoses, each from a log that mongod wrote -------------------------------------------------------------------

UNKNOWN, PORT, FOLDER = r"^See the end of its log", r"^Its port is in use", r"^Another mongod uses the data folder"


def start_and_kill(folder):
    mongod = Mongod(folder).start()
    mongod.kill()
    return mongod


def fail_to_start(mongod):
    with pytest.raises(AssertionError, match="mongod ended with"):
        mongod.start()


def test_the_cause_is_taken_only_from_what_the_last_start_logged(tmp_path):
    folder = tmp_path / "data"

    def told(cause):
        assert re.search(cause, diagnose(folder)), diagnose(folder)

    start_and_kill(folder)
    told(UNKNOWN)
    start_and_kill(folder)
    assert "Detected unclean shutdown" in (folder / "mongod.log").read_text()
    told(UNKNOWN)  # what an unclean shutdown left behind is not a cause
    with socket.create_server(("127.0.0.1", 0)) as taken:
        fail_to_start(Mongod(folder, port=taken.getsockname()[1]))
    told(PORT)
    mongod = Mongod(folder).start()
    try:
        fail_to_start(Mongod(folder))
        told(FOLDER)
    finally:
        mongod.kill()
    mongod.start()
    with mongod.client() as client:  # the log also contains text from clients
        client.admin.command("profile", 0, slowms=-1)
        words = "No space left on device, Permission denied, DBPathInUse, Address already in use, UPGRADE PROBLEM"
        client.demo.claims.find_one({"x": words}, comment=words)
    mongod.kill()
    assert words in (folder / "mongod.log").read_text()
    told(UNKNOWN)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        fail_to_start(Mongod(folder, port=taken.getsockname()[1]))
    told(PORT)
    mongod.start().stop()
    told(UNKNOWN)
    shutil.rmtree(folder)
    told(r"^Its data folder .* is gone")


def test_a_port_that_cannot_be_listened_on_is_not_reported_as_in_use(tmp_path):
    log = ("--dbpath", str(tmp_path), "--logpath", str(tmp_path / "mongod.log"))
    nobodys = ("--bind_ip", "192.0.2.1", "--port", str(free_port()), "--nounixsocket")  # no machine has this address
    assert subprocess.run([find_mongod(), *log, *nobodys], stdout=subprocess.DEVNULL, timeout=60).returncode != 0
    assert re.search(r"^It is not allowed to listen on its port\. Set local_server\.port", diagnose(tmp_path))


def test_a_folder_that_became_read_only_is_diagnosed_whatever_the_log_said_before(tmp_path):
    with tmpfs(tmp_path / "small", 400):
        folder = tmp_path / "small" / "data"
        folder.mkdir()
        (folder / "mongod.log").symlink_to(tmp_path / "mongod.log")
        start_and_kill(folder)
        start_and_kill(folder)
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path / "small")], check=True)
        fail_to_start(Mongod(folder))
        assert re.search(r"^The data folder .* is not writable", diagnose(folder)), diagnose(folder)


def test_a_full_disk_is_diagnosed_from_the_log_even_after_there_is_room_again(tmp_path):
    with tmpfs(tmp_path / "small", 400) as resize:
        folder = tmp_path / "small" / "data"
        folder.mkdir()
        (folder / "mongod.log").symlink_to(tmp_path / "mongod.log")
        mongod = start_and_kill(folder)
        mongod.start()
        try:
            with (tmp_path / "small" / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
                while True:  # until the disk is full, whatever the server writes meanwhile
                    filler.write(bytes(2**20))
            with mongod.client() as client, contextlib.suppress(PyMongoError):
                client.demo.claims.insert_many({"text": "x" * 1000} for _ in range(1000))
                client.admin.command("fsync")
            mongod.process.wait(60)
        finally:
            mongod.kill()
        (tmp_path / "small" / "filler").unlink()
        resize(500)
        assert re.search(r"^The disk that holds .* is full", diagnose(folder)), diagnose(folder)


@pytest.mark.parametrize("written_by", ["4.4", "8.0"])
def test_data_from_another_version_is_diagnosed_with_both_ways_out(tmp_path, written_by):
    # This is how 7.0 reports it; no second version is available here.
    problem = (
        "UPGRADE PROBLEM: Found an invalid featureCompatibilityVersion document (ERROR: Location4926900: Invalid "
        f"feature compatibility version value '{written_by}'; expected '6.0' or '6.3' or '7.0')."
    )
    entry = {"s": "F", "c": "CONTROL", "id": 20573, "msg": "Wrong mongod version", "attr": {"error": problem}}
    (tmp_path / "mongod.log").write_text(json.dumps(entry) + "\n")
    told = diagnose(tmp_path)
    assert re.search(r"is from another MongoDB version.*local_server\.data_dir to a new.*local_server\.mongod", told)
