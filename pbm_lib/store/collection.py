"""How all code opens the claims collection, and how the server describes it."""

from dataclasses import dataclass
from typing import Any

from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion
from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.collection import Collection
from pymongo.read_concern import ReadConcern

from ..config import Config


def claims_collection(client: MongoClient, config: Config) -> Collection:
    """Return the claims collection; collections reached through its database are read and decoded the same way."""
    # Decode the same way whatever the URI asks for, so that claims, cursors and tests compare alike everywhere. A date
    # that does not fit in a datetime (a customer's "never", in the year 10000) and a UUID stay BSON values, so that a
    # cursor can hold them too.
    decoded = client.codec_options.with_options(
        tz_aware=False,
        tzinfo=None,
        datetime_conversion=DatetimeConversion.DATETIME_AUTO,
        uuid_representation=UuidRepresentation.UNSPECIFIED,
    )
    # Read the same way, too. Reads from a secondary and majority reads lag behind, and "available" also reads orphaned
    # documents of a sharded cluster. The URI decides how writes are acknowledged.
    database = client.get_database(
        config.mongodb.database,
        codec_options=decoded,
        read_preference=ReadPreference.PRIMARY,
        read_concern=ReadConcern("local"),
    )
    return database[config.mongodb.collection]


def state_collection(claims: Collection) -> Collection:
    """Return the collection that records what the claims were loaded with and which rule they satisfy."""
    # With majority, if a record survives a change of primary, so do the claims that were written before it.
    return claims.database.get_collection(f"{claims.name}_load", write_concern=WriteConcern(w="majority"))


@dataclass(frozen=True)
class Described:
    """The server's description of a collection.

    Attributes:
        identity: the server's id of the collection, which changes if it is dropped and recreated under the same name.
            None if it does not exist or is a view.
        kind: "collection", "timeseries" or "view"; None if it does not exist.
        options: its current options, including the validator.
    """

    identity: str | None
    kind: str | None
    options: dict[str, Any]


def describe(collection: Collection) -> Described:
    """Return the server's description of a collection, read in one command."""
    for found in collection.database.list_collections(filter={"name": collection.name}):
        identity = found["info"].get("uuid")  # a view has none
        return Described(identity and identity.hex(), found["type"], found.get("options", {}))
    return Described(None, None, {})
