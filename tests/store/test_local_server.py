"""The local server starts once, is found again, outlives its starter, and says what is in its way."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from bson import ObjectId
from processes import start_python
from pymongo import WriteConcern
from pymongo.errors import PyMongoError
from servers import Mongod, free_port, running, tmpfs, wait_for

from pbm_lib import (
    PbmError,
    ServerUnavailable,
    connect,
    count_claims,
    explain_claims,
    find_claims,
    iter_claims,
    load_claims,
    require_claims,
    setup_collection,
    stop_local_server,
)
from pbm_lib.store import local_server
from pbm_lib.store.footprint import measure_footprint
from pbm_lib.store.local_server import diagnose, find_mongod, is_local_uri, running_server, start_local_server

START = """
import sys, time
from pbm_lib import load_config
from pbm_lib.store.local_server import start_local_server
print(start_local_server(load_config(sys.argv[1])).pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def new_config(make_config):
    """Call it to get a config whose local server has an empty folder; stopped after the test."""
    configs = []

    def make(**local):
        configs.append(make_config({"local_server": local}))
        return configs[-1]

    yield make
    for config in configs:
        stop_local_server(config)


def starter(config):
    """Another process that starts the local server, says its pid, and stays until told."""
    return start_python("-c", START, config.path, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_port_0_takes_a_free_port_and_later_calls_find_the_same_server(new_config):
    config = new_config()
    server = start_local_server(config)
    assert start_local_server(config) == running_server(config) == server
    assert is_local_uri(config, server.uri)
    assert not is_local_uri(config, "mongodb://127.0.0.1:1/?directConnection=true")
    other = start_local_server(new_config())
    assert (other.pid, other.port) != (server.pid, server.port)


def test_the_configured_port_and_cache_are_used_on_loopback_only(new_config):
    port = free_port()
    with connect(new_config(port=port, cache_gb=0.3)) as store:
        client = store.collection.database.client
        assert client.address == ("127.0.0.1", port)
        assert store.server.cache_bytes == 307 * 2**20
        options = client.admin.command("getCmdLineOpts")["parsed"]["net"]
        assert options["bindIp"] == "127.0.0.1"
        assert (store.server.host_kind, store.server.topology) == ("local", "standalone")


def test_processes_that_start_it_together_get_one_server(new_config):
    config = new_config()
    crowd = [starter(config) for _ in range(3)]
    pids = {int(process.stdout.readline()) for process in crowd}
    for process in crowd:
        process.communicate()
    assert pids == {running_server(config).pid}


def test_it_outlives_its_starter_and_an_interrupt_to_the_starters_group(new_config):
    config = new_config()
    process = starter(config)
    pid = int(process.stdout.readline())
    os.killpg(process.pid, signal.SIGINT)
    process.communicate()
    assert process.returncode != 0
    assert running_server(config).pid == pid
    with connect(config) as store:
        assert store.collection.count_documents({}) == 0


def test_a_killed_server_is_started_again_by_the_next_connect_with_what_it_held(new_config):
    config = new_config()
    with connect(config) as store:
        store.collection.with_options(write_concern=WriteConcern(j=True)).insert_one({"_id": ObjectId()})
    first = running_server(config)
    psutil.Process(first.pid).kill()
    wait_for(lambda: running_server(config) is None, 10, "the end of the server")
    with connect(config) as store:
        assert store.collection.count_documents({}) == 1
    assert running_server(config).pid != first.pid


AT_A_STORE = {
    "set up": setup_collection,
    "load": lambda store: load_claims(store, progress=False),
    "require claims": require_claims,
    "page": lambda store: find_claims(store, TIN),
    "count": lambda store: count_claims(store, TIN),
    "walk": lambda store: next(iter_claims(store, TIN)),
    "explain": lambda store: explain_claims(store, TIN),
    "footprint": measure_footprint,
    "refresh": lambda store: store.refresh(),
}
TIN = "411234567"


def kill(config):
    process = psutil.Process(running_server(config).pid)
    process.kill()
    process.wait()


def test_whatever_is_asked_of_a_server_that_was_killed_says_that_it_ended(new_config):
    config = new_config()
    with connect(config) as store:
        setup_collection(store)
        kill(config)

        def answer(called):
            with pytest.raises(PbmError) as raised:
                AT_A_STORE[called](store)
            said = str(raised.value)
            assert "The local server ended. See the end of its log" in said, called
            assert "connect" in said and "Atlas" not in said and "127.0.0.1" not in said, called

        with ThreadPoolExecutor(len(AT_A_STORE)) as pool:  # each waits two seconds for an answer
            list(pool.map(answer, AT_A_STORE))


def test_a_count_says_that_the_disk_of_the_server_that_ended_is_full(new_config, tmp_path):
    with tmpfs(tmp_path / "disk", 400):
        config = new_config(data_dir=str(tmp_path / "disk" / "data"))
        with connect(config) as store:
            setup_collection(store)
            kill(config)
            with contextlib.suppress(OSError), (tmp_path / "disk" / "filler").open("wb") as filler:
                while True:
                    filler.write(bytes(2**16))
            with pytest.raises(ServerUnavailable, match=r"The local server ended\. The disk that holds .* is full"):
                count_claims(store, TIN)


@pytest.mark.parametrize(
    "left",
    [
        lambda: json.dumps({"pid": os.getpid(), "created": 1.0, "port": 27117}),
        lambda: json.dumps({"pid": 2**22 + 1, "created": 1.0, "port": 27117}),
        lambda: "{",
        lambda: "[]",
        lambda: json.dumps({"pid": 1}),
    ],
    ids=["a reused pid", "no such pid", "half a file", "another type", "fields missing"],
)
def test_a_stale_state_file_is_seen_through(new_config, left):
    config = new_config()
    config.data_dir.mkdir()
    (config.data_dir / "server.json").write_text(left())
    assert running_server(config) is None
    assert stop_local_server(config) is False
    server = start_local_server(config)
    assert "mongod" in psutil.Process(server.pid).name()
    assert running_server(config) == server


def test_stopping_is_clean_and_may_be_repeated(new_config):
    config = new_config()
    server = start_local_server(config)
    assert stop_local_server(config) is True
    assert not psutil.pid_exists(server.pid)
    assert running_server(config) is None
    assert '"exitCode":0' in (config.data_dir / "mongod.log").read_text()
    assert stop_local_server(config) is False
    assert start_local_server(config).pid != server.pid


def test_a_port_in_use_is_reported_with_the_setting_to_change(new_config):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = new_config(port=port)
        with pytest.raises(ServerUnavailable, match=f"Port {port} on 127.0.0.1 is in use.*local_server.port"):
            connect(config)
    assert running_server(config) is None
    assert start_local_server(config).port == port


def test_a_folder_that_another_mongod_uses_is_reported(new_config):
    config = new_config()
    with running(Mongod(config.data_dir)):
        with pytest.raises(ServerUnavailable, match=r"Another mongod uses the data folder .*local_server.data_dir"):
            start_local_server(config)
        assert running_server(config) is None


def test_a_file_in_the_place_of_the_folder_is_reported(new_config, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ServerUnavailable, match=r"Cannot use the local server's data folder .*local_server.data_dir"):
        start_local_server(new_config(data_dir=str(tmp_path / "file" / "data")))


def test_a_read_only_file_system_is_reported(new_config, tmp_path):
    with tmpfs(tmp_path / "small", 10):
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path / "small")], check=True)
        for folder in (tmp_path / "small", tmp_path / "small" / "data"):
            with pytest.raises(ServerUnavailable, match=r"Cannot use .* Make it writable.*local_server.data_dir"):
                start_local_server(new_config(data_dir=str(folder)))


