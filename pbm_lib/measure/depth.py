"""Keyset against skip/limit at growing depth in the largest provider; the pages are compared as well."""

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

from ..claims.roster import list_providers
from ..query.find import find_claims
from ..query.jump import cursors_after, skip_page
from ..store.store import ClaimStore
from ..vocabulary import KEYSET, PAGINGS, PROVIDER, SKIP
from .questions import DEEP
from .recorder import Recorder
from .sampling import Task, take_samples

_DEEPER = 0.1
"""The pages of one depth lie within this share of it: deep ones differ from sample to sample, as a user's would."""


def measure_depth(recorder: Recorder) -> None:
    """Time the same pages by keyset and by skip/limit."""
    store, size = recorder.store, recorder.run.settings.page_size
    tier = recorder.run.tiers[0]
    tin = list_providers(store.config, tier)[0].tin
    tasks = []
    for depth in _depths(recorder.run.conditions.provider_claims[tier]):
        pages = min(max(int(_DEEPER * depth / size), 1), recorder.settings.samples)
        cursors = cursors_after(store, tin, depth, pages=pages, size=size)
        ways = {
            KEYSET: lambda page, cursors=cursors: partial(_by_keyset, store, tin, cursors[page]),
            SKIP: lambda page, depth=depth: partial(skip_page, store, tin, depth + page * size, size),
        }
        labels = {"section": "depth", "operation": "page", "scenario": PROVIDER, "tier": tier, "depth": depth}
        waiting: dict[int, dict[str, list]] = defaultdict(dict)
        for name, way in ways.items():
            answered = partial(_compare, recorder, tier, waiting, pages, name)
            tasks.append(Task({**labels, "contestant": name}, partial(_of_page, way, pages), answered))
    take_samples(recorder, "depth", tasks, "depth")


def _of_page(way: Callable[[int], Callable[[], list]], pages: int, number: int) -> Callable[[], list]:
    return way(number % pages)


def _by_keyset(store: ClaimStore, tin: str, cursor: str | None) -> list[dict[str, Any]]:
    return list(find_claims(store, tin, cursor=cursor, with_total=False))


def _compare(
    recorder: Recorder, tier: str, waiting: dict[int, dict[str, list]], pages: int, name: str, number: int,
    page: list | None, _: Any,
) -> None:  # fmt: skip
    """Compare each page with the same page by the other method, once both were read; each is compared once."""
    if page is None:
        return
    read = waiting[number % pages]
    read[name] = page
    if len(read) == len(PAGINGS):
        recorder.check("depth", tier, "page", SKIP, read[KEYSET] == read[SKIP])
        read.clear()


def _depths(claims: int) -> list[int]:
    """Return the depths to measure: 0, powers of ten from 1,000, and 90% of the claims."""
    deepest = int(claims * DEEP)
    powers = [10**power for power in range(3, 10) if 10**power < deepest]
    return sorted({0, *powers, deepest})
