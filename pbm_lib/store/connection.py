"""The connection string: where it comes from, whether it can be one, and the client that it opens."""

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
    """A client whose repr, which is in that of each collection, shows no secret that an option repeats."""

    def __repr__(self) -> str:
        return redact(super().__repr__())


# A crash reporter, or a debugger, shows the variables of every frame that an error has passed, and those of the errors
# that it was made from. So a connection string is in no variable here that would show it, and an error is raised after
# the `except`, where Python does not hang on it the driver's own: the driver's variables hold the password.


def server_uri(config: Config) -> ConnectionString:
    """Return MONGODB_URI from the environment or else from `.env`; where it is empty, start the local server."""
    uri = given_uri(config) or _uri_of_local_server(config)
    remember_secret(uri)
    return uri


def _uri_of_local_server(config: Config) -> ConnectionString:
    with working("Starting the local MongoDB server"):
        return start_local_server(config).uri


def given_uri(config: Config) -> ConnectionString:
    """Return MONGODB_URI from the environment or else from `.env`; "" asks for the local server."""
    if _VARIABLE in os.environ:  # an empty one wins as well: it asks for the local server
        return ConnectionString(os.environ[_VARIABLE].strip())
    return _from_file(config.path.parent / ".env")


def open_client(uri: ConnectionString, **options: Any) -> MongoClient:
    """Open a client with the demo's timeouts, unless the URI sets its own. It connects when it is first used."""
    defaults = {name: ms for name, ms in _DEFAULT_TIMEOUTS.items() if f"{name.lower()}=" not in uri.lower()}
    try:
        with warnings.catch_warnings():
            # What matters is rejected. What else the driver warns of has no consequence: a compressor not installed.
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
    except (ValueError, TypeError, KeyError):  # their texts may hold a part of the string
        refusal = explain_driver_error(InvalidURI())
    raise refusal


def ping_ms(client: MongoClient) -> float:
    """Return the median round trip of a ping in ms."""
    times = []
    for _ in range(_PINGS):
        started = time.perf_counter()
        client.admin.command("ping")
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def _from_file(file: Path) -> ConnectionString:
    """MONGODB_URI of a .env file; "" where there is none."""
    if not file.exists():
        return ConnectionString()
    # The byte-order mark of Windows' editor is no part of a name.
    uri = _value_in(text_of(file, str(file), _ENV_LINE, encoding="utf-8-sig"))
    if uri is None:
        raise ConfigError(
            f"{file} holds a connection string, but not as MONGODB_URI or with unmatched quotes. {_ENV_LINE}"
        )
    return ConnectionString(uri.strip())


def _value_in(text: str) -> str | None:
    """MONGODB_URI of a .env file's text; None where the text holds a connection string that would be overlooked."""
    # As it stands, since a password may well hold ${...}.
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    if _VARIABLE not in values and any(_SCHEME.search(line) and f"{_VARIABLE}_TEST" not in line for line in lines):
        return None
    return values.get(_VARIABLE) or ""


def _why_malformed(uri: str) -> PbmError | None:
    """The error of a URI that the driver would misread, ignore, or take for a host; nothing is contacted."""
    path, _, query = uri.partition("://")[2].partition("?")
    hosts, _, database = path.partition("/")
    # A / or ? of a password that is not percent-encoded ends the hosts too early: a part of it would be looked up.
    torn = "@" in database or ("@" in query and "@" not in hosts)
    if torn or not _SCHEME.match(uri) or _PLACEHOLDER.search(uri):
        return explain_driver_error(InvalidURI())
    if not query:
        return None
    try:
        split_options(query, warn=False)  # by itself, MongoClient only warns of an option that it does not know
    except InvalidURI as error:
        return explain_driver_error(error)
    except (PyMongoError, ValueError) as error:
        reason = redact(error).partition(" or maybe")[0].rstrip(".")
        return ServerUnavailable(f"MONGODB_URI is not a valid connection string: {reason[:200]}. Correct or remove it.")
    return None
