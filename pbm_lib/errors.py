"""What can go wrong: the exceptions, shared error texts, and the redactor of secrets."""

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
        # IPython asks an exception for its own rendering: a user's mistake shows as one sentence, not a stack.
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
# A mask in the place of a word tells the word to whoever knows the sentence: if the password is "refused", then
# "Connection ***" gives it away. So our own sentences are never masked, since what is in them comes from no secret, and
# a text from elsewhere is left out as a whole where it holds one. Only an address, which nothing else looks like, is
# masked within its text.
_LEFT_OUT = "details hidden because they may contain part of the connection string"
# Up to the last @ of its line, since a password may hold anything; a path has one slash for two. Not the "mongodb://..."
# of a sentence that explains what one looks like.
_ADDRESS = re.compile(r"mongodb(?:\+srv)?:/(?!/?\.\.\.)/?(?:.*@)?[^\s'\"/][^\s'\"]*", re.IGNORECASE)
_SECRET_OPTIONS = ("tlscertificatekeyfilepassword", "authmechanismproperties")
_addresses: set[str] = set()
_secrets: set[str] = set()
_users: set[str] = set()


class ConnectionString(str):
    """A connection string that does not show itself where variables are listed: its repr is masked."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ConnectionString(***)"

    def __getitem__(self, key) -> "ConnectionString":
        return ConnectionString(super().__getitem__(key))  # some debuggers cut a long text before they show it


def remember_secret(uri: str) -> None:
    """Make `redact` hide a URI, well formed or not, its user, password and secret options, as written and decoded."""
    _, _, rest = uri.partition("://")
    options = [option.partition("=") for option in uri.partition("?")[2].split("&")]
    for name, _, value in options:
        if name.lower() in _SECRET_OPTIONS:
            _secrets.update(_forms(value))
    # Any @ may be the one that ends the login: a password may hold one, and so may an option.
    for at in re.finditer("@", rest):
        user, _, password = rest[: at.start()].partition(":")
        _addresses.update(_forms(uri))
        _users.update(_forms(user))
        _secrets.update(_forms(password))


def redact(text: object) -> str:
    """Return a driver or server text with each address as `***`; if it holds a secret, return a stand-in text."""
    for name in ("MONGODB_URI", "MONGODB_URI_TEST"):
        remember_secret(os.environ.get(name, ""))
    shown = str(text)
    for address in sorted(_addresses, key=len, reverse=True):
        shown = shown.replace(address, _MASK)
    return _LEFT_OUT if _holds_a_secret(shown) else hide_addresses(shown)


def hide_addresses(text: object) -> str:
    """Return a text with each connection string in it as `***`, whoever's it is."""
    return _ADDRESS.sub(_MASK, str(text))


def _holds_a_secret(text: str) -> bool:
    # A user's name (demo), or a secret of one to three letters, is a part of many words: those count where they stand
    # alone.
    whole = {secret for secret in _secrets if len(secret) > 3}
    alone = [re.compile(rf"(?<!\w){re.escape(word)}(?!\w)") for word in (_secrets | _users) - whole]
    # What is percent-encoded can be so in more than one way.
    return any(
        any(secret in form for secret in whole) or any(word.search(form) for word in alone)
        for form in {text, unquote(text), unquote_plus(text)}
    )


def _forms(secret: str) -> set[str]:
    """As written, percent-decoded, and each of them as Python quotes it in an error's text."""
    forms = {secret, unquote(secret), unquote_plus(secret)} - {""}
    return forms | {repr(form)[1:-1] for form in forms}


def text_of(file: Path, called: str, hint: str, error: type[PbmError] = ConfigError, *, encoding: str = "utf-8") -> str:
    """Return the text of a file, or raise an error that says what the file is called, what is wrong, and the hint."""
    try:
        return file.read_text(encoding=encoding)
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "not UTF-8 text"
    # Out here Python does not hang the problem on the error: it holds the file's text, which may be a .env file's.
    raise error(f"Cannot read {hide_addresses(called)}: {reason}. {hint}".rstrip())
