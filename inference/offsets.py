"""Where the words of a text stand in it, in characters: from folded bytes back to the raw text."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import numpy as np

from inference.tokens import Tokens, needs_unicode, unicode_folded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_LEADING_SEPARATORS = 1  # bytes of a buffer before its first text


def word_offsets(text: str, tokens: Tokens) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and ends of the words of `tokens`, which is `tokenize([text])`; each (n_tokens,).

    `text[start:end]` is the word as it is written there, combining accents included.
    """
    begins: list[int] = []
    ends: list[int] = []
    for begin, end, folded in _characters(text):
        n_bytes = len(folded.encode(errors="replace"))
        begins += [begin] * n_bytes
        ends += [end] * n_bytes
    first, last = tokens.starts - _LEADING_SEPARATORS, tokens.ends - 1 - _LEADING_SEPARATORS
    return np.array(begins, np.int64)[first], np.array(ends, np.int64)[last]


def _characters(text: str) -> Iterator[tuple[int, int, str]]:
    """Bounds in `text` of what each character of the folded text comes from, in order."""
    if not needs_unicode(text):  # folded byte for byte
        yield from ((i, i + 1, unicode_folded(character)) for i, character in enumerate(text))
        return
    start = 0
    for i in range(1, len(text) + 1):
        if i < len(text) and not _begins_anew(text, start, i):
            continue
        folded = unicode_folded(text[start:i])
        # « é » may come from two characters, « ﬁ » becomes two: what is over goes to the first.
        surplus = i - start - len(folded)
        begin = start
        for place, character in enumerate(folded):
            end = min(i, start + max(surplus, 0) + place + 1)
            yield min(begin, i - 1), end, character
            begin = end
        start = i


def _begins_anew(text: str, start: int, i: int) -> bool:
    """Whether folding leaves `text[i]` apart from `text[start:i]`, whatever follows."""
    character = text[i]
    if character.isascii():
        return True
    if unicodedata.combining(unicodedata.normalize("NFD", character)[0]):
        return False
    before = text[start:i]
    apart = unicodedata.normalize("NFC", before) + unicodedata.normalize("NFC", character)
    return unicodedata.normalize("NFC", before + character) == apart
