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

_SMOOTHING = 1.0  # of Wang and Manning: added to each column's weight in and outside a label


class NaiveBayesLogisticRegression(BaseEstimator):
    """Each column is multiplied by how much more often it stands with a label than without.

    Wang and Manning (2012), "Baselines and Bigrams: Simple, Good Sentiment and Topic
    Classification", section 2.3, with TF-IDF weights for binary counts and logistic loss.

    A text of which only the probability p of a label is known stands as two: with the label at p
    times its weight, and without at 1 - p times. Counts are then expected counts, and the loss is
    the cross-entropy with the soft target of Hinton, Vinyals and Dean (2015), "Distilling the
    Knowledge in a Neural Network", section 2. With p of 0 or 1 one of the two has no weight and is
    left out, so that nothing differs from a fit on labels.

    Parameters
    ----------
    taxonomy : the labels; columns of `y` and of `predict_proba` in its order.
    C : inverse strength of the L2 penalty of each regression.

    Attributes
    ----------
    ratios_ : float64 (n_columns, n_features), the log-count ratios.
    coef_ : float64 (n_columns, n_features), on the unscaled features: ratios folded in.
    intercept_ : float64 (n_columns,)
    """

    def __init__(self, taxonomy: Taxonomy, *, C: float = 10.0) -> None:
        self.taxonomy = taxonomy
        self.C = C

    def fit(
        self,
        X: sp.csr_array,
        y: NDArray[np.bool_] | NDArray[np.float64],
        sample_weight: NDArray[np.float64] | None = None,
    ) -> Self:
        """Fit one regression a label.

        Parameters
        ----------
        X : (n_texts, n_features), not negative.
        y : (n_texts, n_columns), whether each label applies, or its probability.
        sample_weight : (n_texts,); None means equal weights.
        """
        weight = np.ones(X.shape[0]) if sample_weight is None else sample_weight
        self.ratios_ = np.empty((y.shape[1], X.shape[1]))
        self.coef_ = np.empty((y.shape[1], X.shape[1]))
        self.intercept_ = np.empty(y.shape[1])
        for k in range(y.shape[1]):
            share = y[:, k].astype(np.float64)
            with_label = _SMOOTHING + _column_sums(X, weight * share)
            without = _SMOOTHING + _column_sums(X, weight * (1 - share))
            ratio = np.log(with_label / with_label.sum()) - np.log(without / without.sum())
            row, side, part = _sides(share)
            # Dual coordinate descent: fewer texts than columns. The seed orders the texts.
            regression = LogisticRegression(
                C=self.C, solver="liblinear", dual=True, tol=1e-2, max_iter=1_000, random_state=0
            )
            regression.fit(_scaled(X[row], ratio), side, sample_weight=weight[row] * part)
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


def _sides(
    share: NDArray[np.float64],
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]:
    """Rows with a label (1) and without it (0) that stand for texts which have it by shares.

    The text of each row, in order, its side, and which part of the text's weight it has; rows
    without weight are left out. All (n_rows,).
    """
    parts = np.column_stack((share, 1 - share))
    row, column = np.nonzero(parts)
    return row.astype(np.int32), 1 - column, parts[row, column]


def _column_sums(matrix: sp.csr_array, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    row = np.flatnonzero(weight).astype(np.int32)
    weighted = sp.diags_array(weight[row]) @ matrix[row]
    return np.asarray(weighted.sum(axis=0)).ravel()


def _scaled(matrix: sp.csr_array, factors: NDArray[np.float64]) -> sp.csr_array:
    return sp.csr_array(
        (matrix.data * factors[matrix.indices], matrix.indices, matrix.indptr), shape=matrix.shape
    )
