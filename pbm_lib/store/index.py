"""The one compound index: its variants, which of them the collection has, and how to switch between them."""

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
    """A variant of the one compound index, which also sets the order of pages.

    Attributes:
        name: its name in the config, as the value of `mongodb.index`.
        index_name: name of the index on the server, if this program builds it.
        fields: the index's fields, all ascending: the TIN, which a query fixes, then those that pages are sorted by.
    """

    name: str
    index_name: str
    fields: tuple[str, ...]

    @property
    def keys(self) -> dict[str, int]:
        """The index's keys, in the form that `create_index` and a shard key take."""
        return dict.fromkeys(self.fields, 1)

    @property
    def order(self) -> tuple[str, ...]:
        """The fields that pages are sorted by; `_id` is the last, so no two claims have the same position."""
        return self.fields[1:]


VARIANTS = {
    variant.name: variant
    for variant in (
        IndexVariant(THREE_FIELD, "claims_by_provider", (TIN, BEGIN, ID)),
        # The end date comes before _id, because a field after _id cannot bound the scan. This way the server skips,
        # day by day, the claims that end too early, and reads about one page of keys.
        IndexVariant(OVERLAP, "claims_by_provider_overlap", (TIN, BEGIN, END, ID)),
    )
}
"""Every variant, by name."""
# These properties of an index change neither which claims it contains nor their order.
_HARMLESS = {"v", "key", "ns", "background"}
# Neither do these when they are off, which some servers report and others leave out.
_SWITCHES = {"sparse", "hidden", "unique", "prepareUnique"}
_SAME_FIELDS_OTHER_OPTIONS = (85, 86)  # IndexOptionsConflict, IndexKeySpecsConflict


def variant_named(name: str, error: type[PbmError]) -> IndexVariant:
    """Return the variant with this name; raise this error if there is none."""
    if name not in VARIANTS:
        raise not_accepted("index", in_short(name), error=error)
    return VARIANTS[name]


def find_index(indexes: dict[str, Any], variant: IndexVariant) -> str | None:
    """Return the name that a variant has in `index_information()`, whoever built it; None if it is missing."""
    return next((name for name, index in indexes.items() if _serves(index, variant)), None)


def foreign_indexes(collection: Collection) -> list[str]:
    """Return the names of the indexes that this program does not build."""
    ours = {variant.index_name: variant for variant in VARIANTS.values()}
    indexes = collection.index_information().items()
    return [name for name, index in indexes if name != "_id_" and not (name in ours and _serves(index, ours[name]))]


def _serves(index: dict[str, Any], variant: IndexVariant) -> bool:
    """Whether an index has a variant's keys and serves every query: it is not hidden, partial, or otherwise limited."""
    return list(index["key"]) == list(variant.keys.items()) and all(map(_is_neutral, index, index.values()))


def _is_neutral(name: str, value: Any) -> bool:
    """Whether an index with this property serves the same queries as one without it."""
    if name == "collation":
        return _is_simple(value)
    return name in _HARMLESS or (name in _SWITCHES and not value)


def _is_simple(collation: dict[str, Any] | None) -> bool:
    """Whether text is compared byte by byte. That is the default, which some servers report explicitly."""
    return not collation or collation.get("locale") == "simple"


def reject_other_collation(collection: Collection) -> None:
    """Raise SetupError if the collection, and so its indexes, compare text by the rules of a language."""
    collation = collection.options().get("collation")
    if not _is_simple(collation):
        raise SetupError(
            f"{collection.full_name} must have the simple collation, got {collation.get('locale')}, which cannot be "
            "changed: choose another mongodb.collection in the config, or drop that collection yourself and run "
            "setup_collection(store) again."
        )


def install_index(collection: Collection, wanted: IndexVariant, *, progress: bool) -> None:
    """Build a variant of the index, wait until it is ready, then drop the other variants that this program built."""
    name = build_index(collection, wanted, progress=progress)
    indexes = collection.index_information()
    for other in VARIANTS.values():
        if other != wanted and other.index_name in indexes and _serves(indexes[other.index_name], other):
            _drop(collection, other.index_name, ready=name)


def build_index(collection: Collection, wanted: IndexVariant, *, progress: bool = True) -> str:
    """Build a variant of the index if it is missing, wait until it is ready, and return its name."""
    reject_other_collation(collection)
    indexes = collection.index_information()
    # An equivalent index with another name serves as well. Don't build a second one.
    name = find_index(indexes, wanted) or wanted.index_name
    if name in indexes and not _serves(indexes[name], wanted):
        raise SetupError(
            f"{collection.full_name} has a different index named {name}; it was left alone. Drop it yourself, then "
            "run setup_collection(store) again."
        )
    # Call _build even if the index is listed: the list includes indexes that are still being built, and in this call
    # the server waits for them.
    with working(f"Building the index {name}", progress=progress):
        _build(collection, wanted, name, listed=name in indexes)
    if find_index(collection.index_information(), wanted) is None:
        # Stop here, before the old index is dropped: it is still needed.
        raise SetupError(
            f"{name} was built, but {collection.full_name} has no usable index with that name: it was just dropped or "
            "changed. Run setup_collection(store) again."
        )
    return name


def _build(collection: Collection, variant: IndexVariant, name: str, *, listed: bool) -> None:
    try:
        collection.create_index(list(variant.keys.items()), name=name)
    except OperationFailure as error:
        if error.code in _SAME_FIELDS_OTHER_OPTIONS:
            raise SetupError(
                f"{collection.full_name} has an index on the same fields with other options; it was left alone. "
                "Drop it yourself, then run setup_collection(store) again."
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
