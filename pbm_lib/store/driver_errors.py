"""Driver errors in plain words: what happened and what to do, without any secret."""

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
    "The server rejected the login. Check the user, password, and any authSource in MONGODB_URI; percent-encode "
    "special characters in the user and password (for example @ as %40)."
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
"""The one error code that shared Atlas tiers (free, Flex) use for whatever they reject; only the text says why."""
_LOST_ANSWER = (
    "The MongoDB server is not responding. Check that it is still running and the network is up, and, on Atlas, the IP "
    "access list and whether the cluster is paused. ({text})"
)
# A pattern to find in the driver's error text, in lower case, and what it means. The first match counts.
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
    """Return an error that says what happened and what to do.

    It is a `ServerUnavailable` if the server cannot be used, else a `PbmError`. If this URI has worked before
    (`connected`), the message does not blame the URI when the server cannot be reached.
    """
    if isinstance(error, NotPrimaryError):
        return ServerUnavailable(
            "This replica set member is not, or is no longer, the primary. Connect to the whole set instead: "
            "replicaSet=... in MONGODB_URI, without directConnection."
        )
    if isinstance(error, OperationFailure) and not isinstance(error, BulkWriteError):
        return explain_rejection(error.code, str((error.details or {}).get("errmsg") or error))
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
    """Return a driver error's class and code, without its text: it may name hosts, and run files are shared."""
    code = f", code {error.code}" if isinstance(error, OperationFailure) and error.code else ""
    return f"{type(error).__name__}{code}"


def lacks_right(error: OperationFailure) -> bool:
    """Return whether the server rejected a command because the user lacks permission."""
    return _lacks_right(error.code, str(error))


def explain_rejection(code: int | None, said: str) -> PbmError:
    """Return an error that explains why the server rejected a command or a write, from its code and its text."""
    # The server repeats the whole command that it rejects. Keep only the command's name.
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
    """A context manager that replaces a driver's exception with another one that has no link to it.

    It does not use `contextmanager`, whose frames would hold the driver's exception: its text may repeat the login.
    """

    def __init__(self, translation: Callable[[BaseException | None], PbmError | None]):
        self._translation = translation

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, PbmError):
            error.__context__ = None
        told = self._translation(error)
        # A crash reporter or debugger shows the variables of every frame that an exception passed through, and of the
        # exceptions that led to it. The variables in the driver's frames hold the password.
        del kind, error, trace
        if told:
            try:
                raise told
            finally:
                told.__context__ = None


def translated_driver_errors(
    unavailable: Callable[[], PbmError | None] = lambda: None, *, connected: bool = True
) -> AbstractContextManager[None]:
    """Return a context manager that turns a pymongo error into a `PbmError` whose message is safe to show.

    Args:
        unavailable: called if the server cannot be used; if it returns an error, that one is raised instead.
        connected: whether the server has answered before, so that its address and access are not in doubt.
    """

    def translation(error: BaseException | None) -> PbmError | None:
        told = _translation(error, connected=connected)
        return (isinstance(told or error, ServerUnavailable) and unavailable()) or told

    return _Translated(translation)


def needs_right(otherwise: str) -> AbstractContextManager[None]:
    """Return a context manager that raises a SetupError with this text if the user may not run a command."""

    def translation(error: BaseException | None) -> PbmError | None:
        return SetupError(otherwise) if isinstance(error, OperationFailure) and lacks_right(error) else None

    return _Translated(translation)


def _translation(error: BaseException | None, *, connected: bool) -> PbmError | None:
    if isinstance(error, PyMongoError):
        told = explain_driver_error(error, connected=connected)
        told.driver_error = driver_error_kind(error)
        return told
    if isinstance(error, ValueError) and str(error).startswith("SASLprep"):  # which the driver does not wrap
        return ServerUnavailable(_CHARACTER)
    if isinstance(error, BSONError):
        return PbmError(f"A document on the server has a value that cannot be read: {redact(error)[:150]}.")
    return None
