"""The server's guarantee that every claim satisfies the rule, which MongoDB 9.0 can give."""

from contextlib import suppress
from functools import partial

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from .rule import CONSTRAINT


def guarantee_rule(collection: Collection) -> None:
    """Raise the level of a rule that is in force to constraint, where the server can; else leave all as it is.

    Written from the documentation of MongoDB 9.0, which asks for the two steps. Before the second one the server reads
    every document, and it refuses if one lacks a field of a claim, or if its features are those of an older version
    (which it cannot go back to as long as a collection has this level).
    """
    if collection.options().get("validationLevel") == CONSTRAINT:
        return
    modify = partial(collection.database.command, "collMod", collection.name)
    with suppress(OperationFailure):
        modify(prepareConstraintValidationLevel=True)
        try:
            modify(validationLevel=CONSTRAINT)
        except BaseException:
            modify(prepareConstraintValidationLevel=False)
            raise
