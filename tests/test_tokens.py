"""Words of French text: cutting, folding, hashing."""

import threading
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference import tokens
from inference.tokens import tokenize


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("L’armée", ["l", "armee"]),
        ("l'armée", ["l", "armee"]),
        ("aujourd'hui", ["aujourd", "hui"]),
        ("ÉTÉ À ÇA", ["ete", "a", "ca"]),
        ("Œuvre, cœur, ex æquo", ["oeuvre", "coeur", "ex", "aequo"]),
        ("porte-avions", ["porte", "avions"]),
        ("« 1\u202f200 hommes »", ["0", "000", "hommes"]),
        ("5,2\u00a0% en 2027…", ["0", "0", "en", "0000"]),
        ("e\u0301te\u0301", ["ete"]),
        ("la ﬁn", ["la", "fin"]),
        ("ERDOĞAN Česká", ["erdogan", "ceska"]),
        ("Møller straße ß Þór ÿ", ["møller", "straße", "ß", "þor", "y"]),
        ("n°5 — 3 €", ["n", "0", "0"]),
        ("", []),
        ("…", []),
    ],
)
def test_words(text, words):
    assert tokenize([text]).words() == words


def test_case_accents_apostrophes_and_normal_forms_give_the_same_hashes():
    plain = tokenize(["l'état-major général"]).hashes
    for other in (
        "L’ÉTAT-MAJOR GÉNÉRAL",
        "L'ETAT-MAJOR GENERAL",
        "l'e\u0301tat-major ge\u0301ne\u0301ral",
    ):
        assert np.array_equal(tokenize([other]).hashes, plain)


@given(st.text(st.characters(max_codepoint=0x17F), max_size=40))
def test_an_accent_changes_no_word(text):
    bare = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    assert tokenize([text]).words() == tokenize([bare]).words()


@given(st.lists(st.text(max_size=60), max_size=8))
def test_a_text_has_the_same_words_alone_and_in_a_block(texts):
    """No neighbour changes a text's words, nor does a text without any."""
    block = tokenize(texts)
    assert block.n_paragraphs == len(texts)
    words = block.words()
    for i, text in enumerate(texts):
        alone = tokenize([text])
        own = np.flatnonzero(block.paragraphs == i)
        assert [words[k] for k in own] == alone.words()
        assert np.array_equal(block.hashes[own], alone.hashes)


@given(
    st.lists(st.from_regex(r"[a-zø]{1,12}", fullmatch=True), min_size=1, max_size=60, unique=True)
)
def test_different_words_have_different_hashes(words):
    assert len(np.unique(tokenize([" ".join(words)]).hashes)) == len(words)


def test_a_thread_takes_no_powers_from_another(monkeypatch):
    """One begins to grow them for a short text, and is done amid another's hashing of a long."""
    text = "sous-marin " * 100
    expected = tokenize([text]).hashes
    begun, go_on = threading.Event(), threading.Event()
    cumprod, codes = np.cumprod, tokens._BYTE_CODES
    other = threading.Thread(target=tokenize, args=(["mer"],), daemon=True)

    def growth(steps):
        if threading.current_thread() is other:
            begun.set()
            go_on.wait()
        return cumprod(steps)

    class Codes:
        """Looked up when the powers have been grown and are yet to be used."""

        def take(self, buffer, mode):
            if threading.current_thread() is not other:
                go_on.set()
                other.join()
            return codes.take(buffer, mode=mode)

    monkeypatch.setattr(tokens, "_POWERS", tokens._Powers())
    monkeypatch.setattr(tokens.np, "cumprod", growth)
    monkeypatch.setattr(tokens, "_BYTE_CODES", Codes())
    other.start()
    begun.wait()
    assert np.array_equal(tokenize([text]).hashes, expected)
