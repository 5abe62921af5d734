"""A student's recipe: the linear model, fitted on labels and on a teacher's probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.corpus import LabelledCorpus
from training.linear import (
    Counted,
    LinearRecipe,
    Setting,
    SoftTexts,
    best_setting,
    cross_validate,
    fit_estimator,
    learned,
)
from training.recipe import Learned, Report, Track


@dataclass(frozen=True, slots=True)
class StudentRecipe:
    """Labelled paragraphs with their labels, unlabelled ones with a teacher's probabilities.

    Self-training as of Scudder (1965), "Probability of Error of Some Adaptive Pattern-Recognition
    Machines", with soft targets in the place of pseudo-labels: Hinton, Vinyals and Dean (2015),
    "Distilling the Knowledge in a Neural Network". Like Lee (2013), "Pseudo-Label", equation 15,
    the loss of what has no label gets a weight of its own.

    linear, setting : what the model fitted on the labels alone has.
    texts : without labels. probabilities : the teacher's, (n_texts, n_columns), calibrated.
    weights : of an unlabelled paragraph beside a labelled one's 1, to choose from.
    origin : the teacher's and the archive's, for the manifest.
    """

    linear: LinearRecipe
    setting: Setting
    texts: Sequence[str]
    probabilities: NDArray[np.float64]
    weights: Sequence[float]
    origin: Mapping[str, Any]

    @property
    def test_share(self) -> float:
        """As in `Recipe`."""
        return self.linear.test_share

    @property
    def min_examples(self) -> int:
        """As in `Recipe`."""
        return self.linear.min_examples

    @property
    def seed(self) -> int:
        """As in `Recipe`."""
        return self.linear.seed

    @property
    def changes(self) -> None:
        """As in `Recipe`."""
        return self.linear.changes

    def learn(self, train: LabelledCorpus, report: Report, track: Track) -> Learned:
        """Choose the weight by cross-validation on the labelled paragraphs, and fit once more.

        A teacher that was fitted on them has told of their labels through its probabilities. So
        these predictions are better than those for other articles, large weights look better than
        they are, and the calibration that is fitted on them is a little too sure; the held-out
        articles show by how much.
        """
        folds = self.linear.folds(train)
        unseen = folds >= 0
        counted = Counted.of(train)
        counts = Counted.of_texts(self.texts).counts
        soft = {w: SoftTexts(counts, self.probabilities, w) for w in self.weights}
        report(
            f"cross-validating {len(soft)} weights of {len(self.texts)} unlabelled paragraphs in "
            f"{int(folds.max()) + 1} folds by article (a teacher that was fitted on these labels "
            "makes the figures flatter)"
        )
        found = {}
        for weight, texts in soft.items():
            by_setting = cross_validate(
                counted, train, folds, [self.setting], self.linear, track, texts
            )
            found[weight] = by_setting[self.setting][unseen]
        names = {weight: f"unlabelled x {weight:g}" for weight in found}
        best = best_setting(found, names, train.where(unseen), report)
        training = {
            "recipe": "self-training: a linear model on labels and a teacher's probabilities",
            "C": self.setting[0],
            "passage_weight": self.setting[1],
            "unlabelled_weight": best,
            "min_documents": self.linear.min_documents,
            "n_folds": self.linear.n_folds,
            "min_examples": self.linear.min_examples,
            "test_share": self.linear.test_share,
            "seed": self.linear.seed,
            **self.origin,
        }
        estimator = fit_estimator(counted, train, self.setting, self.linear, soft[best])
        return learned(estimator, unseen, found[best], training)
