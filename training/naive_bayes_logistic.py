"""One-vs-rest logistic regression on naive-Bayes log-count ratios, over all axes of a taxonomy."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted

from inference.model import probabilities
from inference.taxonomy import Taxonomy


class NaiveBayesLogisticRegression(BaseEstimator):
    """Each column is multiplied by how much more often it stands with a label than without.

    Wang and Manning (2012), "Baselines and Bigrams: Simple, Good Sentiment and Topic
    Classification", section 2.3, with TF-IDF weights for binary counts and logistic loss.

    Parameters
    ----------
    taxonomy : the labels; columns of `y` and of `predict_proba` in its order.
    C : inverse strength of the L2 penalty of each regression.
    smoothing : added to each column's weight in and outside a label.

    Attributes
    ----------
    ratios_ : float64 (n_columns, n_features), the log-count ratios.
    coef_ : float64 (n_columns, n_features), on the unscaled features: ratios folded in.
    intercept_ : float64 (n_columns,)
    """

    def __init__(self, taxonomy: Taxonomy, *, C: float = 10.0, smoothing: float = 1.0) -> None:
        self.taxonomy = taxonomy
        self.C = C
        self.smoothing = smoothing

    def fit(
        self,
        X: sp.csr_array,
        y: NDArray[np.bool_],
        sample_weight: NDArray[np.float64] | None = None,
    ) -> Self:
        """Fit one regression a label.

        Parameters
        ----------
        X : (n_texts, n_features), not negative.
        y : (n_texts, n_columns), whether each label applies.
        sample_weight : (n_texts,); None means equal weights.
        """
        weight = np.ones(X.shape[0]) if sample_weight is None else sample_weight
        weighted = sp.diags_array(weight) @ X
        self.ratios_ = np.empty((y.shape[1], X.shape[1]))
        self.coef_ = np.empty((y.shape[1], X.shape[1]))
        self.intercept_ = np.empty(y.shape[1])
        for k in range(y.shape[1]):
            with_label = self.smoothing + np.asarray(weighted[y[:, k]].sum(axis=0)).ravel()
            without = self.smoothing + np.asarray(weighted[~y[:, k]].sum(axis=0)).ravel()
            ratio = np.log(with_label / with_label.sum()) - np.log(without / without.sum())
            # Dual coordinate descent: fewer texts than columns. The seed orders the texts.
            regression = LogisticRegression(
                C=self.C, solver="liblinear", dual=True, tol=1e-2, max_iter=1_000, random_state=0
            )
            regression.fit(_scaled(X, ratio), y[:, k].astype(int), sample_weight=weight)
            self.ratios_[k] = ratio
            self.coef_[k] = ratio * regression.coef_[0]
            self.intercept_[k] = regression.intercept_[0]
        return self

    def decision_function(self, X: sp.csr_array) -> NDArray[np.float64]:
        """Log-odds of each label, shape (n_texts, n_columns)."""
        check_is_fitted(self)
        return np.asarray(X @ self.coef_.T) + self.intercept_

    def predict_proba(self, X: sp.csr_array) -> NDArray[np.float64]:
        """Uncalibrated probabilities, shape (n_texts, n_columns)."""
        return probabilities(self.decision_function(X), self.taxonomy)

    def __sklearn_tags__(self) -> Any:
        """A classifier of several columns at once."""
        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier"
        return tags


def _scaled(matrix: sp.csr_array, factors: NDArray[np.float64]) -> sp.csr_array:
    return sp.csr_array(
        (matrix.data * factors[matrix.indices], matrix.indices, matrix.indptr), shape=matrix.shape
    )
