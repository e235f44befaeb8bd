"""The mark for a series that was not steady: what it finds, what it misses, and how often it is wrong."""

import numpy as np
import pytest
from distributions import autocorrelated, bimodal, heavy_tail, log_normal

from pbm_lib.measure.steady import drift_note, drift_of, likeness_note, likeness_of, mann_whitney_p

SERIES = 1_000


def marked(rows):
    """Return the share of series (one per row) that are marked."""
    return np.mean([drift_of(row) is not None for row in rows])


# The statistical test behind it


def test_p_matches_the_textbook_example():
    # The example in scipy's documentation of mannwhitneyu: method "asymptotic".
    males, females = np.array([19.0, 22, 16, 29, 24]), np.array([20.0, 11, 17, 12])
    assert mann_whitney_p(males, females) == pytest.approx(0.11134688653314041)
    assert mann_whitney_p(females, males) == pytest.approx(0.11134688653314041)


@pytest.mark.parametrize("values", [1_000_000, 10, 3])
def test_p_matches_that_of_shuffled_samples_with_and_without_ties(values):
    random = np.random.default_rng([30, values])
    drawn = random.integers(0, values, 60)
    drawn[30:] = np.maximum(drawn[30:], random.integers(0, values, 30))
    # The equivalent of U without ranks: wins over the other half's values, minus losses.
    wins = np.sign(drawn[:, None] - drawn)
    orders = np.array([random.permutation(60) for _ in range(20_000)])
    shuffled = np.array([wins[order[:30, None], order[30:]].sum() for order in orders])
    simulated = np.mean(abs(shuffled) >= abs(wins[:30, 30:].sum()))
    assert 0.005 < simulated < 0.05
    assert mann_whitney_p(drawn[:30], drawn[30:]) == pytest.approx(simulated, rel=0.15)


def test_equal_values_do_not_differ():
    assert mann_whitney_p(np.ones(10), np.ones(12)) == 1.0
    assert drift_of([4.0] * 100) is None


# What is marked


@pytest.mark.parametrize("n", [20, 61, 110, 300])
@pytest.mark.parametrize("draw", [log_normal, bimodal, heavy_tail])
def test_fewer_than_2_of_100_steady_series_are_marked(draw, n):
    times, _ = draw(np.random.default_rng([17, n]), (SERIES, n))
    assert marked(times) < 0.02


@pytest.mark.parametrize(("spread", "found"), [(0.2, 1.0), (0.3, 0.99), (0.5, 0.91), (1.0, 0.29)])
def test_a_step_to_one_and_a_half_times_is_found_in_noise_no_larger_than_the_step(spread, found):
    """The spread is the standard deviation of the logarithms of 110 samples; on that scale, the step is 0.41."""
    steps = np.where(np.arange(110) < 55, 1.0, 1.5)
    share = marked(np.random.default_rng(19).lognormal(0, spread, (SERIES, 110)) * steps)
    assert share == pytest.approx(found, abs=0.05)
    assert share > 0.95 or spread > 0.4


@pytest.mark.parametrize("n", [20, 110])
def test_a_slow_change_is_found_and_measured_between_the_halves(n):
    times = np.linspace(10.0, 20.0, n)
    assert drift_of(times) == pytest.approx(17.5 / 12.5, rel=0.02)
    assert drift_of(times[::-1]) == pytest.approx(12.5 / 17.5, rel=0.02)


def test_fewer_than_20_samples_and_small_changes_are_not_marked():
    assert drift_of([1.0] * 10 + [9.0] * 10) == 9.0
    assert drift_of([1.0] * 9 + [9.0] * 10) is None
    assert drift_of([1.0] * 50 + [1.25] * 50) is None
    assert drift_of([1.25] * 50 + [1.0] * 50) is None
    assert drift_of([1.26] * 50 + [1.0] * 50) == pytest.approx(1 / 1.26)


def test_times_of_0_ms_have_a_ratio_too():
    assert drift_of([0.0] * 10 + [0.5] * 10) == 500


@pytest.mark.parametrize(("rho", "found"), [(0.5, 0.1), (0.9, 0.47)])
def test_dependence_that_comes_and_goes_within_the_halves_is_not_drift(rho, found):
    """Where each call depends on the one before, about 1 in 10 series drifts with rho = 0.5, and every second with 0.9.

    These are the series in which slow calls happened to fill one of the halves. The other mark finds the dependence.
    """
    share = marked(np.exp(0.5 * autocorrelated(np.random.default_rng(23), SERIES, 110, rho)))
    assert share == pytest.approx(found, abs=0.05)


def alike(rows):
    """Return the share of series (one per row) whose calls are marked as alike."""
    return np.mean([likeness_of(row) is not None for row in rows])


@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_calls_that_depend_on_each_other_are_found_alike(rho):
    rows = np.exp(0.5 * autocorrelated(np.random.default_rng(29), SERIES, 110, rho))
    assert alike(rows) > 0.97
    found = [likeness_of(row) for row in rows]
    assert np.median([one for one in found if one]) == pytest.approx(rho, abs=0.1)


@pytest.mark.parametrize("n", [20, 61, 110, 300])
@pytest.mark.parametrize("draw", [log_normal, bimodal, heavy_tail])
def test_fewer_than_2_of_100_series_of_independent_calls_are_found_alike(draw, n):
    times, _ = draw(np.random.default_rng([31, n]), (SERIES, n))
    assert alike(times) < 0.02


def test_weak_dependence_equal_times_and_few_samples_are_not_marked():
    rows = np.exp(autocorrelated(np.random.default_rng(37), 20, 20_000, 0.1))
    assert alike(rows) == 0
    assert likeness_of([4.0] * 100) is None
    assert likeness_of(list(range(19))) is None
    assert likeness_of(list(range(20))) == pytest.approx(0.85, abs=0.05)


def test_the_marks_say_what_they_mean():
    assert drift_note(1.42) == "not steady: second half 1.4 times the first"
    assert drift_note(0.05) == "not steady: first half 20 times the second"
    assert likeness_note(0.43) == "not independent: consecutive calls are correlated (rank correlation 0.4)"
