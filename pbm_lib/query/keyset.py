"""A place in the order of a result, and what lies beyond it."""

from dataclasses import dataclass
from typing import Any

from .any_type import beyond_in_other_types, compared


@dataclass(frozen=True)
class Boundary:
    """A place in the order and the side of it to read.

    Attributes:
        direction: "next" for the claims behind it, "prev" for those before it.
        key: values of the order's fields for the claim at the boundary; empty for the beginning or the end of all.
        inclusive: whether that claim itself belongs to the page, if it is still there.
    """

    direction: str
    key: tuple[Any, ...]
    inclusive: bool = False


BEGINNING, END_OF_ALL = Boundary("next", ()), Boundary("prev", ())
"""What lies behind the first and before the last is the whole result, read forwards and backwards."""


def beyond(key: tuple[Any, ...], fields: tuple[str, ...], operator: str, *, any_type: bool) -> list[dict[str, Any]]:
    """Return conditions, each with index bounds of its own, for what lies beyond a place; no claim meets two.

    Args:
        key: the place.
        fields: the order's fields, as many.
        operator: "$gt" or "$lt", with an e at its end if the claim at the place itself is meant as well.
        any_type: whether fields may be of any BSON type.
    """
    legs: list[dict[str, Any]] = []
    for position in reversed(range(len(fields))):
        field, value = fields[position], key[position]
        # $eq, since a bare value could be read as operators.
        equal = {name: {"$eq": same} for name, same in zip(fields[:position], key[:position], strict=True)}
        # Only where all other fields are equal can a claim be the one at the place.
        step = operator if position == len(fields) - 1 else operator.removesuffix("e")
        legs.append({**equal, field: compared(value, step) if any_type else {step: value}})
        if any_type:
            legs += [{**equal, field: condition} for condition in beyond_in_other_types(field, value, step)]
    return legs
