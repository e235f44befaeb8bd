"""The server's guarantee, available since MongoDB 9.0, that every claim satisfies the rule."""

from contextlib import suppress
from functools import partial

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from .rule import CONSTRAINT


def guarantee_rule(collection: Collection) -> None:
    """Raise the validation level of a rule in force to constraint if the server can; otherwise change nothing.

    Written from the documentation of MongoDB 9.0, which requires the two steps. Before the second step, the server
    reads every document. It rejects the step if a document lacks a field of a claim, or if the server's feature
    compatibility version is an older one (which cannot be set again as long as a collection has this level).
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
