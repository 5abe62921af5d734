"""Two simple systems that any model must beat."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from inference.decision import DecisionRule
from training.corpus import LabelledCorpus
from training.predictions import Predictions

_WORD = re.compile(r"\w\w")  # what scikit-learn takes for one, at the least


def have_words(texts: Iterable[str]) -> bool:
    """Whether "tfidf" finds anything in the texts to learn from."""
    return any(map(_WORD.search, texts))


def baselines(train: LabelledCorpus, test: LabelledCorpus) -> dict[str, Predictions]:
    """Two baselines fitted on `train`, and what they say of `test`.

    "majority" says what most training paragraphs carry; "tfidf" is scikit-learn's TF-IDF of words
    and pairs of words with logistic regression, one label against the rest. The texts of `train`
    must `have_words`.
    """
    rule = DecisionRule((0.5,) * train.taxonomy.n_columns)
    return {
        name: Predictions.decided(probabilities, rule, test)
        for name, probabilities in (
            ("majority", np.tile(train.label_shares(), (len(test), 1))),
            ("tfidf", _tfidf(train, test)),
        )
    }


def _tfidf(train: LabelledCorpus, test: LabelledCorpus) -> NDArray[np.float64]:
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    fitted, seen = vectorizer.fit_transform(train.texts), vectorizer.transform(test.texts)
    with threadpool_limits(1):  # threads only wait for each other in products as small as these
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
    return probabilities
