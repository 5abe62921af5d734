"""Fixed phrases in a stream of words: the lexicon's terms and the gazetteer's names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inference.hash_index import HashIndex
from inference.tokens import Tokens, mix, tokenize

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEXT_WORD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: order matters in a phrase
_OPENING_BITS = 16  # one byte a slot: the filters stay in the fast cache


@dataclass(frozen=True, slots=True)
class Matches:
    """Where phrases stand in `Tokens`; all arrays of shape (n_matches,), in text order.

    first : position of the phrase's first word in the tokens.
    length : its number of words.
    value : what the phrase stands for.
    """

    first: NDArray[np.int64]
    length: NDArray[np.int64]
    value: NDArray[np.int32]


def phrase_hashes(tokens: Tokens, first: NDArray[np.int64], length: int) -> NDArray[np.uint64]:
    """Hash of the `length` words from each position in `first`."""
    hashes = tokens.hashes[first]
    for step in range(1, length):
        hashes = mix(hashes * _NEXT_WORD + tokens.hashes[first + step])
    return hashes


class PhraseMatcher:
    """Finds phrases, the longest first, never two over the same word.

    Parameters
    ----------
    keys : uint64 array of shape (n_phrases,), the hash of each phrase's words.
    values : int32 array of shape (n_phrases,), what each stands for; not negative.
    openings : uint8 array of shape (2, 65536). Row 0: the number of words of the longest phrase
        whose first word's hash has these low bits, 0 where none has; row 1 the same for the
        first two words. They rule out nearly every word before anything is looked up.

    The three arrays are all that a phrase list needs at run time, and what a model folder stores.
    """

    def __init__(
        self,
        keys: NDArray[np.uint64],
        values: NDArray[np.int32],
        openings: NDArray[np.uint8],
    ) -> None:
        self.keys = keys
        self.values = values
        self.openings = openings
        self._index = HashIndex(keys, values)

    @classmethod
    def of(cls, phrases: Sequence[str], values: Sequence[int]) -> PhraseMatcher:
        """Compile `phrases`, cut into words as paragraphs are, each with its value.

        Raises ValueError for a phrase without a word, and for two that fold to the same words but
        have different values.
        """
        tokens = tokenize(phrases)
        lengths = np.bincount(tokens.paragraphs, minlength=len(phrases))
        if len(phrases) and lengths.min() == 0:
            msg = f"phrase {phrases[int(lengths.argmin())]!r} has no word"
            raise ValueError(msg)
        firsts = np.concatenate(([0], np.cumsum(lengths)[:-1])).astype(np.int64)
        keys = np.zeros(len(phrases), np.uint64)
        openings = np.zeros((2, 1 << _OPENING_BITS), np.uint8)
        for length in np.unique(lengths):  # ascending: the longest phrase writes last
            of_length = np.flatnonzero(lengths == length)
            keys[of_length] = phrase_hashes(tokens, firsts[of_length], int(length))
            for words in range(1, min(2, int(length)) + 1):
                opening = phrase_hashes(tokens, firsts[of_length], words)
                openings[words - 1, _slot(opening)] = length
        distinct, kept, group = np.unique(keys, return_index=True, return_inverse=True)
        found = np.asarray(values, np.int32)
        if len(clash := np.flatnonzero(found != found[kept][group])):
            pair = phrases[int(clash[0])], phrases[int(kept[group[clash[0]]])]
            msg = (
                f"{pair[0]!r} and {pair[1]!r} fold to the same words but stand for different things"
            )
            raise ValueError(msg)
        return cls(distinct, found[kept], openings)

    def find(self, tokens: Tokens) -> Matches:
        """All matches in `tokens`, in text order."""
        longest = self.openings[0, _slot(tokens.hashes)]
        several = np.flatnonzero(longest > 1)
        several = several[several + 1 < len(tokens)]
        longest_pair = self.openings[1, _slot(phrase_hashes(tokens, several, 2))]
        several, longest_pair = several[longest_pair > 0], longest_pair[longest_pair > 0]

        taken = np.zeros(len(tokens) + 1, np.bool_)
        found = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int32))]
        for length in range(int(longest_pair.max(initial=1)), 0, -1):
            first = several[longest_pair >= length] if length > 1 else np.flatnonzero(longest)
            if length > 1:
                first = first[first + length <= len(tokens)]
                last = first + length - 1
                first = first[tokens.paragraphs[first] == tokens.paragraphs[last]]
            value = self._index.lookup(phrase_hashes(tokens, first, length))
            first, value = first[value >= 0], value[value >= 0]
            for step in range(length):
                free = ~taken[first + step]
                first, value = first[free], value[free]
            keep = _leftmost(first, length)
            first, value = first[keep], value[keep]
            for step in range(length):
                taken[first + step] = True
            found.append((first, np.full(len(first), length), value))
        first, lengths, value = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.argsort(first)
        return Matches(first[order], lengths[order], value[order])


def _slot(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    return (hashes & np.uint64((1 << _OPENING_BITS) - 1)).astype(np.int64)


def _leftmost(first: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    """Mask of the greedy left-to-right choice among spans [f, f + length) that may overlap."""
    keep = np.zeros(len(first), np.bool_)
    open_ = np.arange(len(first))
    while len(open_):
        starts = first[open_]
        clear = np.ones(len(open_), np.bool_)  # no open span begins shortly before
        clear[1:] = starts[1:] - starts[:-1] >= length
        chosen = open_[clear]
        keep[chosen] = True
        # The chosen span before an open one, if it reaches it, rules it out.
        before = first[chosen][np.searchsorted(first[chosen], starts, "right") - 1]
        open_ = open_[~clear & (starts - before >= length)]
    return keep
