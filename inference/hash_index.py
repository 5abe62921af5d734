"""A read-only map from 64-bit hashes to small integers, looked up a whole array at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SLOTS_PER_KEY = 4  # a quarter full: nearly every key sits in its first slot
_ABSENT = -1


class HashIndex:
    """Open addressing with linear probing over NumPy arrays.

    Parameters
    ----------
    keys : uint64 array of shape (n_keys,)
        Distinct, well mixed hashes: their low bits choose the slot.
    values : int32 array of shape (n_keys,)
        What each key stands for; -1 is kept for "absent".
    """

    def __init__(self, keys: NDArray[np.uint64], values: NDArray[np.int32]) -> None:
        n_slots = 1 << max(4, int(len(keys) * _SLOTS_PER_KEY - 1).bit_length())
        self._mask = np.uint64(n_slots - 1)
        self._keys = np.zeros(n_slots, np.uint64)
        self._values = np.full(n_slots, _ABSENT, np.int32)
        self._n_probes = 0
        pending = np.arange(len(keys))
        slots = (keys & self._mask).astype(np.int64)
        while len(pending):
            self._n_probes += 1
            free = self._values[slots[pending]] == _ABSENT
            # Of several keys that want one free slot the first gets it.
            _, first = np.unique(slots[pending[free]], return_index=True)
            placed = pending[free][first]
            self._keys[slots[placed]] = keys[placed]
            self._values[slots[placed]] = values[placed]
            pending = np.setdiff1d(pending, placed)
            slots[pending] = (slots[pending] + 1) & (n_slots - 1)

    def lookup(self, hashes: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Values of `hashes`, -1 where a hash is no key; same shape as `hashes`."""
        slots = (hashes & self._mask).astype(np.int64)
        values = np.where(self._keys[slots] == hashes, self._values[slots], np.int32(_ABSENT))
        if self._n_probes > 1:
            # An empty slot ends a probe; only the rest look further.
            open_ = np.flatnonzero((values == _ABSENT) & (self._values[slots] != _ABSENT))
            for probe in range(1, self._n_probes):
                if not len(open_):
                    break
                slot = (slots[open_] + probe) & (len(self._keys) - 1)
                hit = self._keys[slot] == hashes[open_]
                values[open_[hit]] = self._values[slot[hit]]
                open_ = open_[~hit & (self._values[slot] != _ABSENT)]
        return values
