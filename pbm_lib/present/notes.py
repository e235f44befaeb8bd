"""Notes for readers of the notebooks: a claim, the rule, the server's topology, and a rejected call."""

from collections.abc import Callable
from dataclasses import dataclass
from textwrap import indent
from typing import Any

from ..arguments import checked
from ..claims.document import DAY_MS
from ..display import code_html, prose_html
from ..errors import PbmError
from ..mql import call_mql, pretty_mql
from ..store.rule import is_ours
from ..store.store import ClaimStore


@dataclass(frozen=True, repr=False)
class Note:
    """A short text about claims or their server.

    Attributes:
        text: the note as a shell shows it.
        html: the note as a notebook shows it.
    """

    text: str
    html: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html


def note(text: str, command: str | None = None) -> Note:
    """Return a note of one or more sentences, with mongosh code below them if `command` is given."""
    paragraph = f"<p>{prose_html(text)}</p>"
    if command is None:
        return Note(text, paragraph)
    return Note(f"{text}\n\n{indent(command, '    ')}", f"{paragraph}{code_html(command)}")


@checked(PbmError)
def show_claim(claim: dict[str, Any]) -> Note:
    """Return a claim in a form that reads well as a cell's output.

    Args:
        claim: a claim document.
    """
    text = pretty_mql(claim)
    return Note(text, code_html(text))


@checked(PbmError)
def topology_note(store: ClaimStore) -> Note:
    """Explain what the server's topology means for the claims; on a sharded cluster, include the sharding command.

    Args:
        store: an open store.

    Returns:
        The note.
    """
    if store.server.topology == "sharded cluster":
        return note(
            "Sharded cluster. With the compound index as the shard key, a query for one TIN goes only to the shards "
            "that hold this provider. The later fields let a large provider split across several shards.",
            call_mql("sh.shardCollection", store.collection.full_name, store.variant.keys),
        )
    if store.server.topology == "replica set":
        return note(
            "Replica set. If the primary steps down, reads are retried automatically. A load resumes once a new "
            "primary is elected."
        )
    return note("Standalone server, fine for a local demo. Atlas clusters are always replica sets.")


@checked(PbmError)
def rule_note(store: ClaimStore) -> Note:
    """Show what the server requires of every claim's fields and dates, as read from the collection's validator.

    Args:
        store: a store that `setup_collection` has set up.

    Returns:
        The note.
    """
    with store.errors_explained():
        validator = store.collection.options().get("validator", {})
    if "$expr" not in validator or not is_ours(validator):
        return note("The collection does not have this program's rule. Run setup_collection(store).")
    return note(
        "A claim is accepted only if it has these fields with these types ($jsonSchema) and its dates are within the "
        f"bound ($expr; one day is {DAY_MS:,} ms). Additional fields are welcome.",
        f"{pretty_mql(_types(validator['$jsonSchema']))}\n\n{pretty_mql(validator['$expr'])}",
    )


@checked(PbmError)
def refusal(call: Callable[..., Any], *arguments: Any, **options: Any) -> Note:
    """Make a call that is expected to be rejected, and return its error as a note, to show what a user reads.

    Args:
        call: a function of this package.
        arguments: its arguments.
        options: its keyword arguments.

    Returns:
        The error's name and message.

    Raises:
        AssertionError: the call was not rejected.
    """
    try:
        call(*arguments, **options)
    except PbmError as error:
        return note(f"{type(error).__name__}: {error}")
    raise AssertionError(f"{call.__name__} was not rejected")


def _types(schema: dict[str, Any]) -> Any:
    """Return the required fields of a $jsonSchema as a document with types in place of values."""
    if "properties" not in schema:
        return schema["bsonType"]
    return {name: _types(schema["properties"][name]) for name in schema["required"]}
