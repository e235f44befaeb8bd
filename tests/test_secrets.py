"""No login leaks: things go wrong in every way, and what they leave behind is searched for the user and password."""

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
from secure_servers import DATABASE, PASSWORD, TRACES, all_that_hangs_on, files_with_traces, secure_server
from servers import free_port

from pbm_lib import (
    LoadError,
    PbmError,
    ServerUnavailable,
    connect,
    errors,
    find_claims,
    list_providers,
    load_claims,
    load_config,
    run_performance,
    setup_collection,
)
from pbm_lib.cli.main import main

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


@pytest.fixture
def with_password(secure):
    """Call it with a password to get the connection string of a user with that password, and no rights by default."""
    with secure.root() as root:

        def make(password, roles=()):
            if make.there:
                root.admin.command("dropUser", "quagga7-word")
            root.admin.command("createUser", "quagga7-word", pwd=password, roles=list(roles))
            make.there = True
            return secure.uri("word", password=password)

        make.there = False
        yield make
        root.admin.command("dropUser", "quagga7-word")


def free_of_traces(text: str) -> bool:
    assert text, "there is nothing to search"
    return not any(trace in text for trace in TRACES)


def shown(error: BaseException) -> str:
    """Everything that a shell, a debugger or a crash reporter shows of an error and the errors that led to it."""
    return "".join(traceback.format_exception(error)) + all_that_hangs_on(error)


def test_the_search_finds_a_login_in_any_form(secure, tmp_path):
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
        {"authSource": PASSWORD},
        {"replicaSet": PASSWORD, "serverSelectionTimeoutMS": "400"},
        {"readPreferenceTags": PASSWORD},
        {"password": PASSWORD + "\x07"},
    ],
    ids=lambda wrong: ", ".join(wrong),
)
def test_a_connection_that_fails_shows_no_login(secure, tmp_path, monkeypatch, wrong):
    if "tlsCAFile" in wrong:
        wrong = wrong | {"serverSelectionTimeoutMS": "400"}
    monkeypatch.setenv("MONGODB_URI", secure.uri(**wrong))
    with pytest.raises(PbmError) as refusal:
        connect(load_config(write_config(tmp_path)))
    assert free_of_traces(shown(refusal.value))


def test_the_drivers_own_log_contains_no_login(secure, tmp_path, monkeypatch, caplog):
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


def test_a_load_that_loses_its_rights_midway_shows_no_login(secure, tmp_path, monkeypatch, capfd):
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
            with pytest.raises(
                LoadError, match=r"The load stopped: The database user lacks permission.* to run insert"
            ) as stopped:
                load_claims(store)
            revoker.join()
    out, err = capfd.readouterr()
    assert free_of_traces(out + err)
    assert free_of_traces(shown(stopped.value))


def test_a_claim_that_the_server_rejects_shows_no_login(store):
    with pytest.raises(PyMongoError) as refusal:
        store.collection.insert_one({"serviceBeginDate": "yesterday"})
    # Don't search the variables of the frames, which are the driver's.
    assert free_of_traces("".join(traceback.format_exception(refusal.value)) + repr(refusal.value.args))


def test_a_querys_error_carries_nothing_of_the_drivers_error(with_password, store, secure, monkeypatch):
    monkeypatch.setenv("MONGODB_URI", with_password(PASSWORD, roles=[{"role": "read", "db": DATABASE}]))
    with connect(store.config) as reader:
        with secure.root() as root:
            root.admin.command("updateUser", "quagga7-word", roles=[])
        tin = list_providers(store.config)[0].tin
        for call in (lambda: find_claims(reader, tin), lambda: setup_collection(reader), reader.refresh):
            with pytest.raises(PbmError, match="database user lacks permission") as refusal:
                call()
            assert "OperationFailure" not in all_that_hangs_on(refusal.value).replace("OperationFailure, code 13", "")


def test_a_client_does_not_show_a_password_that_an_option_repeats(secure, tmp_path, monkeypatch):
    monkeypatch.setenv("MONGODB_URI", secure.uri(appName=PASSWORD))
    with connect(load_config(write_config(tmp_path))) as store:
        assert free_of_traces(repr(store.collection))
        assert free_of_traces(repr(store.uri) + repr(store.uri[:20]) + repr(store.uri[5:]))


def test_a_password_in_the_words_of_the_servers_answer_is_not_revealed_by_a_mask(with_password, tmp_path, monkeypatch):
    config = write_config(tmp_path)
    told = {}
    for password in ("authorized", "listCollections", "pbm_demo", "database", "nothing of it"):
        monkeypatch.setattr(errors, "_secrets", set())
        monkeypatch.setenv("MONGODB_URI", with_password(password))
        with pytest.raises(PbmError) as refusal:
            connect(load_config(config))
        told[password] = str(refusal.value)
    assert "not authorized on pbm_demo to run listCollections. Grant it" in told["nothing of it"]
    # "database" is a word of our own sentence, which is shown whatever the password is.
    assert told["database"] == told["nothing of it"]
    # The message is the same for each of the others, so it does not reveal which one is the password.
    assert told["authorized"] == told["listCollections"] == told["pbm_demo"]
    assert "authorized" not in told["authorized"]
    assert "***" not in "".join(told.values())
    assert "Grant it the role readWrite" in told["authorized"]


@pytest.mark.parametrize("password", ["refused", "server", "MongoDB", "127.0.0.1", "111"])
def test_a_password_in_the_words_of_the_drivers_text_is_not_revealed_by_a_mask(tmp_path, monkeypatch, password):
    monkeypatch.setattr(errors, "_secrets", set())
    uri = f"mongodb://amy:{password}@127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=400"
    monkeypatch.setenv("MONGODB_URI", uri)
    with pytest.raises(ServerUnavailable) as refusal:
        connect(load_config(write_config(tmp_path)))
    ours, _, details = str(refusal.value).partition(" (")
    assert ours.startswith(
        "The MongoDB server is not responding. Check that it is running, the host and port in MONGODB_URI, and"
    )
    assert details
    assert password not in details
    assert "***" not in details


def test_the_command_line_prints_our_own_sentence_whatever_the_password_is(monkeypatch, capsys):
    monkeypatch.setattr(errors, "_secrets", set())
    monkeypatch.setenv("MONGODB_URI", "mongodb://amy:config@h/")
    assert main(["stop", "--config", "mongodb+srv://eve:Pw@cluster0.example.net/"]) == 1
    told = capsys.readouterr().err
    assert told == "ConfigError: path must be a valid path, got *** (an address).\n"


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
                run_performance(store, samples=500, output_dir=tmp_path / "out")
            killer.join()
            for call in (store.refresh, lambda: find_claims(store, list_providers(store.config)[0].tin)):
                with pytest.raises(ServerUnavailable, match="is not responding") as unreachable:
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
        (
            "pbm.find_claims(store, '12')",
            "InvalidQuery: tin must be nine digits as text, such as '411234567', got '12'",
        ),
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


def test_the_drivers_warnings_about_an_address_are_not_shown(secure, tmp_path, monkeypatch):
    monkeypatch.setenv("MONGODB_URI", secure.uri(compressors="snappy,Zebra9"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        connect(load_config(write_config(tmp_path))).close()
    assert caught == []
