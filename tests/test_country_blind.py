"""By the codebook the same sentence with the countries exchanged has the same labels."""

import numpy as np
import pytest

from inference.article import Paragraph
from inference.tokens import tokenize
from training.country_exchange import country_exchange, exchanges


@pytest.fixture(scope="module", params=[1, 2])
def exchange(request):
    return exchanges(request.param), country_exchange(request.param)


def test_the_exchange_covers_many_countries_in_all_their_forms(exchange):
    table, swap = exchange
    assert len(table) > 400
    assert swap("Les États-Unis et la Chine").count("États-Unis") == 0
    # A name inside a longer one, or inside a word, is left alone.
    assert swap("La République islamique de Mauritanie, chinoiserie") == (
        "La République islamique de Mauritanie, chinoiserie"
    )


def test_apostrophes_stay_as_they_are(exchange):
    table, swap = exchange
    for text in ("L’armée s'exerce aujourd’hui.", "L'armée s'exerce."):
        assert swap(text) == text
    # A form with an apostrophe is found under either kind.
    form = next(form for form in table if "'" in form)
    assert swap(form) == table[form]
    assert swap(form.replace("'", "’")) == table[form].replace("'", "’")


def test_a_name_that_comes_in_gets_the_texts_kind_of_apostrophe(exchange):
    table, swap = exchange
    form, other = next((form, other) for form, other in table.items() if "'" in other)
    assert swap(f"L'armée, {form}") == f"L'armée, {other}"
    assert swap(f"L’armée, {form}") == f"L’armée, {other}".replace("'", "’")


def test_no_label_flips_in_the_test_articles(exchange, corpus, scorer):
    """Every paragraph of the test articles, original and exchanged, gets the same labels."""
    _, swap = exchange
    texts = corpus.split("test").texts
    swapped = [swap(text) for text in texts]
    changed = sum(a != b for a, b in zip(texts, swapped, strict=True))
    assert changed > 0.4 * len(texts)
    before, after = (
        scorer.rule.decide(scorer.predict_proba(x), scorer.taxonomy)[0] for x in (texts, swapped)
    )
    flips = np.flatnonzero((before != after).any(axis=1))
    assert [(texts[i], swapped[i]) for i in flips] == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("La Chine menace Taïwan.", "Les États-Unis menace Cuba."),
        ("En Chine, l'armée s'exerce.", "Aux Pays-Bas, l’armée s'exerce."),
        ("Les forces de la Corée du Nord", "Les forces d'Israël"),
        ("La marine américaine et le Kremlin", "La marine britannique et Downing Street"),
        ("Emmanuel Macron recevra Xi Jinping", "Vladimir Poutine recevra Narendra Modi"),
        ("Une frégate à Moscou", "Une frégate au Japon"),
        ("les accords franco-allemands", "les accords russo-chinois"),
        ("On sait que la Chine recule.", "On sait qu'Israël recule."),
        ("Lorsque les Russes tirent", "Lorsqu’Israël tirent"),
        ("Puisque la Chine recule", "Puisqu'Israël recule"),
    ],
)
def test_a_sentence_and_its_exchange_are_the_same_to_the_model(scorer, one, other):
    a, b = scorer.predict_proba([one, other])
    assert np.array_equal(a, b)


def test_what_is_no_state_is_not_masked(scorer):
    """The mask does not swallow the words around it."""
    model = scorer.model
    a, b = model.logits(["La Chine déploie une frégate.", "La Chine déploie une école."])
    assert not np.array_equal(a, b)
    assert tokenize(["La Chine"]).words() == ["la", "chine"]


def test_the_mask_ends_with_its_paragraph(scorer):
    """« le » at the end of one paragraph is no article of the next one's country."""
    model = scorer.model
    texts = ["On attend le", "Japon et Chine"]
    together = model.predict_proba([Paragraph(t, 0, len(t)) for t in texts])
    alone = np.vstack([model.predict_proba([Paragraph(t, 0, len(t))]) for t in texts])
    assert np.array_equal(together, alone)
