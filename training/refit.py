"""A model's recipe, fitted anew with the setting of its manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from inference.errors import InputError
from training.baselines import baselines
from training.camembert import CamembertRecipe
from training.corpus import LabelledCorpus
from training.designs import Part
from training.learning_check import NothingLearnedError
from training.linear import LinearRecipe
from training.predictions import Predictions, predict
from training.recipe import Recipe, Report, Track, untracked
from training.train import check_examples, train

LEAST_EXAMPLES = 2  # of a label on a training side: what can be measured with fewer than `fit` asks

_INNER_FOLDS = 3


def recipe_of(
    training: Mapping[str, Any], encoder: str | None = None, device: str | None = None
) -> Recipe:
    """The recipe of a manifest's `training`, with the setting that was chosen.

    A linear model's calibration and thresholds come from three folds, not from the five of `fit`.

    encoder : where the encoder is now, if an encoder was fine-tuned; None means where it was:
        under its name on the hub. device : to fine-tune on, as torch names it; None as in `fit`.

    Raises InputError where the manifest has no such recipe, and for an encoder's arguments beside
    a linear model.
    """
    try:
        if "encoder" in training:
            own = {field.name for field in fields(CamembertRecipe)} & set(training)
            given = {name: training[name] for name in own}
            return CamembertRecipe(
                **given | {"encoder": encoder or training["encoder"]}, device=device
            )
        if "teacher" in training:
            msg = (
                "a student's recipe needs its teacher and the unlabelled texts, which its manifest "
                "does not hold; measure this model as it stands, with --split test"
            )
            raise InputError(msg)
        if encoder is not None:
            msg = "--encoder is for a fine-tuned encoder, and this model is linear; leave it out"
            raise InputError(msg)
        c, weight = float(training["C"]), float(training["passage_weight"])
        words, letters, classes = (int(n) for n in training["min_documents"])
    except KeyError as error:
        msg = (
            f"the model's manifest has no recipe that could be fitted anew (no {error.args[0]!r}); "
            "measure this model as it stands, with --split test"
        )
        raise InputError(msg) from error
    return LinearRecipe(
        C=(c,),
        passage_weights=(weight,),
        min_documents=(words, letters, classes),
        n_folds=_INNER_FOLDS,
    )


def refit(
    recipe: Recipe,
    corpus: LabelledCorpus,
    parts: Sequence[Part],
    report: Report = lambda _: None,
    track: Track = untracked,
) -> list[dict[str, Predictions]]:
    """Fit the recipe on each part's training side; what it says of the measured side.

    Returns for each part system → predictions: "model" and the baselines.
    Raises InputError where a label is in fewer than two articles of a side, or in all but one.
    """
    for part in parts:
        check_examples(corpus.where(part.train), LEAST_EXAMPLES, f"{part.name}: ")
    found = []
    for part in parts:
        report(f"{part.name}: fitting the recipe on {int(part.train.sum())} texts")
        seen, measured = corpus.where(part.train), corpus.where(part.test)
        try:
            scorer = train(recipe, seen, report, track).scorer
        except NothingLearnedError as error:
            msg = (
                f"{part.name}: {error.reason}; the recipe cannot be measured on this part; "
                "measure the model as it stands, with --split test"
            )
            raise InputError(msg) from error
        own = predict(scorer, measured)
        found.append({"model": own, **baselines(seen, measured)})
    return found
