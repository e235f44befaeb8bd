"""The first page of a range whose claims the run has not read before, and the same page again."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..claims.document import ID
from ..claims.roster import list_providers
from ..query.filters import Question
from ..query.find import find_claims
from ..vocabulary import COLD, RANGE, WARM
from .questions import Questions
from .recorder import Recorder
from .sampling import Task, take_samples

_MOST = 30
_EXPECTED_MS = 25.0  # of a cold page; a warm-up cannot measure it, because it would leave the page warm


def measure_cold_pages(recorder: Recorder) -> None:
    """Ask for first pages that have no claim in common, each one twice: a cold call, then immediately a warm one.

    This must be the first part of a run. Cold means only that the run has not asked for these claims. The server's
    cache and its machine's file cache may hold them from before, or from leaf pages that were read for other claims.
    """
    tasks = [_task(recorder, tier) for tier in recorder.settings.tiers_to_test]
    take_samples(recorder, "cold and warm", tasks, "cold")


def _task(recorder: Recorder, tier: str) -> Task:
    questions = _apart(recorder, tier)
    labels = {"section": "cold", "tier": tier, "scenario": RANGE, "operation": "first_page"}
    seen: set[Any] = set()

    def prepare(number: int) -> Callable[[], Any]:
        return lambda: find_claims(recorder.store, *questions[number], with_total=False)

    def once_more(number: int, page: Any, own: Mapping[str, Any]) -> None:
        if page is None:
            return
        ids = {claim[ID] for claim in page}
        if seen & ids:
            recorder.note(f"Cold pages, tier {tier}: some share claims, so they were not entirely cold.")
        seen.update(ids)
        recorder.time(prepare(number), **labels, contestant=WARM, **own)

    return Task(
        {**labels, "contestant": COLD}, prepare, once_more, expected_ms=_EXPECTED_MS, most=min(len(questions), _MOST)
    )


def _apart(recorder: Recorder, tier: str) -> list[Question]:
    """Return questions with windows so far apart that no claim should be on the first page of two of them."""
    config = recorder.store.config
    questions = Questions(config, recorder.settings, f"cold {tier}")
    a_day = recorder.run.claims_per_provider(tier) / questions.period_days
    # A first page begins with claims of the D days before its window. If those are few, it extends into the window.
    reach = min(questions.window_days, math.ceil(2 * recorder.run.settings.page_size / a_day))
    apart = config.data_generation.max_claim_days + 1 + reach
    starts = questions.period_days - questions.window_days
    places = [day / max(starts, 1) for day in range(0, starts + 1, apart)]
    found = [questions.window(p.tin, place) for p in list_providers(config, tier) for place in places]
    questions.random.shuffle(found)
    return found
