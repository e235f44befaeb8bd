"""No login anywhere: things go wrong in every way, and what they leave behind is searched for the user and password."""

import logging
import pprint
import threading
import time
import traceback
import warnings

import psutil
import pytest
from conftest import write_config
from IPython.core.oinspect import Inspector
from processes import run_python
from pymongo.errors import PyMongoError
from secure_servers import DATABASE, PASSWORD, TRACES, files_with_traces, secure_server

from pbm_lib import (
    LoadError,
    PbmError,
    ServerUnavailable,
    connect,
    find_claims,
    list_providers,
    load_claims,
    load_config,
    run_performance,
    setup_collection,
)

LARGER = {
    "data_generation": {
        "target_volume": 60_000,
        "tiers": [
            {"name": "3K", "claims_per_provider": 3_000, "providers": 16},
            {"name": "300", "claims_per_provider": 300, "providers": 30},
            {"name": "60", "claims_per_provider": 60, "providers": 50},
        ],
    }
}


@pytest.fixture
def store(secure, tmp_path, monkeypatch):
    monkeypatch.setenv("MONGODB_URI", secure.uri())
    with connect(load_config(write_config(tmp_path))) as opened:
        yield setup_collection(opened)


def free_of_traces(text: str) -> bool:
    assert text, "there is nothing to search"
    return not any(trace in text for trace in TRACES)


