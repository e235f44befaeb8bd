"""The kind of the collection: only a regular collection accepts the rule and keeps every claim."""

from pymongo.collection import Collection

from ..errors import PbmError, SetupError
from .collection import describe

_OTHER_KINDS = {
    "view": "a view, which holds no claims of its own",
    "timeseries": "a time-series collection, which cannot have a validator",
    "capped": "a capped collection, which deletes old claims to make room for new ones",
}


def reject_other_kinds(collection: Collection, error: type[PbmError] = SetupError) -> None:
    """Raise `error` if the collection is a view, a time-series collection, or a capped collection."""
    there = describe(collection)
    kind = "capped" if there.options.get("capped") else there.kind
    if kind in _OTHER_KINDS:
        raise error(
            f"{collection.full_name} must be a regular collection, not {_OTHER_KINDS[kind]}. Choose another "
            "mongodb.collection, or drop this one yourself and run setup_collection(store) again."
        )
