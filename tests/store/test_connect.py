"""Connecting: where the address comes from, and what a user sees when it leads nowhere."""

import json
import os
import socket
import traceback

import pytest
from conftest import write_config
from proxy import Proxy
from secure_servers import PASSWORD, TRACES, all_that_hangs_on
from servers import Mongod, free_port, running, wait_for

from pbm_lib import (
    ConfigError,
    PbmError,
    ServerUnavailable,
    connect,
    explain_count,
    find_claims,
    list_providers,
    load_claims,
    load_config,
    setup_collection,
    stop_local_server,
    topology_note,
)
from pbm_lib.cli.notebooks import run_notebook
from pbm_lib.errors import NotebookError
from pbm_lib.store.index import VARIANTS
from pbm_lib.store.local_server import running_server

QUICK = "serverSelectionTimeoutMS=400&connectTimeoutMS=300"
LOGIN = "amy:Tr0ub4dor%263@"
INVALID = "MONGODB_URI is not a valid connection string"


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """Call it with a connection string to get the error message, after checking that the error shows no secret."""

    def attempt(uri, kind=ServerUnavailable):
        monkeypatch.setenv("MONGODB_URI", uri)
        with pytest.raises(kind) as refusal:
            connect(load_config(write_config(tmp_path)))
        message, shown = str(refusal.value), "".join(traceback.format_exception(refusal.value))
        assert len(message) < 420, message
        assert shown.count("Traceback (most recent call last)") == 1, shown
        left_behind = all_that_hangs_on(refusal.value)
        for secret in ("Tr0ub4dor", "amy", "S3cr", *TRACES):
            assert secret not in message
            assert secret not in left_behind
        return message

    return attempt


class TestAnAddressThatLeadsNowhere:
    def test_a_refused_port(self, refused):
        message = refused(f"mongodb://{LOGIN}127.0.0.1:{free_port()}/?{QUICK}")
        assert message.startswith("The MongoDB server is not responding. Check that it is running, the host and port")
        assert "refused" in message

    def test_a_host_that_never_answers_times_out_by_default(self, refused):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            message = refused(f"mongodb://{LOGIN}127.0.0.1:{silent.getsockname()[1]}/")
        assert "is not responding" in message
        assert "timed out" in message

    @pytest.mark.parametrize("hosts", ["nosuchhost.invalid", "a.invalid,b.invalid,c.invalid"])
    def test_a_name_that_does_not_resolve(self, refused, hosts):
        assert "does not resolve (DNS)" in refused(f"mongodb://{LOGIN}{hosts}/?{QUICK}")

    @pytest.mark.parametrize("host", ["cluster0.nosuch.invalid", "localhost"])
    def test_a_cluster_that_does_not_resolve(self, refused, host):
        message = refused(f"mongodb+srv://{LOGIN}{host}/?{QUICK}")
        assert "does not resolve (DNS). Copy the connection string again" in message

    def test_a_socket_file_that_does_not_exist(self, refused):
        assert "is not responding" in refused(f"mongodb://{LOGIN}%2Fnowhere%2Fmongodb.sock/?{QUICK}")

    def test_a_replica_set_with_another_name(self, refused, test_uri):
        address = test_uri.partition("://")[2].partition("/")[0]
        assert "not a member of the replica set" in refused(f"mongodb://{address}/?replicaSet=other&{QUICK}")

    def test_a_server_that_is_too_old(self, refused, test_uri):
        with Proxy(test_uri, hello={"minWireVersion": 0, "maxWireVersion": 6}) as old:
            message = refused(f"mongodb://127.0.0.1:{old.port}/?{QUICK}")
        assert message.startswith("This MongoDB server is too old for the driver. (Server at 127.0.0.1")


