"""How good a model is on articles it has not seen, beside two simple ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from inference.scorer import Scorer
from inference.taxonomy import Taxonomy
from training.corpus import LabelledCorpus
from training.metrics import Scores, score_predictions

Predicted = tuple[NDArray[np.bool_], NDArray[np.float64]]


def evaluate(scorer: Scorer, corpus: LabelledCorpus) -> Scores:
    """Scores of a scorer's decisions, abstention left aside, on all rows of `corpus`."""
    probabilities = scorer.calibration.apply(
        scorer.model.predict_proba(corpus.paragraphs), corpus.taxonomy
    )
    applies, _ = scorer.rule.decide(probabilities, corpus.taxonomy)
    return _scores((applies, probabilities), corpus)


def evaluate_baselines(train: LabelledCorpus, test: LabelledCorpus) -> dict[str, Scores]:
    """Two baselines fitted on `train`, scored on `test`.

    "majority" says what most training paragraphs carry; "tfidf" is scikit-learn's TF-IDF of words
    and pairs of words with logistic regression, one label against the rest.
    """
    return {
        "majority": _scores(_majority(train, test), test),
        "tfidf": _scores(_tfidf(train, test), test),
    }


def _scores(predicted: Predicted, corpus: LabelledCorpus) -> Scores:
    applies, probabilities = predicted
    return score_predictions(
        applies, probabilities, corpus.labels, corpus.taxonomy, corpus.article_ids
    )


def _majority(train: LabelledCorpus, test: LabelledCorpus) -> Predicted:
    own = train.where(~train.table["passage"])
    shares = own.labels.mean(axis=0)
    probabilities = np.tile(shares, (len(test), 1))
    return _decided(probabilities, train.taxonomy), probabilities


def _tfidf(train: LabelledCorpus, test: LabelledCorpus) -> Predicted:
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    fitted, seen = vectorizer.fit_transform(train.texts), vectorizer.transform(test.texts)
    probabilities = np.column_stack(
        [
            LogisticRegression(C=10.0, max_iter=1_000)
            .fit(fitted, train.labels[:, column])
            .predict_proba(seen)[:, 1]
            for column in range(train.labels.shape[1])
        ]
    )
    for axis, span in train.taxonomy.spans():
        if axis.exclusive:
            probabilities[:, span] /= probabilities[:, span].sum(axis=1, keepdims=True)
    return _decided(probabilities, train.taxonomy), probabilities


def _decided(probabilities: NDArray[np.float64], taxonomy: Taxonomy) -> NDArray[np.bool_]:
    applies = probabilities >= 0.5
    for axis, span in taxonomy.spans():
        if axis.exclusive:
            best = probabilities[:, span].argmax(axis=1)
            applies[:, span] = np.arange(len(axis.labels)) == best[:, None]
    return applies
