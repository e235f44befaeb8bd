"""Driver errors become messages that say what to do and contain no secret."""

import bson
import pytest
from bson.errors import InvalidBSON
from bson.raw_bson import RawBSONDocument
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    CursorNotFound,
    DocumentTooLarge,
    NotPrimaryError,
    OperationFailure,
)

from pbm_lib import ConfigError, PbmError, ServerUnavailable, SetupError, errors, load_config
from pbm_lib.errors import redact, remember_secret
from pbm_lib.store.driver_errors import explain_driver_error, lacks_right, translated_driver_errors


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch):
    monkeypatch.setattr(errors, "_secrets", set())
    monkeypatch.setattr(errors, "_users", set())
    monkeypatch.delenv("MONGODB_URI", raising=False)
    monkeypatch.delenv("MONGODB_URI_TEST", raising=False)


def of_atlas(text, code=8000):
    return OperationFailure(f"{text}, full error: ...", code, {"errmsg": text, "code": code, "codeName": "AtlasError"})


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (of_atlas("bad auth : authentication failed"), ServerUnavailable, "rejected the login"),
        (of_atlas("Authentication failed.", 18), ServerUnavailable, "rejected the login"),
        (
            of_atlas("user is not allowed to do action [find] on [pbm_demo.claims]"),
            PbmError,
            "lacks permission: user is",
        ),
        (
            of_atlas('not authorized on admin to execute command { create: "claims", lsid: { id: UUID("1") } }'),
            PbmError,
            "lacks permission: not authorized on admin to run create. Grant it the role",
        ),
        (
            of_atlas("you are over your space quota, using 513 MB of 512 MB"),
            PbmError,
            "This Atlas tier reached a limit: you are over your space quota, using 513 MB of 512 MB. Free some space",
        ),
        (
            of_atlas("cannot create a new collection -- already using 500 collections of 500"),
            PbmError,
            "This Atlas tier reached a limit: cannot create",
        ),
        (of_atlas("$where not allowed in this atlas tier"), PbmError, "This Atlas tier lacks what the demo"),
        (of_atlas("CMD_NOT_ALLOWED: fsync"), PbmError, "This Atlas tier lacks what the demo needs: CMD_NOT"),
        (
            of_atlas("explain is not allowed or the syntax is incorrect, see the Atlas documentation"),
            PbmError,
            "This Atlas tier lacks what the demo needs: explain is not",
        ),
        (of_atlas("something else about authors"), PbmError, "(code 8000): something else about authors."),
        (
            of_atlas(
                'not authorized on a to execute command { drop: "claims", lsid: { id: UUID("1") }, $db: "a" }', 13
            ),
            PbmError,
            "not authorized on a to run drop. Grant it the role",
        ),
        (NotPrimaryError("not primary"), ServerUnavailable, "is not, or is no longer, the primary"),
        (AutoReconnect("h:1: connection closed"), ServerUnavailable, "add tls=true"),
        (AutoReconnect("Temporary failure in name resolution"), ServerUnavailable, "does not resolve (DNS)"),
        (ConfigurationError("Server at h:1 reports wire version 6, but"), ServerUnavailable, "too old"),
        (CursorNotFound("cursor id 5 not found", 43, {"errmsg": "cursor id 5 not found"}), PbmError, "code 43"),
        (DocumentTooLarge("too large"), PbmError, "reported DocumentTooLarge: too large."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_a_drivers_error_says_what_to_do(error, kind, told):
    explained = explain_driver_error(error)
    assert type(explained) is kind
    assert told in str(explained)
    assert "full error" not in str(explained)
    assert str(explained).endswith((".", ")"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("db.example.net:27017: connection closed", "(connection closed)"),
        (
            "a.net:27017: [Errno 111] Connection refused,b.net:27018: timed out",
            "([Errno 111] Connection refused,timed out)",
        ),
        ("h:1: [SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred", "([SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred)"),
        ('No replica set members match selector "Primary()"', '(No replica set members match selector "Primary()")'),
    ],
)
def test_once_a_connection_has_worked_no_change_to_the_uri_is_suggested_and_no_host_is_shown(text, shown):
    explained = str(explain_driver_error(AutoReconnect(text), connected=True))
    assert explained.startswith("The MongoDB server is not responding. Check that it is still running")
    assert explained.endswith(shown)
    assert "tls" not in explained
    assert "MONGODB_URI" not in explained


def test_a_missing_right_is_distinguished_from_a_failed_login():
    assert lacks_right(of_atlas("user is not allowed to do action [collMod] on [pbm_demo.claims]"))
    assert lacks_right(of_atlas("not authorized on pbm_demo to execute command { collMod: 1 }"))
    for other in (
        "bad auth : authentication failed",
        "you are over your space quota",
        "not allowed in this atlas tier",
    ):
        assert not lacks_right(of_atlas(other))


@pytest.mark.parametrize(
    "text",
    [
        "password pa$$w0rd is wrong",
        "pa%24%24w0rd",
        "of pa$%24w0rd",
        "amy:pa$$w0rd",
        "login of user amy.",
        "key password K3y-pass",
        "token t0ken",
        "mongodb://elsewhere/ and pa$$w0rd",
    ],
)
def test_a_text_that_contains_a_secret_in_any_form_is_hidden_as_a_whole(text):
    uri = "mongodb+srv://amy:pa%24%24w0rd@c.example.net/?tlsCertificateKeyFilePassword=K3y-pass"
    remember_secret(uri + "&authMechanismProperties=t0ken")
    assert redact(text) == "details hidden because they may contain part of the connection string"


@pytest.mark.parametrize("text", ["no secret", "amyloid", "a w0rd", "K3y"])
def test_a_text_without_a_secret_is_unchanged(text):
    remember_secret("mongodb+srv://amy:pa%24%24w0rd@c.example.net/?tlsCertificateKeyFilePassword=K3y-pass")
    assert redact(text) == text


def test_a_password_is_recognized_whatever_follows_it():
    remember_secret("mongodb://amy:S3cret@h/?appName=me@work")
    assert "S3cret" not in redact("S3cret is wrong")


def test_a_user_name_and_a_short_password_count_only_as_whole_words():
    remember_secret("mongodb://demo:ab@h/")
    assert redact("not authorized on pbm_demo to run abort") == "not authorized on pbm_demo to run abort"
    for text in ("not authorized on demo", "ab initio"):
        assert redact(text).startswith("details hidden")


def test_the_address_in_the_environment_is_hidden_without_being_registered(monkeypatch):
    monkeypatch.setenv("MONGODB_URI_TEST", "mongodb://amy:S3cr3t%2F@h/")
    assert redact("it was mongodb://amy:S3cr3t%2F@h/.") == "it was ***."
    assert redact("S3cr3t/ and").startswith("details hidden")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot use mongodb://eve:Pw@h:1/db?a=b here", "cannot use *** here"),
        ("'MongoDB+SRV://eve:Pw@h/'", "'***'"),
        ("mongodb://eve:P w'd@h/ is wrong", "*** is wrong"),
        ("No such file: /home/amy/mongodb:/eve:Pw@h", "No such file: /home/amy/***"),
        ("only with 'mongodb+srv://' URIs", "only with 'mongodb+srv://' URIs"),
    ],
)
def test_an_address_that_was_never_registered_is_hidden_within_its_text(text, shown):
    assert redact(text) == shown


