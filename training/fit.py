"""The whole story of a model: labelled paragraphs in, a model folder out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import numpy as np

from inference import __version__
from inference.artefact import Provenance, write_model
from inference.errors import InputError
from inference.scorer import Scorer
from training.baselines import baselines
from training.calibrate import calibrated
from training.card import card
from training.corpus import LabelledCorpus, hold_out
from training.corpus_record import Background, corpus_record
from training.group_scores import group_scores
from training.linear import LinearRecipe
from training.measured import plain
from training.metrics import Scores, score
from training.predictions import predict
from training.recipe import Recipe, Report, Track, untracked
from training.robustness import robustness


@dataclass(frozen=True, slots=True)
class FittedModel:
    """What `fit` returns: the scorer, where it comes from, and its scores.

    held_out : system → scores on the held-out articles: "model", "majority", "tfidf".
    cross_validated : scores of the unseen predictions that chose the rule (optimistic).
    extra_files : name → content of files that go into the folder and are never read back.
    """

    scorer: Scorer
    provenance: Provenance
    held_out: Mapping[str, Scores]
    cross_validated: Scores
    extra_files: Mapping[str, bytes]

    def made_by(self, command: str) -> Self:
        """The same, with the command that fitted it, without paths, for its card."""
        training = {**self.provenance.training, "command": command}
        return replace(self, provenance=replace(self.provenance, training=training))

    def write(self, folder: Path, *, with_extra_files: bool = True) -> None:
        """Write the model folder with its card.

        with_extra_files : without them the fitted scikit-learn estimator, 30 MB, stays out.
        """
        extra_files = self.extra_files if with_extra_files else {}
        write_model(folder, self.scorer, self.provenance, card=card, extra_files=extra_files)


def fit(
    corpus: LabelledCorpus,
    recipe: Recipe = LinearRecipe(),
    report: Report = lambda _: None,
    track: Track = untracked,
    background: Background = Background(),
) -> FittedModel:
    """Train, calibrate and evaluate a model.

    Parameters
    ----------
    corpus : with a split of its own, or one is drawn by article.
    report : is told in a sentence what is being done.
    track : passes the long loop's steps through; for a progress bar.
    background : what else is known of the corpus; it goes into the manifest.

    Raises InputError for a label with too few examples and for too few articles.
    """
    # 1) Hold out articles; they are looked at once, at the end.
    corpus = hold_out(corpus, recipe.test_share, recipe.seed)
    train, test = corpus.split("train"), corpus.split("test")
    check_examples(train, recipe)
    report(_described(train, test))

    # 2) Train, and predict training paragraphs with a model that has not seen their article.
    learned = recipe.learn(train, report, track)

    # 3) On those predictions, the calibration and the thresholds.
    chosen = calibrated(learned.probabilities, train.where(learned.unseen))
    scorer = Scorer(learned.model, chosen.calibration, chosen.rule)

    # 4) Look at the held-out articles.
    report("scoring the held-out articles, with two baselines, and with texts changed")
    predicted = {"model": predict(scorer, test), **baselines(train, test)}
    held_out = {name: score(own) for name, own in predicted.items()}
    flips = robustness(scorer, test, predicted["model"], recipe.changes)
    provenance = Provenance(
        training={**learned.training, "versions": _versions()},
        corpus=corpus_record(corpus, background, report),
        scores={name: scores.to_dict() for name, scores in held_out.items()},
        groups=plain(group_scores(predicted["model"], test)),
        robustness=plain(flips),
    )
    return FittedModel(scorer, provenance, held_out, score(chosen.predictions), learned.extra_files)


def check_examples(train: LabelledCorpus, recipe: Recipe) -> None:
    """Raise InputError that names the labels with too few examples to learn from."""
    # Passages train in every fold, so each counts as an article of its own here.
    sources = np.where(
        train.table["passage"], train.table["id"].astype(str), train.article_ids.astype(str)
    )
    n_with = train.labels.sum(axis=0)
    few = [
        f"{name} has {n if n < recipe.min_examples else f'all but {len(train) - n}'}"
        for name, n in zip(train.taxonomy.column_names, n_with.tolist(), strict=True)
        if min(n, len(train) - n) < recipe.min_examples
    ]
    if not few:
        few = [
            f"{name} has all its examples in one article, or in all but one"
            for name, own in zip(train.taxonomy.column_names, train.labels.T, strict=True)
            if min(len(set(sources[own])), len(set(sources[~own]))) < 2
        ]
    if few:
        msg = (
            f"label(s) with too few examples to learn from among {len(train)} training texts: "
            f"{', '.join(few)}; expected at least {recipe.min_examples} texts with and as many "
            "without each, in two articles or more; label more, or drop the label from the taxonomy"
        )
        raise InputError(msg)


def _versions() -> dict[str, str]:
    """Of what fits; what scores is in the manifest anyway."""
    return {"posture": __version__} | {
        library: version(library) for library in ("scikit-learn", "scipy", "pandas")
    }


def _described(train: LabelledCorpus, test: LabelledCorpus) -> str:
    passages = int(train.table["passage"].sum())
    counts: dict[str, Any] = dict(
        zip(train.taxonomy.column_names, train.labels.sum(axis=0).tolist(), strict=True)
    )
    return (
        f"training on {len(train) - passages} paragraphs and {passages} passages, holding out "
        f"{len(test)} paragraphs of {len(set(test.article_ids))} articles; training texts a label: "
        + ", ".join(f"{name} {n}" for name, n in counts.items())
    )
