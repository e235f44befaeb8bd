"""How far a measured percentile can be trusted: its interval, and how many more samples would decide a target.

The interval assumes nothing about the distribution of times, only that calls are independent. Then the number of
samples above the true percentile is binomial. If calls do depend on each other, the interval is too narrow; the checks
in `steady` find some of these cases, but not all.
"""

from bisect import bisect_left
from collections.abc import Sequence
from functools import cache

import numpy as np

FEWEST_FOR_UPPER_END = 72
"""With fewer samples, all of them lie below the 95th percentile in more than 1 of 40 runs: it has no upper bound."""
FEWEST_FOR_MEDIAN = 6
"""With fewer samples, all of them lie on one side of the median in more than 1 of 20 runs: it has no bounds."""
_TAIL = 0.025
_MOST_MORE = 10_000
_CHANCE = 0.8


@cache
def percentile_ranks(n: int, percent: int) -> tuple[int | None, int | None]:
    """Return the ranks, from 1 for the fastest, of the two samples between which a percentile lies.

    The lower one is above the true percentile in at most 2.5% of all runs, and the upper one is below it in at most
    2.5%.

    Args:
        n: number of samples, 0 or more.
        percent: which percentile, from 1 to 99.

    Returns:
        The lower and the upper rank, each from 1 to n. A rank is None if there are too few samples for it: for the 95th
        percentile, the lower one below n = 2 and the upper one below n = 72; for the median, both below n = 6.
    """
    at_most, at_least = _tails(n, (100 - percent) / 100)
    # The smallest and the largest number of samples above the percentile that are not too unlikely.
    fewest = int(np.searchsorted(at_most, _TAIL, side="right"))
    most = int(np.argmax(at_least <= _TAIL)) - 1
    return n - most or None, n - fewest + 1 if fewest else None


def percentile_interval(times: Sequence[float], percent: int) -> tuple[float | None, float | None]:
    """Return the two-sided 95% interval of a percentile by order statistics, with equal tails.

    Args:
        times: independent samples, in any order and unit.
        percent: which percentile, from 1 to 99.

    Returns:
        The lower and the upper end, each one of the samples. An end is None if there are too few samples for it.
    """
    low, high = percentile_ranks(len(times), percent)
    ordered = sorted(times)
    return None if low is None else ordered[low - 1], None if high is None else ordered[high - 1]


@cache
def samples_to_decide(n: int, above: int) -> int | None:
    """Return about how many more samples would decide whether the 95th percentile is above or below a target.

    The estimate takes the share of samples above the target so far as the probability that any further sample is above
    it. It is the smallest number of further samples with which four runs in five end with the whole interval on one
    side of the target. With few samples, that share is itself uncertain. If no sample is above the target, the answer
    is just what the interval's upper end needs.

    Args:
        n: samples so far, 1 or more; with them, the target is undecided.
        above: how many of them took longer than the target, 0 to n.

    Returns:
        A number from 1 to 10,000; None if more would be needed, because the share is too close to 5%.
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

    # The chance rises in a sawtooth, so the result may be a few teeth away from the true minimum.
    return bisect_left(range(1, _MOST_MORE + 1), True, key=decided) + 1 if decided(_MOST_MORE) else None


def _tails(n: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the binomial probabilities of at most k out of n, and of at least k, for k from 0 to n + 1."""
    hits = np.arange(n + 1)
    # Use logarithms: from n = 14,000 on, 0.95 ** n is too small for a float. Each tail is summed from its thin end.
    factorials = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, n + 1)))))
    share = min(max(share, 1e-15), 1 - 1e-15)  # 0 and 1 have no logarithm
    logs = hits * np.log(share) + (n - hits) * np.log1p(-share)
    chances = np.exp(factorials[n] - factorials - factorials[::-1] + logs)
    return np.append(np.cumsum(chances), 1.0), np.append(np.cumsum(chances[::-1])[::-1], 0.0)
