"""Texts as they come in practice, made from clean ones: none should get other labels."""

from __future__ import annotations

import random
import re
import unicodedata
import zlib
from collections.abc import Callable

from training.country_exchange import country_exchange

COUNTRIES = "countries exchanged"

_LETTERS = re.compile(r"[^\W\d_]{4,}")
_TYPING_SHARE = 0.1  # of the words of four letters or more
# Not after « M. », « MM. » and initials, and only where a new sentence begins.
_SENTENCE_END = re.compile(
    r"(?<!\bM)(?<!\bMM)(?<!\b[A-Z])[.!?…](?:[\s\xa0\u202f]?[»”])?\s+(?=[«“A-ZÀ-ÖØ-Þ\d])"
)


def perturbations() -> dict[str, Callable[[str], str]]:
    """Name → what it makes of a text; the same text always becomes the same."""
    return {
        COUNTRIES: country_exchange(),
        "no apostrophes": lambda text: re.sub("[’']", "", text),
        "no accents": without_accents,
        "upper case": str.upper,
        "typing errors": typing_errors,
        "first sentence only": first_sentence,
        "mojibake": mojibake,
    }


def without_accents(text: str) -> str:
    """The text in plain letters: é as e, ç as c, œ as oe."""
    plain = unicodedata.normalize("NFD", text.replace("œ", "oe").replace("Œ", "OE"))
    return "".join(char for char in plain if not unicodedata.combining(char))


def typing_errors(text: str) -> str:
    """One slip in one word of ten: two letters exchanged, one left out, or one doubled."""
    rng = random.Random(zlib.crc32(text.encode()))  # noqa: S311 - no secret

    def slip(found: re.Match[str]) -> str:
        word = found[0]
        if rng.random() >= _TYPING_SHARE:
            return word
        i = rng.randrange(1, len(word) - 1)
        return rng.choice(
            (
                word[:i] + word[i + 1] + word[i] + word[i + 2 :],
                word[:i] + word[i + 1 :],
                word[:i] + word[i] + word[i:],
            )
        )

    return _LETTERS.sub(slip, text)


def first_sentence(text: str) -> str:
    """Up to the first full stop with a new sentence behind it."""
    end = _SENTENCE_END.search(text)
    return text[: end.end()].rstrip() if end else text


def mojibake(text: str) -> str:
    """UTF-8 read as Windows-1252: « é » as « Ã© ». Reading a file would mend it."""
    import ftfy.bad_codecs  # noqa: F401 - knows the five bytes that Windows-1252 leaves open

    return text.encode().decode("sloppy-windows-1252")
