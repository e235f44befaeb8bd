"""A place in the order of a result, and the conditions for the claims beyond it."""

from dataclasses import dataclass
from typing import Any

from .any_type import beyond_in_other_types, compared


@dataclass(frozen=True)
class Boundary:
    """A place in the order and the side of it to read.

    Attributes:
        direction: "next" for the claims after it, "prev" for those before it.
        key: values of the order's fields for the claim at the boundary; empty for the result's beginning or end.
        inclusive: whether that claim itself belongs to the page, if it is still there.
    """

    direction: str
    key: tuple[Any, ...]
    inclusive: bool = False


BEGINNING, END_OF_ALL = Boundary("next", ()), Boundary("prev", ())
"""The boundaries of the whole result: the first for reading it forward, the second for reading it backward."""


def beyond(key: tuple[Any, ...], fields: tuple[str, ...], operator: str, *, any_type: bool) -> list[dict[str, Any]]:
    """Return conditions for the claims beyond a place, each with its own index bounds; no claim meets two of them.

    Args:
        key: the place.
        fields: the order's fields, one for each value of the key.
        operator: "$gt" or "$lt"; "$gte" or "$lte" to include the claim at the place itself.
        any_type: whether the fields may hold any BSON type.
    """
    legs: list[dict[str, Any]] = []
    for position in reversed(range(len(fields))):
        field, value = fields[position], key[position]
        # Use $eq, because a bare value could be read as operators.
        equal = {name: {"$eq": same} for name, same in zip(fields[:position], key[:position], strict=True)}
        # Only the leg in which all other fields are equal can match the claim at the place itself.
        step = operator if position == len(fields) - 1 else operator.removesuffix("e")
        legs.append({**equal, field: compared(value, step) if any_type else {step: value}})
        if any_type:
            legs += [{**equal, field: condition} for condition in beyond_in_other_types(field, value, step)]
    return legs
