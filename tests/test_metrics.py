"""Measures against hand-made tables and scikit-learn, and under the bootstrap."""

import numpy as np
import pytest
from sklearn import metrics as sklearn

from inference.decision import DecisionRule
from training.bootstrap import ArticleBootstrap
from training.measured import Measured, plain, sample_and_draws
from training.metrics import score
from training.predictions import Predictions
from training.ranking import COVERAGES, abstention, average_precision
from training.reliability import equal_mass_bins, reliability


def predictions(taxonomy, n=240, articles=24, seed=0, noise=1.0):
    """Noisy probabilities; some are equal, and articles are of unequal length."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-0.5, 1.5, (n, 7))
    labels = rng.random((n, 7)) < 1 / (1 + np.exp(-z))
    labels[:, 4:] = np.eye(3, dtype=bool)[(z[:, 4:] + rng.gumbel(size=(n, 3))).argmax(axis=1)]
    probabilities = 1 / (1 + np.exp(-z - rng.normal(0, noise, z.shape)))
    probabilities = np.maximum(probabilities.round(2), 0.01)
    probabilities[:, 4:] /= probabilities[:, 4:].sum(axis=1, keepdims=True)
    applies, confidence = DecisionRule((0.5,) * 7).decide(probabilities, taxonomy)
    ids = np.sort(rng.integers(0, articles, n)).astype(str).astype(object)
    return Predictions(taxonomy, labels, applies, probabilities, confidence, ids)


@pytest.fixture(scope="module")
def made(taxonomy):
    return predictions(taxonomy)


@pytest.fixture(scope="module")
def scores(made):
    return score(made)


def test_measures_on_a_table_made_by_hand(taxonomy):
    """Topic 0: two hits, one false alarm, one miss; a label never seen scores 0."""
    labels = np.zeros((4, 7), np.bool_)
    labels[:3, 0] = True
    labels[:, 6] = True
    applies = np.zeros((4, 7), np.bool_)
    applies[[0, 1, 3], 0] = True
    applies[:, 6] = True
    ids = np.array(["a", "a", "b", "b"], object)
    found = score(Predictions(taxonomy, labels, applies, applies * 1.0, np.ones((4, 2)), ids))
    topic, tone = found.axes["topic"], found.axes["tone"]
    first = topic.labels["defence_industry"]
    assert first.rates.precision.value == first.rates.recall.value == pytest.approx(2 / 3)
    assert (first.rates.f1.value, first.support) == (pytest.approx(2 / 3), 3)
    assert first.reliability.brier.value == 0.5
    assert topic.labels["exercises"].rates.f1.value == 0
    assert np.isnan(topic.labels["exercises"].average_precision.value)
    assert found.macro_f1 == {"topic": pytest.approx(1 / 6), "tone": pytest.approx(1 / 3)}
    assert (topic.exact_match.value, topic.jaccard.value) == (0.5, 0.5)
    assert (tone.exact_match.value, tone.jaccard.value) == (1, 1)
    assert tone.confusion["neutral"]["neutral"].value == 1
    assert np.isnan(tone.confusion["deterrence"]["neutral"].value)
    assert topic.confusion is None


def test_every_measure_is_scikit_learns(made, scores):
    for axis, span in made.taxonomy.spans():
        y, said, p = made.labels[:, span], made.applies[:, span], made.probabilities[:, span]
        own = scores.axes[axis.name]
        for average, rates in (("macro", own.macro), ("micro", own.micro)):
            for name in ("precision", "recall", "f1"):
                expected = getattr(sklearn, f"{name}_score")(y, said, average=average)
                assert getattr(rates, name).value == pytest.approx(expected)
        assert own.exact_match.value == pytest.approx(sklearn.accuracy_score(y, said))
        assert own.jaccard.value == pytest.approx(
            sklearn.jaccard_score(y, said, average="samples", zero_division=1)
        )
        for i, label in enumerate(own.labels.values()):
            assert label.rates.f1.value == pytest.approx(sklearn.f1_score(y[:, i], said[:, i]))
            assert label.average_precision.value == pytest.approx(
                sklearn.average_precision_score(y[:, i], p[:, i])
            )
            assert label.reliability.brier.value == pytest.approx(
                sklearn.brier_score_loss(y[:, i], p[:, i])
            )
        if axis.exclusive:
            expected = sklearn.confusion_matrix(
                y.argmax(axis=1), said.argmax(axis=1), normalize="true"
            )
            found = [[cell.value for cell in row.values()] for row in own.confusion.values()]
            assert np.allclose(found, expected)


def resampled(bootstrap, draw):
    """The rows of one draw, copies and all."""
    return np.repeat(
        np.arange(len(bootstrap.article)), bootstrap.weights[draw][bootstrap.article].astype(int)
    )


def test_weighted_measures_are_those_of_the_resampled_rows(made):
    """What one pass gives for all draws is what each draw's own rows give."""
    bootstrap = sample_and_draws(made.article_ids, 12)
    y, p = made.labels[:, 1], made.probabilities[:, 1]
    wrong = (made.labels[:, :4] != made.applies[:, :4]).any(axis=1)
    precisions = average_precision(p, y, bootstrap)
    assert len(precisions) == 13
    for draw in range(13):
        rows = resampled(bootstrap, draw)
        assert precisions[draw] == pytest.approx(sklearn.average_precision_score(y[rows], p[rows]))
        one = ArticleBootstrap(bootstrap.article, bootstrap.weights[draw : draw + 1])
        copied = ArticleBootstrap(np.zeros(len(rows), np.int64), np.ones((1, 1)))
        confidence = made.confidence[:, 0]
        weighted = abstention(confidence, wrong, one)
        itself = abstention(confidence[rows], wrong[rows], copied)
        assert weighted.area.value == pytest.approx(itself.area.value)
        assert [c.risk.value for c in weighted.curve] == pytest.approx(
            [c.risk.value for c in itself.curve]
        )


