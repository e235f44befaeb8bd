"""What a driver error means, in words: what happened and what to do, without a secret."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

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

from ..errors import PbmError, ServerUnavailable, SetupError, redact

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
_LOST_ANSWER = (
    "The MongoDB server does not answer. Check that it still runs and that the network is up, and on Atlas the IP "
    "access list and that the cluster is not paused. ({text})"
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


def explain_driver_error(error: PyMongoError, *, connected: bool = False) -> PbmError:
    """Say what happened and what to do: `ServerUnavailable` where the server cannot be used, else `PbmError`.

    Where a connection of this URI has worked before (`connected`), nothing in the URI needs mending.
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
    if unreachable and connected:
        return ServerUnavailable(_LOST_ANSWER.format(text=re.sub(r"[^\s,]+:\d+: ", "", text)))
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


def lacks_right(error: OperationFailure) -> bool:
    """Whether the server refused a command because the user may not run it."""
    # Shared Atlas tiers have one code for everything, 8000, and say it in words.
    return error.code == 13 or (error.code == 8000 and "not allowed" in str(error))


@contextmanager
def needs_right(otherwise: str) -> Iterator[None]:
    """Within this block a command that the user may not run becomes a SetupError that says what to do."""
    try:
        yield
    except OperationFailure as error:
        if not lacks_right(error):
            raise
        raise SetupError(otherwise) from None


def _explain_refusal(error: OperationFailure) -> PbmError:
    text = redact((error.details or {}).get("errmsg") or error).rstrip(". ")[:300]
    if lacks_right(error):
        # The server repeats the whole command; its name is enough.
        return PbmError(_NO_RIGHT.format(text=re.sub(r"execute command \{ (\w+):.*", r"run \1", text)))
    if error.code == 18 or (error.code == 8000 and "auth" in text):
        return ServerUnavailable(_LOGIN)
    if error.code == 334:
        return ServerUnavailable(f"The server does not accept this way to log in; see authMechanism. ({text})")
    if error.code == 166:
        return PbmError(f"{text}. Choose another mongodb.collection in the config.")
    return PbmError(f"The server answered with an error (code {error.code}): {text}.")


def _short(text: str) -> str:
    return text.split(", Timeout:")[0].split(" (configured timeouts")[0][:200].rstrip(". ")


@contextmanager
def translated_driver_errors(*, connected: bool = True) -> Iterator[None]:
    """Within this block a pymongo error becomes a `PbmError` whose message is fit to be shown."""
    try:
        yield
    except PyMongoError as error:
        raise explain_driver_error(error, connected=connected) from None
    except BSONError as error:
        raise PbmError(f"A document on the server holds a value that cannot be read: {redact(error)[:150]}.") from None
