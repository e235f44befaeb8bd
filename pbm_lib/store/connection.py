"""The connection string: where it comes from, whether it can be one, and the client that it opens."""

import io
import os
import re
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pymongo import MongoClient
from pymongo.errors import InvalidURI, PyMongoError
from pymongo.uri_parser import split_options

from ..config import Config
from ..errors import ConfigError, ServerUnavailable, redact, remember_secret, text_of
from .driver_errors import explain_driver_error
from .local_server import start_local_server
from .local_state import ConnectionString

_VARIABLE = "MONGODB_URI"
_DEFAULT_TIMEOUTS = {"connectTimeoutMS": 5_000, "serverSelectionTimeoutMS": 20_000}
_PINGS = 9
_ENV_LINE = "It is a text file (UTF-8) with the line MONGODB_URI=..., or none at all."
_SCHEME = re.compile(r"mongodb(\+srv)?://")
_PLACEHOLDER = re.compile(r"<(db_)?(user(name)?|password|cluster[\w-]*|host(name)?)>", re.IGNORECASE)


def server_uri(config: Config) -> ConnectionString:
    """Return MONGODB_URI from the environment or else from `.env`; where it is empty, start the local server."""
    uri = given_uri(config)
    if not uri:
        return start_local_server(config).uri
    remember_secret(uri)
    return ConnectionString(uri)


def given_uri(config: Config) -> str:
    """Return MONGODB_URI from the environment or else from `.env`; "" asks for the local server."""
    uri = os.environ.get(_VARIABLE)
    if uri is None:  # an empty one wins as well: it asks for the local server
        uri = _from_file(config.path.parent / ".env")
    return uri.strip()


def open_client(uri: str, **options: Any) -> MongoClient:
    """Open a client with the demo's timeouts, unless the URI sets its own. It connects when it is first used."""
    defaults = {name: ms for name, ms in _DEFAULT_TIMEOUTS.items() if f"{name.lower()}=" not in uri.lower()}
    try:
        with warnings.catch_warnings():
            # What matters is refused. What else the driver warns of has no consequence: a compressor not installed.
            warnings.simplefilter("ignore")
            _refuse_malformed(uri)
            return MongoClient(str(uri), appname="pbm_lib", **{**defaults, **options})
    except PyMongoError as error:
        raise explain_driver_error(error) from None
    except OSError as error:
        raise ServerUnavailable(
            f"A certificate file named in MONGODB_URI cannot be used ({redact(error)}). Correct its path, or leave the "
            "option out."
        ) from None
    except (ValueError, TypeError, KeyError):  # their texts may hold a part of the string
        raise explain_driver_error(InvalidURI()) from None


def ping_ms(client: MongoClient) -> float:
    """Return the median round trip of a ping in ms."""
    times = []
    for _ in range(_PINGS):
        started = time.perf_counter()
        client.admin.command("ping")
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def _from_file(file: Path) -> str:
    """MONGODB_URI of a .env file; "" where there is none."""
    if not file.exists():
        return ""
    # The byte-order mark of Windows' editor is no part of a name.
    text = text_of(file, str(file), _ENV_LINE, encoding="utf-8-sig")
    # As it stands, since a password may well hold ${...}.
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    if _VARIABLE not in values and any(_SCHEME.search(line) and f"{_VARIABLE}_TEST" not in line for line in lines):
        raise ConfigError(
            f"{file} holds a connection string, but not as MONGODB_URI, or its quotes do not match. {_ENV_LINE}"
        )
    return values.get(_VARIABLE) or ""


def _refuse_malformed(uri: str) -> None:
    """Refuse what the driver would misread, ignore, or take for a host, before it contacts anybody."""
    path, _, query = uri.partition("://")[2].partition("?")
    hosts, _, database = path.partition("/")
    # A / or ? of a password that is not percent-encoded ends the hosts too early: a part of it would be looked up.
    torn = "@" in database or ("@" in query and "@" not in hosts)
    if torn or not _SCHEME.match(uri) or _PLACEHOLDER.search(uri):
        raise InvalidURI
    if not query:
        return
    try:
        split_options(query, warn=False)  # by itself, MongoClient only warns of an option that it does not know
    except InvalidURI:
        raise
    except (PyMongoError, ValueError) as error:
        reason = redact(error).partition(" or maybe")[0].rstrip(".")
        raise ServerUnavailable(
            f"MONGODB_URI is not a valid connection string: {reason[:200]}. Correct or remove that."
        ) from None
