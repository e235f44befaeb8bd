"""The local server starts once, is found again, outlives its starter, and says what prevents it from starting."""

import contextlib
import dataclasses
import io
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
import yaml
from bson import ObjectId
from processes import start_python
from pymongo import WriteConcern
from servers import free_port, tmpfs, wait_for

from pbm_lib import (
    PbmError,
    ServerUnavailable,
    connect,
    count_claims,
    explain_claims,
    find_claims,
    iter_claims,
    load_claims,
    load_config,
    require_claims,
    setup_collection,
    stop_local_server,
)
from pbm_lib.cli.main import main
from pbm_lib.store import local_server
from pbm_lib.store.footprint import measure_footprint
from pbm_lib.store.local_server import is_local_uri, running_server, start_local_server
from pbm_lib.store.mongod import find_mongod

START = """
import sys, time
from pbm_lib import load_config
from pbm_lib.store.local_server import start_local_server
print(start_local_server(load_config(sys.argv[1])).pid, flush=True)
sys.stdin.read()
"""


def starter(config):
    """Another process that starts the local server, prints its pid, and runs until its input ends."""
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


def test_a_killed_server_is_started_again_by_the_next_connect_with_its_data(new_config):
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


def test_every_call_to_a_killed_server_says_that_it_stopped(new_config):
    config = new_config()
    with connect(config) as store:
        setup_collection(store)
        kill(config)

        def answer(called):
            with pytest.raises(PbmError) as raised:
                AT_A_STORE[called](store)
            said = str(raised.value)
            assert "The local server stopped. See the end of its log" in said, called
            assert "connect" in said and "Atlas" not in said and "127.0.0.1" not in said, called

        with ThreadPoolExecutor(len(AT_A_STORE)) as pool:  # each call waits two seconds for an answer
            list(pool.map(answer, AT_A_STORE))


def test_a_count_says_that_the_server_stopped_because_its_disk_is_full(new_config, tmp_path):
    with tmpfs(tmp_path / "disk", 400):
        config = new_config(data_dir=str(tmp_path / "disk" / "data"))
        with connect(config) as store:
            setup_collection(store)
            kill(config)
            with contextlib.suppress(OSError), (tmp_path / "disk" / "filler").open("wb") as filler:
                while True:
                    filler.write(bytes(2**16))
            with pytest.raises(ServerUnavailable, match=r"The local server stopped\. The disk that holds .* is full"):
                count_claims(store, TIN)


STALE = {"pid": 2**22 + 1, "created": 1.0, "port": 27117}  # no process has this pid


@pytest.mark.parametrize(
    "left",
    [json.dumps({**STALE, "password": "x"}), json.dumps(STALE), json.dumps({"password": "x"}), "{", "[]"],
    ids=["a server that ended", "of an earlier version", "fields missing", "half a file", "another type"],
)
def test_a_stale_state_file_is_ignored(new_config, left):
    config = new_config()
    config.data_dir.mkdir()
    (config.data_dir / "server.json").write_text(left)
    assert running_server(config) is None
    assert stop_local_server(config) is False
    server = start_local_server(config)
    assert "mongod" in psutil.Process(server.pid).name()
    assert running_server(config) == server


def change_state(config, **changes):
    """Change fields of the state file."""
    file = config.data_dir / "server.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_change_of_the_clock_does_not_lose_the_running_server(new_config, monkeypatch):
    config = new_config()
    server = start_local_server(config)
    start_time = psutil.Process.create_time
    with monkeypatch.context() as patch:  # what psutil reports after the clock was set forward by an hour
        patch.setattr(psutil.Process, "create_time", lambda process: start_time(process) + 3600)
        assert running_server(config) == start_local_server(config) == server
    change_state(config, created=start_time(psutil.Process(server.pid)) - 3600)
    assert running_server(config) == start_local_server(config) == server
    assert stop_local_server(config) is True
    assert not psutil.pid_exists(server.pid)


def test_a_pid_that_now_belongs_to_another_program_is_not_mistaken_for_the_server(new_config):
    config = new_config()
    server = start_local_server(config)
    with subprocess.Popen(["sleep", "600"]) as other:
        try:
            change_state(config, pid=other.pid, created=psutil.Process(other.pid).create_time())
            assert running_server(config) == start_local_server(config) == server  # found nevertheless
            change_state(config, pid=other.pid, created=psutil.Process(other.pid).create_time())
            assert stop_local_server(config) is True
            assert not psutil.pid_exists(server.pid)
            change_state(config, pid=other.pid, created=psutil.Process(other.pid).create_time())
            assert running_server(config) is None
            assert stop_local_server(config) is False
            assert other.poll() is None
        finally:
            other.kill()


def test_another_folders_server_is_not_mistaken_for_this_ones(new_config):
    mine, others = new_config(), new_config()
    start_local_server(mine)
    stop_local_server(mine)
    other = start_local_server(others)
    change_state(mine, pid=other.pid, port=other.port)
    assert running_server(mine) is None
    assert stop_local_server(mine) is False
    assert running_server(others) == other


