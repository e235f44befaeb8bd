"""What a driver's error becomes: words that say what to do, and no secret in them."""

import pytest
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    CursorNotFound,
    DocumentTooLarge,
    NotPrimaryError,
    OperationFailure,
)

from pbm_lib import PbmError, ServerUnavailable, errors
from pbm_lib.errors import redact, remember_secret
from pbm_lib.store.driver_errors import explain_driver_error, lacks_right


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
        (of_atlas("bad auth : authentication failed"), ServerUnavailable, "refused the login"),
        (of_atlas("Authentication failed.", 18), ServerUnavailable, "refused the login"),
        (
            of_atlas("user is not allowed to do action [find] on [pbm_demo.claims]"),
            PbmError,
            "may not do this: user is",
        ),
        (of_atlas("you are over your space quota, using 513 MB of 512 MB"), PbmError, "over your space quota"),
        (
            of_atlas(
                'not authorized on a to execute command { drop: "claims", lsid: { id: UUID("1") }, $db: "a" }', 13
            ),
            PbmError,
            "not authorized on a to run drop. Give it the role",
        ),
        (NotPrimaryError("not primary"), ServerUnavailable, "not, or no longer, its primary"),
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
def test_where_a_connection_had_worked_the_uri_needs_no_mending_and_no_host_is_shown(text, shown):
    explained = str(explain_driver_error(AutoReconnect(text), connected=True))
    assert explained.startswith("The MongoDB server does not answer. Check that it still runs")
    assert explained.endswith(shown)
    assert "tls" not in explained
    assert "MONGODB_URI" not in explained


def test_a_right_that_is_lacking_is_told_from_a_login_that_failed():
    assert lacks_right(of_atlas("user is not allowed to do action [collMod]"))
    assert not lacks_right(of_atlas("bad auth : authentication failed"))


@pytest.mark.parametrize(
    "shown",
    [
        "mongodb+srv://amy:pa%24%24w0rd@c.example.net/?x=1",
        "password pa$$w0rd is wrong",
        "pa%24%24w0rd",
        "amy:pa$$w0rd",
        "login of user amy.",
        "key password K3y-pass",
        "token t0ken",
    ],
)
def test_a_secret_is_hidden_as_written_and_decoded(shown):
    uri = "mongodb+srv://amy:pa%24%24w0rd@c.example.net/?tlsCertificateKeyFilePassword=K3y-pass"
    remember_secret(uri + "&authMechanismProperties=t0ken")
    hidden = redact(shown)
    assert "***" in hidden
    assert not any(secret in hidden for secret in ("amy", "w0rd", "K3y", "t0ken"))


def test_a_users_name_is_hidden_where_it_stands_alone_and_nothing_else_is_torn():
    remember_secret("mongodb://demo:ab@h/")
    assert redact("demo may not write pbm_demo.claims; ab about") == "*** may not write pbm_demo.claims; *** about"


def test_the_environments_address_is_hidden_without_being_asked(monkeypatch):
    monkeypatch.setenv("MONGODB_URI_TEST", "mongodb://amy:S3cr3t%2F@h/")
    assert redact("S3cr3t/ and S3cr3t%2F") == "*** and ***"


def test_an_address_without_a_login_hides_nothing():
    remember_secret("mongodb://localhost:27017/?appName=claims")
    assert redact("localhost:27017 claims") == "localhost:27017 claims"


def test_what_an_address_looks_like_may_be_said():
    assert redact("Expected mongodb://... or mongodb+srv://..., no quotes") == (
        "Expected mongodb://... or mongodb+srv://..., no quotes"
    )