def test_a_disk_without_room_to_start_is_reported(new_config, tmp_path):
    with tmpfs(tmp_path / "small", 1):
        with pytest.raises(OSError, match="No space"):
            (tmp_path / "small" / "filler").write_bytes(bytes(2**21))
        with pytest.raises(ServerUnavailable, match=r"The disk that holds .* is full. Free some space"):
            start_local_server(new_config(data_dir=str(tmp_path / "small" / "data")))


def use_program(monkeypatch, folder, text):
    """Make this script the only mongod there is; None leaves none."""
    monkeypatch.setattr(local_server, "find_spec", lambda _: None)
    folder.mkdir()
    if text is not None:
        (folder / "mongod").write_text(f"#!/bin/sh\n{text}\n")
        (folder / "mongod").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


LOADER = "error while loading shared libraries: {}: cannot open shared object file: No such file or directory"


@pytest.mark.parametrize("library", ["libcurl.so.4", "libssl.so.3", "libcrypto.so.3"])
def test_a_missing_system_library_is_reported_with_the_packages_to_install(monkeypatch, tmp_path, new_config, library):
    use_program(monkeypatch, tmp_path / "bin", f"echo 'mongod: {LOADER.format(library)}' >&2; exit 127")
    with pytest.raises(ServerUnavailable, match=f"{library}.*apt-get install -y libcurl4 libssl3"):
        connect(new_config())


