"""What bears the collection's name: only an ordinary collection takes the rule and keeps every claim."""

from typing import Any

from pymongo.collection import Collection

from ..errors import PbmError, SetupError

_OTHER_KINDS = {
    "view": "a view, which holds no claims of its own",
    "timeseries": "a time-series collection, which takes no validator",
    "capped": "a capped collection, in which the server makes room for new claims by deleting others",
}


def listed(collection: Collection) -> dict[str, Any] | None:
    """Return the server's entry of a collection: its type, options and UUID; None if there is none of that name."""
    database = collection.database.with_options(
        codec_options=collection.codec_options
    )  # whatever the URI says of UUIDs
    return next(iter(database.list_collections(filter={"name": collection.name})), None)


def refuse_other_kinds(collection: Collection, error: type[PbmError] = SetupError) -> None:
    """Raise `error` if what is there is a view, a time-series collection or a capped one."""
    there = listed(collection) or {}
    kind = "capped" if there.get("options", {}).get("capped") else there.get("type")
    if kind in _OTHER_KINDS:
        raise error(
            f"{collection.full_name} is {_OTHER_KINDS[kind]}; it was left alone. Choose another mongodb.collection in "
            "the config, or drop it yourself and set up again."
        )
