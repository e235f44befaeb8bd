"""Whether a series was steady: its first half is compared with its second, and each call with the next."""

import math
from collections.abc import Sequence

import numpy as np

from ..display import LEAST_MS, times

FEWEST_FOR_DRIFT = 20
"""With fewer samples than this, the halves are too short to tell."""
DRIFT = 1.25
"""A series is not steady if the medians of its halves differ by more than this ratio, unless chance explains it."""
_CHANCE = 0.01
ALIKE = 0.2
"""Consecutive calls count as alike from this rank correlation on, unless chance explains it."""
_DEVIATIONS = 2.33  # exceeded by 1 in 100 series of independent calls


def drift_of(series: Sequence[float]) -> float | None:
    """Return how far the second half of a series is from the first, if the series is not steady.

    A series is not steady if the medians of its two halves differ by more than 25%, and a Mann-Whitney U test says that
    fewer than 1 in 100 steady series would differ that much. This finds a step or a slow change, but not a disturbance
    that comes and goes within each half.

    Args:
        series: times in ms, in the order they were taken.

    Returns:
        The median of the second half divided by that of the first, below 0.8 or above 1.25; None for a series that is
        steady or has fewer than 20 samples.
    """
    if len(series) < FEWEST_FOR_DRIFT:
        return None
    first, second = np.split(np.asarray(series, dtype=float), [len(series) // 2])
    ratio = max(float(np.median(second)), LEAST_MS) / max(float(np.median(first)), LEAST_MS)
    return ratio if max(ratio, 1 / ratio) > DRIFT and mann_whitney_p(first, second) < _CHANCE else None


def likeness_of(series: Sequence[float]) -> float | None:
    """Return how alike consecutive calls in a series are, if they depend on each other.

    Such a series tells less than the same number of independent calls, and its intervals are too narrow. Calls count as
    alike if the lag-1 autocorrelation of their ranks is at least 0.2, and fewer than 1 in 100 series of independent
    calls would have as much.

    Args:
        series: times in ms, in the order they were taken.

    Returns:
        The rank correlation, 0.2 to 1; None if the calls are not alike or there are fewer than 20.
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
    """Return what a correlation from `likeness_of` means, in words."""
    return f"not independent: consecutive calls are correlated (rank correlation {correlation:.1f})"


def drift_note(ratio: float) -> str:
    """Return what a ratio from `drift_of` means, in words."""
    if ratio > 1:
        return f"not steady: second half {times(ratio)} times the first"
    return f"not steady: first half {times(1 / ratio)} times the second"


def mann_whitney_p(first: np.ndarray, second: np.ndarray) -> float:
    """Return the two-sided p-value of a Mann-Whitney U test: normal approximation, corrected for ties and continuity.

    Args:
        first: one group, with at least one value.
        second: the other group, with at least one value.

    Returns:
        The probability, 0 to 1, of groups at least this different if both are drawn from the same distribution.
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
