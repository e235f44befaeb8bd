"""Whether a series was steady while it was measured: its first half against its second half."""

import math
from collections.abc import Sequence

import numpy as np

from ..display import LEAST_MS, times

FEWEST_FOR_DRIFT = 20
"""Below so many samples the halves are too short to tell."""
DRIFT = 1.25
"""Medians of both halves further apart than this ratio count as different, if chance does not explain it."""
_CHANCE = 0.01


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
    _, place, count = np.unique(np.concatenate((first, second)), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]  # equal values share the mean of their ranks
    n, m = len(first), len(second)
    both = n + m
    u = ranks[:n].sum() - n * (n + 1) / 2
    ties = (count**3 - count).sum() / (both * (both - 1))
    deviation = math.sqrt(n * m / 12 * (both + 1 - ties))
    if deviation == 0:  # all values are equal
        return 1.0
    return math.erfc(max(abs(u - n * m / 2) - 0.5, 0) / deviation / math.sqrt(2))