def test_a_start_that_fails_leaves_the_running_servers_log_alone(new_config):
    config = new_config()
    start_local_server(config)
    stop_local_server(config)
    log, settings = config.data_dir / "mongod.log", config.data_dir.parent / "mongod.conf"
    # A mongod that cannot be found by its command line.
    storage = {"dbPath": str(config.data_dir)}
    net = {"port": free_port(), "bindIp": "127.0.0.1", "unixDomainSocket": {"enabled": False}}
    destination = {"destination": "file", "path": str(log), "logAppend": True}
    settings.write_text(yaml.safe_dump({"storage": storage, "net": net, "systemLog": destination}))
    with subprocess.Popen([find_mongod(), "--config", settings], stdout=subprocess.DEVNULL) as mongod:
        try:
            wait_for(lambda: str(net["port"]) in log.read_text() and "Waiting for" in log.read_text(), 60, "mongod")
            before, inode = log.read_text(), log.stat().st_ino
            with pytest.raises(ServerUnavailable, match=r"Another mongod uses the data folder"):
                start_local_server(config)
            assert running_server(config) is None
            assert log.stat().st_ino == inode
            assert log.read_text().startswith(before)
            assert mongod.poll() is None
        finally:
            mongod.terminate()


def run_stop(config):
    """What `python -m pbm_lib stop` prints."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        assert main(["stop", "--config", str(config.path)]) == 0
    return shown.getvalue()


def test_a_folder_that_was_deleted_while_its_server_runs_is_reported_and_stop_ends_the_server(new_config):
    config = new_config(port=free_port())
    server = start_local_server(config)
    shutil.rmtree(config.data_dir)
    told = rf"process {server.pid}\) still uses .* deleted, moved.*lib stop"
    with pytest.raises(ServerUnavailable, match=told):
        connect(config)
    assert not config.data_dir.exists()
    (config.data_dir / "diagnostic.data").mkdir(parents=True)  # mongod creates it again after a while
    with pytest.raises(ServerUnavailable, match=told):
        connect(config)
    assert re.search(r"Stopped the local server.*\nIts data folder .* was deleted or moved", run_stop(config))
    assert not psutil.pid_exists(server.pid)
    with connect(config) as store:
        assert store.collection.count_documents({}) == 0


def test_a_folder_that_was_moved_while_its_server_runs_is_reported_and_keeps_its_claims(make_config):
    config = make_config()
    with connect(config) as store:
        store.collection.with_options(write_concern=WriteConcern(j=True)).insert_one({"_id": ObjectId()})
    server, home = running_server(config), config.path.parent
    moved = load_config(home.rename(home.with_name(f"{home.name}-moved")) / "config.yaml")
    try:
        with pytest.raises(
            ServerUnavailable, match=rf"process {server.pid}\) still uses .*{home}.* was deleted, moved"
        ):
            connect(moved)
        (home / ".mongodb" / "diagnostic.data").mkdir(parents=True)  # mongod creates it again after a while
        assert run_stop(moved).startswith("Stopped the local server")
        assert not psutil.pid_exists(server.pid)
        with connect(moved) as store:
            assert store.collection.count_documents({}) == 1
    finally:
        stop_local_server(moved)


def test_settings_that_changed_while_the_server_runs_are_reported(new_config):
    config = new_config()
    server = start_local_server(config)

    def changed(**local):
        return dataclasses.replace(config, local_server=dataclasses.replace(config.local_server, **local))

    assert start_local_server(changed(port=server.port)) == server
    for local, told in [
        (
            {"port": 27_999},
            rf"process {server.pid}\) does not .* it uses port {server.port} \(local_server\.port: 27999\)\. ",
        ),
        ({"cache_gb": 1}, r"it uses a cache of 0\.25 GB \(local_server\.cache_gb: 1(\.0)?\)\. "),
    ]:
        with pytest.raises(ServerUnavailable, match=told) as refusal:
            connect(changed(**local))
        assert f"python -m pbm_lib stop --config {config.path}" in str(refusal.value)
    assert running_server(config) == server
    assert stop_local_server(changed(port=27_999, cache_gb=1)) is True
    assert not psutil.pid_exists(server.pid)


def test_a_stop_is_clean_and_may_be_repeated(new_config):
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


def test_a_file_in_place_of_the_folder_is_reported(new_config, tmp_path):
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


def test_a_start_that_is_interrupted_leaves_no_server_behind(new_config, monkeypatch):
    config, before = new_config(), [child.pid for child in psutil.Process().children()]

    def interrupted(server, process, folder, *, first):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(local_server, "_wait_until_ready", interrupted)
        with pytest.raises(KeyboardInterrupt):
            start_local_server(config)
    assert "mongod" not in [child.name() for child in psutil.Process().children() if child.pid not in before]
    assert running_server(config) is None
    assert start_local_server(config).port
