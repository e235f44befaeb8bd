"""The connection string: where it comes from, whether it is well formed, and the client that it opens."""

import io
import os
import re
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

import pymongo
from dotenv import dotenv_values
from pymongo.errors import InvalidURI, PyMongoError
from pymongo.uri_parser import split_options

from ..config import Config
from ..errors import ConfigError, ConnectionString, PbmError, ServerUnavailable, redact, remember_secret, text_of
from ..working import working
from .driver_errors import explain_driver_error
from .local_server import start_local_server

_VARIABLE = "MONGODB_URI"
_DEFAULT_TIMEOUTS = {"connectTimeoutMS": 5_000, "serverSelectionTimeoutMS": 20_000}
_PINGS = 9
_ENV_LINE = "Make it UTF-8 text with the line MONGODB_URI=..., or delete it."
_SCHEME = re.compile(r"mongodb(\+srv)?://")
_PLACEHOLDER = re.compile(r"<(db_)?(user(name)?|password|cluster[\w-]*|host(name)?)>", re.IGNORECASE)


class MongoClient(pymongo.MongoClient):
    """A client whose repr, which each collection's repr includes, shows no secret from the URI's options."""

    def __repr__(self) -> str:
        return redact(super().__repr__())


# A crash reporter or debugger shows the variables of every frame that an exception passed through, and of the
# exceptions that led to it. So no variable here shows a connection string, and an error is raised after the `except`
# block, where Python does not attach the driver's exception to it: variables in the driver's frames hold the password.


def server_uri(config: Config) -> ConnectionString:
    """Return MONGODB_URI from the environment or `.env`; if it is empty, start the local server and return its URI."""
    uri = given_uri(config) or _uri_of_local_server(config)
    remember_secret(uri)
    return uri


def _uri_of_local_server(config: Config) -> ConnectionString:
    with working("Starting the local MongoDB server"):
        return start_local_server(config).uri


def given_uri(config: Config) -> ConnectionString:
    """Return MONGODB_URI from the environment, else from `.env`; "" means the local server."""
    if _VARIABLE in os.environ:  # even if it is empty: that means the local server
        return ConnectionString(os.environ[_VARIABLE].strip())
    return _from_file(config.path.parent / ".env")


def open_client(uri: ConnectionString, **options: Any) -> MongoClient:
    """Open a client with the demo's timeouts, unless the URI sets its own. It connects when it is first used."""
    defaults = {name: ms for name, ms in _DEFAULT_TIMEOUTS.items() if f"{name.lower()}=" not in uri.lower()}
    try:
        with warnings.catch_warnings():
            # Whatever matters is rejected by _why_malformed. The driver's other warnings have no consequences, for
            # example about a compressor that is not installed.
            warnings.simplefilter("ignore")
            refusal = _why_malformed(uri)
            if refusal is None:
                return MongoClient(str(uri), appname="pbm_lib", **{**defaults, **options})
    except PyMongoError as error:
        refusal = explain_driver_error(error)
    except OSError as error:
        refusal = ServerUnavailable(
            f"A certificate file named in MONGODB_URI cannot be used ({redact(error)}). Correct its path, or remove "
            "the option."
        )
    except (ValueError, TypeError, KeyError):  # their texts may contain part of the connection string
        refusal = explain_driver_error(InvalidURI())
    raise refusal


def ping_ms(client: MongoClient) -> float:
    """Return the median round-trip time of a ping in ms."""
    times = []
    for _ in range(_PINGS):
        started = time.perf_counter()
        client.admin.command("ping")
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def _from_file(file: Path) -> ConnectionString:
    """MONGODB_URI from a .env file; "" if the file does not exist or does not set it."""
    if not file.exists():
        return ConnectionString()
    # A Windows editor may write a byte-order mark, which is not part of the variable's name.
    uri = _value_in(text_of(file, str(file), _ENV_LINE, encoding="utf-8-sig"))
    if uri is None:
        raise ConfigError(
            f"{file} holds a connection string, but it is not set as MONGODB_URI, or its quotes do not match. {_ENV_LINE}"
        )
    return ConnectionString(uri.strip())


def _value_in(text: str) -> str | None:
    """MONGODB_URI from the text of a .env file; None if the text holds a connection string that would be overlooked."""
    # Don't interpolate: a password may contain ${...}.
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    if _VARIABLE not in values and any(_SCHEME.search(line) and f"{_VARIABLE}_TEST" not in line for line in lines):
        return None
    return values.get(_VARIABLE) or ""


def _why_malformed(uri: str) -> PbmError | None:
    """The error for a URI that the driver would misread, ignore, or take for a host; no server is contacted."""
    path, _, query = uri.partition("://")[2].partition("?")
    hosts, _, database = path.partition("/")
    # If a / or ? in the password is not percent-encoded, the hosts end too early, and the driver would look up part of
    # the password as a host.
    torn = "@" in database or ("@" in query and "@" not in hosts)
    if torn or not _SCHEME.match(uri) or _PLACEHOLDER.search(uri):
        return explain_driver_error(InvalidURI())
    if not query:
        return None
    try:
        split_options(query, warn=False)  # MongoClient itself only warns about an unknown option
    except InvalidURI as error:
        return explain_driver_error(error)
    except (PyMongoError, ValueError) as error:
        reason = redact(error).partition(" or maybe")[0].rstrip(".")
        return ServerUnavailable(f"MONGODB_URI is not a valid connection string: {reason[:200]}. Correct or remove it.")
    return None
