"""The local server lets no one else in: its folder, its login, and what another user of this machine can do."""

import json
import os
import stat
import tempfile
from pathlib import Path

import psutil
import pytest
from conftest import write_config
from processes import run_python
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from servers import Mongod, running

from pbm_lib import ServerUnavailable, connect, load_config, stop_local_server
from pbm_lib.cli.main import main
from pbm_lib.errors import redact
from pbm_lib.store import local_server
from pbm_lib.store.local_server import running_server, start_local_server

posix = pytest.mark.skipif(os.name != "posix", reason="file modes do not restrict other users on Windows")


@pytest.fixture(scope="module")
def served():
    """A config, in a folder that every user can reach, whose local server contains one claim."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        config = load_config(write_config(Path(folder)))
        config.path.chmod(0o644)
        try:
            with connect(config) as store:
                store.collection.insert_one({"claim": 1})
            yield config
        finally:
            stop_local_server(config)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@posix
def test_only_the_owner_can_access_the_folder_and_the_state_file_whatever_the_umask(new_config):
    config = new_config()
    before = os.umask(0)
    try:
        server = start_local_server(config)
    finally:
        os.umask(before)
    assert (mode(config.data_dir), mode(config.data_dir / "server.json")) == (0o700, 0o600)
    config.data_dir.chmod(0o755)
    assert start_local_server(config) == server
    assert mode(config.data_dir) == 0o700


def test_the_login_survives_a_stop_and_is_required(new_config):
    config = new_config()
    first = start_local_server(config)
    stop_local_server(config)
    again = start_local_server(config)
    assert again.password == first.password
    with MongoClient(again.uri) as client:
        assert client.admin.command("connectionStatus")["authInfo"]["authenticatedUserRoles"][0]["role"] == "root"
    assert start_local_server(new_config()).password != first.password


def test_the_password_is_shown_nowhere(served):
    server = running_server(served)
    process = psutil.Process(server.pid)
    with connect(served) as store:
        shown = [repr(server), str(server), repr(server.uri), repr(store), repr(store.uri), redact(server.uri)]
    told = [*shown, " ".join(process.cmdline()), " ".join(process.environ().values()), redact(f"pwd {server.password}")]
    told.append((served.data_dir / "mongod.log").read_text())
    assert all(told)
    assert not any(server.password in text for text in told)
    assert server.password in server.uri and len(server.password) > 40


def test_the_uri_command_prints_an_address_to_paste(served, capsys):
    assert main(["uri", "--config", str(served.path)]) == 0
    address = capsys.readouterr().out
    with MongoClient(address.strip()) as client:
        assert client[served.mongodb.database][served.mongodb.collection].find_one()["claim"] == 1


def test_the_uri_command_starts_nothing_and_says_why_there_is_no_address(new_config, served, monkeypatch, capsys):
    config = new_config()
    assert main(["uri", "--config", str(config.path)]) == 1
    assert f"No local server for {config.path} is running" in capsys.readouterr().err
    assert not config.data_dir.exists()
    monkeypatch.setenv("MONGODB_URI", "mongodb://amy:S3cr3t@127.0.0.1:9/")
    assert main(["uri", "--config", str(served.path)]) == 1
    shown = capsys.readouterr()
    assert "MONGODB_URI is set" in shown.err
    assert "S3cr3t" not in shown.err and "mongodb://" not in shown.out


AS_NOBODY = """
import json, os, signal, sys
from pathlib import Path
from pymongo import MongoClient
from pbm_lib import connect, load_config
from pbm_lib.cli import lab, main, stop, uri
from pbm_lib.store import local_server

