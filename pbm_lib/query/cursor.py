"""Cursor tokens: where a page ends, tied to the query it came from, safe to hand to a client and accept back."""

import base64
import hashlib
from typing import Any

import bson

from ..errors import InvalidCursor, PbmError
from ..vocabulary import INDEXES, ORDERS
from .any_type import is_sortable
from .filters import ClaimQuery
from .keyset import Boundary

_VERSION = 2
_MAX_LENGTH = 4_000
_DIRECTIONS = ("next", "prev")
_FINGERPRINT = 16  # bytes
_ANY_DATE = bson.CodecOptions(datetime_conversion=bson.DatetimeConversion.DATETIME_AUTO)


class IndexChanged(InvalidCursor):
    """The cursor is from pages ordered by another index variant."""


def encode_cursor(boundary: Boundary, query: ClaimQuery) -> str:
    """Return the token of a boundary: URL-safe, not secret (dates and an _id), valid only for an equal query."""
    order, place = [query.variant.name, query.order], [boundary.direction, boundary.inclusive, list(boundary.key)]
    content = bson.encode({"": [_VERSION, *order, *place]})
    fingerprint = hashlib.sha256(content + bson.encode({"": query.identity})).digest()[:_FINGERPRINT]
    token = base64.urlsafe_b64encode(content + fingerprint).rstrip(b"=").decode()
    if len(token) > _MAX_LENGTH:
        raise PbmError(
            f"The claim at the edge of this page has an _id too long for a cursor ({len(token):,} characters, at most "
            f"{_MAX_LENGTH:,}). Use another page_size, or read all claims with iter_claims."
        )
    return token


def decode_cursor(token: str, query: ClaimQuery) -> Boundary:
    """Return the boundary of a token; raise InvalidCursor if it is not ours, damaged, or from another query."""
    if not 0 < len(token) <= _MAX_LENGTH:
        raise InvalidCursor("This cursor is empty or too long. Start again from the first page, without a cursor.")
    # A cursor is untrusted input, and the parsers raise a dozen unrelated exceptions. Each one means that the cursor is
    # damaged or not ours.
    try:
        content = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)[:-_FINGERPRINT]
        version, *rest = bson.decode(content, _ANY_DATE)[""]
    except Exception:
        raise _damaged() from None
    if version != _VERSION or type(version) is not int:
        raise InvalidCursor("This cursor is from another version of this program. Start again from the first page.")
    try:
        index, order, *place = rest
        _check_order(index, order, query)
        boundary = _boundary(*place, fields=query.variant.order)
        expected = encode_cursor(boundary, query)
    except InvalidCursor:
        raise
    except Exception:
        raise _damaged() from None
    # Compare the whole token, not just its fingerprint: base64 and BSON can each encode one value in several ways.
    if expected != token:
        raise InvalidCursor(
            "This cursor belongs to a different query or is damaged. Use it with the TIN and dates of its own page, or "
            "start again from the first page."
        )
    return boundary


def _check_order(index: Any, order: Any, query: ClaimQuery) -> None:
    """Raise InvalidCursor if the token is from pages in another order."""
    if index != query.variant.name and index in INDEXES:
        raise IndexChanged(
            f"This cursor is from the {index} index; the index is now {query.variant.name}, with another page order. "
            "Start again from the first page."
        )
    if order != query.order and order in ORDERS:
        raise InvalidCursor(
            f'This cursor is from pages with the {order} claims first. Pass order="{order}" with it, or start again '
            "from the first page."
        )


def _boundary(direction: Any, inclusive: Any, key: Any, *, fields: tuple[str, ...]) -> Boundary:
    if direction not in _DIRECTIONS or type(inclusive) is not bool or not all(map(is_sortable, key)):
        raise ValueError
    # A fingerprint is not a signature, so check that the key is something the server can be queried with.
    bson.encode(dict(zip(fields, key, strict=True)))
    return Boundary(direction, tuple(key), inclusive)


def _damaged() -> InvalidCursor:
    return InvalidCursor("This cursor is damaged or not from this program. Start again from the first page.")
