"""Fits a `Calibration` and a `DecisionRule` on probabilities of paragraphs that were not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from inference.calibration import Calibration
from inference.decision import DecisionRule
from inference.model import log_odds
from inference.taxonomy import Taxonomy
from training.corpus import LabelledCorpus
from training.metrics import f1_of_counts
from training.predictions import Predictions

_SLOPES = (0.05, 20.0)
_THRESHOLDS = np.arange(0.05, 0.96, 0.01)
_DRAWS = 200


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Calibration and rule, and the predictions that they were chosen on (so they flatter).

    untouched : names of the labels, and of the exclusive axes, in which all paragraphs are alike,
        so that there was nothing to fit: probabilities stay, and a threshold is 0.5.
    """

    calibration: Calibration
    rule: DecisionRule
    predictions: Predictions
    untouched: tuple[str, ...]


def calibrated(probabilities: NDArray[np.float64], corpus: LabelledCorpus) -> Calibrated:
    """Fit a calibration and a rule on unseen predictions (n_texts, n_columns) for `corpus`."""
    taxonomy = corpus.taxonomy
    calibration = fit_calibration(probabilities, corpus.labels, taxonomy)
    shares = calibration.apply(probabilities, taxonomy)
    rule = fit_rule(shares, corpus.labels, corpus.article_ids, taxonomy)
    untouched: list[str] = []
    for axis, span in taxonomy.spans():
        labels = corpus.labels[:, span]
        if axis.exclusive:
            untouched += [] if _differ(labels) else [axis.name]
        else:
            named = zip(axis.codes, labels.T, strict=True)
            untouched += [f"{axis.name}.{code}" for code, own in named if not _differ(own)]
    predictions = Predictions.decided(shares, rule, corpus)
    return Calibrated(calibration, rule, predictions, tuple(untouched))


def fit_calibration(
    probabilities: NDArray[np.float64], labels: NDArray[np.bool_], taxonomy: Taxonomy
) -> Calibration:
    """Platt scaling of each column of a non-exclusive axis, one temperature for an exclusive one.

    A label that every paragraph has, or none, stays as it is, and so does an exclusive axis of
    which all have the same: nothing can be learned of them here.

    Parameters
    ----------
    probabilities : (n_paragraphs, n_columns), out-of-fold and uncalibrated.
    labels : bool (n_paragraphs, n_columns)
    """
    slopes, intercepts = np.ones(taxonomy.n_columns), np.zeros(taxonomy.n_columns)
    logits = log_odds(probabilities, taxonomy)
    for axis, span in taxonomy.spans():
        if axis.exclusive:
            if _differ(labels[:, span]):
                slopes[span] = _inverse_temperature(logits[:, span], labels[:, span])
        else:
            for column in range(span.start, span.stop):
                if not _differ(labels[:, column]):
                    continue
                slopes[column], intercepts[column] = _platt(logits[:, column], labels[:, column])
    return Calibration(tuple(slopes.tolist()), tuple(intercepts.tolist()))


def fit_rule(
    probabilities: NDArray[np.float64],
    labels: NDArray[np.bool_],
    article_ids: NDArray[np.object_],
    taxonomy: Taxonomy,
) -> DecisionRule:
    """Thresholds chosen for F1 on calibrated out-of-fold probabilities.

    F1 hardly changes over a wide range of thresholds, and where labels are rarer than in the
    corpus a low one costs precision. So of the thresholds whose F1 is within a standard error of
    the best, the one nearest to 0.5 is taken (the one-standard-error rule of Breiman et al. 1984,
    section 3.4.3), the error being that of a bootstrap over articles. A label that every
    paragraph has, or none, gets 0.5.
    """
    thresholds = np.zeros(taxonomy.n_columns)
    _, article = np.unique(article_ids.astype(str), return_inverse=True)
    n_articles = int(article.max()) + 1
    weights = np.random.default_rng(0).multinomial(
        n_articles, np.full(n_articles, 1 / n_articles), _DRAWS
    )
    for axis, span in taxonomy.spans():
        if axis.exclusive:
            continue
        for column in range(span.start, span.stop):
            if not _differ(labels[:, column]):
                thresholds[column] = 0.5
                continue
            chosen = probabilities[:, column, None] >= _THRESHOLDS
            hits, n_chosen = np.zeros((2, n_articles, len(_THRESHOLDS)))
            np.add.at(hits, article, chosen & labels[:, column, None])
            np.add.at(n_chosen, article, chosen)
            support = np.bincount(article, labels[:, column], n_articles).astype(np.float64)
            f1 = f1_of_counts(hits.sum(axis=0), n_chosen.sum(axis=0), support.sum())
            drawn = f1_of_counts(weights @ hits, weights @ n_chosen, (weights @ support)[:, None])
            best = int(f1.argmax())
            good = np.flatnonzero(f1 >= f1[best] - drawn[:, best].std())
            thresholds[column] = _THRESHOLDS[good[np.abs(_THRESHOLDS[good] - 0.5).argmin()]]
    return DecisionRule(tuple(thresholds.round(2).tolist()))


def _differ(labels: NDArray[np.bool_]) -> bool:
    """Whether paragraphs, the rows, are not all alike."""
    return bool((labels != labels[0]).any())


def _platt(logit: NDArray[np.float64], label: NDArray[np.bool_]) -> tuple[float, float]:
    """Platt (1999), with the smoothed targets of its section 2.2 against overconfidence."""
    n_yes, n_no = int(label.sum()), int((~label).sum())
    target = np.where(label, (n_yes + 1) / (n_yes + 2), 1 / (n_no + 2))

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = parameters[0] * logit + parameters[1]
        error = 0.5 * (1 + np.tanh(0.5 * z)) - target
        value = np.logaddexp(0, z) - target * z
        return float(value.mean()), np.array([(error * logit).mean(), error.mean()])

    # A slope of zero or less would turn the model's ranking round.
    found = minimize(loss, np.array([1.0, 0.0]), jac=True, bounds=[_SLOPES, (None, None)])
    return float(found.x[0]), float(found.x[1])


def _inverse_temperature(logits: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Guo et al. (2017), section 4.2, with Platt's smoothed targets for as many labels as are.

    Without them a few paragraphs that are all right would make the model certain of everything.
    """
    n_own = (labels.sum(axis=0) * labels).sum(axis=1, keepdims=True)  # with the paragraph's label
    target = (n_own * labels + 1) / (n_own + labels.shape[1])

    def loss(log_slope: float) -> float:
        z = np.exp(log_slope) * logits
        z -= z.max(axis=1, keepdims=True)
        return float((np.log(np.exp(z).sum(axis=1)) - (target * z).sum(axis=1)).mean())

    bounds = (np.log(_SLOPES[0]), np.log(_SLOPES[1]))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))
