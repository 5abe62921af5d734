"""What more labels would bring: the recipe fitted on ever larger parts of the training articles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inference.errors import InputError
from training.designs import Design
from training.learning_check import NothingLearnedError
from training.measured import Measured, sample_and_draws
from training.metrics import Counts
from training.predictions import predict
from training.recipe import Recipe, Report, Track, untracked
from training.refit import LEAST_EXAMPLES
from training.train import check_examples, train

SHARES = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Point:
    """One fit: on how many articles and texts (passages included), and its macro-F1 by axis."""

    n_articles: int
    n_texts: int
    macro_f1: dict[str, Measured]


def learning_curve(
    recipe: Recipe,
    design: Design,
    report: Report = lambda _: None,
    track: Track = untracked,
) -> tuple[Point, ...]:
    """Scores on the measured side of a design of one part.

    The smaller training sides are drawn by article, passages each by itself, and lie in the
    larger ones. Each fit is calibrated, as `fit` does it.
    A side with a label in fewer than two articles is left out, and so is one from which an
    encoder learns nothing; raises InputError where that leaves none.
    """
    corpus, (part,) = design.corpus, design.parts
    ids = corpus.article_ids.astype(str)
    passage = corpus.table["passage"].to_numpy(np.bool_)
    rng = np.random.default_rng(0)
    place = np.zeros(len(corpus))  # a row is in when its article's place in the draw is
    for kind in (passage, ~passage):
        own = np.unique(ids[part.train & kind])
        place_of = dict(zip(own.tolist(), rng.permutation(len(own)) / len(own), strict=True))
        for row in np.flatnonzero(part.train & kind):
            place[row] = place_of[ids[row]]
    sides = {f"{share:.0%} of the articles": part.train & (place < share) for share in SHARES}
    measured = corpus.where(part.test)
    bootstrap = sample_and_draws(measured.article_ids)
    points, left_out = [], ""
    for name, fitted in sides.items():
        side = corpus.where(fitted)
        report(f"learning curve: fitting the recipe on {name}")
        try:
            check_examples(side, LEAST_EXAMPLES)
            scorer = train(recipe, side, report, track).scorer
        except InputError as error:
            why = error.reason if isinstance(error, NothingLearnedError) else error
            left_out = f"{name} left out: {why}"
            report(f"learning curve: {left_out}")
            continue
        f1 = Counts.of(predict(scorer, measured), bootstrap).f1
        macro = {
            axis.name: Measured.of(f1[:, span].mean(axis=1))
            for axis, span in corpus.taxonomy.spans()
        }
        n_articles = len(np.unique(ids[fitted & ~passage]))
        points.append(Point(n_articles, int(fitted.sum()), macro))
    if not points:
        raise InputError(left_out)
    return tuple(points)
