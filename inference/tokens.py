"""Words of French paragraphs as 64-bit hashes, computed on bytes a whole block at a time.

A block of paragraphs becomes one buffer of folded UTF-8 bytes; case, accents, digits, ligatures,
the two apostrophes and the no-break spaces are folded there, words are found by comparing
neighbouring bytes, and each word's hash is a difference of two prefix sums. No Python code
runs per word, and paragraphs that need Unicode normalisation are the only ones touched one
by one.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Odd multipliers have inverses modulo 2**64, which is what lets a hash of buffer[a:b] be read
# off the prefix sums as (S[b] - S[a]) / base**a. Constants: Knuth's MMIX generator and the
# finaliser of MurmurHash3.
_BASE = 6364136223846793005
_BASE_INVERSE = pow(_BASE, -1, 1 << 64)
_MIX_1 = np.uint64(0xFF51AFD7ED558CCD)
_MIX_2 = np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT = np.uint64(33)

_LEAD_LATIN_1_SIGNS = 0xC2  # « », NBSP, °, …: U+0080–00BF
_LEAD_ACCENTED = 0xC3  # À–ÿ: U+00C0–00FF
_LEAD_OE = 0xC5
_LEAD_PUNCTUATION = 0xE2  # ’ “ – … narrow NBSP, €: U+2000–2FFF
_SEPARATOR = ord(" ")
_GONE = 0xFF  # no byte of UTF-8


def _folding() -> NDArray[np.uint8]:
    table = np.arange(256, dtype=np.uint8)
    table[ord("A") : ord("Z") + 1] += 32
    table[ord("0") : ord("9") + 1] = ord("0")  # the shape of a number, not its value
    return table


def _word_bytes() -> NDArray[np.bool_]:
    table = np.zeros(256, np.bool_)
    table[[ord(c) for c in "abcdefghijklmnopqrstuvwxyz0"]] = True
    table[0x80:] = True
    return table


def _plain_letters() -> NDArray[np.uint8]:
    """Second byte of À–ÿ in UTF-8 → the letter without its accent, 0 where there is none."""
    table = np.zeros(256, np.uint8)
    for code in range(0xC0, 0x100):
        plain = unicodedata.normalize("NFD", chr(code))[0].lower()
        if plain.isascii():
            table[code - 0x40] = ord(plain)
    return table


def _rare_bytes() -> NDArray[np.bool_]:
    """Lead bytes that the vectorised folding does not know: their paragraph goes to Unicode."""
    table = np.zeros(256, np.bool_)
    table[0xC0:] = True
    table[[_LEAD_LATIN_1_SIGNS, _LEAD_ACCENTED, _LEAD_OE, _LEAD_PUNCTUATION]] = False
    return table


_FOLD = _folding()
_IS_WORD = _word_bytes()
_IS_RARE = _rare_bytes()
_PLAIN = _plain_letters()
_LIGATURES = str.maketrans({"ﬁ": "fi", "ﬂ": "fl", "ﬀ": "ff", "ﬃ": "ffi", "ﬄ": "ffl"})
_BYTE_CODES = np.random.default_rng(20201).integers(1, 1 << 63, 256, dtype=np.uint64) * np.uint64(
    2
) + np.uint64(1)


def mix(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every bit of `hashes` over all bits (MurmurHash3's 64-bit finaliser)."""
    hashes = hashes ^ (hashes >> _SHIFT)
    hashes *= _MIX_1
    hashes ^= hashes >> _SHIFT
    hashes *= _MIX_2
    hashes ^= hashes >> _SHIFT
    return hashes