def test_a_program_that_does_not_run_here_is_reported(monkeypatch, tmp_path, new_config):
    use_program(monkeypatch, tmp_path / "bin", "kill -ILL $$")
    with pytest.raises(ServerUnavailable, match=r"mongod cannot run here .*MONGODB_URI"):
        connect(new_config())


def test_no_program_at_all_is_reported_with_the_command_that_installs_one(monkeypatch, tmp_path, new_config):
    use_program(monkeypatch, tmp_path / "bin", None)
    with pytest.raises(ServerUnavailable, match=r"pip install -r requirements\.txt"):
        connect(new_config())


def test_a_mongod_on_the_path_serves_where_the_wheel_is_missing(monkeypatch, tmp_path):
    real = find_mongod()
    use_program(monkeypatch, tmp_path / "bin", f'exec "{real}" "$@"')
    assert find_mongod() == tmp_path / "bin" / "mongod"


def test_a_start_that_is_interrupted_leaves_no_server_behind(new_config, monkeypatch):
    config, before = new_config(), [child.pid for child in psutil.Process().children()]

    def interrupted(server, process, folder):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(local_server, "_wait_until_ready", interrupted)
        with pytest.raises(KeyboardInterrupt):
            start_local_server(config)
    assert "mongod" not in [child.name() for child in psutil.Process().children() if child.pid not in before]
    assert running_server(config) is None
    assert start_local_server(config).port


# --- diagnoses, each of a log that mongod has written ---------------------------------------------------------------

UNKNOWN, PORT, FOLDER = r"^See the end of its log", r"^Its port is in use", r"^Another mongod uses the data folder"


def start_and_kill(folder):
    mongod = Mongod(folder).start()
    mongod.kill()
    return mongod


def fail_to_start(mongod):
    with pytest.raises(AssertionError, match="mongod ended with"):
        mongod.start()


def test_only_what_the_last_start_says_is_taken_for_the_cause(tmp_path):
    folder = tmp_path / "data"

    def told(cause):
        assert re.search(cause, diagnose(folder)), diagnose(folder)

    start_and_kill(folder)
    told(UNKNOWN)
    start_and_kill(folder)
    assert "Detected unclean shutdown" in (folder / "mongod.log").read_text()
    told(UNKNOWN)  # finding what an unclean end left behind is no cause
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
    with mongod.client() as client:  # what clients say is logged, too
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


def test_a_port_that_cannot_be_listened_on_is_no_port_in_use(tmp_path):
    log = ("--dbpath", str(tmp_path), "--logpath", str(tmp_path / "mongod.log"))
    nobodys = ("--bind_ip", "192.0.2.1", "--port", str(free_port()), "--nounixsocket")  # an address of no machine
    assert subprocess.run([find_mongod(), *log, *nobodys], stdout=subprocess.DEVNULL, timeout=60).returncode != 0
    assert re.search(r"^It may not listen on its port\. Set local_server\.port", diagnose(tmp_path))


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


def test_a_disk_that_ran_full_is_diagnosed_by_the_log_when_there_is_room_again(tmp_path):
    with tmpfs(tmp_path / "small", 400) as resize:
        folder = tmp_path / "small" / "data"
        folder.mkdir()
        (folder / "mongod.log").symlink_to(tmp_path / "mongod.log")
        mongod = start_and_kill(folder)
        mongod.start()
        try:
            with (tmp_path / "small" / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
                while True:  # until there is no room, whatever the server writes meanwhile
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
