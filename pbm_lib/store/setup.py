"""Set up the collection with its validator and its one index, and switch between variants of the index."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from ..arguments import checked
from ..errors import SetupError
from ..vocabulary import OVERLAP
from ..working import working
from .guarantee import guarantee_rule
from .index import VARIANTS, build_index, install_index, reject_other_collation, variant_named
from .kind import reject_other_kinds
from .rule import install_rule, wait_for_rule
from .store import ClaimStore


@checked(SetupError)
def setup_collection(store: ClaimStore, *, recheck: bool = False, progress: bool = True) -> ClaimStore:
    """Create the collection, its validator, and its one compound index. It is safe to run again.

    If the collection holds claims, setup reads every one to make sure that none breaks the rule begin <= end <= begin +
    D days, because the validator only guards later writes. It records in `<collection>_load` which collection and
    validator it checked, and does not read the claims again as long as both stay the same. So it misses a longer claim
    that came in later, past a bypassed or disabled validator; `recheck=True` finds it. On MongoDB 9.0 or newer, setup
    raises the validation level to constraint if it can: then no writer can bypass the validator, and no check is
    needed.

    If `mongodb.index` in the config has changed, setup builds the index it names, then drops the other one if it is
    this program's. No other index is touched.

    Args:
        store: an open store; D is its config's `data_generation.max_claim_days`.
        recheck: read every claim, even if an earlier setup found that all of them satisfy the rule.
        progress: show the progress of a check (a bar on standard output) or the name of another step if it takes longer
            than a second.

    Returns:
        The same store, refreshed from the server.

    Raises:
        SetupError: the collection has another validator, a different index of the same name, a collation other than
            simple, or a claim longer than D; it is a view, a time-series collection, or a capped collection; the rule
            or the index changed during setup; or the database user lacks permission. The message says which.
        ServerUnavailable: the server cannot be reached.
    """
    days, index = store.config.data_generation.max_claim_days, store.config.mongodb.index
    install = partial(install_index, store.collection, VARIANTS[index], progress=progress)
    with store.errors_explained():
        reject_other_kinds(store.collection)
        reject_other_collation(store.collection)
        install_rule(store.collection, store.config, install, recheck=recheck, progress=progress)
    _switch(store, index, progress=progress)
    while store.max_claim_days != days:
        with store.errors_explained(), working("Waiting for another setup to finish", progress=progress):
            wait_for_rule(store.collection, days)
        store.refresh()
    if store.server.series >= (9, 0):
        with store.errors_explained(), working("Waiting for the server to check every claim", progress=progress):
            guarantee_rule(store.collection)
        store.refresh()
    return store


@checked(SetupError)
@contextmanager
def index_variant(store: ClaimStore, index: str = OVERLAP, *, progress: bool = True) -> Iterator[ClaimStore]:
    """Use an index variant inside a `with` block; always restore the config's index afterwards.

    Each switch builds the new index first and then drops the old one, so queries stay fast. If the config already names
    this variant, nothing is switched.

    Args:
        store: a store that `setup_collection` has set up.
        index: "three_field" or "overlap".
        progress: say that an index is being built, if that takes longer than a second.

    Yields:
        The same store.

    Raises:
        SetupError: the variant does not exist, a different index is in the way, the new index was dropped during the
            switch, or the database user lacks permission.
        ServerUnavailable: the server cannot be reached. If that happens while the index is being restored, run
            `setup_collection(store)` later.

    Example:
        >>> with index_variant(store, "overlap"):
        ...     page = find_claims(store, tin)
    """
    variant_named(index, SetupError)
    try:
        _switch(store, index, progress=progress)
        yield store
    finally:
        _switch(store, store.config.mongodb.index, progress=progress)


@checked(SetupError)
@contextmanager
def both_indexes(store: ClaimStore) -> Iterator[ClaimStore]:
    """Build every index variant for the length of a `with` block; always restore the config's alone afterwards.

    In the block, `store.refresh(index=...)` selects the variant that queries use.

    Args:
        store: a store that `setup_collection` has set up.

    Yields:
        The same store.

    Raises:
        SetupError: a different index is in the way, a new index was dropped in the meantime, or the database user lacks
            permission.
        ServerUnavailable: the server cannot be reached. If that happens while the index is being restored, run
            `setup_collection(store)` later.
    """
    try:
        with store.errors_explained():
            for variant in VARIANTS.values():
                build_index(store.collection, variant)
        yield store
    finally:
        index = store.config.mongodb.index
        store.refresh(index=index)  # even if the user may not drop the other one
        _switch(store, index, progress=True)


def _switch(store: ClaimStore, index: str, *, progress: bool) -> None:
    with store.errors_explained():
        install_index(store.collection, VARIANTS[index], progress=progress)
    store.refresh(index=index)
