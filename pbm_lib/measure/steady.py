"""Whether a series was steady while it was measured: its first half against its second, each call against the next."""

import math
from collections.abc import Sequence

import numpy as np

from ..display import LEAST_MS, times

FEWEST_FOR_DRIFT = 20
"""Below so many samples the halves are too short to tell."""
DRIFT = 1.25
"""Medians of both halves further apart than this ratio count as different, if chance does not explain it."""
_CHANCE = 0.01
ALIKE = 0.2
"""Calls that follow each other count as alike from this rank correlation on, if chance does not explain it."""
_DEVIATIONS = 2.33  # one of 100 series of calls that know nothing of each other has more


def drift_of(series: Sequence[float]) -> float | None:
    """Return how far the second half of a series is from the first, where it is not steady.

    A series is marked where the medians of both halves differ by more than 25%, and a Mann-Whitney U test says that two
    halves of a steady series would differ so much in less than 1 of 100 series. It finds a step and a slow change; a
    disturbance that comes and goes within each half it does not.

    Args:
        series: times in ms, in the order in which they were taken.

    Returns:
        The median of the second half over that of the first, below 0.8 or above 1.25; None for a series that is
        steady, or has fewer than 20 samples.
    """
    if len(series) < FEWEST_FOR_DRIFT:
        return None
    first, second = np.split(np.asarray(series, dtype=float), [len(series) // 2])
    ratio = max(float(np.median(second)), LEAST_MS) / max(float(np.median(first)), LEAST_MS)
    return ratio if max(ratio, 1 / ratio) > DRIFT and mann_whitney_p(first, second) < _CHANCE else None


def likeness_of(series: Sequence[float]) -> float | None:
    """Return how alike calls are that follow each other in a series, where they do depend on each other.

    Then a series tells less than as many calls that know nothing of each other, and an interval is too narrow. A series
    is marked where the lag-1 autocorrelation of the ranks is at least 0.2, and chance explains less than 1 of 100 such.

    Args:
        series: times in ms, in the order in which they were taken.

    Returns:
        The rank correlation, 0.2 to 1; None for calls that are not alike, or fewer than 20 of them.
    """
    n = len(series)
    if n < FEWEST_FOR_DRIFT:
        return None
    deviations = _ranks(np.asarray(series, dtype=float)) - (n + 1) / 2
    total = float((deviations**2).sum())
    correlation = float((deviations[1:] * deviations[:-1]).sum()) / total if total else 0.0
    by_chance = _DEVIATIONS / math.sqrt(n) - 1 / n
    return correlation if correlation >= ALIKE and correlation > by_chance else None


def likeness_note(correlation: float) -> str:
    """Return what a correlation of `likeness_of` means, in words."""
    return f"not independent: consecutive calls are correlated (rank correlation {correlation:.1f})"


def drift_note(ratio: float) -> str:
    """Return what a ratio of `drift_of` means, in words."""
    if ratio > 1:
        return f"not steady: second half {times(ratio)} times the first"
    return f"not steady: first half {times(1 / ratio)} times the second"


def mann_whitney_p(first: np.ndarray, second: np.ndarray) -> float:
    """Return the two-sided p of a Mann-Whitney U test, by the normal approximation, corrected for ties and steps of U.

    Args:
        first: one sample, of at least one value.
        second: the other.

    Returns:
        The probability, 0 to 1, of samples at least as different, if both are drawn from the same distribution.
    """
    values = np.concatenate((first, second))
    ranks, (_, count) = _ranks(values), np.unique(values, return_counts=True)
    n, m = len(first), len(second)
    both = n + m
    u = ranks[:n].sum() - n * (n + 1) / 2
    ties = (count**3 - count).sum() / (both * (both - 1))
    deviation = math.sqrt(n * m / 12 * (both + 1 - ties))
    if deviation == 0:  # all values are equal
        return 1.0
    return math.erfc(max(abs(u - n * m / 2) - 0.5, 0) / deviation / math.sqrt(2))


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]  # equal values share the mean of their ranks
