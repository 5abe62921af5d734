"""Phrases in a stream of words: longest first, from left to right."""

import numpy as np
import pytest

from inference.phrase_lists import gazetteer, lexicon, lexicon_terms, state_names
from inference.phrases import PhraseMatcher
from inference.tokens import tokenize


def found(phrases, text):
    matcher = PhraseMatcher.of(phrases, range(len(phrases)))
    tokens = tokenize([text])
    words = tokens.words()
    matches = matcher.find(tokens)
    return [
        (" ".join(words[f : f + n]), phrases[v])
        for f, n, v in zip(matches.first, matches.length, matches.value, strict=True)
    ]


@pytest.mark.parametrize(
    ("phrases", "text", "expected"),
    [
        (["corée", "corée du nord"], "La Corée du Nord", ["coree du nord"]),
        (["corée", "corée du nord"], "la Corée du Sud", ["coree"]),
        (["a b", "b c d"], "a b c d", ["b c d"]),
        (["a b"], "a a b a b b", ["a b", "a b"]),
        (["a a"], "a a a a a", ["a a", "a a"]),
        (["États-Unis"], "ÉTATS UNIS, états-unis", ["etats unis", "etats unis"]),
        (["a b"], "a", []),
        (["a"], "", []),
        ([], "a b", []),
    ],
)
def test_longest_first_then_leftmost(phrases, text, expected):
    assert [words for words, _ in found(phrases, text)] == expected


def test_a_phrase_does_not_reach_into_the_next_paragraph():
    matcher = PhraseMatcher.of(["corée du nord"], [0])
    assert len(matcher.find(tokenize(["la Corée", "du Nord"])).first) == 0


def test_every_phrase_of_a_large_list_is_found_as_itself():
    """No hash collision, no lost slot: each term of the lexicon, alone, is its own match."""
    rows = lexicon()
    tokens = tokenize([term for _, term in rows])
    matches = lexicon_terms().find(tokens)
    classes = sorted({name for name, _ in rows})
    whole = np.bincount(tokens.paragraphs, minlength=len(rows))[tokens.paragraphs[matches.first]]
    is_whole = matches.length == whole
    assert is_whole.sum() == len(rows)
    got = [classes[v] for v in matches.value[is_whole]]
    assert got == [name for name, _ in rows]


def test_conflicting_phrases_are_refused():
    with pytest.raises(ValueError, match="'À-b' and 'à b' fold to the same words"):
        PhraseMatcher.of(["à b", "À-b"], [0, 1])


def test_a_phrase_without_words_is_refused():
    with pytest.raises(ValueError, match=r"phrase '\.\.\.' has no word"):
        PhraseMatcher.of(["a", "..."], [0, 1])


def test_the_gazetteer_names_each_form_once():
    forms = [form for _, _, form in gazetteer()]
    assert len(set(forms)) == len(forms)
    kinds = {"name", "people", "capital", "seat", "leader"}
    of_country: dict[str, set[str]] = {}
    for country, kind, _ in gazetteer():
        assert kind in kinds
        of_country.setdefault(country, set()).add(kind)
    assert len(of_country) >= 190
    assert sum({"name", "people", "capital"} <= own for own in of_country.values()) >= 150


def test_no_lexicon_term_holds_a_masked_name():
    """Names are masked before the lexicon is looked up, so such a term could never match."""
    tokens = tokenize([term for _, term in lexicon()])
    masked = state_names().find(tokens)
    assert [lexicon()[i] for i in tokens.paragraphs[masked.first]] == []