class TestAServerThatAsksForLoginAndTls:
    def test_the_right_login_is_accepted(self, secure, tmp_path, monkeypatch):
        monkeypatch.setenv("MONGODB_URI", secure.uri())
        with connect(load_config(write_config(tmp_path))) as store:
            assert store.server.topology == "standalone"
            assert store.server.cache_bytes is None

    @pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"user": "nobody"}, {"authSource": "pbm_demo"}], ids=str)
    def test_a_wrong_login(self, refused, secure, wrong):
        message = refused(secure.uri(**wrong))
        assert message.startswith(
            "The server rejected the login. Check the user, password, and any authSource in MONGODB_URI"
        )

    def test_a_password_that_was_encoded_twice(self, refused, secure):
        assert "percent-encode special characters" in refused(secure.uri(password=PASSWORD.replace("%41", "A")))

    def test_a_login_method_that_it_does_not_support(self, refused, secure):
        assert "does not accept this login method. Check authMechanism" in refused(secure.uri(authMechanism="PLAIN"))

    def test_no_login_at_all(self, refused, secure):
        uri = f"mongodb://{secure.hosts}/?tls=true&tlsCAFile={secure.authority.as_posix()}"
        assert "lacks permission" in refused(uri, PbmError)

    def test_a_user_of_another_database(self, refused, secure):
        message = refused(secure.uri("stranger"), PbmError)
        assert message.startswith(
            "The database user lacks permission: not authorized on pbm_demo to run listCollections. Grant it the role"
        )

    def test_without_tls(self, refused, secure):
        message = refused(secure.uri(tls="", tlsCAFile="", serverSelectionTimeoutMS="400"))
        assert message.endswith("If the server requires TLS, add tls=true to MONGODB_URI.")

    def test_tls_to_a_server_without_it(self, refused, test_uri):
        address = test_uri.rpartition("@")[2].partition("/")[0]
        assert "TLS handshake" in refused(f"mongodb://{LOGIN}{address}/?tls=true&{QUICK}")

    def test_an_untrusted_certificate(self, refused, secure):
        message = refused(secure.uri(tlsCAFile="", serverSelectionTimeoutMS="400"))
        assert message.startswith("The TLS handshake with the server failed.")
        assert "certificate verify failed" in message

    @pytest.mark.parametrize("path", ["/nowhere/ca.pem", __file__], ids=["missing", "no certificate"])
    def test_an_invalid_certificate_file(self, refused, secure, path):
        assert "certificate file named in MONGODB_URI cannot be used" in refused(secure.uri(tlsCAFile=path))


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://",
        "mongodb:///",
        "localhost:27017",
        f"http://{LOGIN}h/",
        f"mongo://{LOGIN}h/",
        f"'mongodb://{LOGIN}127.0.0.1:9/'",
        "mongodb://amy:S3cr@t@h/",
        "mongodb://amy:S3cr/t@h/",
        "mongodb://amy:12345/S3cr@h/",
        "mongodb://amy:12345?S3cr@h/",
        "mongodb://amy:1?a=S3cr@h/",
        "mongodb://amy:S3cr%t@h/",
        "mongodb://amy:S3cr",
        "mongodb://amy:99999999",
        "mongodb://amy:@127.0.0.1:9/",
        f"mongodb://{LOGIN}h:99999999/",
        f"mongodb://{LOGIN}h:S3cr/",
        f"mongodb://{LOGIN}[::1/",
        f"mongodb://{LOGIN}h,/",
        f"mongodb://{LOGIN}h/a b/?tls=true",
        f"mongodb://{LOGIN}h/?replicaSet",
        f"mongodb://{LOGIN}h/?authMechanism=GSSAPI&authSource=admin",
        f"mongodb://{LOGIN}h/?datetime_conversion=S3cr",
        f"mongodb+srv://{LOGIN}h.example.net:27017/",
        "mongodb+srv://<db_username>:<db_password>@cluster0.abcde.mongodb.net/?appName=Cluster0",
    ],
)
def test_an_invalid_connection_string_is_rejected_before_any_connection(refused, uri):
    message = refused(uri)
    assert message.startswith(INVALID)
    assert "12345" not in message
    assert "9999" not in message


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("retryWirtes=true", "Unknown option: retryWirtes. Did you mean one of (retryWrites"),
        ("tls=maybe", "tls must be 'true' or 'false'"),
        ("readPreference=fast", "fast is not a valid read preference"),
        ("connectTimeoutMS=-5", "must be greater than 0"),
        ("authMechanism=MAGIC", "authmechanism must be in"),
    ],
)
def test_a_rejected_option_is_named(refused, option, told):
    message = refused(f"mongodb://{LOGIN}127.0.0.1:9/?{option}")
    assert message.startswith(INVALID)
    assert told.lower() in message.lower()


@pytest.mark.parametrize("options", ["loadBalanced=true", "authMechanism=MONGODB-X509"])
def test_options_that_contradict_the_rest_are_rejected(refused, options):
    assert refused(f"mongodb://{LOGIN}a,b/?{options}").startswith(INVALID)


def test_a_compressor_that_is_not_installed_is_silently_omitted(test_uri, tmp_path, monkeypatch):
    monkeypatch.setenv("MONGODB_URI", f"{test_uri}&compressors=snappy,zlib")
    connect(load_config(write_config(tmp_path))).close()


def test_spaces_around_the_address_do_no_harm(test_uri, tmp_path, monkeypatch):
    monkeypatch.setenv("MONGODB_URI", f"  {test_uri}\n")
    connect(load_config(write_config(tmp_path))).close()


