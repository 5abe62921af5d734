"""How well annotators do by the measure of a model.

No bound for a model: it is measured on labels that several annotators made together, an annotator
here on what the others say, so that a model may score higher.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.annotations import Annotations
from training.measured import Measured, sample_and_draws
from training.metrics import Counts

_Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class AnnotatorScores:
    """One annotator, or all pooled, against the majority of the others.

    n_judgements : judgements of units that another annotator judges too.
    f1 : axis → label → F1. macro_f1 : axis → their mean.
    """

    n_judgements: int
    f1: dict[str, dict[str, Measured]]
    macro_f1: dict[str, Measured]


@dataclass(frozen=True, slots=True)
class AgainstOthers:
    """Each annotator against the majority of the others, and all such judgements pooled.

    Where the others are split evenly there is no majority, and the judgement does not count: of
    label sets that label's, of an exclusive axis the whole axis's.
    """

    pooled: AnnotatorScores
    annotators: dict[str, AnnotatorScores]


def annotator_scores(annotations: Annotations, units: Collection[str]) -> AgainstOthers | None:
    """The annotators' scores on the units of these ids; None where no two judge one of them."""
    table = annotations.table.reset_index(drop=True)
    own = table[table["id"].isin(set(units))]
    own = own[own["id"].duplicated(keep=False)]
    if own.empty:
        return None
    said = annotations.labels[own.index]
    unit = np.unique(own["id"].to_numpy(str), return_inverse=True)[1]
    majority, decided = _others(annotations, said, unit)
    articles, names = own["article_id"].to_numpy(object), own["annotator"].to_numpy(str)

    def scores(chosen: _Mask) -> AnnotatorScores:
        return _scores(
            annotations, said[chosen], majority[chosen], decided[chosen], articles[chosen]
        )

    everyone = np.ones(len(own), np.bool_)
    by_name = {str(name): scores(names == name) for name in np.unique(names)}
    return AgainstOthers(scores(everyone), by_name)


def _others(annotations: Annotations, said: _Mask, unit: NDArray[np.int64]) -> tuple[_Mask, _Mask]:
    """What most others say of the same unit, and where there is such a majority."""
    votes = np.zeros((int(unit.max()) + 1, said.shape[1]))
    np.add.at(votes, unit, said)
    n_others = np.bincount(unit)[unit, None] - 1
    others = votes[unit] - said
    majority, decided = 2 * others > n_others, 2 * others != n_others
    for axis, span in annotations.taxonomy.spans():
        if axis.exclusive:
            # The most votes are enough, three answers may be given.
            most = others[:, span] == others[:, span].max(axis=1, keepdims=True)
            majority[:, span] = most
            decided[:, span] = most.sum(axis=1, keepdims=True) == 1
    return majority, decided


def _scores(
    annotations: Annotations,
    said: _Mask,
    majority: _Mask,
    decided: _Mask,
    articles: NDArray[np.object_],
) -> AnnotatorScores:
    bootstrap = sample_and_draws(articles)
    counted = (said & majority & decided, said & decided, majority & decided)
    f1 = Counts(*(bootstrap.sums(own) for own in counted)).f1
    spans = annotations.taxonomy.spans()
    return AnnotatorScores(
        len(said),
        {
            axis.name: {
                code: Measured.of(own) for code, own in zip(axis.codes, f1[:, span].T, strict=True)
            }
            for axis, span in spans
        },
        {axis.name: Measured.of(f1[:, span].mean(axis=1)) for axis, span in spans},
    )
