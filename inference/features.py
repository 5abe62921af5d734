"""Columns of the linear model: what a paragraph's words, letters and phrases are hashed to.

Three fields: words and pairs of words, hashed; n-grams of bytes inside a word, hashed beside them;
classes of the lexicon. Training counts the columns into a sparse matrix; the run time sums rows of
one weight table over them. Both call the functions of this file, so that they cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inference.masking import mask_states
from inference.tokens import Tokens, mix, tokenize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from inference.phrases import PhraseMatcher

_PAIR = np.uint64(0x9E3779B97F4A7C15)
_LETTERS_SALT = np.uint64(0x1E77E45)
_LETTER_BASE = np.uint64(0x100000001B3)  # the FNV prime
_EDGE = 0x20  # a byte inside no word marks a word's two ends


@dataclass(frozen=True, slots=True)
class FeatureConfig:
    """What the vectoriser makes of a paragraph.

    hash_bits : words have 2**hash_bits columns, and letters as many after them.
    letters_min, letters_max : lengths in bytes of the n-grams inside a word and its two edges.
    """

    hash_bits: int = 20
    letters_min: int = 2
    letters_max: int = 5

    @property
    def n_hashed(self) -> int:
        """Columns of words and of letters together; the classes' columns follow them."""
        return 2 << self.hash_bits


def masked_tokens(texts: Sequence[str], names: PhraseMatcher) -> Tokens:
    """The words of `texts`, names of states masked: what every column is made from."""
    return mask_states(tokenize(texts), names)


def _hashed(hashes: NDArray[np.uint64], config: FeatureConfig) -> NDArray[np.int64]:
    """Columns of well mixed `hashes`: their high bits."""
    return (hashes >> np.uint64(64 - config.hash_bits)).astype(np.int64)


def word_columns(tokens: Tokens, config: FeatureConfig) -> NDArray[np.int64]:
    """One column a word; shape (n_tokens,)."""
    return _hashed(tokens.hashes, config)


def pair_columns(
    tokens: Tokens, config: FeatureConfig
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """One column for each word with the next of its paragraph, and the first word's position."""
    first = np.flatnonzero(tokens.paragraphs[1:] == tokens.paragraphs[:-1])
    hashes = mix(tokens.hashes[first] * _PAIR + tokens.hashes[first + 1])
    return _hashed(hashes, config), first


def letter_columns(
    tokens: Tokens, words: NDArray[np.int64], config: FeatureConfig
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Columns of the n-grams of the tokens at positions `words`, edges of the word included.

    Yields, for each length of n-gram, the columns and for each its index in `words`, ascending;
    masked names have none.
    """
    lengths = tokens.ends[words] - tokens.starts[words]
    shown = np.flatnonzero(lengths)
    padded = lengths[shown] + 2
    ends = np.cumsum(padded)
    n_letters = int(padded.sum())
    word = np.repeat(np.arange(len(shown)), padded)
    position = np.arange(n_letters) - np.repeat(ends - padded, padded)
    # The byte before and after a word may be any separator; both read as the same edge.
    letters = tokens.buffer[tokens.starts[words[shown]][word] + position - 1].astype(np.uint64)
    letters[ends - 1] = _EDGE
    letters[ends - padded] = _EDGE
    room = ends[word] - np.arange(n_letters)
    hashes = np.full(n_letters, _LETTERS_SALT)
    for length in range(1, config.letters_max + 1):
        n_windows = max(0, n_letters - length + 1)
        hashes = hashes[:n_windows] * _LETTER_BASE + letters[length - 1 :][:n_windows]
        if length >= config.letters_min:
            inside = np.flatnonzero(room[:n_windows] >= length)
            columns = _hashed(mix(hashes[inside]), config) + (1 << config.hash_bits)
            yield columns, shown[word[inside]]
