"""The order of a result, (serviceBeginDate, _id), and what lies beyond a place in it."""

from dataclasses import dataclass
from typing import Any

from ..claims.document import BEGIN, ID
from .any_type import beyond_in_other_types, compared


@dataclass(frozen=True)
class Boundary:
    """A place in the order and the side of it to read."""

    direction: str  # "next" for the claims after it, "prev" for those before it
    key: tuple[Any, Any]  # (serviceBeginDate, _id) of the claim at the boundary
    inclusive: bool = False  # whether that claim itself belongs to the page, if it is still there


def sort_order(boundary: Boundary | None) -> list[tuple[str, int]]:
    """Return the sort of a page: ascending, or descending from a boundary backwards."""
    step = -1 if boundary and boundary.direction == "prev" else 1
    return [(BEGIN, step), (ID, step)]


def beyond(boundary: Boundary, *, any_type: bool) -> list[dict[str, Any]]:
    """Return conditions, each with index bounds of its own, for what lies beyond a boundary; no claim meets two."""
    begin, _id = boundary.key
    operator = "$gt" if boundary.direction == "next" else "$lt"
    within_day = operator + "e" if boundary.inclusive else operator
    legs = [
        # $eq, since a bare value could be read as operators.
        {BEGIN: {"$eq": begin}, ID: compared(_id, within_day) if any_type else {within_day: _id}},
        {BEGIN: compared(begin, operator) if any_type else {operator: begin}},
    ]
    return legs + beyond_in_other_types(begin, _id, operator) if any_type else legs
