"""The one compound index: its variants, which of them is there, and switching from one to another."""

from dataclasses import dataclass
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from ..arguments import in_short, not_accepted
from ..claims.document import BEGIN, END, ID, TIN
from ..errors import PbmError, SetupError
from ..mql import to_mql
from ..vocabulary import OVERLAP, THREE_FIELD
from ..working import working
from .driver_errors import lacks_right, needs_right


@dataclass(frozen=True)
class IndexVariant:
    """A form of the one compound index, and with it an order of pages.

    Attributes:
        name: in the config's `mongodb.index`.
        index_name: of the index on the server, if this program builds it.
        fields: of the index, ascending: the TIN, which a query fixes, then those that pages are sorted by.
    """

    name: str
    index_name: str
    fields: tuple[str, ...]

    @property
    def keys(self) -> dict[str, int]:
        """The index's keys, as `create_index` and a shard key take them."""
        return dict.fromkeys(self.fields, 1)

    @property
    def order(self) -> tuple[str, ...]:
        """The fields that pages are sorted by; `_id` is the last, so that no two claims stand at one place."""
        return self.fields[1:]


VARIANTS = {
    variant.name: variant
    for variant in (
        IndexVariant(THREE_FIELD, "claims_by_provider", (TIN, BEGIN, ID)),
        # Before _id, since what stands behind it is no bound of a scan: so the server skips, day by day, the claims
        # that end too early, and reads a page of keys.
        IndexVariant(OVERLAP, "claims_by_provider_overlap", (TIN, BEGIN, END, ID)),
    )
}
"""Every variant by its name."""
# Of an index's properties these change nothing about which claims are in it, nor their order ...
_HARMLESS = {"v", "key", "ns", "background"}
# ... nor do these where they are switched off, which some servers say and others leave out.
_SWITCHES = {"sparse", "hidden", "unique", "prepareUnique"}
_SAME_FIELDS_OTHER_OPTIONS = (85, 86)  # IndexOptionsConflict, IndexKeySpecsConflict


def variant_named(name: str, error: type[PbmError]) -> IndexVariant:
    """Return a variant by its name; raise this error if there is none."""
    if name not in VARIANTS:
        raise not_accepted("index", in_short(name), error=error)
    return VARIANTS[name]


def find_index(indexes: dict[str, Any], variant: IndexVariant) -> str | None:
    """Return the name of a variant of the index in `index_information()`, whoever made it; None if it is not there."""
    return next((name for name, index in indexes.items() if _serves(index, variant)), None)


def foreign_indexes(collection: Collection) -> list[str]:
    """Return the names of the indexes that this program does not make."""
    ours = {variant.index_name: variant for variant in VARIANTS.values()}
    indexes = collection.index_information().items()
    return [name for name, index in indexes if name != "_id_" and not (name in ours and _serves(index, ours[name]))]


def _serves(index: dict[str, Any], variant: IndexVariant) -> bool:
    """Whether an index has a variant's keys, and is not hidden, partial or otherwise not for every query."""
    return list(index["key"]) == list(variant.keys.items()) and all(map(_is_neutral, index, index.values()))


def _is_neutral(name: str, value: Any) -> bool:
    """Whether an index with this property serves every query as one without it."""
    if name == "collation":
        return _is_simple(value)
    return name in _HARMLESS or (name in _SWITCHES and not value)


def _is_simple(collation: dict[str, Any] | None) -> bool:
    """Whether text is compared byte by byte; so it is where nothing is said, and some servers say so."""
    return not collation or collation.get("locale") == "simple"


def refuse_other_collation(collection: Collection) -> None:
    """Raise SetupError if the collection compares text by the rules of a language, as its indexes then do."""
    collation = collection.options().get("collation")
    if not _is_simple(collation):
        raise SetupError(
            f"{collection.full_name} must have the simple collation, got {collation.get('locale')}, which cannot be "
            "changed: choose another mongodb.collection in the config, or drop that collection yourself and set up "
            "again."
        )


def install_index(collection: Collection, wanted: IndexVariant, *, progress: bool) -> None:
    """Build a variant of the index, wait until it is ready, then drop the other variants, where they are ours."""
    name = build_index(collection, wanted, progress=progress)
    indexes = collection.index_information()
    for other in VARIANTS.values():
        if other != wanted and other.index_name in indexes and _serves(indexes[other.index_name], other):
            _drop(collection, other.index_name, ready=name)


def build_index(collection: Collection, wanted: IndexVariant, *, progress: bool = True) -> str:
    """Build a variant of the index if it is not there, wait until it is ready, and return its name."""
    refuse_other_collation(collection)
    indexes = collection.index_information()
    # One of another name serves as well, and nothing is built beside it.
    name = find_index(indexes, wanted) or wanted.index_name
    if name in indexes and not _serves(indexes[name], wanted):
        raise SetupError(
            f"{collection.full_name} has a different index named {name}; it was left alone. Drop it yourself, then "
            "set up again."
        )
    # Also when it is listed: a list holds indexes that are still being built, and the server waits for those here.
    with working(f"Building the index {name}", progress=progress):
        _build(collection, wanted, name, listed=name in indexes)
    if find_index(collection.index_information(), wanted) is None:
        # So the old one is needed.
        raise SetupError(
            f"{name} was built, but {collection.full_name} has no usable index of that name: someone just dropped or "
            "changed it. Set up again."
        )
    return name


def _build(collection: Collection, variant: IndexVariant, name: str, *, listed: bool) -> None:
    try:
        collection.create_index(list(variant.keys.items()), name=name)
    except OperationFailure as error:
        if error.code in _SAME_FIELDS_OTHER_OPTIONS:
            raise SetupError(
                f"{collection.full_name} has an index on the same fields with other options; it was left alone. "
                "Drop it yourself, then set up again."
            ) from None
        if not lacks_right(error):
            raise
        if not listed:
            raise SetupError(
                f"The database user cannot create an index on {collection.full_name}. Grant the user the role "
                f"readWrite on that database, or have an administrator run in mongosh: {_mongosh(collection)}"
                f'.createIndex({to_mql(variant.keys)}, {{name: "{name}"}})'
            ) from None


def _drop(collection: Collection, name: str, *, ready: str) -> None:
    with needs_right(
        f"{ready} is ready, but the database user cannot drop {name} of {collection.full_name}. Grant the user the "
        "role readWrite on that database, or have an administrator run in mongosh: "
        f'{_mongosh(collection)}.dropIndex("{name}")'
    ):
        collection.drop_index(name)


def _mongosh(collection: Collection) -> str:
    return f'db.getSiblingDB("{collection.database.name}").getCollection("{collection.name}")'
