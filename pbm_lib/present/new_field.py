"""Schema flexibility: a new, unplanned field is accepted, while an invalid claim is still rejected."""

import datetime as dt

from bson import ObjectId
from pymongo.collection import Collection
from pymongo.errors import WriteError

from ..arguments import checked
from ..claims.document import END, ID, sample_claim
from ..errors import SetupError
from ..mql import pretty_mql
from ..store.rule import REJECTED, reasons_for_rejection
from ..store.store import ClaimStore
from .notes import Note, note

_TRIAL_ID = ObjectId("000000000000000074727931")
_NEW_FIELD = "priorAuthorization"


@checked(SetupError)
def try_new_field(store: ClaimStore) -> Note:
    """Try to insert a claim whose end date is text, then insert one with a new field, read it back, and delete it.

    The claim always has the same reserved `_id`, so if the process is killed, the next call cleans up.

    Args:
        store: a store that `setup_collection` has set up; its user may write.

    Returns:
        A note that says what the server did.

    Raises:
        SetupError: the server accepted the invalid claim, because the collection has no rule.
        ServerUnavailable: the server cannot be reached.
        PbmError: the database user may not write.
    """
    claims, new = store.collection, {"number": "PA-204417", "approvedOn": dt.datetime(2024, 1, 5)}
    with store.errors_explained():
        claims.delete_one({ID: _TRIAL_ID})
        try:
            if not (rejected := _why_rejected(claims)):
                raise SetupError(
                    f"{claims.full_name} accepted a claim whose {END} is text: the collection has no rule. Run "
                    "setup_collection(store)."
                )
            claims.insert_one({**sample_claim(), ID: _TRIAL_ID, _NEW_FIELD: new})
            stored = claims.find_one({ID: _TRIAL_ID})
        finally:
            claims.delete_one({ID: _TRIAL_ID})
    return note(
        f"Rejected: a claim whose {END} is text ({rejected[0]}). Accepted, with no migration: a claim with a new "
        "field, read back below. It was then deleted.",
        pretty_mql({_NEW_FIELD: stored[_NEW_FIELD]}),
    )


def _why_rejected(claims: Collection) -> list[str]:
    """Try to insert a claim whose end date is text, and return why it was rejected; empty if it was accepted."""
    try:
        claims.insert_one({**sample_claim(), ID: _TRIAL_ID, END: "2024-01-10"})
    except WriteError as error:
        if error.code != REJECTED:
            raise
        return reasons_for_rejection(error.details["errInfo"]["details"])
    return []
