"""A walk through a result with one server cursor. It continues where the connection or the cursor was lost."""

from collections.abc import Callable, Generator, Mapping
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from ..errors import PbmError
from ..store.index import IndexVariant
from ..store.retry import is_dropped
from ..store.store import ClaimStore
from .answer import lost_its_index
from .filters import ClaimQuery
from .find import key_of
from .keyset import BEGINNING, Boundary


def walk(
    store: ClaimStore,
    claims: Collection,
    ask: Callable[[], ClaimQuery],
    batch: int,
    variant: IndexVariant | None = None,
) -> Generator[Mapping[str, Any], None, None]:
    """Yield the claims of a query in order.

    Args:
        store: the store.
        claims: the store's collection, with any decoding options.
        ask: builds the query from what the store knows.
        batch: claims per round trip.
        variant: the index whose order the walk must have; None for the index in use at its first claim.

    Raises:
        PbmError: the index, and with it the order, was switched.
        ServerUnavailable: the connection to the server was lost and could not be restored.
    """
    last: Mapping[str, Any] | None = None
    failed_at: Any = walk  # not a claim, so the first failure never counts as the second one at the same claim
    while True:
        with store.errors_explained():
            query = ask()
            if variant not in (None, query.variant):
                raise PbmError(
                    f"The index of {query.collection} changed from {variant.name} to {query.variant.name} during the "
                    "walk, and with it the order of claims. Start again."
                )
            boundary = BEGINNING if last is None else Boundary("next", key_of(last, query))
            try:
                with claims.find(
                    query.filter(boundary), sort=query.sort(boundary), hint=query.hint, batch_size=batch
                ) as found:
                    for last in found:
                        yield last
                return
            except PyMongoError as error:
                if failed_at is last or not (is_dropped(error) or lost_its_index(error)):
                    raise  # a second failure at the same claim is not a temporary one
                failed_at = last
                if last is not None:
                    variant = query.variant
                if lost_its_index(error):
                    store.refresh()
