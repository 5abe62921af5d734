"""From the fitted scikit-learn estimator to the arrays that the run time sums."""

from __future__ import annotations

import numpy as np
from sklearn.pipeline import Pipeline

from inference.linear import LinearModel, LinearWeights
from inference.taxonomy import Taxonomy


def linear_model(estimator: Pipeline, taxonomy: Taxonomy) -> LinearModel:
    """Fold idf, naive-Bayes ratios and regression weights into one row a column.

    The estimator's logit of a label is the sum over columns of c_j idf_j w_j, divided by its
    field's sqrt(sum of c_j idf_j**2): row j holds idf_j w_j for each label, then idf_j**2.
    """
    ngrams, tfidf, classifier = (estimator[i] for i in range(3))
    squares = tfidf.idf_**2
    rows = np.column_stack(((classifier.coef_ * tfidf.idf_).T, squares)).astype(np.float32)
    is_class = tfidf.columns_ >= ngrams.config_.n_hashed
    class_rows = np.zeros((ngrams.fields_[-1].stop - ngrams.config_.n_hashed, rows.shape[1]))
    class_rows[tfidf.columns_[is_class] - ngrams.config_.n_hashed] = rows[is_class]
    weights = LinearWeights(
        columns=tfidf.columns_[~is_class].astype(np.uint32),
        rows=rows[~is_class],
        class_rows=class_rows.astype(np.float32),
        intercepts=classifier.intercept_.astype(np.float32),
        names=ngrams.names_,
        lexicon=ngrams.lexicon_,
    )
    return LinearModel(taxonomy, ngrams.config_, weights)
