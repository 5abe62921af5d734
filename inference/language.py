"""Is a text French? A cheap yes on every text, and a name for what it is on the others."""

from __future__ import annotations

# The commonest words of French, as they stand between spaces; a quarter to a half of any French
# prose, a few per cent of English, Spanish or Italian.
_FRENCH = frozenset(
    """
    le la les un une des du de et est en dans pour par sur au aux que qui a ont ne pas plus se sa
    son ses leur leurs ce cette ces il elle ils avec à été sont ou où mais nous vous je même aussi
    après entre depuis sans sous vers très deux être avait fait y contre selon dont
    """.split()  # noqa: SIM905 - a list of 70 quoted words is no easier to read
)
_ELIDED = ("l'", "d'", "qu'", "n'", "s'", "c'", "j'", "m'", "jusqu'", "l’", "d’", "qu’", "n’", "s’")
_ENOUGH_WORDS = 8
_LOOK_AT = 2_000  # characters
_FRENCH_SHARE = 0.2


def looks_french(text: str) -> bool:
    """Whether common French words make up a fifth of it; True for texts under eight words."""
    words = text[:_LOOK_AT].lower().split()
    if len(words) < _ENOUGH_WORDS:
        return True
    common = sum(word in _FRENCH or word.startswith(_ELIDED) for word in words)
    return common >= _FRENCH_SHARE * len(words)


def language_of(text: str) -> str:
    """ISO 639-1 code of the text's language, by py3langid."""
    import py3langid  # half a second: only for texts that do not look French

    code, _ = py3langid.classify(text[:_LOOK_AT])
    return str(code)
