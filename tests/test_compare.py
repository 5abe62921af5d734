"""Two models on the same paragraphs: differences, permutations, Holm."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import f1_score

from inference import InputError, Taxonomy
from inference.artefact import Provenance, write_model
from inference.linear import LinearModel
from training.commands.compare import command
from training.compare import compare, holm
from training.predictions import Predictions


def system(taxonomy, accuracy, n=300, articles=60, seed=0):
    """Says each label rightly with the probability given; labels are the same for all."""
    truth = np.random.default_rng(99)
    labels = truth.random((n, 7)) < 0.3
    labels[:, 4:] = np.eye(3, dtype=bool)[truth.integers(0, 3, n)]
    rng = np.random.default_rng(seed)
    applies = labels ^ (rng.random((n, 7)) > accuracy)
    said = np.where(rng.random(n) < accuracy, labels[:, 4:].argmax(axis=1), rng.integers(0, 3, n))
    applies[:, 4:] = np.eye(3, dtype=bool)[said]
    ids = (np.arange(n) % articles).astype(str).astype(object)
    return Predictions(taxonomy, labels, applies, applies * 1.0, np.ones((n, 2)), ids)


def differences(found):
    return [one for own in found.labels.values() for one in own.values()]


def test_a_model_and_itself_show_no_difference(taxonomy):
    a = system(taxonomy, 0.8)
    found = compare(a, a)
    for one in (*differences(found), *found.macro_f1.values()):
        assert (one.difference.value, one.p, one.p_holm, one.better) == (0, 1, 1, None)


def test_a_better_model_is_found_whichever_comes_first(taxonomy):
    weak, strong = system(taxonomy, 0.7, seed=1), system(taxonomy, 0.95, seed=2)
    there, back = compare(weak, strong), compare(strong, weak)
    assert {one.better for one in differences(there)} == {"B"}
    assert {one.better for one in differences(back)} == {"A"}
    for one, other in zip(differences(there), differences(back), strict=True):
        assert one.difference.value == pytest.approx(-other.difference.value)
        assert one.difference.low > 0 > other.difference.high
        assert one.p_holm >= one.p


def test_the_frame_has_the_labels_of_each_axis_and_then_its_macro(taxonomy):
    found = compare(system(taxonomy, 0.7, seed=1), system(taxonomy, 0.95, seed=2))
    frame = found.to_frame()
    expected = [(axis.name, name) for axis in taxonomy.axes for name in (*axis.codes, "macro")]
    assert list(frame.index) == expected
    own = found.macro_f1["tone"]
    assert frame.loc[("tone", "macro"), "difference"] == own.difference.value
    assert frame.loc[("tone", "macro"), "better"] == own.better == "B"


def test_the_difference_is_that_of_scikit_learns_f1(taxonomy):
    a, b = system(taxonomy, 0.7, seed=1), system(taxonomy, 0.75, seed=2)
    found = compare(a, b)
    expected = f1_score(b.labels[:, 0], b.applies[:, 0]) - f1_score(a.labels[:, 0], a.applies[:, 0])
    one = found.labels["topic"]["defence_industry"]
    assert one.difference.value == pytest.approx(expected)
    macro = np.mean([one.difference.value for one in found.labels["topic"].values()])
    assert found.macro_f1["topic"].difference.value == pytest.approx(macro)


def test_p_is_near_that_of_all_permutations(taxonomy):
    """Eight articles have 256 permutations, which can all be made."""
    a = system(taxonomy, 0.7, n=80, articles=8, seed=3)
    b = system(taxonomy, 0.8, n=80, articles=8, seed=4)
    y, ids = a.labels[:, 0], a.article_ids.astype(int)

    def difference(swap):
        first = np.where(swap[ids], b.applies[:, 0], a.applies[:, 0])
        second = np.where(swap[ids], a.applies[:, 0], b.applies[:, 0])
        return f1_score(y, second) - f1_score(y, first)

    exact = np.array([difference(np.array(swap)) for swap in product((False, True), repeat=8)])
    share = (np.abs(exact) >= abs(exact[0]) - 1e-12).mean()
    assert compare(a, b).labels["topic"]["defence_industry"].p == pytest.approx(share, abs=0.02)


def test_models_that_differ_in_one_article_show_no_difference(taxonomy):
    """Exchanged or not, the difference is as large, but for rounding."""
    for seed in range(5):
        a, b = (system(taxonomy, 0.8, seed=own) for own in (seed, seed + 100))
        one = (a.article_ids == "7")[:, None]
        found = compare(a, replace(b, applies=np.where(one, b.applies, a.applies)))
        assert {own.p for own in (*differences(found), *found.macro_f1.values())} == {1}


def test_equal_models_are_told_apart_no_more_often_than_allowed(taxonomy):
    p = []
    for seed in range(40):
        a = system(taxonomy, 0.8, n=120, articles=30, seed=2 * seed)
        b = system(taxonomy, 0.8, n=120, articles=30, seed=2 * seed + 1)
        p += [one.p for one in differences(compare(a, b))]
    assert 0.01 < np.mean(np.array(p) < 0.05) < 0.1


def test_holm_by_hand():
    """Holm (1979): 4 x 0.01, 3 x 0.02, then never less than the one before."""
    found = holm(np.array([0.04, 0.01, 0.02, 0.03]))
    assert found == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm(np.array([0.6, 0.9])).max() == 1


def test_other_rows_are_refused(taxonomy):
    a = system(taxonomy, 0.8)
    with pytest.raises(ValueError, match="same paragraphs, in the same order"):
        compare(a, replace(a, article_ids=a.article_ids[::-1]))


def test_json_says_which_is_better(taxonomy):
    found = compare(system(taxonomy, 0.6, seed=1), system(taxonomy, 0.95, seed=2)).to_dict()
    assert found["labels"]["tone"]["neutral"]["better"] == "B"
    assert set(found["macro_f1"]["topic"]) == {"a", "b", "difference", "p", "p_holm", "better"}


def test_models_that_differ_in_what_excludes_what_are_not_compared(scorer, small_csv, tmp_path):
    """The same columns, but B may give several tones: A's axes would decide for it."""
    topic, tone = scorer.taxonomy.axes
    several = Taxonomy((topic, replace(tone, exclusive=False)))
    model = LinearModel(several, scorer.model.config, scorer.model.weights)
    b = tmp_path / "b"
    write_model(b, replace(scorer, model=model), Provenance(), card=lambda _: "", extra_files={})
    done = CliRunner().invoke(command, ["default", str(b), str(small_csv)])
    assert isinstance(done.exception, InputError)
    assert "B's are topic (any number of" in str(done.exception)
