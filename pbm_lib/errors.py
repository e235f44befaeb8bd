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
    NotPrimaryError,
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
    "explain_driver_error",
    "lacks_right",
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
# An address, but not the "mongodb://..." of a sentence that explains what one looks like.
_URI = re.compile(r"mongodb(?:\+srv)?://(?!\.\.\.)[^\s'\"]*", re.IGNORECASE)
_SECRET_OPTIONS = ("tlscertificatekeyfilepassword", "authmechanismproperties")
_secrets: set[str] = set()
_users: set[str] = set()


def remember_secret(uri: str) -> None:
    """Make `redact` hide this URI, its user, its password and secret options, as written and percent-decoded.

    Args:
        uri: a MongoDB connection string; it need not be well formed.
    """
    _, _, rest = uri.partition("://")
    login, at, _ = rest.rpartition("@")
    user, _, password = login.partition(":")
    options = [option.partition("=") for option in uri.partition("?")[2].split("&")]
    parts = {value for name, _, value in options if name.lower() in _SECRET_OPTIONS}
    if at:
        parts |= {uri, login, password}
        _users.update(_forms(user))
    for part in parts:
        _secrets.update(_forms(part))


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
    # A user's name (demo), or a secret of one to three letters, would riddle every word with masks: those are hidden
    # where they stand alone.
    whole = {secret for secret in _secrets if len(secret) > 3}
    for secret in sorted(whole, key=len, reverse=True):
        shown = shown.replace(secret, _MASK)
    for word in sorted((_secrets | _users) - whole, key=len, reverse=True):
        shown = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", _MASK, shown)
    return shown


def _forms(secret: str) -> set[str]:
    """As written, percent-decoded, and each of them as Python quotes it in an error's text."""
    forms = {secret, unquote(secret), unquote_plus(secret)} - {""}
    return forms | {repr(form)[1:-1] for form in forms}


def check_kind(name: str, value: object, kind: type, accepted: str, error: type[PbmError] = InvalidQuery) -> None:
    """Refuse an argument of another class than the one meant, which would else end in an AttributeError.

    Args:
        name: the argument's name.
        value: what was passed.
        kind: the class meant.
        accepted: what to pass, in words.
        error: class of the error.

    Raises:
        PbmError: `value` is no `kind`; of the class `error`.
    """
    if not isinstance(value, kind):
        raise error(f"{name}: {type(value).__name__} is not accepted; accepted: {accepted}.")


def lacks_right(error: OperationFailure) -> bool:
    """Whether the server refused a command because the user may not run it.

    Args:
        error: what pymongo raised.
    """
    # Shared Atlas tiers have one code for everything, 8000, and say it in words.
    return error.code == 13 or (error.code == 8000 and "not allowed" in str(error))


_INVALID_URI = (
    "MONGODB_URI is not a valid connection string. Expected mongodb://... or mongodb+srv://..., without quotes or "
    "<placeholders>; percent-encode special characters in user and password (for example @ as %40, / as %2F)."
)
_LOGIN = (
    "The server refused the login. Check user and password in MONGODB_URI, and authSource if it is there; special "
    "characters in user and password must be percent-encoded (for example @ as %40)."
)
_NO_RIGHT = (
    "The database user may not do this: {text}. Give it the role readWrite (and, for set-up, dbAdmin) on the "
    "demo's database."
)
_NO_NAME = "Copy the connection string again from Atlas (Connect > Drivers) and check the network's DNS."
_NO_ANSWER = (
    "The MongoDB server does not answer. Check that it runs, host and port in MONGODB_URI, and on Atlas the IP access "
    "list and that the cluster is not paused. ({text})"
)
# What a driver's text says, in lower case, and what it means; the first that is found counts.
_MEANINGS = (
    (r"reports wire version", "This MongoDB server is too old for the driver. ({text})"),
    (
        r"\bssl\b|\btls\b|certificate",
        "The TLS handshake with the server failed. Behind a company proxy, or with a certificate of your own, pass its "
        "authority with tlsCAFile in MONGODB_URI; on Atlas, check that this address is on the IP access list. ({text})",
    ),
    (
        r"name or service|nodename nor|getaddrinfo|name resolution|no address associated",
        "The host name in MONGODB_URI does not resolve (DNS). Check its spelling and the network's DNS.",
    ),
    (
        r"members available for replica set|set named",
        "The server is no member of the replica set that MONGODB_URI names. Correct or remove replicaSet. ({text})",
    ),
    (r"connection closed", _NO_ANSWER + " If the server asks for TLS, add tls=true to MONGODB_URI."),
)


def explain_driver_error(error: PyMongoError) -> PbmError:
    """Turn a driver error into ours: what happened and what to do, without a secret.

    Args:
        error: what pymongo raised.

    Returns:
        A `ServerUnavailable` when the server cannot be reached or used, else a plain `PbmError`.
    """
    if isinstance(error, NotPrimaryError):
        return ServerUnavailable(
            "This member of the replica set is not, or no longer, its primary. Try again on a connection to the whole "
            "set: replicaSet=... in MONGODB_URI, without directConnection."
        )
    if isinstance(error, OperationFailure) and not isinstance(error, BulkWriteError):
        return _explain_refusal(error)
    if isinstance(error, InvalidURI):
        return ServerUnavailable(_INVALID_URI)
    text = _short(redact(error))
    unreachable = isinstance(error, ServerSelectionTimeoutError | NetworkTimeout | AutoReconnect)
    if unreachable or isinstance(error, ConfigurationError):
        for pattern, meaning in _MEANINGS:
            if re.search(pattern, text.lower()):
                return ServerUnavailable(meaning.format(text=text))
    if unreachable:
        return ServerUnavailable(_NO_ANSWER.format(text=text))
    if isinstance(error, ConfigurationError):
        if type(error.__cause__).__module__.startswith("dns."):
            return ServerUnavailable(f"The cluster's name in MONGODB_URI does not resolve (DNS). {_NO_NAME}")
        return ServerUnavailable(f"MONGODB_URI is not a valid connection string: {text}. Correct or remove that.")
    return PbmError(f"The MongoDB driver reported {type(error).__name__}: {text}.")


def _explain_refusal(error: OperationFailure) -> PbmError:
    text = redact((error.details or {}).get("errmsg") or error).rstrip(". ")[:300]
    if lacks_right(error):
        # The server repeats the whole command; its name is enough.
        return PbmError(_NO_RIGHT.format(text=re.sub(r"execute command \{ (\w+):.*", r"run \1", text)))
    if error.code == 18 or (error.code == 8000 and "auth" in text):
        return ServerUnavailable(_LOGIN)
    if error.code == 334:
        return ServerUnavailable(f"The server does not accept this way to log in; see authMechanism. ({text})")
    return PbmError(f"The server answered with an error (code {error.code}): {text}.")


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
