"""Texts that are nearly the same: wire copies, reprints, and articles corrected afterwards.

Shingles of words and their Jaccard index: Broder (1997), On the Resemblance and Containment of
Documents.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from inference.tokens import mix, tokenize

_WORDS = 5
_BLOCK = 1_000
_ROWS = 200  # of the product at a time: a phrase that every text has fills it


def near_duplicates(texts: Sequence[str], threshold: float = 0.4) -> list[tuple[int, int, float]]:
    """Pairs of texts that share most of their word 5-grams: (i, j, Jaccard index), i < j, sorted.

    threshold : smallest Jaccard index of the two sets of 5-grams that counts, in (0, 1].

    Case, punctuation and the digits of numbers do not count. A text of fewer than five words is
    one shingle, so it is like its equals only; a text without words is like no other. Every pair
    is found, and no other (but for collisions of 64-bit hashes). The time grows with the texts'
    length and with the pairs that share a shingle. Raises TypeError for a single string.
    """
    if isinstance(texts, str):
        msg = f"expected a sequence of texts, found one text ({texts[:40]!r}…); pass [text]"
        raise TypeError(msg)
    if not 0 < threshold <= 1:
        msg = f"threshold is {threshold}; expected more than 0 and at most 1"
        raise ValueError(msg)
    shingles, sizes = _shingles(texts)
    texts_of = shingles.T.tocsr()
    pairs: list[tuple[int, int, float]] = []
    for start in range(0, len(texts), _ROWS):
        common = (shingles[start : start + _ROWS] @ texts_of).tocoo()
        first, second = common.coords[0] + start, common.coords[1]
        jaccard = common.data / (sizes[first] + sizes[second] - common.data)
        kept = (first < second) & (jaccard >= threshold)
        pairs += zip(
            first[kept].tolist(), second[kept].tolist(), jaccard[kept].tolist(), strict=True
        )
    return sorted(pairs)


def near_any(
    texts: Sequence[str], known: Sequence[str], threshold: float = 0.4
) -> NDArray[np.bool_]:
    """Whether each text is nearly the same as a known one, as in `near_duplicates`: (n_texts,)."""
    shingles, sizes = _shingles([*texts, *known])
    known_sizes, of_known = sizes[len(texts) :], shingles[len(texts) :].T.tocsr()
    near = np.zeros(len(texts), np.bool_)
    for start in range(0, len(texts), _ROWS):
        common = (shingles[start : min(start + _ROWS, len(texts))] @ of_known).tocoo()
        own, other = common.coords[0] + start, common.coords[1]
        jaccard = common.data / (sizes[own] + known_sizes[other] - common.data)
        near[own[jaccard >= threshold]] = True
    return near


def _shingles(texts: Sequence[str]) -> tuple[sp.csr_array, NDArray[np.int64]]:
    """Which text has which shingle, 0/1 (n_texts, n_shared), and the size of each text's set.

    Only shingles of two texts or more have a column: the others never meet.
    """
    blocks = [_hashes(texts[i : i + _BLOCK], i) for i in range(0, len(texts), _BLOCK)]
    rows = np.concatenate([np.zeros(0, np.int64), *(rows for rows, _ in blocks)])
    hashes = np.concatenate([np.zeros(0, np.uint64), *(hashes for _, hashes in blocks)])
    order = np.lexsort((rows, hashes))
    rows, hashes = rows[order], hashes[order]
    fresh = np.ones(len(rows), np.bool_)
    fresh[1:] = (rows[1:] != rows[:-1]) | (hashes[1:] != hashes[:-1])  # a set counts once
    rows, hashes = rows[fresh], hashes[fresh]
    _, column, n_texts = np.unique(hashes, return_inverse=True, return_counts=True)
    shared = n_texts[column] > 1
    table = sp.csr_array(
        (np.ones(int(shared.sum()), np.int64), (rows[shared], column[shared])),
        shape=(len(texts), len(n_texts)),
    )
    return table, np.bincount(rows, minlength=len(texts))


def _hashes(texts: Sequence[str], start: int) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Each shingle's text, counted from `start`, and its hash; repeats are kept."""
    tokens = tokenize(texts)
    n_words = np.bincount(tokens.paragraphs, minlength=len(texts))
    ends = np.cumsum(n_words)[tokens.paragraphs]
    position = np.arange(len(tokens))
    is_first = position == ends - n_words[tokens.paragraphs]
    begins = np.flatnonzero(is_first | (position + _WORDS <= ends))
    hashes = np.zeros(len(begins), np.uint64)
    for offset in range(_WORDS):
        # A short text's one shingle ends with the text.
        inside = np.flatnonzero(begins + offset < ends[begins])
        hashes[inside] = mix(hashes[inside] + tokens.hashes[begins[inside] + offset])
    return tokens.paragraphs[begins] + start, hashes
