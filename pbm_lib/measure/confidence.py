"""How far a measured percentile can be trusted: its interval, and how many more samples would decide a target.

The interval assumes nothing of how times are distributed, only that one call tells nothing of the next: then the number
of samples above the true percentile is binomial. Where calls do depend on each other the interval is too narrow; the
mark of `steady` finds some of that, not all.
"""

from bisect import bisect_left
from collections.abc import Sequence
from functools import cache

import numpy as np

FEWEST_FOR_UPPER_END = 72
"""Of fewer samples, all lie below the 95th percentile more than once in 40 runs: nothing bounds it from above."""
FEWEST_FOR_MEDIAN = 6
"""Of fewer samples, all lie on one side of the median more than once in 20 runs: nothing bounds it."""
_TAIL = 0.025
_MOST_MORE = 10_000
_CHANCE = 0.8


@cache
def percentile_ranks(n: int, percent: int) -> tuple[int | None, int | None]:
    """Return the ranks, from 1 for the fastest, of the samples between which a percentile lies.

    The lower one is above the true percentile in at most 2.5% of all runs, the upper one below it in at most 2.5%.

    Args:
        n: number of samples, 0 or more.
        percent: which percentile, from 1 to 99.

    Returns:
        The lower and the upper rank, each from 1 to n; None where so few samples have no such end. For the 95th there
        is no lower one below n = 2, and no upper one below n = 72. For the median there is neither below n = 6.
    """
    at_most, at_least = _tails(n, (100 - percent) / 100)
    # The fewest and the most samples above it that are not too unlikely.
    fewest = int(np.searchsorted(at_most, _TAIL, side="right"))
    most = int(np.argmax(at_least <= _TAIL)) - 1
    return n - most or None, n - fewest + 1 if fewest else None


def percentile_interval(times: Sequence[float], percent: int) -> tuple[float | None, float | None]:
    """Return the two-sided 95% interval of a percentile by order statistics, with equal tails.

    Args:
        times: samples that do not depend on each other, in any order and unit.
        percent: which percentile, from 1 to 99.

    Returns:
        Its lower and its upper end, two of the samples; None where so few samples have no such end.
    """
    low, high = percentile_ranks(len(times), percent)
    ordered = sorted(times)
    return None if low is None else ordered[low - 1], None if high is None else ordered[high - 1]


@cache
def samples_to_decide(n: int, above: int) -> int | None:
    """Return about how many more samples would decide whether the 95th percentile is above or below a target.

    It is estimated from the share of samples above the target so far: the fewest more with which, if each of them is
    above the target with that probability, four runs in five end with the whole interval on one side of it. From few
    samples that share is itself uncertain. If none is above, the answer is just what the interval's upper end needs.

    Args:
        n: samples so far, 1 or more, which leave the target undecided.
        above: how many of them took longer than the target, 0 to n.

    Returns:
        A number from 1 to 10,000; None if more than that would be needed, since the share is too near 5%.
    """

    def decided(more: int) -> bool:
        low, high = percentile_ranks(n + more, 95)
        at_most, at_least = _tails(more, above / n)
        chance = 0.0
        if high is not None and (room := n + more - high - above) >= 0:
            chance += at_most[min(room, more)]
        if low is not None and (lacking := n + more - low + 1 - above) <= more:
            chance += at_least[max(lacking, 0)]
        return chance >= _CHANCE

    # The chance grows in the shape of a saw, so that this is the fewest but for some teeth.
    return bisect_left(range(1, _MOST_MORE + 1), True, key=decided) + 1 if decided(_MOST_MORE) else None


def _tails(n: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """The binomial probabilities of at most k out of n, and of at least k, for k from 0 to n + 1."""
    hits = np.arange(n + 1)
    # In logarithms: 0.95 ** n is too small for a float from n = 14,000 on. Each tail is added up from its thin end.
    factorials = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, n + 1)))))
    share = min(max(share, 1e-15), 1 - 1e-15)  # 0 and 1 have no logarithm
    logs = hits * np.log(share) + (n - hits) * np.log1p(-share)
    chances = np.exp(factorials[n] - factorials - factorials[::-1] + logs)
    return np.append(np.cumsum(chances), 1.0), np.append(np.cumsum(chances[::-1])[::-1], 0.0)
