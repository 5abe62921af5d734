"""Near-duplicates: known pairs, the threshold's edge, and every pair that brute force finds."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.tokens import tokenize
from training import duplicates
from training.duplicates import near_duplicates

WIRE = "Le ministère des Armées a commandé mardi 109 canons Caesar de nouvelle génération."


def brute_force(texts, threshold):
    """Sets of tuples of folded words, compared two by two."""
    sets = []
    for text in texts:
        words = tokenize([text]).words()
        sets.append({tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4)) if words})
    found = [
        (i, j, len(sets[i] & sets[j]) / len(sets[i] | sets[j]))
        for i, j in combinations(range(len(texts)), 2)
        if sets[i] | sets[j]
    ]
    return [pair for pair in found if pair[2] >= threshold]


def spaced(*words):
    """The words of a text."""
    return " ".join(words)


def test_a_wire_copy_is_found_among_other_texts():
    """Case, the digits, apostrophes and marks do not count; words added at the end do."""
    texts = [
        WIRE,
        "La frégate a quitté Toulon lundi pour une mission de quatre mois en mer Rouge.",
        WIRE.upper().replace("109", "110").replace(".", " !"),
        WIRE.rstrip(".") + ", selon l’AFP.",
    ]
    # 13 words are 9 shingles, and three words more make 12.
    assert near_duplicates(texts) == [(0, 2, 1.0), (0, 3, 9 / 12), (2, 3, 9 / 12)]


def test_words_in_another_order_are_another_text():
    assert near_duplicates([WIRE, " ".join(reversed(WIRE.split()))], 0.01) == []


def test_a_pair_at_the_threshold_counts():
    """Words a-j are 6 shingles; two of them are shared with a-f and four others': 2 of 10."""
    texts = [spaced(*"abcdefghij"), spaced(*"abcdefvwxy")]
    assert near_duplicates(texts, 0.2) == [(0, 1, 0.2)]
    assert near_duplicates(texts, np.nextafter(0.2, 1)) == []
    copies = [spaced(*"abcdefg"), spaced(*"abcdefg"), spaced(*"abcdefgh")]
    assert near_duplicates(copies, 1) == [(0, 1, 1.0)]


def test_a_repeated_shingle_counts_once():
    """« a b c d e a b c d e a b c d e » has five shingles, as has the text of nine words."""
    assert near_duplicates([spaced(*"abcdeabcdeabcde"), spaced(*"abcdeabcd")], 1) == [(0, 1, 1.0)]


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Lire aussi", "LIRE AUSSI :", True),
        ("Lire aussi", "Lire aussi notre dossier", False),
        ("a b c d", "a b c d e", False),
        ("a b c d", "b c d a", False),
        ("a b c d", "a b c", False),
        ("a", "a", True),
        ("", "", False),
        ("…", "", False),
        ("", "a", False),
    ],
)
def test_texts_under_five_words_compare_whole(one, other, alike):
    found = near_duplicates([one, "un autre", other], 0.01)
    assert found == ([(0, 2, 1.0)] if alike else [])


words = st.lists(st.sampled_from("ab"), max_size=12).map(" ".join)


@given(st.lists(words, max_size=12), st.sampled_from([0.05, 0.25, 0.4, 0.5, 1.0]))
def test_few_words_in_many_texts_as_brute_force(texts, threshold):
    assert near_duplicates(texts, threshold) == brute_force(texts, threshold)


def test_random_copies_as_brute_force(monkeypatch):
    """Copies with words exchanged, in more texts than one block or stripe holds."""
    monkeypatch.setattr(duplicates, "_BLOCK", 16)
    monkeypatch.setattr(duplicates, "_ROWS", 7)
    rng = np.random.default_rng(4)
    vocabulary = np.array([f"mot{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(600)])
    texts = []
    for _ in range(40):
        original = rng.choice(vocabulary, rng.integers(1, 80))
        for rate in (0, 0.02, 0.1):
            changed = rng.random(len(original)) < rate
            copy = np.where(changed, rng.choice(vocabulary, len(original)), original)
            texts.append(" ".join(copy))
    texts = [texts[i] for i in rng.permutation(len(texts))]
    found = near_duplicates(texts)
    assert found == brute_force(texts, 0.4)
    assert 50 < len(found) < 120
    assert len({jaccard for *_, jaccard in found}) > 20


def test_the_order_of_texts_changes_only_their_numbers():
    texts = [spaced(*row) for row in ("abcdefg", "bcdefgh", "xyz", "abcdefgh", "xyz")]
    n = len(texts)
    forth = {frozenset((i, j)): jaccard for i, j, jaccard in near_duplicates(texts, 0.1)}
    back = {
        frozenset((n - 1 - i, n - 1 - j)): jaccard
        for i, j, jaccard in near_duplicates(texts[::-1], 0.1)
    }
    assert forth == back
    assert len(forth) == 4


def test_no_texts_and_no_pairs():
    assert near_duplicates([]) == []
    assert near_duplicates([WIRE]) == []
    assert near_duplicates(["", ""]) == []


@pytest.mark.parametrize("threshold", [0, -0.1, 1.01, float("nan")])
def test_a_threshold_outside_0_to_1_is_refused(threshold):
    with pytest.raises(ValueError, match=r"threshold is .*; expected more than 0 and at most 1"):
        near_duplicates(["a", "b"], threshold)


def test_a_single_string_is_refused():
    with pytest.raises(TypeError, match="expected a sequence of texts, found one text"):
        near_duplicates(WIRE)
