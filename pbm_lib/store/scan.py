"""Scan every claim, with an optional progress bar."""

import sys
from collections.abc import Iterator
from typing import Any

from bson import MaxKey, MinKey
from pymongo.collection import Collection
from tqdm import tqdm

from ..claims.document import ID

_PIECE = 200_000
_SHOW_AFTER_SECONDS = 1


def first_match(
    collection: Collection, query: dict[str, Any], projection: dict[str, int], *, progress: bool
) -> dict[str, Any] | None:
    """Return the first document that matches a query that no index supports; None if there is none.

    Args:
        collection: the collection to scan.
        query: the filter that the document must match.
        projection: the fields to return.
        progress: show a bar on standard output if the scan takes longer than a second.
    """
    total = collection.estimated_document_count()
    with tqdm(
        total=total, unit=" claims", unit_scale=True, desc="Checking claims", file=sys.stdout,
        disable=not progress, delay=_SHOW_AFTER_SECONDS, mininterval=0.5,
    ) as bar:  # fmt: skip
        # Scan in pieces only to show progress: it takes up to twice as long.
        for part, bounds in _pieces(collection, query) if progress and total > _PIECE else [(query, {})]:
            if found := collection.find_one(part, projection, **bounds):
                return found
            bar.update(min(_PIECE, total - bar.n))
    return None


def _pieces(collection: Collection, query: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Queries, each with options for find, that together reach every document once, whatever the types of `_id`."""
    low: Any = MinKey()
    while following := collection.find_one({}, {ID: 1}, min={ID: low}, hint="_id_", sort={ID: 1}, skip=_PIECE):
        yield query, {"min": {ID: low}, "max": {ID: following[ID]}, "hint": "_id_"}
        low = following[ID]
    yield query, {"min": {ID: low}, "hint": "_id_"}
    # A find with `min` but no `max` leaves out this one document.
    yield {"$and": [{ID: MaxKey()}, query]}, {}
