"""A claim, a rule, a topology and a rejected call, as a reader of the notebooks sees them."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

from ..errors import PbmError
from ..mql import to_mql
from ..store.driver_errors import translated_driver_errors
from ..store.index import PROVIDER_INDEX
from ..store.store import ClaimStore


class ClaimText:
    """A claim as mongosh prints it, in a notebook and in a shell.

    Args:
        claim: the document.
    """

    def __init__(self, claim: dict[str, Any]):
        self._text = _indented(claim)

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        style = "line-height:1.35;font-family:var(--jp-code-font-family,monospace)"
        return f"<pre style='{style}'>{html.escape(self._text)}</pre>"


def show_claim(claim: dict[str, Any]) -> ClaimText:
    """Return a claim in a form that reads well as a cell's output.

    Args:
        claim: a claim document.
    """
    return ClaimText(claim)


class Note:
    """A short text about the server, as a paragraph in a notebook and as text in a shell.

    Args:
        text: the sentences.
        command: what one would type in mongosh, or None.
    """

    def __init__(self, text: str, command: str | None = None):
        self._text, self._command = text, command

    def __repr__(self) -> str:
        return self._text if self._command is None else f"{self._text}\n\n    {self._command}"

    def _repr_html_(self) -> str:
        command = "" if self._command is None else f"<pre>{html.escape(self._command)}</pre>"
        return f"<p>{html.escape(self._text)}</p>{command}"


def topology_note(store: ClaimStore) -> Note:
    """Say what the server's topology means for the claims, with the sharding command on a sharded cluster.

    Args:
        store: an open store.

    Returns:
        The note.
    """
    if store.server.topology == "sharded cluster":
        return Note(
            "A sharded cluster. With the compound index as shard key, equality on the TIN sends a query to the shards "
            "that hold this provider alone, and the later fields let a large provider split over several of them.",
            f'sh.shardCollection("{store.collection.full_name}", {to_mql(PROVIDER_INDEX)})',
        )
    if store.server.topology == "replica set":
        return Note(
            "A replica set. When its primary steps down, a page is asked for again by itself, and the load goes on "
            "once a new primary is elected."
        )
    return Note(
        "One server by itself: right for a demo on this machine. In production it would be a replica set, as every "
        "Atlas cluster is."
    )


def rule_note(store: ClaimStore) -> Note:
    """Show what the server demands of the dates of every claim, read from the collection's validator.

    Args:
        store: a store that is set up.

    Returns:
        The note.
    """
    with translated_driver_errors():
        validator = store.collection.options().get("validator", {})
    if "$expr" not in validator:
        return Note("The collection has no rule for the dates of a claim. Run setup_collection(store).")
    rule = to_mql(validator["$expr"])
    return Note(f"The server refuses a claim unless (a day has {24 * 60 * 60 * 1000:,} ms):", rule)


def refusal(call: Callable[..., Any], *arguments: Any, **options: Any) -> Note:
    """Make a call that is refused and return its error as a sentence, to show what a user would read.

    Args:
        call: a function of this package.
        arguments: its arguments.
        options: its keyword arguments.

    Returns:
        The error's name and message.

    Raises:
        AssertionError: the call was not refused.
    """
    try:
        call(*arguments, **options)
    except PbmError as error:
        return Note(f"{type(error).__name__}: {error}")
    raise AssertionError(f"{call.__name__} was not refused")


def _indented(value: Any, margin: str = "") -> str:
    """A document over several lines, where it does not fit on one."""
    line = to_mql(value)
    if not isinstance(value, dict) or len(margin) + len(line) <= 88:
        return line
    inner = margin + "  "
    fields = (f"{inner}{key}: {_indented(part, inner)}" for key, part in value.items())
    return "{\n" + ",\n".join(fields) + f"\n{margin}}}"