def test_an_unreachable_server_is_one_line_in_the_notebook_and_shows_no_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("MONGODB_URI", f"mongodb://{LOGIN}127.0.0.1:{free_port()}/?{QUICK}")
    # A password that happens to be a word of our sentence removes nothing from it.
    monkeypatch.setenv("MONGODB_URI_TEST", "mongodb://bob:MongoDB@h/")
    with pytest.raises(NotebookError, match=r"01_setup stopped at cell \d+: ServerUnavailable: The MongoDB server"):
        run_notebook("01_setup", tmp_path, {"config_path": str(write_config(tmp_path)), "output_dir": str(tmp_path)})
    text = (tmp_path / "01_setup.ipynb").read_text(encoding="utf-8")
    errors = [
        output
        for cell in json.loads(text)["cells"]
        for output in cell.get("outputs", [])
        if output["output_type"] == "error"
    ]
    assert [len(error["traceback"]) for error in errors] == [1]
    assert errors[0]["traceback"][0].startswith("ServerUnavailable: The MongoDB server is not responding.")
    assert "Tr0ub4dor" not in text
    assert "amy" not in text


class TestTheFileBesideTheConfig:
    """The file .env, which is read when the environment has no MONGODB_URI."""

    @pytest.fixture
    def config(self, tmp_path, monkeypatch):
        monkeypatch.delenv("MONGODB_URI", raising=False)
        return load_config(write_config(tmp_path))

    @pytest.fixture
    def env_file(self, config):
        return config.path.parent / ".env"

    @pytest.mark.parametrize(
        "line",
        [
            "MONGODB_URI={uri}",
            "export MONGODB_URI={uri}",
            "MONGODB_URI='{uri}'",
            'MONGODB_URI="{uri}"',
            "  MONGODB_URI = {uri}   # the session's server",
            "# MONGODB_URI=mongodb://amy:S3cr3t@nowhere.invalid/\n\nOTHER=1\nMONGODB_URI={uri}\n",
            "\ufeffMONGODB_URI={uri}\r\n",
        ],
        ids=["plain", "export", "single quotes", "double quotes", "blanks and comment", "among others", "Windows"],
    )
    def test_it_is_read_however_it_is_written(self, config, env_file, test_uri, line):
        marked = f"{test_uri}&appName=from_file"
        env_file.write_text(line.format(uri=marked), encoding="utf-8")
        with connect(config) as store:
            assert str(store.uri) == marked

    def test_a_password_with_a_dollar_sign_is_taken_literally(self, config, env_file, secure, monkeypatch):
        monkeypatch.setenv("HOME_OF_AMY", "expanded")
        uri = secure.uri() + "&appName=${HOME_OF_AMY}"
        env_file.write_text(f"MONGODB_URI='{uri}'", encoding="utf-8")
        with connect(config) as store:
            assert str(store.uri) == uri

    def test_the_environment_wins(self, config, env_file, test_uri, monkeypatch):
        env_file.write_text("MONGODB_URI=mongodb://nowhere.invalid/", encoding="utf-8")
        monkeypatch.setenv("MONGODB_URI", test_uri)
        with connect(config) as store:
            assert str(store.uri) == test_uri

    @pytest.mark.parametrize(
        ("environment", "text"),
        [("", "MONGODB_URI=mongodb://nowhere.invalid/"), (None, "MONGODB_URI="), (None, "MONGODB_URI\n")],
        ids=["empty in the environment", "empty in the file", "no value"],
    )
    def test_an_empty_address_means_the_local_server(self, config, env_file, environment, text, monkeypatch):
        env_file.write_text(text, encoding="utf-8")
        if environment is not None:
            monkeypatch.setenv("MONGODB_URI", environment)
        try:
            with connect(config) as store:
                assert store.server.host_kind == "local"
                assert running_server(config) is not None
        finally:
            stop_local_server(config)

    @pytest.mark.parametrize(
        "text",
        [
            "MONGO_URI=mongodb+srv://amy:S3cr3t@cluster0.example.net/",
            "mongodb+srv://amy:S3cr3t@cluster0.example.net/?retryWrites=true",
            "MONGODB_URI='mongodb+srv://amy:S3cr3t@cluster0.example.net/",
        ],
        ids=["misspelled", "without a name", "quote left open"],
    )
    @pytest.mark.filterwarnings("ignore")
    def test_an_address_that_would_be_overlooked_is_reported(self, config, env_file, text):
        env_file.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match="holds a connection string, but it is not set as MONGODB_URI") as refusal:
            connect(config)
        assert "S3cr3t" not in all_that_hangs_on(refusal.value)

    def test_a_file_that_is_not_text_is_rejected(self, config, env_file):
        env_file.write_text("MONGODB_URI=mongodb://amy:S3cr3t@h/", encoding="utf-16")
        with pytest.raises(ConfigError, match=r"\.env: not UTF-8 text") as refusal:
            connect(config)
        left_behind = all_that_hangs_on(refusal.value).replace("\\x00", "")
        assert "S3cr3t" not in left_behind

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root can read every file")
    def test_a_file_without_read_permission_is_rejected(self, config, env_file):
        env_file.write_text("MONGODB_URI=mongodb://h/", encoding="utf-8")
        env_file.chmod(0)
        with pytest.raises(ConfigError, match=r"\.env: Permission denied"):
            connect(config)

    def test_a_folder_of_that_name_is_rejected(self, config, env_file):
        env_file.mkdir()
        with pytest.raises(ConfigError, match=r"Cannot read .*\.env: "):
            connect(config)


