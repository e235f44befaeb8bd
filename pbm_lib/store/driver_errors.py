"""What a driver error means, in words: what happened and what to do, without a secret."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType

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
    "The server rejected the login. Check the user, password and any authSource in MONGODB_URI; percent-encode special "
    "characters in the user and password (for example @ as %40)."
)
_CHARACTER = (
    "The user or password in MONGODB_URI has a character that is not allowed, such as a control character. Copy both "
    "again, or choose another password."
)
_NO_RIGHT = (
    "The database user lacks permission: {text}. Grant it the role readWrite (and dbAdmin for setup) on the demo's "
    "database."
)
_NO_NAME = "Copy the connection string again from Atlas (Connect > Drivers) and check your network's DNS."
_NO_ANSWER = (
    "The MongoDB server is not responding. Check that it is running, the host and port in MONGODB_URI, and, on Atlas, "
    "the IP access list and whether the cluster is paused. ({text})"
)
_NOT_A_COLLECTION = 166  # a view, or a time-series collection
ATLAS_CODE = 8000
"""Shared Atlas tiers (free, Flex) reject everything with this one code, and say why in words."""
_LOST_ANSWER = (
    "The MongoDB server is not responding. Check that it is still running and the network is up, and, on Atlas, the IP "
    "access list and whether the cluster is paused. ({text})"
)
# What a driver's text says, in lower case, and what it means; the first match counts.
_MEANINGS = (
    (r"reports wire version", "This MongoDB server is too old for the driver. ({text})"),
    (
        r"\bssl\b|\btls\b|certificate",
        "The TLS handshake with the server failed. Behind a company proxy, or with your own certificate, set tlsCAFile "
        "in MONGODB_URI to its CA file; on Atlas, check that your address is on the IP access list. ({text})",
    ),
    (
        r"name or service|nodename nor|getaddrinfo|name resolution|no address associated",
        "The host name in MONGODB_URI does not resolve (DNS). Check its spelling and your network's DNS.",
    ),
    (
        r"members available for replica set|set named",
        "The server is not a member of the replica set in MONGODB_URI. Correct or remove replicaSet. ({text})",
    ),
    (r"connection closed", _NO_ANSWER + " If the server requires TLS, add tls=true to MONGODB_URI."),
)


def explain_driver_error(error: PyMongoError, *, connected: bool = False) -> PbmError:
    """Say what happened and what to do: `ServerUnavailable` where the server cannot be used, else `PbmError`.

    Where a connection of this URI has worked before (`connected`), nothing in the URI needs fixing.
    """
    if isinstance(error, NotPrimaryError):
        return ServerUnavailable(
            "This replica set member is not, or is no longer, the primary. Connect to the whole set instead: "
            "replicaSet=... in MONGODB_URI, without directConnection."
        )
    if isinstance(error, OperationFailure) and not isinstance(error, BulkWriteError):
        return explain_refusal(error.code, str((error.details or {}).get("errmsg") or error))
    if isinstance(error, InvalidURI):
        return ServerUnavailable(_INVALID_URI)
    said = _short(str(error))
    text = redact(said)[:200].rstrip(". ")
    unreachable = isinstance(error, ServerSelectionTimeoutError | NetworkTimeout | AutoReconnect)
    if unreachable and connected:
        return ServerUnavailable(_LOST_ANSWER.format(text=re.sub(r"[^\s,]+:\d+: ", "", text)))
    if unreachable or isinstance(error, ConfigurationError):
        for pattern, meaning in _MEANINGS:
            if re.search(pattern, said.lower()):
                return ServerUnavailable(meaning.format(text=text))
    if unreachable:
        return ServerUnavailable(_NO_ANSWER.format(text=text))
    if isinstance(error, ConfigurationError):
        if type(error.__cause__).__module__.startswith("dns."):
            return ServerUnavailable(f"The cluster name in MONGODB_URI does not resolve (DNS). {_NO_NAME}")
        return ServerUnavailable(f"MONGODB_URI is not a valid connection string: {text}. Correct or remove it.")
    return PbmError(f"The MongoDB driver reported {type(error).__name__}: {text}.")


def driver_error_kind(error: PyMongoError) -> str:
    """Class and code of a driver's error, without its text: that may name hosts, and a run file travels."""
    code = f", code {error.code}" if isinstance(error, OperationFailure) and error.code else ""
    return f"{type(error).__name__}{code}"


