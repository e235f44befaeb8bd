"""Keyset against skip/limit at growing depth in the largest provider; the pages are compared as well."""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

import bson

from ..claims.roster import list_providers
from ..query.find import find_claims
from ..query.jump import cursors_after, skip_page
from ..vocabulary import KEYSET, PAGINGS, PROVIDER, SKIP
from .questions import DEEP
from .recorder import Recorder
from .sampling import Task, take_samples

_DEEPER = 0.1
"""The samples of a large depth read different pages, at most this share deeper, so that few come from the cache."""


def measure_depth(recorder: Recorder) -> None:
    """Time the same pages by keyset and by skip/limit."""
    tier = recorder.run.tiers[0]
    depths = _depths(recorder.run.conditions.provider_claims[tier])
    take_samples(recorder, "depth", [task for depth in depths for task in _tasks(recorder, tier, depth)], "depth")


def _tasks(recorder: Recorder, tier: str, depth: int) -> list[Task]:
    """Return a task for each way to the pages at a depth; both read them in the same order."""
    store, size = recorder.store, recorder.run.settings.page_size
    tin = list_providers(store.config, tier)[0].tin
    pages = min(max(int(_DEEPER * depth / size), 1), recorder.settings.samples)
    cursors = cursors_after(store, tin, depth, pages=pages, size=size)
    latest: dict[int, dict[str, bytes]] = defaultdict(dict)  # not the claims themselves: they would slow down the run

    def by_keyset(number: int) -> Callable[[], list]:
        cursor = cursors[number % pages]
        return lambda: list(find_claims(store, tin, cursor=cursor, with_total=False))

    def by_skip(number: int) -> Callable[[], list]:
        return partial(skip_page, store, tin, depth + number % pages * size, size)

    def compare(name: str, number: int, page: list | None, _: Any) -> None:
        """Compare a page with the latest answer that the other method gave for the same page."""
        if page is None:
            return
        answers = latest[number % pages]
        answers[name] = hashlib.sha256(bson.encode({"claims": page})).digest()
        if len(answers) == len(PAGINGS):
            recorder.check("depth", tier, "page", SKIP, answers[KEYSET] == answers[SKIP])

    labels = {"section": "depth", "operation": "page", "scenario": PROVIDER, "tier": tier, "depth": depth}
    ways = {KEYSET: by_keyset, SKIP: by_skip}
    return [Task({**labels, "contestant": name}, way, partial(compare, name)) for name, way in ways.items()]


def _depths(claims: int) -> list[int]:
    """Return the depths to measure: 0, powers of ten from 1,000, and 90% of the claims."""
    deepest = int(claims * DEEP)
    powers = [10**power for power in range(3, 10) if 10**power < deepest]
    return sorted({0, *powers, deepest})
