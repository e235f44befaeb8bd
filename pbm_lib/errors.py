"""What can go wrong, in words: one exception family, and the redactor that keeps secrets out of it."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from urllib.parse import unquote, unquote_plus

from bson.errors import BSONError
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    InvalidURI,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

__all__ = [
    "ConfigError",
    "InvalidCursor",
    "InvalidQuery",
    "LoadError",
    "PbmError",
    "ServerUnavailable",
    "SetupError",
    "redact",
    "remember_secret",
    "translated_driver_errors",
]


class PbmError(Exception):
    """Base of every error that pbm_lib raises on purpose; its message says what to do next."""

    def _render_traceback_(self) -> list[str]:
        # IPython asks an exception for its own rendering: a user's mistake shows as one sentence, not a stack.
        return [f"{type(self).__name__}: {self}"]


class ConfigError(PbmError):
    """config.yaml has a value that is not accepted; the message names key, value and what is."""


class ServerUnavailable(PbmError):
    """No usable MongoDB server: unreachable, refused the login, or could not be started."""


class SetupError(PbmError):
    """The collection, its validator or its index is not what this program installs."""


class InvalidQuery(PbmError, ValueError):
    """An argument of a query is not accepted; the message names the argument."""


class InvalidCursor(InvalidQuery):
    """A cursor token is damaged, foreign, or belongs to another query."""


class LoadError(PbmError):
    """The load was refused or stopped; the message says what is on the server and how to go on."""


_MASK = "***"
_URI = re.compile(r"mongodb(?:\+srv)?://[^\s'\"]*", re.IGNORECASE)
_secrets: set[str] = set()


def remember_secret(uri: str) -> None:
    """Make `redact` hide this URI, its user and its password, as written and percent-decoded.

    Args:
        uri: a MongoDB connection string; it need not be well formed.
    """
    _, _, rest = uri.partition("://")
    login, at, _ = rest.rpartition("@")
    if not at:
        return
    user, _, password = login.partition(":")
    parts = {uri, login, user, password}
    _secrets.update(form for part in parts for form in (part, unquote(part), unquote_plus(part)) if form)


def redact(text: object) -> str:
    """Return `text` without connection strings, users and passwords.

    Args:
        text: anything with a `str`; usually a driver's error.

    Returns:
        The text with every known secret, and every `mongodb://` address, replaced by `***`.
    """
    for name in ("MONGODB_URI", "MONGODB_URI_TEST"):
        remember_secret(os.environ.get(name, ""))
    shown = _URI.sub(_MASK, str(text))
    for secret in sorted(_secrets, key=len, reverse=True):
        # A secret of one to three letters would riddle every word with masks: hide it where it stands alone.
        pattern = re.escape(secret) if len(secret) > 3 else rf"(?<!\w){re.escape(secret)}(?!\w)"
        shown = re.sub(pattern, _MASK, shown)
    return shown


_INVALID_URI = (
    "MONGODB_URI is not a valid connection string. Expected mongodb://... or mongodb+srv://...; percent-encode "
    "special characters in user and password (for example @ as %40, / as %2F)."
)
_NO_RIGHT = (
    "The database user may not do this: {text}. Give it the role readWrite (and, for set-up, dbAdmin) on the "
    "demo's database."
)


def explain_driver_error(error: PyMongoError) -> PbmError:
    """Turn a driver error into ours: what happened and what to do, without a secret.

    Args:
        error: what pymongo raised.

    Returns:
        A `ServerUnavailable` when the server cannot be reached or used, else a plain `PbmError`.
    """
    if isinstance(error, OperationFailure) and not isinstance(error, BulkWriteError):
        text = redact((error.details or {}).get("errmsg") or error).rstrip(". ")
        if error.code in (18, 8000):
            return ServerUnavailable(
                "The server refused the login. Check user and password in MONGODB_URI; special characters in "
                "them must be percent-encoded (for example @ as %40)."
            )
        if error.code == 13:
            return PbmError(_NO_RIGHT.format(text=text))
        return PbmError(f"The server answered with an error (code {error.code}): {text[:300]}.")
    text = redact(error)
    lowered = text.lower()
    if isinstance(error, InvalidURI):
        return ServerUnavailable(_INVALID_URI)
    if isinstance(error, ConfigurationError) and "dns" in lowered:
        return ServerUnavailable(
            "The cluster's name in MONGODB_URI does not resolve (DNS). Copy the connection string again from "
            "Atlas (Connect > Drivers) and check the network's DNS."
        )
    if "ssl" in lowered or "tls" in lowered or "certificate" in lowered:
        return ServerUnavailable(
            "The TLS handshake with the server failed. Behind a company proxy, pass its certificate with "
            f"tlsCAFile in MONGODB_URI; on Atlas, check that this address is on the IP access list. ({_short(text)})"
        )
    if isinstance(error, ServerSelectionTimeoutError) and (
        "name or service" in lowered or "nodename nor" in lowered or "getaddrinfo" in lowered
    ):
        return ServerUnavailable(
            "The host name in MONGODB_URI does not resolve (DNS). Check its spelling and the network's DNS."
        )
    if isinstance(error, ServerSelectionTimeoutError | NetworkTimeout | AutoReconnect):
        return ServerUnavailable(
            "The MongoDB server does not answer. Check that it runs, host and port in MONGODB_URI, and on Atlas "
            f"the IP access list and that the cluster is not paused. ({_short(text)})"
        )
    if isinstance(error, ConfigurationError):
        return ServerUnavailable(_INVALID_URI)
    return PbmError(f"The MongoDB driver reported {type(error).__name__}: {_short(text)}.")


def _short(text: str) -> str:
    return text.split(", Timeout:")[0].split(" (configured timeouts")[0][:200].rstrip(". ")


@contextmanager
def translated_driver_errors():
    """Within this block a pymongo error becomes a `PbmError` whose message is fit to be shown."""
    try:
        yield
    except PyMongoError as error:
        raise explain_driver_error(error) from None
    except BSONError as error:
        raise PbmError(f"A document on the server holds a value that cannot be read: {redact(error)[:150]}.") from None