def shown(error: BaseException) -> str:
    """All that a shell shows of an error, with the errors that led to it, and what it holds itself."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(error.args)


def test_the_search_finds_a_login_in_whatever_form(secure, tmp_path):
    assert not free_of_traces(secure.uri())
    assert not free_of_traces(repr(PASSWORD))
    (tmp_path / "found").write_text(secure.uri(), encoding="utf-8")
    assert files_with_traces(tmp_path) == [tmp_path / "found"]


def test_nothing_that_shows_a_store_shows_its_login(store):
    for text in (
        repr(store),
        store._repr_html_(),
        repr(store.config),
        repr(store.collection),
        repr(store.collection.database.client),
        pprint.pformat(vars(store)),
        str(Inspector(theme_name="nocolor").info(store, detail_level=1)),
    ):
        assert free_of_traces(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "Zebra9@ wrong"},
        {"user": "nobody"},
        {"tls": "", "tlsCAFile": ""},
        {"tlsCAFile": ""},
        {"tlsCAFile": f"/nowhere/{PASSWORD}.pem"},
        {"authMechanism": "PLAIN"},
        {"retryWirtes": PASSWORD},
        {"readPreference": PASSWORD},
        {"user": "stranger"},
    ],
    ids=str,
)
def test_a_connection_that_fails_names_no_login(secure, tmp_path, monkeypatch, wrong):
    if "tlsCAFile" in wrong:
        wrong = wrong | {"serverSelectionTimeoutMS": "400"}
    monkeypatch.setenv("MONGODB_URI", secure.uri(**wrong))
    with pytest.raises(PbmError) as refusal:
        connect(load_config(write_config(tmp_path)))
    assert free_of_traces(shown(refusal.value))


def test_the_drivers_own_log_holds_no_login(secure, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    config = load_config(write_config(tmp_path))
    monkeypatch.setenv("MONGODB_URI", secure.uri())
    with connect(config) as store:
        setup_collection(store)
        find_claims(store, list_providers(config)[0].tin)
    monkeypatch.setenv("MONGODB_URI", secure.uri(password="Zebra9 wrong"))
    with pytest.raises(ServerUnavailable):
        connect(config)
    assert "pymongo" in {record.name.partition(".")[0] for record in caplog.records}
    assert free_of_traces(caplog.text)


def test_loading_processes_and_their_bar_show_no_login(store, capfd):
    lines, done = set(), threading.Event()

    def watch():
        while not done.wait(0.02):
            for child in psutil.Process().children(recursive=True):
                try:
                    lines.add(" ".join(child.cmdline()))
                except psutil.Error:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        report = load_claims(store, workers=2)
    finally:
        done.set()
        watcher.join()
    assert report.inserted == 6_000
    assert any("spawn" in line for line in lines)
    assert free_of_traces("\n".join(lines))
    out, err = capfd.readouterr()
    assert "Loading" in out
    assert free_of_traces(out + err)


def test_a_load_that_loses_its_rights_midway_names_no_login(secure, tmp_path, monkeypatch, capfd):
    with secure.root() as root:
        roles = [{"role": "readWrite", "db": DATABASE}]
        root.admin.command("createUser", "quagga7-guest", pwd=PASSWORD, roles=roles)
        monkeypatch.setenv("MONGODB_URI", secure.uri("guest"))
        config = load_config(write_config(tmp_path, LARGER | {"mongodb": {"collection": "guests"}}))
        with connect(config) as store:
            setup_collection(store)

            def revoke():
                while root[DATABASE].guests.find_one() is None:
                    time.sleep(0.01)
                root.admin.command("revokeRolesFromUser", "quagga7-guest", roles=roles)

            revoker = threading.Thread(target=revoke)
            revoker.start()
            with pytest.raises(LoadError, match=r"The load stopped: The database user may not do this.* to run insert"):
                load_claims(store)
            revoker.join()
    out, err = capfd.readouterr()
    assert free_of_traces(out + err)


def test_a_claim_that_the_server_refuses_shows_no_login(store):
    with pytest.raises(PyMongoError) as refusal:
        store.collection.insert_one({"serviceBeginDate": "yesterday"})
    assert free_of_traces(shown(refusal.value))


def test_a_server_that_is_killed_in_the_middle_of_a_run_leaves_no_login_behind(tmp_path, monkeypatch, capfd):
    with secure_server(tmp_path / "server") as server:
        monkeypatch.setenv("MONGODB_URI", server.uri(serverSelectionTimeoutMS="500", connectTimeoutMS="400"))
        with connect(load_config(write_config(tmp_path))) as store:
            load_claims(setup_collection(store), progress=False)

            def kill():
                while not list((tmp_path / "out" / "runs").glob("*.json")):
                    time.sleep(0.01)
                time.sleep(0.3)
                server.primary.kill()

            killer = threading.Thread(target=kill)
            killer.start()
            with pytest.raises(PbmError, match="calls in a row failed") as refusal:
                run_performance(store, iterations=500, output_dir=tmp_path / "out")
            killer.join()
            for call in (store.refresh, lambda: find_claims(store, list_providers(store.config)[0].tin)):
                with pytest.raises(ServerUnavailable, match="does not answer") as unreachable:
                    call()
                assert free_of_traces(shown(unreachable.value))
    assert free_of_traces(shown(refusal.value))
    assert files_with_traces(tmp_path / "out") == []
    out, err = capfd.readouterr()
    assert free_of_traces(out + err)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("print(store, vars(store), store.collection); 1 / 0", "ZeroDivisionError"),
        ("del store; import gc; gc.collect()", "ResourceWarning: Unclosed MongoClient"),
        ("pbm.find_claims(store, '12')", "InvalidQuery: tin: '12'"),
        ("store.collection.database.command('nonsense')", "no such command"),
        ("import os; os.environ['MONGODB_URI'] += '&tls=maybe'; pbm.connect(store.config)", "ServerUnavailable"),
    ],
)
def test_a_shell_with_all_warnings_on_shows_no_login(secure, tmp_path, monkeypatch, code, told):
    monkeypatch.setenv("MONGODB_URI", secure.uri())
    start = f"import pbm_lib as pbm; store = pbm.connect(pbm.load_config({str(write_config(tmp_path))!r}))\n"
    done = run_python("-X", "dev", "-W", "always", "-c", start + code)
    assert told in done.stderr
    assert free_of_traces(done.stdout + done.stderr)


def test_the_drivers_warnings_of_an_address_are_not_shown(secure, tmp_path, monkeypatch):
    monkeypatch.setenv("MONGODB_URI", secure.uri(compressors="snappy,Zebra9"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        connect(load_config(write_config(tmp_path))).close()
    assert caught == []
