"""Whatever dies during a load, running the load again leaves exactly the configured claims, each once."""

import os
import signal
import time
from contextlib import contextmanager

import psutil
import pytest
from loads import TIERS_30K, configured_digest, start_loading, stored_digest
from processes import have_ended, spawned
from proxy import Proxy
from pymongo.errors import PyMongoError
from servers import Mongod, replica_set, running, tmpfs, wait_for

from pbm_lib import LoadError, ServerUnavailable, connect, load_claims, setup_collection, stop_local_server
from pbm_lib.load.state import LoadRecord
from pbm_lib.store.local_server import start_local_server

GO_ON = "to continue from there"


@pytest.fixture
def mongod(tmp_path):
    with running(Mongod(tmp_path / "mongod")) as server:
        yield server


@pytest.fixture
def open_at(make_config, monkeypatch):
    """Call it with an address to get a set-up store with 30,000 claims to load."""
    config, stores = make_config(TIERS_30K), []

    def opened(uri):
        monkeypatch.setenv("MONGODB_URI", uri)
        stores.append(setup_collection(connect(config)))
        return stores[-1]

    yield opened
    for store in stores:
        store.close()


def stored(store):
    """The number of claims on the server now; 0 while it does not answer."""
    try:
        return store.collection.estimated_document_count()
    except PyMongoError:
        return 0


@contextmanager
def loading(store, uri):
    """A load in its own process, once it is past 3,000 of its 30,000 claims."""
    process = start_loading(store.config, uri)
    try:
        wait_for(lambda: process.poll() is not None or stored(store) > 3_000, 60, "some claims")
        assert process.poll() is None, process.stderr.read()
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def check_resumed(store, *, but_not_all=True):
    """Check that the load continues from the claims that are there, and that in the end each is there once."""
    before = store.collection.count_documents({})
    assert before > 0
    if but_not_all:
        assert before < 30_000, "the load had ended before it could be broken"
        assert LoadRecord(store).found["state"] == "loading"
    report = load_claims(store, progress=False)
    assert report.volume == 30_000
    assert report.inserted == 30_000 - before
    assert stored_digest(store) == configured_digest(store.config)
    assert LoadRecord(store).found["state"] == "complete"


def check_message(text, *needed):
    """Check that an error says what happened and how to continue, and shows neither a claim nor an address."""
    for part in needed:
        assert part in text
    for secret in ("mongodb://", "overpayment", "fullName", "patientInformation", "ObjectId"):
        assert secret not in text


def test_the_loading_process_is_killed(mongod, open_at):
    store = open_at(mongod.uri)
    with loading(store, mongod.uri) as process:
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(spawned(process)) == 2
        process.kill()
        assert have_ended(children)
    check_resumed(store)


def test_one_worker_is_killed(mongod, open_at):
    store = open_at(mongod.uri)
    with loading(store, mongod.uri) as process:
        children = psutil.Process(process.pid).children(recursive=True)
        spawned(process)[0].kill()
        _, shown = process.communicate(timeout=30)
        assert process.returncode == 1
        assert have_ended(children)
    last = shown.strip().splitlines()[-1]
    check_message(
        last,
        "LoadError: A loading process was killed or ran out of memory",
        "of 30,000 claims are on the server",
        GO_ON,
    )
    check_resumed(store)


@pytest.mark.parametrize("whom", ["the process", "the process group"])
def test_an_interrupt_stops_the_load_immediately_and_leaves_no_process(mongod, open_at, whom):
    store = open_at(mongod.uri)
    with loading(store, mongod.uri) as process:
        children = psutil.Process(process.pid).children(recursive=True)
        if whom == "the process":
            process.send_signal(signal.SIGINT)
        else:
            os.killpg(process.pid, signal.SIGINT)
        _, shown = process.communicate(timeout=10)
        assert process.returncode == 1
        assert have_ended(children)
    assert shown.count("Traceback") == 1
    last = shown.strip().splitlines()[-1]
    check_message(last, "LoadError: The load was interrupted", "of 30,000 claims are on the server", GO_ON)
    check_resumed(store)


def test_the_stop_button_of_a_notebook_stops_the_load_and_running_the_cell_again_continues_it(mongod, open_at):
    manager = pytest.importorskip("jupyter_client.manager")
    store = open_at(mongod.uri)
    kernel, client = manager.start_new_kernel(kernel_name="python3", env=os.environ | {"MONGODB_URI": mongod.uri})
    try:
        assert run_cell(
            client, f"import pbm_lib as pbm\nstore = pbm.connect(pbm.load_config({str(store.config.path)!r}))"
        )
        cell = client.execute("report = pbm.load_claims(store)")
        wait_for(lambda: stored(store) > 3_000, 60, "some claims")
        kernel.interrupt_kernel()
        reply = reply_to(client, cell)
        assert reply["ename"] == "LoadError"
        check_message(reply["evalue"], "interrupted", "of 30,000 claims are on the server", GO_ON)
        assert spawned(psutil.Process(kernel.provisioner.process.pid)) == []
        assert 0 < stored(store) < 30_000
        assert run_cell(client, "report = pbm.load_claims(store)\nassert 0 < report.inserted < 30_000")
        assert stored_digest(store) == configured_digest(store.config)
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)