class TestWhatTheServerIs:
    @pytest.mark.parametrize("domain", ["mongodb.net", "mongodbgov.net", "mongodb-dev.net"])
    def test_an_atlas_node_is_recognized_by_its_name(self, test_uri, tmp_path, monkeypatch, domain):
        # A real server that answers hello like an Atlas replica set, under a name that resolves to it here.
        name = f"ac-x1y2z3-shard-00-00.ab1cd.{domain}"
        looked_up = socket.getaddrinfo
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *rest, **more: looked_up("127.0.0.1" if host == name else host, *rest, **more),
        )
        answer = {"setName": "atlas-14b8sh-shard-0", "setVersion": 9, "secondary": False, "isWritablePrimary": True}
        with Proxy(test_uri, hello=answer) as atlas:
            node = f"{name}:{atlas.port}"
            answer |= {"hosts": [node], "me": node, "primary": node}
            uri = atlas.uri.replace("127.0.0.1", name)
            monkeypatch.setenv("MONGODB_URI", uri.replace("directConnection=true", "replicaSet=atlas-14b8sh-shard-0"))
            with connect(load_config(write_config(tmp_path))) as store:
                assert (store.server.host_kind, store.server.topology) == ("Atlas", "replica set")
                assert "replica set, Atlas" in str(store.server)

    def test_a_name_that_only_looks_like_atlas_is_remote(self, test_uri, tmp_path, monkeypatch):
        looked_up = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: looked_up("127.0.0.1", *rest, **more))
        monkeypatch.setenv("MONGODB_URI", test_uri.replace("127.0.0.1", "mongodb.net.example.com"))
        with connect(load_config(write_config(tmp_path))) as store:
            assert store.server.host_kind == "remote"

    def test_a_router_of_a_sharded_cluster_is_recognized_by_its_hello(self, tmp_path, monkeypatch):
        # No mongos is available here, so a real mongod describes itself as a mongos does. Commands that only a mongos
        # has are therefore not tested.
        node = Mongod(tmp_path / "shard", ["--replSet", "rs"])
        with running(node):
            with node.client() as client:
                member = {"_id": 0, "host": node.address}
                client.admin.command("replSetInitiate", {"_id": "rs", "members": [member]})
                wait_for(lambda: client.admin.command("hello")["isWritablePrimary"], 30, "a primary")
            gone = dict.fromkeys(["setName", "setVersion", "hosts", "primary", "me", "electionId", "secondary"])
            with Proxy(node.uri, hello={**gone, "isWritablePrimary": True, "msg": "isdbgrid"}) as router:
                monkeypatch.setenv("MONGODB_URI", f"mongodb://127.0.0.1:{router.port}/")
                with connect(load_config(write_config(tmp_path))) as store:
                    assert store.server.topology == "sharded cluster"
                    # The command that the note shows creates this index if it does not exist.
                    made = store.collection.create_index(list(VARIANTS["three_field"].keys.items()))
                    setup_collection(store)
                    assert (store.bounded, store.index_name) == (True, made)
                    assert list(store.collection.index_information()) == ["_id_", made]
                    assert load_claims(store, progress=False).inserted == 6_000
                    provider = list_providers(store.config)[0]
                    assert find_claims(store, provider.tin).total == 3_000
                    assert explain_count(store, provider.tin)[0].returned == 3_000
                    shown = (
                        'sh.shardCollection("pbm_demo.claims", { "billingProvider.providerTin": 1, serviceBeginDate: 1,'
                    )
                    assert shown in " ".join(repr(topology_note(store)).split())
