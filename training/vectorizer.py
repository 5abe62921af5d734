"""The linear model's features as scikit-learn transformers: hashed counts, then TF-IDF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from inference.features import (
    FeatureConfig,
    letter_columns,
    masked_tokens,
    pair_columns,
    word_columns,
)
from inference.phrase_lists import lexicon_classes, lexicon_terms, state_names

_BLOCK = 1_000


class HashedNgramVectorizer(TransformerMixin, BaseEstimator):
    """Counts of French words, pairs of words, letters inside words and classes of the lexicon.

    Names of states are masked. Stateless: `fit` only compiles the lexicon and the gazetteer. With
    the default `hash_bits` there are two million columns, nearly all empty: put `OccurrenceTfidf`
    after it, or a smaller `hash_bits`, before an estimator that holds a number a column.

    Parameters
    ----------
    hash_bits, letters_min, letters_max : see `inference.features.FeatureConfig`.

    Attributes
    ----------
    config_ : FeatureConfig
    fields_ : tuple of slices, the columns of words, of letters and of classes.
    """

    def __init__(self, *, hash_bits: int = 20, letters_min: int = 2, letters_max: int = 5) -> None:
        self.hash_bits = hash_bits
        self.letters_min = letters_min
        self.letters_max = letters_max

    def fit(self, X: Sequence[str], y: object = None) -> Self:  # noqa: ARG002 - scikit-learn's names
        """Compile the phrase lists; `X` is not looked at."""
        self.config_ = FeatureConfig(self.hash_bits, self.letters_min, self.letters_max)
        self.names_ = state_names()
        self.lexicon_ = lexicon_terms()
        half, n_hashed = 1 << self.hash_bits, self.config_.n_hashed
        self.fields_ = (
            slice(0, half),
            slice(half, n_hashed),
            slice(n_hashed, n_hashed + len(lexicon_classes())),
        )
        return self

    def transform(self, X: Sequence[str]) -> sp.csr_array:
        """Counts, float64, of shape (n_texts, 2 * 2**hash_bits + n_classes)."""
        check_is_fitted(self)
        if isinstance(X, str):
            msg = f"expected a sequence of texts, found one text ({X[:40]!r}…); pass [text]"
            raise TypeError(msg)
        texts = list(X)
        blocks = [self._counts(texts[i : i + _BLOCK]) for i in range(0, len(texts), _BLOCK)]
        return sp.vstack(blocks, format="csr") if blocks else self._counts([])

    def _counts(self, texts: Sequence[str]) -> sp.csr_array:
        tokens = masked_tokens(texts, self.names_)
        pairs, first = pair_columns(tokens, self.config_)
        rows: list[NDArray[np.integer]] = [tokens.paragraphs, tokens.paragraphs[first]]
        columns: list[NDArray[np.integer]] = [word_columns(tokens, self.config_), pairs]
        for found, word in letter_columns(tokens, np.arange(len(tokens)), self.config_):
            rows.append(tokens.paragraphs[word])
            columns.append(found)
        matches = self.lexicon_.find(tokens)
        rows.append(tokens.paragraphs[matches.first])
        columns.append(matches.value + self.config_.n_hashed)
        # liblinear takes 32-bit indices only.
        row = np.concatenate(rows).astype(np.int32)
        column = np.concatenate(columns).astype(np.int32)
        shape = (tokens.n_paragraphs, self.fields_[-1].stop)
        return sp.csr_array((np.ones(len(row)), (row, column)), shape=shape)


class OccurrenceTfidf(TransformerMixin, BaseEstimator):
    """TF-IDF by field, where a field's length counts every occurrence.

    x_j = c_j idf_j / sqrt(sum over the field of c_i idf_i**2), c the counts and idf smoothed as in
    scikit-learn. With the usual L2 norm the sum would run over (c_i idf_i)**2, which is not
    additive over occurrences; this one is, and in cross-validation it was as good.

    Parameters
    ----------
    fields : slices of columns, each normalised by itself.
    min_documents : for each field, columns that stand in fewer training texts are dropped.

    Attributes
    ----------
    columns_ : int64 (n_kept,), the columns kept, ascending.
    idf_ : float64 (n_kept,)
    """

    def __init__(self, fields: Sequence[slice], min_documents: Sequence[int]) -> None:
        self.fields = fields
        self.min_documents = min_documents

    def fit(self, X: sp.csr_array, y: object = None) -> Self:  # noqa: ARG002
        """Count the documents of each column."""
        n_texts = X.shape[0]
        in_documents = np.bincount(X.indices, minlength=X.shape[1])
        enough = np.zeros(X.shape[1], np.bool_)
        for field, least in zip(self.fields, self.min_documents, strict=True):
            enough[field] = in_documents[field] >= least
        self.columns_ = np.flatnonzero(enough)
        self.idf_ = np.log((1 + n_texts) / (1 + in_documents[self.columns_])) + 1
        return self

    def transform(self, X: sp.csr_array) -> sp.csr_array:
        """Weighted columns, shape (n_texts, n_kept)."""
        check_is_fitted(self)
        kept = sp.csr_array(X[:, self.columns_.astype(np.int32)])
        field_of = np.searchsorted([f.stop for f in self.fields], self.columns_, "right")
        row = np.repeat(np.arange(kept.shape[0]), np.diff(kept.indptr))
        cell = row * len(self.fields) + field_of[kept.indices]
        squares = np.bincount(
            cell,
            kept.data * self.idf_[kept.indices] ** 2,
            minlength=kept.shape[0] * len(self.fields),
        )
        data = kept.data * self.idf_[kept.indices] / np.sqrt(squares[cell])
        return sp.csr_array((data, kept.indices, kept.indptr), shape=kept.shape)
