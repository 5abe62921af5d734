"""Fits the linear model's scikit-learn estimator, once or in folds."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import joblib
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from training.config import FitConfig
from training.corpus import LabelledCorpus
from training.naive_bayes_logistic import NaiveBayesLogisticRegression
from training.vectorizer import HashedNgramVectorizer, OccurrenceTfidf

Setting = tuple[float, float]  # C, weight of a passage beside a paragraph's 1


@dataclass(frozen=True, slots=True)
class Counted:
    """A corpus's hashed columns, counted once for every fold and every setting.

    counts : (n_texts, n_features), rows in the corpus's order.
    """

    ngrams: HashedNgramVectorizer
    counts: sp.csr_array

    @classmethod
    def of(cls, corpus: LabelledCorpus) -> Self:
        """Count the columns of all texts."""
        ngrams = HashedNgramVectorizer().fit(corpus.texts)
        return cls(ngrams, ngrams.transform(corpus.texts))

    def where(self, mask: NDArray[np.bool_]) -> Self:
        """The rows of a mask, in order."""
        return replace(self, counts=self.counts[np.flatnonzero(mask)])


def fit_estimator(
    counted: Counted, corpus: LabelledCorpus, setting: Setting, config: FitConfig
) -> Pipeline:
    """The pipeline from raw texts to uncalibrated probabilities, fitted on `corpus`."""
    tfidf = OccurrenceTfidf(counted.ngrams.fields_, config.min_documents)
    classifier = NaiveBayesLogisticRegression(corpus.taxonomy, C=setting[0])
    weight = np.where(corpus.table["passage"], setting[1], 1.0)
    weighted = tfidf.fit(counted.counts).transform(counted.counts)
    classifier.fit(weighted, corpus.labels, sample_weight=weight)
    return Pipeline([("ngrams", counted.ngrams), ("tfidf", tfidf), ("classifier", classifier)])


def cross_validate(
    counted: Counted,
    corpus: LabelledCorpus,
    folds: NDArray[np.int64],
    settings: Sequence[Setting],
    config: FitConfig,
    track: Callable[[Iterable[Any], int], Iterable[Any]] = lambda steps, _: steps,
) -> dict[Setting, NDArray[np.float64]]:
    """For each setting the uncalibrated out-of-fold probabilities, (n_texts, n_columns).

    folds : (n_texts,), the fold in which a row is predicted; -1 trains in all and stays 0.
    """
    jobs = list(itertools.product(settings, range(int(folds.max()) + 1)))
    predictions = joblib.Parallel(n_jobs=config.n_jobs, return_as="generator")(
        joblib.delayed(fit_and_predict)(
            counted, corpus, folds != fold, folds == fold, setting, config
        )
        for setting, fold in jobs
    )
    out_of_fold = {setting: np.zeros(corpus.labels.shape) for setting in settings}
    for (setting, fold), probabilities in zip(jobs, track(predictions, len(jobs)), strict=True):
        out_of_fold[setting][folds == fold] = probabilities
    return out_of_fold


def fit_and_predict(
    counted: Counted,
    corpus: LabelledCorpus,
    fitted: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    setting: Setting,
    config: FitConfig,
) -> NDArray[np.float64]:
    """Fit on some rows, and predict others: uncalibrated, (n_predicted, n_columns)."""
    estimator = fit_estimator(counted.where(fitted), corpus.where(fitted), setting, config)
    probabilities: NDArray[np.float64] = estimator[1:].predict_proba(
        counted.where(predicted).counts
    )
    return probabilities