def test_risk_and_coverage_by_hand():
    """Four decisions, the least sure one wrong, and the second."""
    confidence = np.array([0.9, 0.6, 0.8, 0.7])
    wrong = np.array([False, True, True, False])
    sample = ArticleBootstrap(np.zeros(4, np.int64), np.ones((1, 1)))
    found = abstention(confidence, wrong, sample)
    risks = dict(zip(COVERAGES, [c.risk.value for c in found.curve], strict=True))
    assert (risks[0.2], risks[0.5], risks[0.7], risks[1.0]) == (0, 1 / 2, 1 / 3, 1 / 2)
    assert found.area.value == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert [c.min_confidence for c in found.curve][4] == 0.8


def test_a_confidence_that_knows_nothing_leaves_the_risk_as_it_is():
    wrong = np.arange(10) < 3
    sample = ArticleBootstrap(np.zeros(10, np.int64), np.ones((1, 1)))
    found = abstention(np.full(10, 0.5), wrong, sample)
    assert {c.risk.value for c in found.curve} == {0.3}


def test_bins_have_equal_mass_and_equal_probabilities_share_one():
    rng = np.random.default_rng(1)
    assert np.bincount(equal_mass_bins(rng.random(200))).tolist() == [20] * 10
    assert equal_mass_bins(np.full(50, 0.3)).tolist() == [0] * 50
    tied = np.repeat([0.1, 0.2, 0.9], [60, 30, 10])
    assert len(set(zip(equal_mass_bins(tied).tolist(), tied.tolist(), strict=True))) == 3


def test_the_debiased_error_of_calibrated_probabilities_is_nearer_to_none():
    """Honest probabilities: all error found is chance, and most of it is taken off."""
    rng = np.random.default_rng(2)
    raw, debiased = [], []
    for _ in range(20):
        p = rng.random(300)
        y = rng.random(300) < p
        bootstrap = sample_and_draws(np.arange(300).astype(object), 200)
        raw.append(reliability(p, y, ArticleBootstrap(bootstrap.article, np.ones((1, 300)))).error)
        debiased.append(reliability(p, y, bootstrap).error)
    assert np.mean([e.value for e in debiased]) < 0.7 * np.mean([e.value for e in raw])
    assert all(e.low <= e.value <= e.high for e in debiased)


