"""The whole story of a model: labelled paragraphs in, a model folder out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from inference import __version__
from inference.artefact import Provenance, write_model
from inference.scorer import Scorer
from training.baselines import baselines
from training.card import card
from training.corpus import LabelledCorpus, hold_out
from training.corpus_record import Background, corpus_record
from training.designs import fixed_split
from training.group_scores import group_scores
from training.linear import LinearRecipe
from training.measured import plain
from training.metrics import Scores, score
from training.predictions import predict
from training.recipe import Recipe, Report, Track, untracked
from training.robustness import robustness
from training.train import check_examples, train


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

    Held-out paragraphs that are near-duplicates of a training text are not measured.

    Raises InputError for a label with too few examples, for too few articles, and where nothing
    but near-duplicates is held out.
    """
    # 1) Hold out articles; they are looked at once, at the end.
    design = fixed_split(hold_out(corpus, recipe.test_share, recipe.seed))
    seen, test = design.corpus.where(design.parts[0].train), design.measured
    check_examples(seen, recipe.min_examples)
    report(_described(seen, test, design.n_dropped))

    # 2) Train, and calibrate on what was predicted of training articles unseen.
    trained = train(recipe, seen, report, track)
    scorer, learned = trained.scorer, trained.learned

    # 3) Look at the held-out articles.
    report("scoring the held-out articles, with two baselines, and with texts changed")
    predicted = {"model": predict(scorer, test), **baselines(seen, test)}
    held_out = {name: score(own) for name, own in predicted.items()}
    flips = robustness(scorer, test, predicted["model"], recipe.changes)
    provenance = Provenance(
        training={**learned.training, "versions": _versions()},
        corpus=corpus_record(design, background, report),
        scores={name: scores.to_dict() for name, scores in held_out.items()},
        groups=plain(group_scores(predicted["model"], test)),
        robustness=plain(flips),
    )
    return FittedModel(scorer, provenance, held_out, score(trained.unseen), learned.extra_files)


def _versions() -> dict[str, str]:
    """Of what fits; what scores is in the manifest anyway."""
    return {"posture": __version__} | {
        library: version(library) for library in ("scikit-learn", "scipy", "pandas")
    }


def _described(train: LabelledCorpus, test: LabelledCorpus, n_dropped: int) -> str:
    passages = int(train.table["passage"].sum())
    counts: dict[str, Any] = dict(
        zip(train.taxonomy.column_names, train.labels.sum(axis=0).tolist(), strict=True)
    )
    return (
        f"training on {len(train) - passages} paragraphs and {passages} passages, holding out "
        f"{len(test)} paragraphs of {len(set(test.article_ids))} articles; "
        + (f"{n_dropped} left out: near-duplicates of training texts; " if n_dropped else "")
        + "training texts a label: "
        + ", ".join(f"{name} {n}" for name, n in counts.items())
    )
