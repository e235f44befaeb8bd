"""The one way to the collection, for whoever reads or writes claims, and what the server says of it."""

from dataclasses import dataclass
from typing import Any

from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion
from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.collection import Collection
from pymongo.read_concern import ReadConcern

from ..config import Config


def claims_collection(client: MongoClient, config: Config) -> Collection:
    """Return the claims; whatever is reached through their database is read and decoded the same way."""
    # One way to decode, whatever the URI asks: claims, cursors and tests then compare alike everywhere. A date that no
    # datetime holds (a customer's "never", in the year 10000) and a UUID stay what BSON has, so that a cursor can too.
    decoded = client.codec_options.with_options(
        tz_aware=False,
        tzinfo=None,
        datetime_conversion=DatetimeConversion.DATETIME_AUTO,
        uuid_representation=UuidRepresentation.UNSPECIFIED,
    )
    # And one way to read. A secondary, and what a majority has acknowledged, lag behind; "available" reads orphaned
    # documents of a sharded cluster as well. How writes are acknowledged is the URI's to say.
    database = client.get_database(
        config.mongodb.database,
        codec_options=decoded,
        read_preference=ReadPreference.PRIMARY,
        read_concern=ReadConcern("local"),
    )
    return database[config.mongodb.collection]


def state_collection(claims: Collection) -> Collection:
    """Return the collection beside the claims that holds what they were loaded with and proven to satisfy."""
    # Majority: where the mark survives a change of primary, so do the claims that were written before it.
    return claims.database.get_collection(f"{claims.name}_load", write_concern=WriteConcern(w="majority"))


@dataclass(frozen=True)
class Described:
    """What the server says of a collection.

    Attributes:
        identity: its own id of it; a collection that was dropped and made again under its name has another. None if
            there is no such collection.
        kind: "collection", "timeseries" or "view"; None if there is none.
        options: as it was created and modified, its validator among them.
    """

    identity: str | None
    kind: str | None
    options: dict[str, Any]


def describe(collection: Collection) -> Described:
    """Ask the server, in one command, which collection has this name and with which options."""
    for found in collection.database.list_collections(filter={"name": collection.name}):
        identity = found["info"].get("uuid")  # a view has none
        return Described(identity and identity.hex(), found["type"], found.get("options", {}))
    return Described(None, None, {})
