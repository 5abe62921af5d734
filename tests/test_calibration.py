"""Calibration and decision: invariants, not snapshots."""

from dataclasses import replace

import numpy as np
import pytest

from inference.calibration import Calibration
from inference.decision import DecisionRule
from training.bootstrap import ArticleBootstrap
from training.calibrate import calibrated, fit_calibration, fit_rule
from training.metrics import macro_f1
from training.recipe import Learned
from training.reliability import reliability
from training.train import train


@pytest.fixture(scope="module")
def made(taxonomy):
    """Overconfident probabilities, and labels drawn from the honest ones."""
    rng = np.random.default_rng(3)
    n = 4_000
    logits = rng.normal(-0.5, 1.5, (n, 7))
    honest, sharp = np.empty((n, 7)), np.empty((n, 7))
    labels = np.zeros((n, 7), np.bool_)
    for axis, span in taxonomy.spans():
        z = logits[:, span]
        for target, factor in ((honest, 1.0), (sharp, 3.0)):
            if axis.exclusive:
                powers = np.exp(factor * z)
                target[:, span] = powers / powers.sum(axis=1, keepdims=True)
            else:
                target[:, span] = 1 / (1 + np.exp(-factor * z))
        if axis.exclusive:
            draw = (rng.random((n, 1)) > honest[:, span].cumsum(axis=1)).sum(axis=1)
            labels[np.arange(n), span.start + np.minimum(draw, 2)] = True
        else:
            labels[:, span] = rng.random((n, 4)) < honest[:, span]
    return honest, sharp, labels


def in_sample(probability, label):
    """Reliability as it is in the sample: a bootstrap of no other draw takes nothing off."""
    n = len(label)
    return reliability(probability, label, ArticleBootstrap(np.arange(n), np.ones((1, n))))


def test_calibration_undoes_overconfidence(made, taxonomy):
    """Brier and calibration error fall, nearly to those of the honest probabilities."""
    honest, sharp, labels = made
    half = len(labels) // 2
    calibration = fit_calibration(sharp[:half], labels[:half], taxonomy)
    mended = calibration.apply(sharp[half:], taxonomy)
    for k in range(7):
        truth = labels[half:, k]
        was, found, best = (
            in_sample(p[:, k], truth) for p in (sharp[half:], mended, honest[half:])
        )
        assert found.brier.value < was.brier.value
        assert found.error.value < was.error.value
        assert abs(found.brier.value - best.brier.value) < 0.003


def test_calibration_is_platts_of_a_label_and_guos_of_an_exclusive_axis(made, taxonomy):
    probabilities = made[1].copy()
    probabilities[0] = [0, 1, 0, 1, 0, 1, 0]
    slopes, shifts = (0.5, 2.0, 1.0, 3.0, 0.4, 0.4, 0.4), (1.0, -2.0, 0.0, 0.5, 0.0, 0.0, 0.0)
    found = Calibration(slopes, shifts).apply(probabilities, taxonomy)
    inside = np.clip(probabilities, 1e-12, 1 - 1e-12)
    for k in range(4):
        odds = (inside[:, k] / (1 - inside[:, k])) ** slopes[k] * np.exp(shifts[k])
        assert np.allclose(found[:, k], odds / (1 + odds), rtol=1e-12, atol=1e-15)
    powers = inside[:, 4:] ** 0.4
    assert np.allclose(found[:, 4:], powers / powers.sum(axis=1, keepdims=True), rtol=1e-12)


def test_calibration_of_honest_probabilities_changes_nothing(made, taxonomy):
    honest, _, labels = made
    calibration = fit_calibration(honest, labels, taxonomy)
    assert np.allclose(calibration.slopes, 1, atol=0.12)
    assert np.allclose(calibration.intercepts, 0, atol=0.12)


def test_calibration_leaves_rankings_alone(made, taxonomy):
    _, sharp, labels = made
    mended = fit_calibration(sharp, labels, taxonomy).apply(sharp, taxonomy)
    for axis, span in taxonomy.spans():
        before, after = sharp[:, span], mended[:, span]
        if axis.exclusive:
            assert np.array_equal(before.argsort(axis=1), after.argsort(axis=1))
            assert np.allclose(after.sum(axis=1), 1)
        else:
            for k in range(before.shape[1]):
                assert (np.diff(after[before[:, k].argsort(), k]) >= 0).all()


def test_a_useless_score_is_never_turned_round(taxonomy):
    """Scores that rank backwards get the smallest slope allowed, not a negative one."""
    rng = np.random.default_rng(0)
    probabilities = np.clip(rng.random((300, 7)), 0.01, 0.99)
    labels = probabilities < 0.5
    labels[:, 4:] = np.eye(3, dtype=bool)[rng.integers(0, 3, 300)]
    probabilities[:, 4:] /= probabilities[:, 4:].sum(axis=1, keepdims=True)
    assert min(fit_calibration(probabilities, labels, taxonomy).slopes) > 0


def test_a_few_that_are_all_right_do_not_make_the_model_certain(taxonomy):
    """Of eighteen paragraphs, six a tone, each tone is right: it stays below (6 + 1) / (6 + 3)."""
    right = np.eye(3, dtype=bool)[np.arange(18) % 3]
    labels = np.column_stack([np.zeros((18, 4), bool), right])
    probabilities = np.full((18, 7), 0.5)
    probabilities[:, 4:] = np.where(right, 0.6, 0.2)
    found = fit_calibration(probabilities, labels, taxonomy).apply(probabilities, taxonomy)
    assert found[:, 4:].max() == pytest.approx(7 / 9, abs=1e-3)


