"""Folds by article: no paragraph of an article is ever predicted by a model that saw another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.corpus import LabelledCorpus


def article_folds(corpus: LabelledCorpus, n_folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each row, shape (n_texts,); -1 for passages, which train in every fold.

    Articles are dealt out in random order to the fold that has least of their rarest labels
    (the iterative stratification of Sechidis et al. 2011, over articles).
    """
    is_paragraph = ~corpus.table["passage"].to_numpy(np.bool_)
    ids = corpus.article_ids.astype(str)
    articles, row_of = np.unique(ids[is_paragraph], return_inverse=True)
    counts = np.zeros((len(articles), corpus.labels.shape[1] + 1))
    np.add.at(counts, row_of, np.column_stack((corpus.labels[is_paragraph], np.ones(len(row_of)))))
    rarity = counts / np.maximum(counts.sum(axis=0), 1)
    order = np.random.default_rng(seed).permutation(len(articles))
    order = order[np.argsort(-rarity[order].max(axis=1), kind="stable")]
    load = np.zeros((n_folds, counts.shape[1]))
    fold_of = np.zeros(len(articles), np.int64)
    for article in order:
        # What each fold would hold of this article's labels, the rare ones weighing most.
        fold_of[article] = (load @ rarity[article]).argmin()
        load[fold_of[article]] += rarity[article]
    folds = np.full(len(corpus), -1)
    folds[is_paragraph] = fold_of[row_of]
    return folds