class _Powers:
    """base**i and base**-i modulo 2**64, grown as longer blocks come.

    Threads share them without a lock: one that grows them for its shorter block may undo what
    another has grown, which then costs a growth later, but takes nothing from who holds arrays.
    """

    def __init__(self) -> None:
        self._kept = np.ones(1, np.uint64), np.ones(1, np.uint64)

    def reach(self, n: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Powers up and down, each of shape (at least n,)."""
        powers = self._kept
        if len(powers[0]) < n:
            size = 1 << int(n - 1).bit_length()
            steps = np.full(size, _BASE, np.uint64)
            back = np.full(size, _BASE_INVERSE, np.uint64)
            steps[0] = back[0] = 1
            powers = self._kept = np.cumprod(steps), np.cumprod(back)
        return powers


_POWERS = _Powers()


@dataclass(frozen=True, slots=True)
class Tokens:
    """The words of a block of paragraphs, in order.

    hashes : uint64 (n_tokens,), equal for equal folded words.
    paragraphs : int64 (n_tokens,), the paragraph of each word, ascending.
    starts, ends : int64 (n_tokens,), each word's bounds in `buffer`; an empty span is a word
        that stands for something else (a masked name) and has no letters to show.
    buffer : uint8, the folded bytes of the block.
    n_paragraphs : paragraphs of the block, those without words included.
    """

    hashes: NDArray[np.uint64]
    paragraphs: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    buffer: NDArray[np.uint8]
    n_paragraphs: int

    def __len__(self) -> int:
        return len(self.hashes)

    def words(self) -> list[str]:
        """The folded words as text, for explanations and tests (a Python loop)."""
        data = self.buffer.tobytes()
        return [data[a:b].decode() for a, b in zip(self.starts, self.ends, strict=True)]


def needs_unicode(text: str) -> bool:
    """Whether `tokenize` folds this text with `unicode_folded` first."""
    return bool(len(_rare(np.frombuffer(text.encode(errors="replace") + b" ", np.uint8))))


def _rare(raw: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Positions of lead bytes that byte-wise folding does not know; `raw` ends with a separator."""
    unknown = np.flatnonzero(_IS_RARE.take(raw, mode="clip"))
    oe = np.flatnonzero(raw == _LEAD_OE)
    return np.concatenate((unknown, oe[(raw[oe + 1] | 1) != 0x93]))


def unicode_folded(text: str) -> str:
    """No accents, ligatures of typesetting undone, lower case: what single bytes do not tell."""
    letters = unicodedata.normalize("NFD", text).translate(_LIGATURES).lower()
    return unicodedata.normalize("NFC", "".join(c for c in letters if not unicodedata.combining(c)))


def tokenize(texts: Sequence[str]) -> Tokens:
    """Fold and cut `texts` into words.

    A word is a run of letters and digits; apostrophes, hyphens and every punctuation mark
    separate (« l'armée » is two words, « porte-avions » too). Every digit reads as 0. Accents are
    dropped: capitals, headlines and hurried texts often go without, and few words differ by one.
    """
    encoded = [text.encode(errors="replace") for text in texts]
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    # One leading and one trailing separator spare every boundary test below.
    raw = np.frombuffer(b" " + b" ".join(encoded) + b"  ", np.uint8)
    rare = _rare(raw)
    if len(rare):
        for i in np.unique(np.searchsorted(np.cumsum(lengths + 1), rare - 1, "right")):
            encoded[i] = unicode_folded(texts[i]).encode(errors="replace")
            lengths[i] = len(encoded[i])
        raw = np.frombuffer(b" " + b" ".join(encoded) + b"  ", np.uint8)

    buffer = _FOLD.take(raw, mode="clip")  # twice as fast as indexing
    accented = np.flatnonzero(raw == _LEAD_ACCENTED) + 1
    second = raw[accented]
    plain = _PLAIN.take(second, mode="clip")
    lower = np.where(second < 0x9F, second | 0x20, second)  # Ø to ø
    buffer[accented] = np.where(plain, plain, lower)
    ash = accented[lower == 0xA6]  # æ is as long in bytes as « ae »
    buffer[ash - 1], buffer[ash] = ord("a"), ord("e")
    oe = np.flatnonzero(raw == _LEAD_OE) + 1
    buffer[oe - 1], buffer[oe] = ord("o"), ord("e")

    signs = np.flatnonzero(raw == _LEAD_LATIN_1_SIGNS)
    buffer[signs] = buffer[signs + 1] = _SEPARATOR
    marks = np.flatnonzero(raw == _LEAD_PUNCTUATION)
    buffer[marks] = buffer[marks + 1] = buffer[marks + 2] = _SEPARATOR

    # The first of the two bytes of an accented letter goes.
    gone = accented[plain > 0] - 1
    buffer[gone] = _GONE
    buffer = np.frombuffer(buffer.tobytes().translate(None, bytes([_GONE])), np.uint8)
    bounds = np.concatenate(([0], np.cumsum(lengths + 1)))
    bounds -= np.searchsorted(gone, bounds)

    is_word = _IS_WORD.take(buffer, mode="clip")
    edges = np.flatnonzero(is_word[1:] != is_word[:-1]) + 1
    starts, ends = edges[0::2], edges[1::2]
    up, down = _POWERS.reach(len(buffer))
    sums = np.cumsum(_BYTE_CODES.take(buffer, mode="clip") * up[: len(buffer)])
    # sums[i] covers buffer[:i + 1], and the byte before a word is a separator inside sums.
    hashes = mix((sums[ends - 1] - sums[starts - 1]) * down[starts])
    firsts = np.searchsorted(starts, bounds + 1)
    paragraphs = np.repeat(np.arange(len(encoded)), np.diff(firsts))
    return Tokens(hashes, paragraphs, starts, ends, buffer, len(encoded))
