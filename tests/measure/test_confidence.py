"""The confidence interval of a percentile: its exact ranks, its simulated coverage, and when it decides a target."""

import math
from itertools import accumulate

import numpy as np
import pytest
from distributions import NORMAL, P95, autocorrelated, bimodal, heavy_tail, log_normal

from pbm_lib.measure.confidence import (
    FEWEST_FOR_UPPER_END,
    percentile_interval,
    percentile_ranks,
    samples_to_decide,
)

RUNS = 20_000
# Three standard errors of a simulated coverage near 95%, and of a tail near 2.5%.
MARGIN = 3 * math.sqrt(0.95 * 0.05 / RUNS)
TAIL_MARGIN = 3 * math.sqrt(0.025 * 0.975 / RUNS)


def exact_tails(n, percent):
    """Return, per rank r, how often the r-th sample is above the percentile and below it, in units of 100 ** -n."""
    chances = [math.comb(n, above) * percent ** (n - above) * (100 - percent) ** above for above in range(n + 1)]
    at_most = list(accumulate(chances))
    return {r: (100**n - (at_most[n - r] if r <= n else 0), at_most[n - r]) for r in range(1, n + 1)}


@pytest.mark.parametrize("percent", [50, 95])
@pytest.mark.parametrize("sizes", [range(200), [299, 300, 301], [1_500]], ids=["0-199", "300", "1500"])
def test_the_ranks_are_the_innermost_whose_tails_are_at_most_one_in_40(sizes, percent):
    for n in sizes:
        tails = exact_tails(n, percent)
        low = [rank for rank, (above, _) in tails.items() if 40 * above <= 100**n]
        high = [rank for rank, (_, below) in tails.items() if 40 * below <= 100**n]
        assert percentile_ranks(n, percent) == (max(low, default=None), min(high, default=None)), n


def test_a_median_has_both_ends_from_6_samples_on():
    assert percentile_interval([1.0, 2.0, 3.0, 4.0, 5.0], 50) == (None, None)
    assert percentile_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 50) == (1.0, 6.0)


def test_an_upper_end_takes_72_samples_and_one_below_the_slowest_takes_110():
    assert min(n for n in range(1_000) if percentile_ranks(n, 95)[1]) == FEWEST_FOR_UPPER_END
    assert min(n for n in range(1, 1_000) if percentile_ranks(n, 95)[1] and percentile_ranks(n, 95)[1] < n) == 110


@pytest.mark.parametrize("n", [20_000, 1_000_000])
def test_the_ranks_of_very_many_samples_match_the_normal_approximation(n):
    half = NORMAL.inv_cdf(0.975) * math.sqrt(n * 0.95 * 0.05)
    assert percentile_ranks(n, 95) == (pytest.approx(0.95 * n - half, abs=2), pytest.approx(0.95 * n + half, abs=2))


def test_the_ends_are_two_of_the_samples_whatever_their_order():
    times = [float(number) for number in range(1, 111)]
    assert percentile_interval(times[::-1], 95) == percentile_interval(times, 95) == (100.0, 109.0)
    assert percentile_interval(times[:71], 95) == (63.0, None)
    assert percentile_interval([5.0], 95) == percentile_interval([], 95) == (None, None)


# Coverage


def misses(times, truth):
    """Return the shares of runs (one per row) whose interval is all above, and all below, the true percentile."""
    low, high = percentile_ranks(times.shape[1], 95)
    ordered = np.sort(times, axis=1)
    return np.mean(ordered[:, low - 1] > truth), np.mean(ordered[:, high - 1] < truth)


@pytest.mark.parametrize(("n", "expected"), [(72, 0.9655), (110, 0.9539), (300, 0.9672)])
@pytest.mark.parametrize("draw", [log_normal, bimodal, heavy_tail])
def test_the_interval_of_independent_samples_holds_the_truth_in_95_of_100_runs(draw, n, expected):
    """Coverage is the same for any distribution, and above 95% because no two of so few samples cover exactly that."""
    times, truth = draw(np.random.default_rng([7, n]), (RUNS, n))
    above, below = misses(times, truth)
    assert 1 - above - below >= 0.95 - MARGIN
    assert 1 - above - below == pytest.approx(expected, abs=MARGIN)
    assert max(above, below) <= 0.025 + TAIL_MARGIN


@pytest.mark.parametrize(
    ("rho", "n", "expected"),
    [(0.5, 72, 0.90), (0.5, 110, 0.88), (0.5, 300, 0.90), (0.9, 72, 0.45), (0.9, 110, 0.45), (0.9, 300, 0.52)],
)
def test_how_far_dependent_samples_fall_short(rho, n, expected):
    """Where a call tends to be as slow as the one before it, n calls tell less than n independent calls would.

    The interval is then too narrow. With rho = 0.5, it misses the true percentile more than twice as often as it
    claims; with 0.9, about every second time. More consecutive samples hardly help. The interval itself cannot show
    this. That is why the calls of one series are spread over the run, with others in between, and why a series whose
    halves differ is marked as not steady. The mark finds what lasts as long as half of the series; test_steady shows
    how much of this dependence it finds.
    """
    values = autocorrelated(np.random.default_rng([11, n]), 5_000, n, rho)
    covered = 1 - sum(misses(np.exp(values), math.exp(P95)))
    assert covered == pytest.approx(expected, abs=0.03)


# How many more samples


@pytest.mark.parametrize(
    ("n", "above", "more"),
    [
        (20, 0, 52),
        (20, 3, 44),
        (71, 0, 1),
        (72, 1, 130),
        (109, 1, 1),
        (110, 2, 148),
        (100, 5, None),
        (110, 5, None),
        (110, 6, None),
        (50_000, 2_600, None),
    ],
)
def test_how_many_more_samples_would_decide(n, above, more):
    assert samples_to_decide(n, above) == more


def test_the_nearer_the_share_is_to_5_percent_the_more_samples_it_takes():
    more = [samples_to_decide(1_000, above) for above in (37, 40, 42, 44, 50, 56, 58, 60, 64)]
    assert more[4] is None
    assert more[0] < more[1] < more[2] < more[3] <= 10_000 and 10_000 >= more[5] > more[6] > more[7] > more[8] > 0


@pytest.mark.parametrize("n", [30, 60, 72, 110, 300])
@pytest.mark.parametrize("share", [0.01, 0.02, 0.03, 0.08, 0.1])
def test_the_suggested_number_of_samples_usually_decides(n, share):
    """Most runs that leave a target undecided are decided after the estimated number of additional samples.

    The true share of samples above the target is known here; the estimate knows only the share among its n samples. It
    aims to decide four in five. From 30 samples, 3 in 5 were decided in the worst case (3% above); from 110 samples, 3
    in 4 to all of them were.
    """
    random = np.random.default_rng([13, n])

    def undecided(samples, above):
        low, high = percentile_ranks(samples, 95)
        return (high is None or above > samples - high) and above < samples - low + 1

    decided = []
    for above in random.binomial(n, share, 2_000).tolist():
        if undecided(n, above) and (more := samples_to_decide(n, above)):
            decided.append(not undecided(n + more, above + random.binomial(more, share)))
    assert np.mean(decided) > (0.7 if n >= 110 else 0.55)
