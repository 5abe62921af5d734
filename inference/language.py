"""Is a text French? A cheap yes for nearly every one, and a name for what the others are."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator

from inference.article import Article

# The commonest words of French that are not words of Spanish, Italian, English or German too (so
# no « la », « de », « en », « que », « se »), as they stand between spaces.
_FRENCH = frozenset(
    """
    le les une des du et est dans pour par sur au aux qui ont pas plus sa ses leur leurs ce cette
    ces il elle ils elles avec à été où mais nous vous je même aussi après depuis sans sous vers
    très deux être avait fait selon dont
    """.split()  # noqa: SIM905 - a list of 70 quoted words is no easier to read
)
_ELIDED = tuple(
    word + apostrophe
    for word in ("l", "d", "qu", "n", "s", "c", "j", "m", "jusqu")
    for apostrophe in "'’"
)
_ENOUGH_WORDS = 8
_ENOUGH_CHARACTERS = 60
_LOOK_AT = 2_000  # characters
_FRENCH_SHARE = 0.1


def foreign_language(text: str) -> str | None:
    """ISO 639-1 code of the language of a text that is not French; None where it is.

    A text of which common French words make up a tenth, or that has under eight words and 60
    characters, is taken for French; py3langid has the last word on the others.
    """
    words = text[:_LOOK_AT].lower().split()
    common = sum(word in _FRENCH or word.startswith(_ELIDED) for word in words)
    # Chinese and Japanese put no spaces between words.
    short = len(words) < _ENOUGH_WORDS and len(text) < _ENOUGH_CHARACTERS
    if short or common >= _FRENCH_SHARE * max(len(words), 1):
        return None
    import py3langid  # half a second: only for the texts in doubt

    code, _ = py3langid.classify(text[:_LOOK_AT])
    return None if code == "fr" else str(code)


def language_checked(articles: Iterable[Article]) -> Iterator[Article]:
    """The same articles; at the end warnings on stderr of those that are no French, or no text."""
    foreign: Counter[str] = Counter()
    example = ""
    wordless: list[str] = []
    n = 0
    for article in articles:
        n += 1
        if not any(map(str.isalnum, article.text)):
            wordless.append(article.id)
        if code := foreign_language(article.text):
            foreign[code] += 1
            example = example or article.id
        yield article
    if foreign:
        languages = ", ".join(f"{count} {code}" for code, count in foreign.most_common(5))
        print(
            f"posture: {foreign.total()} of {n} text(s) do not look French ({languages}; the first "
            f"is {example!r}); the model knows French only, so their labels mean little",
            file=sys.stderr,
        )
    if wordless:
        print(
            f"posture: {len(wordless)} of {n} text(s) are empty or without a word (the first is "
            f"{wordless[0]!r}); what is said of them means nothing",
            file=sys.stderr,
        )
