"""What more labels would bring: the recipe fitted on ever larger parts of the training articles."""

from __future__ import annotations

from dataclasses import dataclass

import joblib
import numpy as np

from inference.decision import DecisionRule
from training.designs import Design
from training.linear import Counted, LinearRecipe, fit_and_predict
from training.measured import Measured, sample_and_draws
from training.metrics import Counts
from training.predictions import Predictions
from training.recipe import Track, untracked
from training.refit import check_labels

SHARES = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Point:
    """One fit: on how many articles and texts (passages included), and its macro-F1 by axis."""

    n_articles: int
    n_texts: int
    macro_f1: dict[str, Measured]


def learning_curve(
    recipe: LinearRecipe, design: Design, track: Track = untracked, *, seed: int = 0
) -> tuple[Point, ...]:
    """Scores on the measured side of a design of one part.

    The smaller training sides are drawn by article, passages each by itself, and lie in the
    larger ones. Labels are given from a probability of one half on, without calibration, which
    would take three times as many fits; so the last point is near the model's score, not equal.
    Raises InputError where a training side lacks a label.
    """
    corpus, (part,) = design.corpus, design.parts
    ids = corpus.article_ids.astype(str)
    passage = corpus.table["passage"].to_numpy(np.bool_)
    rng = np.random.default_rng(seed)
    place = np.zeros(len(corpus))  # a row is in when its article's place in the draw is
    for kind in (passage, ~passage):
        own = np.unique(ids[part.train & kind])
        place_of = dict(zip(own.tolist(), rng.permutation(len(own)) / len(own), strict=True))
        for row in np.flatnonzero(part.train & kind):
            place[row] = place_of[ids[row]]
    sides = {f"{share:.0%} of the articles": part.train & (place < share) for share in SHARES}
    for name, fitted in sides.items():
        check_labels(corpus, fitted, name)
    counted, measured = Counted.of(corpus), corpus.where(part.test)
    jobs = (
        joblib.delayed(fit_and_predict)(counted, corpus, fitted, part.test, recipe.setting, recipe)
        for fitted in sides.values()
    )
    done = joblib.Parallel(n_jobs=recipe.n_jobs, return_as="generator")(jobs)
    rule = DecisionRule((0.5,) * corpus.taxonomy.n_columns)
    bootstrap = sample_and_draws(measured.article_ids)
    points = []
    for fitted, raw in zip(sides.values(), track(done, len(sides)), strict=True):
        f1 = Counts.of(Predictions.decided(raw, rule, measured), bootstrap).f1
        macro = {
            axis.name: Measured.of(f1[:, span].mean(axis=1))
            for axis, span in corpus.taxonomy.spans()
        }
        n_articles = len(np.unique(ids[fitted & ~passage]))
        points.append(Point(n_articles, int(fitted.sum()), macro))
    return tuple(points)