def reply_to(client, message):
    while True:
        reply = client.get_shell_msg(timeout=60)
        if reply["parent_header"].get("msg_id") == message:
            return reply["content"]


def run_cell(client, code):
    return reply_to(client, client.execute(code))["status"] == "ok"


def test_the_server_is_killed_and_comes_back_while_the_load_waits(mongod, open_at):
    store = open_at(mongod.uri)
    with loading(store, mongod.uri) as process:
        mongod.kill()
        time.sleep(1)
        mongod.start()
        shown, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert "30,000 claims on the server" in shown
    assert stored_digest(store) == configured_digest(store.config)
    assert LoadRecord(store).found["state"] == "complete"


def test_the_local_server_is_killed_and_the_load_says_so_immediately(make_config):
    config = make_config(TIERS_30K)
    try:
        with connect(config) as store:
            setup_collection(store)
            with loading(store, None) as process:
                psutil.Process(start_local_server(config).pid).kill()
                _, shown = process.communicate(timeout=30)  # well before the workers give up
                assert process.returncode == 1
        last = shown.strip().splitlines()[-1]
        check_message(last, "LoadError: The load stopped: The local server stopped", "30,000 claims", "connect", GO_ON)
        with connect(config) as store:  # starts the server again
            check_resumed(store)
    finally:
        stop_local_server(config)


def test_the_disk_runs_full_and_the_load_continues_once_there_is_space(tmp_path, make_config):
    with tmpfs(tmp_path / "small", 4) as resize:
        config = make_config(TIERS_30K | {"local_server": {"data_dir": str(tmp_path / "small" / "data")}})
        try:
            with connect(config) as store:
                setup_collection(store)
                with pytest.raises(LoadError) as stopped:
                    load_claims(store, progress=False)
            check_message(str(stopped.value), "is full", "Free some space", "of 30,000 claims", "connect", GO_ON)
            resize(400)
            with connect(config) as store:
                assert store.collection.database.command("validate", store.collection.name, full=True)["valid"]
                check_resumed(store)
        finally:
            stop_local_server(config)


@pytest.mark.replica_set
def test_the_primary_is_killed_and_the_load_continues_with_the_next(tmp_path, open_at):
    with replica_set(tmp_path / "rs") as cluster:
        store = open_at(cluster.uri)
        with loading(store, cluster.uri) as process:
            old = cluster.primary()
            old.kill()
            shown, errors = process.communicate(timeout=90)
            assert process.returncode == 0, errors
        assert "30,000 claims on the server" in shown
        assert cluster.primary().address != old.address
        assert stored_digest(store) == configured_digest(store.config)
        assert LoadRecord(store).found["state"] == "complete"


def test_a_password_changed_after_connecting_is_reported_and_not_shown(tmp_path, make_config, monkeypatch):
    with running(Mongod(tmp_path / "auth")) as server:
        with server.client() as client:
            client.admin.command("createUser", "loader", pwd="first-Secret", roles=["root"])
        server.stop()
        server.options.append("--auth")
        server.start()
        monkeypatch.setenv("MONGODB_URI", server.uri.replace("//", "//loader:first-Secret@"))
        with connect(make_config(TIERS_30K)) as store:
            setup_collection(store)
            admin = store.collection.database.client.admin
            admin.command("updateUser", "loader", pwd="second-Secret")
            with pytest.raises(LoadError) as refused:
                load_claims(store, progress=False)
            check_message(str(refused.value), "rejected the login", "MONGODB_URI", "0 of 30,000 claims", GO_ON)
            assert "Secret" not in str(refused.value)
            assert "loader" not in str(refused.value)
            admin.command("updateUser", "loader", pwd="first-Secret")
            assert load_claims(store, progress=False).inserted == 30_000
            assert stored_digest(store) == configured_digest(store.config)


def test_a_network_delay_of_50_ms_changes_nothing_but_the_time(mongod, open_at):
    with Proxy(mongod.uri, delay=0.025) as proxy:
        store = open_at(proxy.uri)
        assert store.server.ping_ms >= 50
        report = load_claims(store, progress=False, batch_size=5_000)
        assert report.inserted == 30_000
        assert load_claims(store, progress=False).inserted == 0
        direct = open_at(mongod.uri)
        assert stored_digest(direct) == configured_digest(direct.config)


def test_a_server_that_is_down_from_the_start_is_reported_as_such(mongod, open_at):
    store = open_at(f"{mongod.uri}&serverSelectionTimeoutMS=1000")
    mongod.stop()
    with pytest.raises(ServerUnavailable, match="is not responding"):
        load_claims(store, progress=False)
    mongod.start()
    assert load_claims(store, progress=False).inserted == 30_000