def test_neither_do_a_few_that_are_all_right_on_one_topic(taxonomy):
    """Of eighteen paragraphs, six with the topic: from 1 / (12 + 2) to (6 + 1) / (6 + 2)."""
    labels = np.zeros((18, 7), bool)
    labels[:6, 0] = True
    probabilities = np.where(labels, 0.6, 0.2)
    found = fit_calibration(probabilities, labels, taxonomy).apply(probabilities, taxonomy)[:, 0]
    assert (found.min(), found.max()) == pytest.approx((1 / 14, 7 / 8), abs=1e-3)


def test_certain_probabilities_stay_finite(taxonomy):
    probabilities = np.array([[0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0]])
    calibration = Calibration((2.0,) * 7, (0.5,) * 4 + (0.0,) * 3)
    assert np.isfinite(calibration.apply(probabilities, taxonomy)).all()


def test_thresholds_find_a_better_f1_than_a_half(taxonomy):
    """A rare label with low probabilities needs a low threshold."""
    rng = np.random.default_rng(1)
    probabilities = rng.beta(1, 4, (3_000, 7))
    labels = rng.random((3_000, 7)) < probabilities
    labels[:, 4:] = np.eye(3, dtype=bool)[rng.integers(0, 3, 3_000)]
    rule = fit_rule(probabilities, labels, np.arange(3_000).astype(object), taxonomy)
    chosen, _ = rule.decide(probabilities, taxonomy)
    half, _ = DecisionRule((0.5,) * 7).decide(probabilities, taxonomy)
    f1 = [macro_f1(applies, labels, taxonomy)["topic"] for applies in (chosen, half)]
    assert f1[0] > f1[1] + 0.1
    assert all(t < 0.5 for t in rule.thresholds[:4])


def test_of_thresholds_as_good_the_one_nearest_to_a_half_is_taken(taxonomy):
    """Nothing lies between 0.2 and 0.8, so every threshold there is equally good."""
    yes = np.random.default_rng(2).random((400, 7)) < 0.3
    probabilities = np.where(yes, 0.8, 0.2)
    yes[:, 4:] = [False, False, True]
    rule = fit_rule(probabilities, yes, np.arange(400).astype(object), taxonomy)
    assert rule.thresholds[:4] == (0.5, 0.5, 0.5, 0.5)


def test_an_f1_that_is_better_by_less_than_its_error_does_not_move_the_threshold(taxonomy):
    """One false paragraph in four hundred, at 0.6, is no ground for a threshold above it."""
    rng = np.random.default_rng(2)
    yes = rng.random((400, 7)) < 0.3
    probabilities = np.where(yes ^ (rng.random((400, 7)) < 0.1), 0.8, 0.2)
    yes[0, :4], probabilities[0] = False, 0.6
    yes[:, 4:] = [False, False, True]
    rule = fit_rule(probabilities, yes, np.arange(400).astype(object), taxonomy)
    assert rule.thresholds[:4] == (0.5, 0.5, 0.5, 0.5)


def test_the_rule_decides_and_says_how_sure_it_is(taxonomy):
    probabilities = np.array([[0.9, 0.4, 0.1, 0.2, 0.2, 0.5, 0.3]])
    applies, confidence = DecisionRule((0.5, 0.4, 0.5, 0.5, 0, 0, 0)).decide(
        probabilities, taxonomy
    )
    assert applies.tolist() == [[True, True, False, False, False, True, False]]
    assert confidence.tolist() == [[0.4, 0.5]]


def test_calibration_error_of_known_bins():
    """Ten bins of ten; the probability is 0.2 too high in each."""
    probability = np.repeat(np.arange(10) / 10, 10) * 0.7 + 0.2
    label = np.concatenate([np.arange(10) < 10 * (i / 10 * 0.7) for i in range(10)])
    expected = np.mean(
        [
            abs(p.mean() - y.mean())
            for p, y in zip(probability.reshape(10, 10), label.reshape(10, 10), strict=True)
        ]
    )
    assert in_sample(probability, label).error.value == pytest.approx(expected)


def test_a_label_that_is_not_there_stays_as_the_model_has_it(made, taxonomy):
    _, sharp, labels = made
    rare = labels.copy()
    rare[:, 0], rare[:, 1] = False, True
    calibration = fit_calibration(sharp, rare, taxonomy)
    assert calibration.slopes[:2] == (1.0, 1.0)
    assert calibration.intercepts[:2] == (0.0, 0.0)
    assert calibration.slopes[2] < 0.9
    articles = np.arange(len(rare)).astype(object)
    assert fit_rule(sharp, rare, articles, taxonomy).thresholds[:2] == (0.5, 0.5)


def test_an_exclusive_axis_with_one_label_in_all_stays_as_the_model_has_it(small_corpus):
    """Else one tone in the few articles kept for calibration would make the model sure of it."""
    labels = small_corpus.labels.copy()
    tones = small_corpus.taxonomy.spans()[1][1]
    labels[:, tones] = [False, False, True]
    labels[:, 1] = False
    own = replace(small_corpus, labels=labels)
    found = np.where(labels, 0.6, 0.2)
    chosen = calibrated(found, own)
    assert chosen.untouched == ("topic.exercises", "tone")
    assert chosen.calibration.slopes[tones] == (1.0, 1.0, 1.0)
    assert chosen.calibration.slopes[0] != 1.0
    said = []

    class Known:
        def learn(self, corpus, report, track):
            return Learned(None, np.ones(len(own), np.bool_), found, {})

    train(Known(), own, said.append)
    assert "are all alike in them: topic.exercises, tone; thresholds there are 0.5" in said[0]
