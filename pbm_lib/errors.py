"""What can go wrong, in words: the exceptions, the sentences that several places say, and the redactor of secrets."""

import os
import re
from pathlib import Path
from urllib.parse import unquote, unquote_plus


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


class RunFileError(PbmError):
    """A run file is missing, damaged, of another schema, or would be overwritten."""


class NotebookError(PbmError):
    """A notebook stopped; the message names the notebook and repeats the error that its reader sees."""


_MASK = "***"
# An address, but not the "mongodb://..." of a sentence that explains what one looks like.
_URI = re.compile(r"mongodb(?:\+srv)?://(?!\.\.\.)[^\s'\"]*", re.IGNORECASE)
_SECRET_OPTIONS = ("tlscertificatekeyfilepassword", "authmechanismproperties")
_secrets: set[str] = set()
_users: set[str] = set()


def remember_secret(uri: str) -> None:
    """Make `redact` hide a URI, well formed or not, its user, password and secret options, as written and decoded."""
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
    """Return `text` with every known secret and user, and every `mongodb://` address, replaced by `***`."""
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


def text_of(file: Path, called: str, hint: str, error: type[PbmError] = ConfigError, *, encoding: str = "utf-8") -> str:
    """Return the text of a file, or raise an error that says what the file is called, what is wrong, and the hint."""
    try:
        return file.read_text(encoding=encoding)
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "it is not UTF-8 text"
        raise error(f"Cannot read {called}: {reason}. {hint}".rstrip()) from None
