"""What more labels would bring: the recipe fitted on ever larger parts of the training articles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.designs import Design, Part
from training.measured import Measured, sample_and_draws
from training.metrics import Counts
from training.recipe import Recipe, Track, refit

SHARES = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Point:
    """One fit: on how many articles and texts (passages included), and its macro-F1 by axis."""

    n_articles: int
    n_texts: int
    macro_f1: dict[str, Measured]


def learning_curve(
    recipe: Recipe, design: Design, track: Track = lambda steps, _: steps, *, seed: int = 0
) -> tuple[Point, ...]:
    """Scores on the measured side of a design of one part, calibration inside each training side.

    The smaller training sides are drawn by article, passages each by itself, and lie in the
    larger ones. Raises InputError where one lacks a label.
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
    parts = [
        Part(f"{share:.0%} of the training articles", part.train & (place < share), part.test)
        for share in SHARES
    ]
    bootstrap = sample_and_draws(corpus.article_ids[part.test])
    points = []
    found = refit(recipe, corpus, parts, track, with_baselines=False)
    for one, predictions in zip(parts, found, strict=True):
        f1 = Counts.of(predictions["model"], bootstrap).f1
        macro = {
            axis.name: Measured.of(f1[:, span].mean(axis=1))
            for axis, span in corpus.taxonomy.spans()
        }
        n_articles = len(np.unique(ids[one.train & ~passage]))
        points.append(Point(n_articles, int(one.train.sum()), macro))
    return tuple(points)
