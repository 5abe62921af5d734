"""A linear model's recipe, fitted anew with the setting of its manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from inference.errors import InputError
from training.baselines import baselines
from training.calibrate import calibrated
from training.corpus import LabelledCorpus
from training.designs import Part
from training.folds import article_folds
from training.linear import Counted, LinearRecipe, fit_and_predict
from training.predictions import Predictions
from training.recipe import Track, untracked

_INNER_FOLDS = 3


def recipe_of(training: Mapping[str, Any]) -> LinearRecipe:
    """The recipe of a manifest's `training`, with the setting that was chosen.

    Raises InputError where it is no linear model's.
    """
    try:
        c, weight = float(training["C"]), float(training["passage_weight"])
        words, letters, classes = (int(n) for n in training["min_documents"])
    except KeyError as error:
        msg = (
            "the model's manifest has no linear recipe that could be fitted anew (no "
            f"{error.args[0]!r}); measure this model as it stands, with --split test"
        )
        raise InputError(msg) from error
    return LinearRecipe(C=(c,), passage_weights=(weight,), min_documents=(words, letters, classes))


def refit(
    recipe: LinearRecipe,
    corpus: LabelledCorpus,
    parts: Sequence[Part],
    track: Track = untracked,
) -> list[dict[str, Predictions]]:
    """Fit the recipe on each part's training side; what it says of the measured side.

    Calibration and thresholds come from three folds inside the training side. Returns for each
    part system → predictions: "model" and, where wanted, the baselines.
    Raises InputError where a side lacks a label, or every text carries it.
    """
    counted = Counted.of(corpus)
    inner = [_inner_folds(corpus, part) for part in parts]
    jobs: list[tuple[NDArray[np.bool_], NDArray[np.bool_], str]] = []
    for part, folds in zip(parts, inner, strict=True):
        jobs += [
            (part.train & (folds != k), part.train & (folds == k), part.name)
            for k in range(_INNER_FOLDS)
        ]
        jobs.append((part.train, part.test, part.name))
    for fitted, _, name in jobs:
        check_labels(corpus, fitted, name)
    calls = [
        joblib.delayed(fit_and_predict)(counted, corpus, fitted, seen, recipe.setting, recipe)
        for fitted, seen, _ in jobs
    ]
    calls += [
        joblib.delayed(baselines)(corpus.where(part.train), corpus.where(part.test))
        for part in parts
    ]
    done = joblib.Parallel(n_jobs=recipe.n_jobs, return_as="generator")(calls)
    results = list(track(done, len(calls)))
    found = []
    for i, (part, folds) in enumerate(zip(parts, inner, strict=True)):
        *out_of_fold, raw = results[i * (_INNER_FOLDS + 1) : (i + 1) * (_INNER_FOLDS + 1)]
        own = {"model": _calibrated(corpus, part, folds, out_of_fold, raw)}
        found.append(own | results[len(jobs) + i])
    return found


def _inner_folds(corpus: LabelledCorpus, part: Part) -> NDArray[np.int64]:
    """Folds of the training side, (n_texts,); -1 for passages and for what is outside."""
    folds = np.full(len(corpus), -1)
    folds[part.train] = article_folds(corpus.where(part.train), _INNER_FOLDS, seed=0)
    return folds


def _calibrated(
    corpus: LabelledCorpus,
    part: Part,
    folds: NDArray[np.int64],
    out_of_fold: Sequence[NDArray[np.float64]],
    raw: NDArray[np.float64],
) -> Predictions:
    probabilities = np.zeros(corpus.labels.shape)
    for k, predicted in enumerate(out_of_fold):
        probabilities[folds == k] = predicted
    chosen = calibrated(probabilities[folds >= 0], corpus.where(folds >= 0))
    measured = chosen.calibration.apply(raw, corpus.taxonomy)
    return Predictions.decided(measured, chosen.rule, corpus.where(part.test))


def check_labels(corpus: LabelledCorpus, fitted: NDArray[np.bool_], name: str) -> None:
    """Refuse to fit on rows where a label is on none or on all. Raises InputError."""
    carried = corpus.labels[fitted].sum(axis=0)
    bad = [
        label
        for label, n in zip(corpus.taxonomy.column_names, carried.tolist(), strict=True)
        if n in (0, int(fitted.sum()))
    ]
    if bad:
        msg = (
            f"{name}: of {int(fitted.sum())} training texts none, or all, carry {', '.join(bad)}; "
            "expected both kinds in every part; label more, or measure with --split test"
        )
        raise InputError(msg)
