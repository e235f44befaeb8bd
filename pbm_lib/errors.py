"""The exceptions, the redactor of secrets, and shared error texts."""

import os
import re
from pathlib import Path
from urllib.parse import unquote, unquote_plus


class PbmError(Exception):
    """Base class of all pbm_lib errors; the message says what to do next.

    Attributes:
        driver_error: class and code of the driver error behind it; "" if there is none.
    """

    driver_error = ""

    def _render_traceback_(self) -> list[str]:
        # IPython calls this to render the exception: a user's mistake appears as one sentence, not as a stack trace.
        return [f"{type(self).__name__}: {self}"]


class ConfigError(PbmError):
    """A setting is invalid; the message names the key, its value, and what is accepted."""


class ServerUnavailable(PbmError):
    """The MongoDB server cannot be reached, rejects the login, or cannot be started."""


class SetupError(PbmError):
    """The collection, its validator, or its index is not what this program installs."""


class InvalidQuery(PbmError, ValueError):
    """An argument is invalid; the message names it, its value, and what is accepted."""


class InvalidCursor(InvalidQuery):
    """A cursor is damaged, belongs to a different query, or is not from this program."""


class LoadError(PbmError):
    """The load was rejected or stopped; the message says what is on the server and how to continue."""


class FeedError(PbmError):
    """Claims cannot be fed during a watch, for example because the database user is read-only."""


class RunFileError(PbmError):
    """A run file is missing, damaged, in an unknown schema, or would be overwritten."""


class NotebookError(PbmError):
    """A notebook stopped; the message names it and repeats the error shown in it."""


_MASK = "***"
# Masking one word reveals it to anyone who knows the sentence: if the password is "refused", then "Connection ***"
# gives it away. So our own sentences, which contain nothing from a secret, are never masked, and a text from elsewhere
# is left out as a whole if it contains a secret. Only an address, which nothing else looks like, is masked in place.
_LEFT_OUT = "details hidden because they may contain part of the connection string"
# Match up to the last @ in the line, because a password may contain anything. One slash is enough, because a path
# collapses two into one. Do not match "mongodb://..." in a sentence that explains what an address looks like.
_ADDRESS = re.compile(r"mongodb(?:\+srv)?:/(?!/?\.\.\.)/?(?:.*@)?[^\s'\"/][^\s'\"]*", re.IGNORECASE)
_SECRET_OPTIONS = ("tlscertificatekeyfilepassword", "authmechanismproperties")
_addresses: set[str] = set()
_secrets: set[str] = set()
_users: set[str] = set()


class ConnectionString(str):
    """A connection string whose repr is masked, so that a list of variables does not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ConnectionString(***)"

    def __getitem__(self, key) -> "ConnectionString":
        return ConnectionString(super().__getitem__(key))  # some debuggers slice a long string before they show it


def remember_secret(uri: str) -> None:
    """Make `redact` hide a URI, valid or not, and its user, password, and secret options, as written and decoded."""
    _, _, rest = uri.partition("://")
    options = [option.partition("=") for option in uri.partition("?")[2].split("&")]
    for name, _, value in options:
        if name.lower() in _SECRET_OPTIONS:
            _secrets.update(_forms(value))
    # Any @ may be the one that ends the login, because a password or an option may contain one.
    for at in re.finditer("@", rest):
        user, _, password = rest[: at.start()].partition(":")
        _addresses.update(_forms(uri))
        _users.update(_forms(user))
        _secrets.update(_forms(password))


def redact(text: object) -> str:
    """Return a driver or server text with each address as `***`; if it contains a secret, return a placeholder."""
    for name in ("MONGODB_URI", "MONGODB_URI_TEST"):
        remember_secret(os.environ.get(name, ""))
    shown = str(text)
    for address in sorted(_addresses, key=len, reverse=True):
        shown = shown.replace(address, _MASK)
    return _LEFT_OUT if _holds_a_secret(shown) else hide_addresses(shown)


def hide_addresses(text: object) -> str:
    """Return a text with every connection string in it masked as `***`, whether or not this program uses it."""
    return _ADDRESS.sub(_MASK, str(text))


def _holds_a_secret(text: str) -> bool:
    # A user name (such as demo) or a secret of one to three characters is part of many words, so it counts only as a
    # whole word.
    whole = {secret for secret in _secrets if len(secret) > 3}
    alone = [re.compile(rf"(?<!\w){re.escape(word)}(?!\w)") for word in (_secrets | _users) - whole]
    # The same text can be percent-encoded in more than one way.
    return any(
        any(secret in form for secret in whole) or any(word.search(form) for word in alone)
        for form in {text, unquote(text), unquote_plus(text)}
    )


def _forms(secret: str) -> set[str]:
    """The secret as written, percent-decoded, and each of these as Python quotes it in an error's text."""
    forms = {secret, unquote(secret), unquote_plus(secret)} - {""}
    return forms | {repr(form)[1:-1] for form in forms}


def text_of(file: Path, called: str, hint: str, error: type[PbmError] = ConfigError, *, encoding: str = "utf-8") -> str:
    """Return the text of a file, or raise an error that names the file, says what is wrong, and gives the hint."""
    try:
        return file.read_text(encoding=encoding)
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "not UTF-8 text"
    # Raised outside the `except` block, so that Python does not chain the original exception: it may contain the file's
    # text, and the file may be a .env file.
    raise error(f"Cannot read {hide_addresses(called)}: {reason}. {hint}".rstrip())