def test_what_is_never_negative_stays_so_without_its_bias():
    found = Measured.debiased(np.array([0.01, 0.02, 0.03, 0.04]))
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_a_bias_of_probabilities_is_found():
    rng = np.random.default_rng(3)
    p = rng.random(2_000) * 0.7 + 0.2
    y = rng.random(2_000) < p - 0.2
    found = reliability(p, y, sample_and_draws(np.arange(2_000).astype(object), 200))
    assert found.error.value == pytest.approx(0.2, abs=0.03)
    assert found.error.low < 0.2 < found.error.high
    assert all(b.observed.value < b.probability for b in found.bins)
    assert sum(b.n for b in found.bins) == 2_000


def test_the_interval_counts_articles_not_paragraphs(taxonomy):
    """Ten copies of a paragraph in its article say no more than one; ten articles do."""
    rng = np.random.default_rng(5)
    labels = np.zeros((60, 7), np.bool_)
    labels[:, 0] = rng.random(60) < 0.5
    labels[:, 6] = True
    applies = labels.copy()
    applies[:, 0] ^= rng.random(60) < 0.3
    ids = np.arange(60).astype(object)
    widths = []
    for rows, articles in ((1, ids), (10, np.repeat(ids, 10)), (10, np.arange(600).astype(object))):
        y, a = np.repeat(labels, rows, axis=0), np.repeat(applies, rows, axis=0)
        found = score(Predictions(taxonomy, y, a, a * 1.0, np.ones((len(y), 2)), articles))
        f1 = found.axes["topic"].macro.f1
        widths.append(f1.high - f1.low)
    assert widths[0] == pytest.approx(widths[1])
    assert widths[2] < 0.5 * widths[0]


def figures(value):
    if isinstance(value, Measured):
        yield value
    elif isinstance(value, dict | tuple | list):
        for own in value.values() if isinstance(value, dict) else value:
            yield from figures(own)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from figures(getattr(value, name))


def test_every_figure_lies_in_its_interval(scores):
    found = list(figures(scores))
    assert len(found) > 150
    assert all(f.low - 1e-9 <= f.value <= f.high + 1e-9 for f in found if np.isfinite(f.low))


def test_a_figure_that_all_draws_share_has_no_interval(taxonomy):
    """All right in each of thirty articles: not the certainty that nothing is ever wrong."""
    labels = np.zeros((30, 7), np.bool_)
    labels[:, 6] = labels[::2, 0] = True
    ids = np.arange(30).astype(object)
    found = score(Predictions(taxonomy, labels, labels, labels * 1.0, np.ones((30, 2)), ids))
    own = found.axes["topic"].labels["defence_industry"].rates
    assert (own.recall.value, own.f1.value) == (1, 1)
    assert str(own.recall) == str(own.f1) == "1.000" and own.recall.bounds == "–"


def test_draws_that_lost_a_label_do_not_count_as_failures_to_find_it(taxonomy):
    """In three articles of thirty, all found but one: it is lost by 4 % of the draws."""
    labels = np.zeros((60, 7), np.bool_)
    labels[:, 6] = True
    labels[[0, 1, 20, 21, 40], 0] = True
    applies = labels.copy()
    applies[1, 0] = False
    ids = np.repeat(np.arange(30), 2).astype(object)
    found = score(Predictions(taxonomy, labels, applies, applies * 1.0, np.ones((60, 2)), ids))
    own = found.axes["topic"].labels["defence_industry"].rates
    assert own.recall.value == pytest.approx(4 / 5)
    assert own.recall.low >= 0.5 and own.f1.low >= 2 / 3
    assert str(own.precision) == "1.000"


def test_one_article_gives_figures_without_intervals(made):
    from dataclasses import replace

    one = replace(made, article_ids=np.full(len(made), "a", object))
    found = list(figures(score(one)))
    assert all(np.isnan(f.low) and np.isnan(f.high) for f in found)
    assert str(found[0]).count("(") == 0


def test_json_has_none_where_a_figure_is_not_defined():
    assert plain({"a": (Measured(np.nan, np.nan, np.nan), 0.12345678, True)}) == {
        "a": [{"value": None, "low": None, "high": None}, 0.123457, True]
    }
