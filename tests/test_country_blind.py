"""By the codebook the same sentence with the countries exchanged has the same labels."""

import random
import re

import numpy as np
import pytest

from inference.article import Paragraph
from inference.phrase_lists import gazetteer
from inference.tokens import tokenize

_KINDS = ("name", "people", "capital", "seat", "leader")


def exchanges(seed):
    """Form → a form of the same kind of another country, for every form of 45 countries."""
    rng = random.Random(seed)
    forms: dict[str, dict[str, list[str]]] = {}
    for country, kind, form in gazetteer():
        forms.setdefault(country, {}).setdefault(kind, []).append(form)
    whole = sorted(c for c, own in forms.items() if all(own.get(k) for k in _KINDS))
    large = [
        "FRA",
        "USA",
        "RUS",
        "CHN",
        "UKR",
        "IRN",
        "ISR",
        "TUR",
        "JPN",
        "DEU",
        "POL",
        "IND",
        "PAK",
        "GBR",
        "TWN",
        "KOR",
        "PRK",
        "SUN",
    ]
    chosen = [c for c in large if c in forms]
    chosen += [c for c in whole if c not in chosen][: 45 - len(chosen)]
    partner = dict(zip(chosen, chosen[1:] + chosen[:1], strict=True))
    table = {}
    for country in chosen:
        for kind, own in forms[country].items():
            other = forms[partner[country]].get(kind) or forms[partner[country]]["name"]
            for form in own:
                table[form.casefold()] = rng.choice(other)
    return table


@pytest.fixture(scope="module", params=[1, 2])
def exchange(request):
    table = exchanges(request.param)
    # Every form is matched, so that « République islamique de Mauritanie » is not cut up.
    longest_first = sorted({form for _, _, form in gazetteer()}, key=len, reverse=True)
    pattern = re.compile(
        r"(?<!\w)(" + "|".join(map(re.escape, longest_first)) + r")(?!\w)", re.IGNORECASE
    )

    def swap(text):
        return pattern.sub(lambda m: table.get(m[0].casefold(), m[0]), text.replace("’", "'"))

    return table, swap


def test_the_exchange_covers_many_countries_in_all_their_forms(exchange):
    table, swap = exchange
    assert len(table) > 400
    assert swap("Les États-Unis et la Chine").count("États-Unis") == 0


def test_no_label_flips_in_the_test_articles(exchange, corpus, scorer):
    """Every paragraph of the test articles, original and exchanged, gets the same labels."""
    _, swap = exchange
    texts = corpus.split("test").texts
    swapped = [swap(text) for text in texts]
    changed = sum(a.replace("’", "'") != b for a, b in zip(texts, swapped, strict=True))
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
