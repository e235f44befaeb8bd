"""A seeded shuffle of 0..n-1, computed point by point, so that its memory use does not depend on n."""

import math

import numpy as np

_ROUNDS = 4


def mixed(values: np.ndarray, salt: int) -> np.ndarray:
    """Return 64 well-mixed bits for each uint64 (the finalizer of SplitMix64); each salt mixes differently."""
    bits = values + np.uint64(salt % 2**64)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


class Shuffle:
    """A bijection of 0..size-1: a Feistel network over a rectangle, repeated until the result is within the size."""

    # Black and Rogaway's generalized Feistel cipher with cycle walking ("Ciphers with Arbitrary Finite Domains", 2002);
    # it is used to shuffle, not to encrypt.

    def __init__(self, size: int, seed: int):
        self.size = size
        self._width = math.isqrt(size - 1) + 1
        self._height = -(-size // self._width)
        self._salts = [int(salt) for salt in np.random.SeedSequence(seed).generate_state(_ROUNDS, np.uint64)]

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        """Return where each position of 0..size-1 lands, as an int64 array of the same shape."""
        values = self._once(positions.astype(np.uint64))
        while (outside := values >= self.size).any():
            values[outside] = self._once(values[outside])
        return values.astype(np.int64)

    def _once(self, values: np.ndarray) -> np.ndarray:
        width, height = np.uint64(self._width), np.uint64(self._height)
        left, right = values % width, values // width
        for turn, salt in enumerate(self._salts):
            if turn % 2:
                right = (right + mixed(left, salt)) % height
            else:
                left = (left + mixed(right, salt)) % width
        return right * width + left