def test_a_path_that_is_an_address_is_not_repeated():
    with pytest.raises(ConfigError, match=r"got \*\*\* \(an address\)") as refusal:
        load_config("mongodb+srv://eve:Pw@cluster0.example.net/")
    assert "eve" not in repr(refusal.value)


def test_an_address_without_a_login_hides_nothing():
    remember_secret("mongodb://localhost:27017/?appName=claims")
    assert redact("localhost:27017 claims") == "localhost:27017 claims"


def test_an_example_of_an_address_may_be_shown():
    assert redact("Expected mongodb://... or mongodb+srv://..., no quotes") == (
        "Expected mongodb://... or mongodb+srv://..., no quotes"
    )


def test_a_document_that_bson_cannot_read_is_reported_and_its_text_redacted(store):
    remember_secret("mongodb://amy:S3cret@h/")
    bare = store.collection.database.bare
    bare.insert_one(RawBSONDocument(bson.encode({"_id": 1, "text": "x"}).replace(b"x\0", b"\xff\0")))
    unread = pytest.raises(PbmError, match="has a value that cannot be read: 'utf-8' codec")
    with unread as refusal, translated_driver_errors():
        bare.find_one()
    assert refusal.value.__context__ is None
    with pytest.raises(PbmError, match="cannot be read: details hidden"), translated_driver_errors():
        raise InvalidBSON("cannot decode 'S3cret'")


def test_our_own_error_passes_through_without_the_drivers_error():
    with pytest.raises(SetupError, match="mine") as refusal, translated_driver_errors():
        try:
            raise OperationFailure("S3cret")
        except OperationFailure:
            raise SetupError("mine") from None
    assert refusal.value.__context__ is None
    assert [entry.name for entry in refusal.traceback] == [refusal.traceback[0].name]
