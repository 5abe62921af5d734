"""Changed texts, and how many labels flip under them."""

import pytest

from inference.decode import mend_mojibake
from training.measured import Measured
from training.perturbations import (
    first_sentence,
    mojibake,
    perturbations,
    typing_errors,
    without_accents,
)
from training.predictions import predict
from training.robustness import beside_linear, robustness


def test_each_change_does_what_it_says():
    assert without_accents("Çà, l’œuvre élève où ?") == "Ca, l’oeuvre eleve ou ?"
    assert mojibake("L’été") == "Lâ€™Ã©tÃ©"
    assert mend_mojibake(mojibake("L’été s’achève à Brégançon")) == "L’été s’achève à Brégançon"
    change = perturbations()["no apostrophes"]
    assert change("L’armée d'hier") == "Larmée dhier"


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Le char avance. La pluie tombe.", "Le char avance."),
        ("M. Dupont arrive. Il parle.", "M. Dupont arrive."),
        ("« Nous tirons. » Puis le silence.", "« Nous tirons. »"),
        ("Il coûte 3.5 millions. C'est cher !", "Il coûte 3.5 millions."),
        ("Une seule phrase.", "Une seule phrase."),
        ("J. Martin signe ? Oui.", "J. Martin signe ?"),
    ],
)
def test_the_first_sentence_ends_where_the_next_begins(text, first):
    assert first_sentence(text) == first


def test_typing_errors_are_few_and_always_the_same():
    text = "La frégate appareille demain matin pour une longue patrouille vers le Nord. " * 20
    once = typing_errors(text)
    assert once == typing_errors(text)
    pairs = list(zip(text.split(), once.split(), strict=True))
    wrong = [(a, b) for a, b in pairs if a != b]
    assert 0.03 < len(wrong) / len(pairs) < 0.15
    assert all(abs(len(a) - len(b)) <= 1 and a[0] == b[0] for a, b in wrong)


def test_flips_of_the_shipped_model(scorer, corpus):
    few = corpus.where(corpus.table["split"] == "test")
    few = few.where(few.table.index < 120)
    found = robustness(scorer, few, predict(scorer, few))
    assert list(found) == list(perturbations())
    for axis in ("topic", "tone"):
        assert found["countries exchanged"].axes[axis].value == 0
        assert found["upper case"].axes[axis].value == 0
        assert 0 < found["first sentence only"].axes[axis].value < 1
    for flips in found.values():
        assert 0 < flips.changed <= 1
        # A paragraph flips when one of its labels does.
        for axis, own in flips.labels.items():
            shares = [one.value for one in own.values()]
            assert max(shares) <= flips.axes[axis].value + 1e-9 <= sum(shares) + 2e-9


def test_flips_of_exchanged_countries_stand_beside_the_embedded_models_none():
    some, none = Measured(0.02, 0.0, 0.05), Measured(0.0, 0.0, 0.0)
    assert "the embedded linear model changes no label" in beside_linear({"a": none, "b": some})
    assert beside_linear({"a": none, "b": none}) == ""
