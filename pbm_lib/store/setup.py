"""Set up the collection: its validator and its one index, and switch from one variant of that to another."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from ..arguments import checked
from ..errors import SetupError
from ..vocabulary import OVERLAP
from ..working import working
from .guarantee import guarantee_rule
from .index import VARIANTS, build_index, install_index, refuse_other_collation, variant_named
from .kind import refuse_other_kinds
from .rule import install_rule, wait_for_rule
from .store import ClaimStore


@checked(SetupError)
def setup_collection(store: ClaimStore, *, recheck: bool = False, progress: bool = True) -> ClaimStore:
    """Create the collection, its validator and its one compound index; safe to repeat.

    On a collection that holds claims, reads every claim to make sure that none breaks the rule begin <= end <= begin +
    D days, since the validator only guards what is written from then on. Remembers, in `<collection>_load`, which
    collection and which validator that was. As long as neither has changed, a repeated set-up does not read the claims
    again. So it does not see a longer claim that came later from a writer who bypassed the validator, or while somebody
    had the validator switched off: `recheck=True` does. On MongoDB 9.0 or newer, raises the validation level to
    constraint if it can: no writer can bypass the validator then, and no check is needed.

    When `mongodb.index` was changed in the config, builds the index that it names and then drops the other one, if it
    is this program's. No other index is touched.

    Args:
        store: an open store; D is its config's `data_generation.max_claim_days`.
        recheck: read every claim even if all were found to keep the rule before.
        progress: where it takes longer than a second, show how far the claims are checked (a bar on standard output),
            and what else it is doing, as a line that is gone at the end.

    Returns:
        The same store, refreshed from the server.

    Raises:
        SetupError: another validator, another index of our name, a default collation other than the simple one, or a
            claim longer than D is there, it is a view, a time-series or a capped collection, the rule or the index was
            changed meanwhile, or the database user lacks a right; the message says which.
        ServerUnavailable: the server went away.
    """
    days, index = store.config.data_generation.max_claim_days, store.config.mongodb.index
    install = partial(install_index, store.collection, VARIANTS[index], progress=progress)
    with store.errors_explained():
        refuse_other_kinds(store.collection)
        refuse_other_collation(store.collection)
        install_rule(store.collection, store.config, install, recheck=recheck, progress=progress)
    _switch(store, index, progress=progress)
    while store.max_claim_days != days:
        with store.errors_explained(), working("Waiting for another set-up to finish", progress=progress):
            wait_for_rule(store.collection, days)
        store.refresh()
    if store.server.series >= (9, 0):
        with store.errors_explained(), working("Having the server check every claim", progress=progress):
            guarantee_rule(store.collection)
        store.refresh()
    return store


@checked(SetupError)
@contextmanager
def index_variant(store: ClaimStore, index: str = OVERLAP, *, progress: bool = True) -> Iterator[ClaimStore]:
    """Use a variant of the index for the length of a block, and go back to the config's whatever happens in it.

    Both ways the new index is built first and the old one dropped when it is ready, so that queries stay fast in
    between. Where the config names this variant there is nothing to switch.

    Args:
        store: a store that `setup_collection` has set up.
        index: "three_field" or "overlap".
        progress: show that an index is being built, if that takes longer than a second; nothing of it is left.

    Yields:
        The same store.

    Raises:
        SetupError: no such variant, another index is in the way, the new one was dropped meanwhile, or the database
            user lacks a right.
        ServerUnavailable: the server went away; if it was on the way back, `setup_collection(store)` goes back later.
    """
    variant_named(index, SetupError)
    try:
        _switch(store, index, progress=progress)
        yield store
    finally:
        _switch(store, store.config.mongodb.index, progress=progress)


@checked(SetupError)
@contextmanager
def both_indexes(store: ClaimStore, *, progress: bool = True) -> Iterator[ClaimStore]:
    """Have every variant of the index there for the length of a block, and the config's alone afterwards.

    In the block, `store.refresh(index=...)` says which of them queries use.

    Args:
        store: a store that `setup_collection` has set up.
        progress: show that an index is being built, if that takes longer than a second; nothing of it is left.

    Yields:
        The same store.

    Raises:
        SetupError: another index is in the way, one was dropped meanwhile, or the database user lacks a right.
        ServerUnavailable: the server went away; if it was on the way back, `setup_collection(store)` goes back later.
    """
    try:
        with store.errors_explained():
            for variant in VARIANTS.values():
                build_index(store.collection, variant, progress=progress)
        yield store
    finally:
        index = store.config.mongodb.index
        store.refresh(index=index)  # also where the other one may not be dropped
        _switch(store, index, progress=progress)


def _switch(store: ClaimStore, index: str, *, progress: bool) -> None:
    with store.errors_explained():
        install_index(store.collection, VARIANTS[index], progress=progress)
    store.refresh(index=index)
