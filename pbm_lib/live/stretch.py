"""The claims that the walks of a watch should see, read once in advance so that every page can be checked."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from ..claims.document import ID, TIN
from ..claims.roster import list_providers
from ..config import Config
from ..query.filters import make_query
from ..store.retry import again_if_dropped
from ..store.store import ClaimStore

ID_BYTES = 12
_PAGES = 20  # per walk if providers are drawn, so that a large one does not take all the time
_MOST_CLAIMS = 5_000_000  # per walk: 60 MB of ids
_BATCH = 20_000


@dataclass(frozen=True)
class Stretch:
    """The claims of one provider that a walk should see, starting with the provider's first claim.

    Attributes:
        tin: the provider's TIN.
        ids: the `_id` of each claim in the order of pages, 12 bytes each.
        whole: whether these are all of the provider's claims.
        pages: maximum number of pages in the walk.
    """

    tin: str
    ids: bytes
    whole: bool
    pages: int

    @property
    def claims(self) -> int:
        """The number of claims."""
        return len(self.ids) // ID_BYTES


def read_stretches(store: ClaimStore, tin: str | None, pages: int, fed: dict) -> list[Stretch]:
    """Return the claims that each walk of a watch should see, in the order of the walks.

    Args:
        store: the store.
        tin: one provider, walked to its end; None to draw providers and end each walk after 20 pages.
        pages: maximum number of pages that the watch requests.
        fed: condition on the `_id` of claims that a watch has fed; these are left out.

    Raises:
        ServerUnavailable: the server became unavailable.
    """
    page_size = store.config.query.default_page_size
    known: dict[str, Stretch] = {}
    if tin is None:
        drawn, most = _drawn(store.config, pages, page_size), min(_PAGES, pages)
    else:
        drawn, most = iter((tin,)), min(pages, max(_MOST_CLAIMS // page_size, 1))
    walks = []
    for each in drawn:
        if each not in known:
            with store.errors_explained():
                known[each] = again_if_dropped(lambda each=each: _read(store, each, most, page_size, fed))
        walks.append(known[each])
    return walks


def _drawn(config: Config, pages: int, page_size: int) -> Iterator[str]:
    """TINs for walks with at least `pages` pages in total: tiers take turns; their providers are drawn at random."""
    drawn = random.Random(f"{config.performance.seed} watch")
    tiers = drawn.sample(config.data_generation.tiers, len(config.data_generation.tiers))
    for number in count():
        tier = tiers[number % len(tiers)]
        yield drawn.choice(list_providers(config, tier.name)).tin
        pages -= min(_PAGES, math.ceil(tier.claims_per_provider / page_size))
        if pages <= 0:
            return


def _read(store: ClaimStore, tin: str, pages: int, page_size: int, fed: dict) -> Stretch:
    query, most, ids = make_query(store, tin, None, None), pages * page_size, bytearray()
    # The index alone answers this query: reading one million ids takes a few seconds.
    with store.collection.find(
        {TIN: tin}, {ID: 1}, sort=query.sort(), hint=query.hint, batch_size=min(most + 1, _BATCH)
    ) as found:
        for claim in found:
            if fed["$gte"] <= claim[ID] <= fed["$lte"]:
                continue
            if len(ids) == most * ID_BYTES:
                return Stretch(tin, bytes(ids), whole=False, pages=pages)
            ids += claim[ID].binary
    return Stretch(tin, bytes(ids), whole=True, pages=pages)