os.setgroups([]); os.setgid(65534); os.setuid(65534)
config, pid, port = load_config(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
bare = MongoClient("127.0.0.1", port, directConnection=True)
claims = bare[config.mongodb.database][config.mongodb.collection]
attempts = {
    "list": lambda: os.listdir(config.data_dir),
    "open": lambda: (config.data_dir / "server.json").read_text(),
    "read": lambda: claims.find_one(),
    "write": lambda: claims.insert_one({}),
    "drop": lambda: bare.drop_database(config.mongodb.database),
    "join": lambda: bare.admin.command("createUser", "nobody", pwd="nobody", roles=["root"]),
    "shutdown": lambda: bare.admin.command("shutdown"),
    "kill": lambda: os.kill(pid, signal.SIGTERM),
    "connect": lambda: connect(config),
    "stop": lambda: local_server.stop_local_server(config),
}
results = {"running": local_server.running_server(config) is not None}
for name, attempt in attempts.items():
    try:
        attempt()
        results[name] = "done"
    except Exception as error:
        results[name] = f"{type(error).__name__} {getattr(error, 'code', '')} {error}"
print(json.dumps(results), flush=True)
for command in ("stop", "uri"):
    print(main.main([command, "--config", sys.argv[1]]), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can act as a second user")
def test_another_user_of_the_machine_reads_no_claim_and_cannot_stop_it(served):
    server = running_server(served)
    done = run_python("-c", AS_NOBODY, served.path, server.pid, server.port, cwd="/")
    assert done.returncode == 0, done.stderr
    first, *exits = done.stdout.splitlines()
    results = json.loads(first)
    assert results.pop("running") is False
    refusals = {name: " ".join(text.split()[:2]) for name, text in results.items()}
    assert {refusals.pop(name).split()[0] for name in ("list", "open", "kill")} == {"PermissionError"}
    said = {name: results[name] for name in ("connect", "stop") if refusals.pop(name)}
    assert set(refusals) == {"read", "write", "drop", "join", "shutdown"}
    assert set(refusals.values()) == {"OperationFailure 13"}
    sentence = f"The local server's data folder {served.data_dir} belongs to the user root, and only that user can"
    assert all(text.startswith("ServerUnavailable") and sentence in text for text in said.values()), said
    assert exits == ["1", "1"]
    assert done.stderr.count(f"ServerUnavailable: {sentence}") == 2
    assert "Traceback" not in done.stderr
    assert server.password not in done.stdout + done.stderr
    with connect(served) as store:
        assert store.collection.count_documents({}) == 1
    assert running_server(served) == server


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can act as a second user")
def test_another_users_folder_is_rejected_even_for_root(new_config):
    config = new_config()
    config.data_dir.mkdir()
    os.chown(config.data_dir, 65534, 65534)
    try:
        with pytest.raises(ServerUnavailable, match=r"belongs to the user nobody.*local_server\.data_dir"):
            connect(config)
        assert list(config.data_dir.iterdir()) == []
    finally:
        os.chown(config.data_dir, 0, 0)


def test_a_login_that_another_user_created_first_ends_the_start(new_config, monkeypatch):
    config, log_in, pids = new_config(), vars(local_server)["_log_in"], []

    def after_another_user(server, folder, *, first):
        pids.append(server.pid)
        with MongoClient("127.0.0.1", server.port, directConnection=True) as client:
            client.admin.command("createUser", "mallory", pwd="mallory", roles=["root"])
        log_in(server, folder, first=first)

    with monkeypatch.context() as patch:
        patch.setattr(local_server, "_log_in", after_another_user)
        with pytest.raises(ServerUnavailable, match=r"Another user of this machine created the first login.*Try again"):
            connect(config)
    assert not psutil.pid_exists(*pids)
    assert [file.name for file in config.data_dir.iterdir()] == ["start.lock"]
    with connect(config) as store:
        assert store.collection.count_documents({}) == 0


@pytest.mark.parametrize("killed", [False, True], ids=["interrupted", "killed, its server still running"])
def test_a_first_start_that_was_interrupted_before_the_login_is_completed(new_config, monkeypatch, killed):
    config = new_config()

    def broken_off(server, folder, *, first):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(local_server, "_log_in", broken_off)
        if killed:
            patch.setattr(local_server, "_end", lambda process: None)
        with pytest.raises(KeyboardInterrupt):
            start_local_server(config)
    assert running_server(config) is None
    with connect(config) as store:
        assert store.collection.count_documents({}) == 0
    with (
        MongoClient("127.0.0.1", running_server(config).port, directConnection=True) as client,
        pytest.raises(OperationFailure, match="requires authentication"),
    ):
        client.admin.command("createUser", "mallory", pwd="mallory", roles=["root"])


def test_a_folder_from_before_logins_is_recognized_and_its_server_can_be_stopped(new_config):
    config = new_config()
    with running(Mongod(config.data_dir)) as old:
        state = {"pid": old.process.pid, "created": psutil.Process(old.process.pid).create_time(), "port": old.port}
        (config.data_dir / "server.json").write_text(json.dumps(state))
        with pytest.raises(
            ServerUnavailable, match=r"Another mongod uses the data folder .*requires no login.*lib stop"
        ):
            connect(config)
        assert running_server(config) is None
        assert stop_local_server(config) is True
        assert old.process.poll() is not None
        with pytest.raises(ServerUnavailable, match=r"holds a database but no login.*Delete.*local_server\.data_dir"):
            connect(config)


def test_a_lost_state_file_is_reported_and_the_server_can_be_stopped(new_config):
    config = new_config()
    server = start_local_server(config)
    (config.data_dir / "server.json").unlink()
    with pytest.raises(ServerUnavailable, match=rf"process {server.pid}\) still uses .*lib stop"):
        connect(config)
    assert stop_local_server(config) is True
    assert not psutil.pid_exists(server.pid)
    with pytest.raises(ServerUnavailable, match=r"no login for it.* server\.json is gone.*Delete the folder"):
        connect(config)


def test_a_state_file_of_another_server_is_reported(new_config):
    config = new_config()
    start_local_server(config)
    stop_local_server(config)
    file = config.data_dir / "server.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"password": "of another"}))
    with pytest.raises(ServerUnavailable, match=r"rejects the folder's own login.*Delete the folder"):
        connect(config)
    assert running_server(config) is None


def test_a_folder_with_other_files_is_left_as_it_is(new_config):
    config = new_config(data_dir=".")
    before = mode(config.data_dir)
    with pytest.raises(ServerUnavailable, match=r"holds other files\. Set local_server\.data_dir"):
        connect(config)
    assert mode(config.data_dir) == before
