"""The shuffle is a bijection for every size, and the same for the same seed."""

import numpy as np
import pytest

from pbm_lib.claims.shuffle import Shuffle, mixed


@pytest.mark.parametrize("size", [*range(1, 40), 99, 100, 101, 1_000, 65_537, 100_000])
@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_every_value_is_hit_once(size, seed):
    landed = Shuffle(size, seed)(np.arange(size))
    assert np.array_equal(np.sort(landed), np.arange(size))


def test_a_position_lands_in_the_same_place_whatever_is_shuffled_with_it():
    shuffle = Shuffle(3_000_000, 7)
    together = shuffle(np.arange(1_000, 2_000))
    assert together[[0, 500, 999]].tolist() == [int(shuffle(np.array([number]))[0]) for number in (1_000, 1_500, 1_999)]
    assert np.array_equal(Shuffle(3_000_000, 7)(np.arange(1_000, 2_000)), together)
    assert not np.array_equal(Shuffle(3_000_000, 8)(np.arange(1_000, 2_000)), together)


def test_the_given_positions_are_unchanged():
    positions = np.arange(100)
    Shuffle(100, 3)(positions)
    assert np.array_equal(positions, np.arange(100))


def test_any_stretch_is_spread_over_the_whole_range():
    size = 1_000_000
    for start in (0, 400_000, 990_000):
        landed = Shuffle(size, 5)(np.arange(start, start + 10_000))
        tenths = np.bincount(landed * 10 // size, minlength=10)
        assert tenths.min() > 850
        assert tenths.max() < 1_150


def test_mixing_depends_on_value_and_salt_and_halves_the_bits():
    values = np.arange(10_000, dtype=np.uint64)
    bits = mixed(values, 1)
    assert len(np.unique(bits)) == len(values)
    assert not np.array_equal(bits, mixed(values, 2))
    ones = np.unpackbits(bits.view(np.uint8)).mean()
    assert 0.49 < ones < 0.51
