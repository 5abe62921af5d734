"""Scores for an archive whose model learned from the very sample that is to correct it.

Such a model errs less on the sample than elsewhere, and a correction measured there is too small.
So the linear model is fitted again in folds by article, and each paragraph is scored only by models
that have not seen its article: one of a labelled article by the model of its fold, any other by the
mean of all (Zrnic and Candès 2024, Cross-prediction-powered inference, PNAS 121).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inference.article import Paragraph
from inference.errors import InputError
from inference.linear import LinearModel
from inference.tables import Row, read_rows
from training.archive import ScoredArchive
from training.archive_files import is_paragraph
from training.corpus import LabelledCorpus
from training.folds import article_folds
from training.label_cells import cell_text
from training.labelled_sample import LabelledSample
from training.linear import Counted, LinearRecipe, fit_estimator
from training.linear_table import linear_model

N_FOLDS = 5

_SETTING = (30.0, 1.0)  # of `training.linear`; the correction holds whatever the model's quality
_BLOCK = 2_000


def cross_fit(
    archive: ScoredArchive,
    texts: Iterable[str],
    sample: LabelledSample,
) -> ScoredArchive:
    """The archive with cross-fitted probabilities, uncalibrated; its decisions stay as they are.

    Parameters
    ----------
    texts : of the archive's paragraphs, in order; see `archive_texts`.
    sample : with its texts.

    Raises InputError where a fold would have to learn a label without an example, or where the
    sample has no texts.
    """
    rows = archive.rows_of(sample.ids)
    corpus = _corpus(archive, sample, rows)
    models, folds = _models(corpus)
    # The fold of each article of the archive; -1 for those without a label.
    fold_of = np.full(archive.n_articles, -1)
    fold_of[archive.article[rows]] = folds
    fold = fold_of[archive.article]
    probabilities = np.empty_like(archive.probabilities)
    start = 0
    for block in _blocks(texts):
        own = slice(start, start + len(block))
        by_model = np.stack([model.predict_proba(block) for model in models])
        mean = by_model.mean(axis=0)
        seen = fold[own] >= 0
        mean[seen] = by_model[fold[own][seen], np.flatnonzero(seen)]
        probabilities[own] = mean
        start += len(block)
    return replace(archive, probabilities=probabilities)


def archive_texts(
    path: Path, track: Callable[[Iterable[Row]], Iterable[Row]] = lambda rows: rows
) -> Iterator[str]:
    """The texts of an archive's paragraphs in order, streamed."""
    for row in track(read_rows(path)):
        if is_paragraph(row.values):
            text = cell_text(row.values.get("text"))
            if not text:
                msg = f"{row.where}: no text; cross-fitting scores the archive's texts again"
                raise InputError(msg)
            yield text


def _corpus(
    archive: ScoredArchive, sample: LabelledSample, rows: NDArray[np.int64]
) -> LabelledCorpus:
    if (rows < 0).any() or not all(sample.texts):
        what = "ids" if (rows < 0).any() else "texts"
        msg = f"cross-fitting: labelled paragraphs without {what} of the archive; expected them all"
        raise InputError(msg)
    table = pd.DataFrame(
        {
            "id": sample.ids,
            "article_id": archive.article[rows].astype(str),
            "text": sample.texts,
            "heading": "",
            "preceding": "",
            "split": "train",
            "passage": False,
        }
    )
    return LabelledCorpus(sample.taxonomy, table, sample.labels)


def _models(corpus: LabelledCorpus) -> tuple[list[LinearModel], NDArray[np.int64]]:
    """A model a fold, fitted on the others, and the fold of each row."""
    n_folds = min(N_FOLDS, len(set(corpus.article_ids)))
    folds = article_folds(corpus, n_folds, seed=0)
    counted = Counted.of(corpus)
    models = []
    for fold in range(n_folds):
        train = corpus.where(folds != fold)
        n_with = train.labels.sum(axis=0)
        if (few := (n_with == 0) | (n_with == len(train))).any():
            label = corpus.taxonomy.column_names[int(few.argmax())]
            msg = (
                f"cross-fitting: {label} has too few examples, or all, among {len(corpus)} "
                f"labelled paragraphs for {n_folds} folds by article; label more, or score the "
                "archive with a model that was not trained on this sample"
            )
            raise InputError(msg)
        estimator = fit_estimator(counted.where(folds != fold), train, _SETTING, LinearRecipe())
        models.append(linear_model(estimator, corpus.taxonomy))
    return models, folds


def _blocks(texts: Iterable[str]) -> Iterator[list[Paragraph]]:
    block: list[Paragraph] = []
    for text in texts:
        block.append(Paragraph(text, 0, len(text)))
        if len(block) == _BLOCK:
            yield block
            block = []
    if block:
        yield block
