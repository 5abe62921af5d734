"""Scores of the paragraphs of one theatre, register or source at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.corpus import LabelledCorpus
from training.measured import N_DRAWS, Measured, sample_and_draws
from training.metrics import Counts
from training.predictions import Predictions

GROUP_COLUMNS = ("theatre", "register", "source")
_MOST_GROUPS = 50
_ARTICLES_FOR_INTERVALS = 5


@dataclass(frozen=True, slots=True)
class GroupScores:
    """The paragraphs of one theatre, register or source.

    micro_f1 : axis → F1 of all decisions together, because a group may lack a label; on an
        exclusive axis it is the share of right ones. Intervals over the group's own articles, NaN
        for fewer than five: drawn from so few, they would look far too sure.
    """

    n_paragraphs: int
    n_articles: int
    micro_f1: dict[str, Measured]


def group_scores(
    predictions: Predictions, measured: LabelledCorpus, first: str | None = None
) -> dict[str, dict[str, GroupScores]]:
    """Column → value → scores of the rows of `measured` with that value.

    first : a column that comes before those that are known. A column with a single value, or with
        more than fifty, is left out.
    """
    columns = dict.fromkeys((*([first] if first else []), *GROUP_COLUMNS))
    found = {
        name: measured.table[name].fillna("").astype(str).to_numpy(str)
        for name in columns
        if name in measured.table
    }
    return {
        name: {str(v): _group_scores(predictions.where(values == v)) for v in np.unique(values)}
        for name, values in found.items()
        if 1 < len(np.unique(values)) <= _MOST_GROUPS
    }


def _group_scores(predictions: Predictions) -> GroupScores:
    n_articles = len(set(predictions.article_ids))
    n_draws = N_DRAWS if n_articles >= _ARTICLES_FOR_INTERVALS else 0
    bootstrap = sample_and_draws(predictions.article_ids, n_draws)
    counts = Counts.of(predictions, bootstrap)
    micro = {
        axis.name: Measured.of(counts.columns(span).summed().f1[:, 0])
        for axis, span in predictions.taxonomy.spans()
    }
    return GroupScores(len(predictions), n_articles, micro)
