"""What a notebook needs before it begins, and which earlier notebook provides it."""

from ..arguments import checked
from ..display import quantity
from ..errors import LoadError
from ..store.store import ClaimStore
from .fed import count_fed
from .state import LoadRecord, is_empty


@checked(LoadError)
def require_claims(store: ClaimStore) -> ClaimStore:
    """Check that the collection is set up and holds all of this config's claims.

    The check trusts the record that the load wrote after counting. It does not count the claims again, and it does not
    look for claims longer than the server's rule allows (see `ClaimStore` for how one can get in;
    `setup_collection(store, recheck=True)` finds it). It does look for claims that a watch left behind.

    Args:
        store: an open store.

    Returns:
        The same store.

    Raises:
        LoadError: something is missing, or a watch left claims behind; the message says what to run.
    """
    record = require_loaded(store)
    with store.errors_explained():
        fed = count_fed(store, record)
    if fed:
        raise LoadError(
            f"{store.collection.full_name} holds {quantity(fed, 'extra claim')}, fed by a watch "
            "(watch_pages) that was killed or is still running. If none is running, call remove_fed_claims(store)."
        )
    return store


def require_loaded(store: ClaimStore) -> LoadRecord:
    """Check the same as `require_claims`, except for fed claims, and return the load record."""
    name = store.collection.full_name
    store.refresh()
    with store.errors_explained():
        record = LoadRecord(store)
        empty = is_empty(store)
    if store.index_name is None:
        raise LoadError(f"{name} has no index for these queries. Run notebook 01_setup first, then 02_load.")
    if empty or not record.is_current:
        raise LoadError(f"{name} holds no claims of this demo. Run notebook 02_load first.")
    if record.loaded_with != record.wanted:
        raise LoadError(
            f"{name} was loaded with settings other than the config's. Run notebook 02_load; it says which."
        )
    if not record.is_complete:
        raise LoadError(f"{name} is only partly loaded. Run notebook 02_load again; it continues where it stopped.")
    return record
