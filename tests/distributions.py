"""Random times, one series per row: independent ones with their true 95th percentile, and dependent ones."""

import math
from statistics import NormalDist

import numpy as np

NORMAL = NormalDist()
P95 = NORMAL.inv_cdf(0.95)


def log_normal(random, shape):
    return random.lognormal(0, 0.6, shape), math.exp(0.6 * P95)


def bimodal(random, shape):
    """Nineteen calls in twenty take around 1 ms, one around 50 ms: the 95th percentile is in the gap between them."""
    slow = random.random(shape) < 0.05
    times = np.exp(random.standard_normal(shape) * 0.3 + np.where(slow, math.log(50), 0))
    low, high = 0.1, 1_000.0
    for _ in range(60):
        middle = math.sqrt(low * high)
        share = 0.95 * NORMAL.cdf(math.log(middle) / 0.3) + 0.05 * NORMAL.cdf(math.log(middle / 50) / 0.3)
        low, high = (middle, high) if share < 0.95 else (low, middle)
    return times, low


def heavy_tail(random, shape):
    """Pareto with alpha 1.1: a mean, but no variance."""
    return 1 + random.pareto(1.1, shape), 0.05 ** (-1 / 1.1)


def autocorrelated(random, runs, n, rho):
    """Logarithms of times, one run per row: each value is rho times the previous one plus noise (AR(1))."""
    noise = random.standard_normal((n, runs))
    values = np.empty_like(noise)
    values[0] = noise[0]
    for step in range(1, n):
        values[step] = rho * values[step - 1] + math.sqrt(1 - rho**2) * noise[step]
    return values.T
