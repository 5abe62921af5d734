"""From labelled texts to a scorer: trained by a recipe, calibrated on what it predicted unseen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inference.errors import InputError
from inference.scorer import Scorer
from training.baselines import have_words
from training.calibrate import calibrated
from training.corpus import LabelledCorpus
from training.predictions import Predictions
from training.recipe import Learned, Recipe, Report, Track, untracked


@dataclass(frozen=True, slots=True)
class Trained:
    """A scorer, and how it came to be.

    unseen : the predictions that calibration and rule were chosen on (so they flatter).
    """

    scorer: Scorer
    learned: Learned
    unseen: Predictions


def train(
    recipe: Recipe,
    corpus: LabelledCorpus,
    report: Report = lambda _: None,
    track: Track = untracked,
) -> Trained:
    """Train on all texts of `corpus`; arguments as for `training.fit.fit`."""
    # 1) Train, and predict training paragraphs with a model that has not seen their article.
    learned = recipe.learn(corpus, report, track)

    # 2) On those predictions, the calibration and the thresholds.
    chosen = calibrated(learned.probabilities, corpus.where(learned.unseen))
    if chosen.untouched:
        report(
            f"not calibrated, since the {len(chosen.predictions)} paragraphs kept for it are all "
            f"alike in them: {', '.join(chosen.untouched)}; thresholds there are 0.5"
        )
    scorer = Scorer(learned.model, chosen.calibration, chosen.rule)
    return Trained(scorer, learned, chosen.predictions)


def check_examples(corpus: LabelledCorpus, least: int, where: str = "") -> None:
    """Raise InputError that names the labels with too few examples, and for texts without words.

    least : texts with a label, and without it. where : what the message begins with.
    """
    # Passages train in every fold, so each counts as an article of its own here.
    sources = np.where(
        corpus.table["passage"], corpus.table["id"].astype(str), corpus.article_ids.astype(str)
    )
    n_with = corpus.labels.sum(axis=0)
    few = [
        f"{name} has {n if n < least else f'all but {len(corpus) - n}'}"
        for name, n in zip(corpus.taxonomy.column_names, n_with.tolist(), strict=True)
        if min(n, len(corpus) - n) < least
    ]
    if not few:
        few = [
            f"{name} has all its examples in one article, or in all but one"
            for name, own in zip(corpus.taxonomy.column_names, corpus.labels.T, strict=True)
            if min(len(set(sources[own])), len(set(sources[~own]))) < 2
        ]
    if few:
        msg = (
            f"{where}label(s) with too few examples to learn from among {len(corpus)} training "
            f"texts: {', '.join(few)}; expected at least {least} texts with and as many without "
            "each, in two articles or more; label more, or drop the label from the taxonomy"
        )
        raise InputError(msg)
    if not have_words(corpus.texts):
        msg = (
            f"{where}none of the {len(corpus)} training texts has a word (the first is "
            f"{corpus.texts[0][:40]!r}); expected French; check the column text"
        )
        raise InputError(msg)
