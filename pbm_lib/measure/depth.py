"""Keyset against skip/limit at growing depth in the largest provider; the pages are compared as well."""

from functools import partial
from typing import Any

from ..claims.roster import list_providers
from ..query.find import find_claims
from ..query.jump import cursor_after, skip_page
from ..vocabulary import KEYSET, PAGINGS, PROVIDER, SKIP
from .questions import DEEP
from .recorder import Recorder
from .sampling import Task, take_samples


def measure_depth(recorder: Recorder) -> None:
    """Time the same pages by keyset and by skip/limit; the latter is a bare pymongo call."""
    store, size = recorder.store, recorder.run.settings.page_size
    tier = recorder.run.tiers[0]
    tin = list_providers(store.config, tier)[0].tin
    tasks = []
    for depth in _depths(recorder.run.conditions.provider_claims[tier]):
        cursor = cursor_after(store, tin, depth)
        ways = {
            KEYSET: lambda cursor=cursor: list(find_claims(store, tin, cursor=cursor, with_total=False)),
            SKIP: partial(skip_page, store, tin, depth, size),
        }
        labels = {"section": "depth", "operation": "page", "scenario": PROVIDER, "tier": tier, "depth": depth}
        latest: dict[str, list] = {}
        for name, call in ways.items():
            answered = partial(_compare, recorder, tier, latest, name)
            tasks.append(Task({**labels, "contestant": name}, lambda _, call=call: call, answered))
    take_samples(recorder, "depth", tasks, "depth")


def _compare(
    recorder: Recorder, tier: str, latest: dict[str, list], name: str, _: int, page: list | None, *__: Any
) -> None:
    """Compare each page at one depth with the latest page that the other method returned there."""
    if page is not None:
        latest[name] = page
        if len(latest) == len(PAGINGS):
            recorder.check("depth", tier, "page", SKIP, latest[KEYSET] == latest[SKIP])


def _depths(claims: int) -> list[int]:
    """Return the depths to measure: 0, powers of ten from 1,000, and 90% of the claims."""
    deepest = int(claims * DEEP)
    powers = [10**power for power in range(3, 10) if 10**power < deepest]
    return sorted({0, *powers, deepest})