def lacks_right(error: OperationFailure) -> bool:
    """Whether the server rejected a command because the user lacks the right."""
    return _lacks_right(error.code, str(error))


def explain_refusal(code: int | None, said: str) -> PbmError:
    """Say what it means that the server rejected a command or a write: its code and what it said."""
    # The server repeats the whole command that it rejects; its name is enough.
    text = redact(re.sub(r"execute command \{ (\w+):.*", r"run \1", said)).rstrip(". ")[:300]
    if _lacks_right(code, said):
        return PbmError(_NO_RIGHT.format(text=text))
    if code == 18 or (code == ATLAS_CODE and re.search(r"bad auth|authentication failed", said, re.IGNORECASE)):
        return ServerUnavailable(_LOGIN)
    if code == 334:
        return ServerUnavailable(f"The server does not accept this login method. Check authMechanism. ({text})")
    if code == _NOT_A_COLLECTION:
        return PbmError(f"{text}. Choose another mongodb.collection in the config.")
    if code == ATLAS_CODE and re.search(r"quota|already using", said):
        return PbmError(f"This Atlas tier reached a limit: {text}. Free some space, or use a larger tier.")
    if code == ATLAS_CODE and re.search(r"atlas tier|CMD_NOT_ALLOWED|not allowed or the syntax", said):
        return PbmError(f"This Atlas tier lacks what the demo needs: {text}. Use a larger tier.")
    return PbmError(f"The server returned an error (code {code}): {text}.")


def _lacks_right(code: int | None, said: str) -> bool:
    return code == 13 or (code == ATLAS_CODE and re.search(r"not authorized|user is not allowed", said) is not None)


def _short(text: str) -> str:
    return text.split(", Timeout:")[0].split(" (configured timeouts")[0]


class _Translated:
    """A block in which a driver's error becomes another, with nothing of the driver's hanging on it.

    It is no `contextmanager`: a frame of that would hold the driver's error, whose text may repeat the login.
    """

    def __init__(self, translation: Callable[[BaseException | None], PbmError | None]):
        self._translation = translation

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, PbmError):
            error.__context__ = None
        told = self._translation(error)
        # A crash reporter, or a debugger, shows the variables of each frame that an error passed, and those of the
        # errors that it was made from. The driver's hold the password.
        del kind, error, trace
        if told:
            try:
                raise told
            finally:
                told.__context__ = None


def translated_driver_errors(
    unavailable: Callable[[], PbmError | None] = lambda: None, *, connected: bool = True
) -> AbstractContextManager[None]:
    """Return a block in which a pymongo error becomes a `PbmError` whose message is fit to be shown.

    Args:
        unavailable: called where the server cannot be used; what it returns, if anything, is raised instead.
        connected: the server has answered before, so its address and how it is reached are not in doubt.
    """

    def translation(error: BaseException | None) -> PbmError | None:
        told = _translation(error, connected=connected)
        return (isinstance(told or error, ServerUnavailable) and unavailable()) or told

    return _Translated(translation)


def needs_right(otherwise: str) -> AbstractContextManager[None]:
    """Return a block in which a command that the user may not run becomes a SetupError that says what to do."""

    def translation(error: BaseException | None) -> PbmError | None:
        return SetupError(otherwise) if isinstance(error, OperationFailure) and lacks_right(error) else None

    return _Translated(translation)


def _translation(error: BaseException | None, *, connected: bool) -> PbmError | None:
    if isinstance(error, PyMongoError):
        told = explain_driver_error(error, connected=connected)
        told.driver_error = driver_error_kind(error)
        return told
    if isinstance(error, ValueError) and str(error).startswith("SASLprep"):  # which the driver lets pass as it is
        return ServerUnavailable(_CHARACTER)
    if isinstance(error, BSONError):
        return PbmError(f"A document on the server has a value that cannot be read: {redact(error)[:150]}.")
    return None
