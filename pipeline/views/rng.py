"""Counter-based randomness: a view's draws depend on (seed, key, view) and on nothing else.

numpy promises that a bit generator's raw stream never changes, but not how its distributions
consume it, so the distributions used by the views are derived here from `random_raw()`.
"""

from functools import cached_property
from hashlib import blake2b
from typing import Any, cast

import numpy as np
from numpy.random.bit_generator import ISeedSequence

EVALUATION = -1
"""The view number that means: no randomness, centre crop."""


class _Key(ISeedSequence):
    """Hands a generator its key; `Philox(key=...)` would ask the system for entropy beside it."""

    def __init__(self, key: np.ndarray) -> None:
        self._key = key

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> np.ndarray:
        """The key: Philox asks for two words of 64 bits."""
        return self._key


def philox(key: np.ndarray) -> np.random.Philox:
    """Philox4x64-10 with a key uint64 [2], the bits of `np.random.Philox(key=key)`."""
    return np.random.Philox(cast(np.random.SeedSequence, _Key(key)))


class ViewRng:
    """Draws of one view, from Philox keyed with blake2b("{seed}/{key}/{view}", 16 bytes).

    `stream` separates independent chains of one view, such as a cloud and its paired image.
    """

    def __init__(self, seed: int, key: str, view: int, stream: str = "") -> None:
        self._view, self._stream = (seed, key, view), stream

    @cached_property
    def _bits(self) -> np.random.Philox:
        """Made when something is drawn: many a chain draws nothing."""
        name = "/".join(map(str, self._view)) + ("#" + self._stream if self._stream else "")
        digest = blake2b(name.encode(), digest_size=16).digest()
        return philox(np.frombuffer(digest, dtype="<u8"))

    def stream(self, name: str) -> "ViewRng":
        """Other draws of the same view; whoever names a stream draws the same from it."""
        return ViewRng(*self._view, name)

    def raw(self, size: int) -> np.ndarray:
        """`size` raw draws, uint64 [size]."""
        return self._bits.random_raw(size)

    def uniforms(self, size: int, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """Float64 [size] uniform in [low, high): the upper 53 bits of a raw draw each."""
        return low + (high - low) * ((self.raw(size) >> np.uint64(11)) * 2.0**-53)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """One float uniform in [low, high): the one that `uniforms` gives."""
        return low + (high - low) * ((self._bits.random_raw() >> 11) * 2.0**-53)

    def integer(self, high: int) -> int:
        """One integer uniform in 0..high-1 (high below 2**32, so the bias is below 2**-32)."""
        return (self._bits.random_raw() * high) >> 64

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.uniform() < probability

    def normals(self, size: int) -> np.ndarray:
        """Standard normals, float64 [size], by the Box-Muller transform of two uniforms each."""
        radius = np.sqrt(-2.0 * np.log(1.0 - self.uniforms(size)))
        return radius * np.cos(2.0 * np.pi * self.uniforms(size))

    def permutation(self, size: int) -> np.ndarray:
        """A random order of 0..size-1, int64 [size]: the order of as many raw draws."""
        return np.argsort(self.raw(size), kind="stable")
