"""Cursor tokens: where a page ends, tied to the query it came from, safe to hand to a client and take back."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

from bson import json_util

from .errors import InvalidCursor

__all__ = ["Boundary", "decode_cursor", "encode_cursor"]

_VERSION = 1
_MAX_LENGTH = 2_000
_DIRECTIONS = ("next", "prev")
_JSON = json_util.JSONOptions(json_mode=json_util.JSONMode.CANONICAL, tz_aware=False, tzinfo=None)


@dataclass(frozen=True)
class Boundary:
    """A place in the sort order and the side of it to read.

    Attributes:
        direction: "next" for the claims after it, "prev" for those before it.
        key: (serviceBeginDate, _id) of the claim at the boundary.
        inclusive: whether that claim itself belongs to the page, if it is still there.
    """

    direction: str
    key: tuple[Any, Any]
    inclusive: bool = False


def encode_cursor(boundary: Boundary, query: list[Any]) -> str:
    """Return the token of a boundary.

    Args:
        boundary: the place.
        query: what identifies the query; the token is valid for an equal one alone.

    Returns:
        URL-safe ASCII text without padding. It is opaque, not secret: it holds a date and an `_id`.
    """
    content = [_VERSION, boundary.direction, boundary.inclusive, list(boundary.key)]
    text = _dumps([*content, _fingerprint(content, query)])
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decode_cursor(token: Any, query: list[Any]) -> Boundary:
    """Return the boundary of a token.

    Args:
        token: what `encode_cursor` returned.
        query: the query that the page is wanted of.

    Returns:
        The boundary.

    Raises:
        InvalidCursor: the token is not one of ours, is damaged, or belongs to another query.
    """
    if not isinstance(token, str):
        raise InvalidCursor(
            f"cursor: {type(token).__name__} is not accepted; accepted: a page's next_cursor or prev_cursor."
        )
    if not 0 < len(token) <= _MAX_LENGTH:
        raise InvalidCursor(
            "cursor: the token is empty or too long. Start again from the first page, without a cursor."
        )
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
        content = json_util.loads(text, json_options=_JSON)
        version, direction, inclusive, key, fingerprint = content
        begin, _id = key
    except (binascii.Error, ValueError, TypeError, KeyError, RecursionError, OverflowError):
        raise _damaged() from None
    if version != _VERSION or type(version) is not int:
        raise InvalidCursor("cursor: the token is of another version of this program. Start again from the first page.")
    well_formed = isinstance(begin, dt.datetime) and isinstance(inclusive, bool) and isinstance(fingerprint, str)
    if direction not in _DIRECTIONS or not well_formed:
        raise _damaged()
    boundary = Boundary(direction, (begin, _id), inclusive)
    try:
        expected = encode_cursor(boundary, query)
    except (TypeError, ValueError, OverflowError):
        raise _damaged() from None
    # The whole token, not its fingerprint alone: base64 and JSON both have several spellings of one value.
    if expected != token:
        raise InvalidCursor(
            "cursor: the token belongs to another query, or is damaged. Use it with the TIN and dates of the page "
            "that it came from, or start again from the first page."
        )
    return boundary


def _fingerprint(content: list[Any], query: list[Any]) -> str:
    return hashlib.sha256(_dumps([content, query]).encode()).hexdigest()[:32]


def _dumps(value: Any) -> str:
    return json_util.dumps(value, json_options=_JSON, separators=(",", ":"))


def _damaged() -> InvalidCursor:
    return InvalidCursor("cursor: the token is damaged or not from this program. Start again from the first page.")
