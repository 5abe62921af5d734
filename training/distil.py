"""Self-training: a linear student of a teacher's probabilities, and whether it has gained by them.

A slow teacher may know more than a linear model can learn from the same labels; the student hears
of it through texts that nobody has labelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from inference.artefact import Provenance, read_model
from inference.article import Article, Paragraph
from inference.model_kind import Backend
from inference.scorer import Scorer
from inference.sealed_folder import read_manifest
from training.corpus import LabelledCorpus, hold_out
from training.corpus_record import Background
from training.designs import fixed_split
from training.fit import FittedModel, fit
from training.linear import LinearRecipe
from training.measured import Measured, plain, sample_and_draws
from training.metrics import Counts
from training.predictions import predict
from training.recipe import Report, Track, untracked
from training.student import StudentRecipe
from training.train import check_examples
from training.unlabelled import UnlabelledTexts

LIMIT = 10_000
WEIGHTS = (0.1, 0.3, 1.0)


@dataclass(frozen=True, slots=True)
class Teacher:
    """A fitted model with where it comes from; digest is its manifest's."""

    scorer: Scorer
    provenance: Provenance
    digest: str

    @classmethod
    def read(cls, folder: Path, backend: Backend = Backend()) -> Self:
        """Open a model folder. Raises InputError as `read_model` does."""
        stored = read_model(folder, backend)
        return cls(stored.scorer, stored.provenance, str(read_manifest(folder)["digest"]))

    def to_dict(self) -> dict[str, Any]:
        """What names it, for a student's manifest."""
        return {
            "digest": self.digest,
            "recipe": self.provenance.training.get("recipe"),
            "fingerprint": self.provenance.corpus.get("fingerprint"),
        }

    def probabilities(
        self, paragraphs: tuple[Paragraph, ...], track: Track = untracked
    ) -> NDArray[np.float64]:
        """Soft targets (n_paragraphs, n_columns): its calibrated probabilities.

        Calibrated, since a student takes a probability for an expected count: of a hundred texts
        with 0.8, eighty shall carry the label. Fine-tuned encoders say 0.99 instead (Guo et al.
        2017), which is next to a hard label and its errors. The calibration takes the place of
        the temperature of Hinton et al. (2015); thresholds take no part.
        """
        model = self.scorer.model
        starts = range(0, len(paragraphs), model.at_once)
        parts = [
            self.scorer.calibration.apply(
                model.predict_proba(paragraphs[start : start + model.at_once]), model.taxonomy
            )
            for start in track(starts, len(starts))
        ]
        return np.concatenate(parts)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Student, teacher, and the linear model of the labels alone, on the same held-out articles.

    macro_f1 : system ("student", "teacher", "labelled_only") → axis → mean F1 of its labels.
    gain : axis → macro-F1 of the student less that of the model of the labels alone; interval of
        the paired bootstrap.
    agreement : axis → share of paragraphs to which student and teacher give the same labels.
    """

    n_paragraphs: int
    n_articles: int
    macro_f1: Mapping[str, Mapping[str, Measured]]
    gain: Mapping[str, Measured]
    agreement: Mapping[str, Measured]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "n_paragraphs": self.n_paragraphs,
            "n_articles": self.n_articles,
            "macro_f1": plain(self.macro_f1),
            "gain": plain(self.gain),
            "no_gain_shown": self.no_gain_shown,
            "agreement": plain(self.agreement),
        }

    @property
    def no_gain_shown(self) -> list[str]:
        """Axes on which the interval of the gain is not wholly above 0."""
        return [axis for axis, gain in self.gain.items() if not gain.low > 0]


@dataclass(frozen=True, slots=True)
class Distilled:
    """What `distil` returns.

    weight : of an unlabelled paragraph beside a labelled one's 1, as chosen.
    same_split : whether the teacher was fitted on this corpus with this split. If not, it may have
        seen held-out articles, and its scores and the student's may flatter.
    """

    student: FittedModel
    labelled_only: FittedModel
    teacher: Teacher
    texts: UnlabelledTexts
    weight: float
    same_split: bool
    comparison: Comparison

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "teacher": {**self.teacher.to_dict(), "same_split": self.same_split},
            "unlabelled": {**self.texts.to_dict(), "weight": self.weight},
            **self.comparison.to_dict(),
        }


def distil(
    teacher: Teacher,
    articles: Iterable[Article],
    corpus: LabelledCorpus,
    recipe: LinearRecipe = LinearRecipe(),
    *,
    limit: int = LIMIT,
    weights: tuple[float, ...] = WEIGHTS,
    report: Report = lambda _: None,
    track: Track = untracked,
    background: Background = Background(),
) -> Distilled:
    """Fit a student on a teacher's probabilities for `articles` and the labels of `corpus`.

    Parameters
    ----------
    articles : without labels; read once. What is nearly the same as a text of `corpus`, on either
        side of the split, is left out.
    recipe : searched for the model of the labels alone, whose setting the student takes over.
    limit : most paragraphs of `articles` that are learned from; of more, a random sample. Each
        takes about 0.1 MB in each process of the fit.
    weights : of an unlabelled paragraph beside a labelled one's 1, to choose from.
    report : is told in a sentence what is being done.
    track : passes the long loops' steps through; for a progress bar.
    background : as `fit` takes it, for the student.

    Raises InputError for a corpus of another taxonomy, for one that `fit` refuses, and for
    articles of which nothing is left.
    """
    teacher.scorer.taxonomy.check_same(corpus.taxonomy, "the teacher", "the corpus")
    design = fixed_split(hold_out(corpus, recipe.test_share, recipe.seed))
    corpus = design.corpus
    check_examples(corpus.where(design.parts[0].train), recipe.min_examples)
    same_split = teacher.provenance.corpus.get("fingerprint") == corpus.fingerprint()
    if not same_split:
        report(
            "the teacher was not fitted on this corpus with this split: if it has seen held-out "
            "articles, its scores and the student's flatter"
        )
    report("reading the unlabelled texts")
    texts = UnlabelledTexts.draw(articles, corpus.texts, limit, recipe.seed)
    report(_described(texts, limit))

    report("fitting a model on the labels alone, to compare with")
    labelled_only = fit(corpus, recipe, report, track)
    chosen = labelled_only.provenance.training
    report(f"the teacher scores {len(texts)} unlabelled paragraphs")
    student_recipe = StudentRecipe(
        linear=recipe,
        setting=(chosen["C"], chosen["passage_weight"]),
        texts=texts.texts,
        probabilities=teacher.probabilities(texts.paragraphs, track),
        weights=weights,
        origin={"teacher": teacher.to_dict(), "unlabelled": texts.to_dict()},
    )
    report("fitting the student")
    student = fit(corpus, student_recipe, report, track, background)

    systems = {
        "student": student.scorer,
        "teacher": teacher.scorer,
        "labelled_only": labelled_only.scorer,
    }
    comparison = compare(systems, design.measured)
    scores = {**student.provenance.scores, "distillation": comparison.to_dict()}
    student = replace(student, provenance=replace(student.provenance, scores=scores))
    weight = float(student.provenance.training["unlabelled_weight"])
    return Distilled(student, labelled_only, teacher, texts, weight, same_split, comparison)


def compare(systems: Mapping[str, Scorer], test: LabelledCorpus) -> Comparison:
    """Compare "student", "teacher" and "labelled_only" on the rows of `test`.

    Abstention is left aside.
    """
    spans = test.taxonomy.spans()
    bootstrap = sample_and_draws(test.article_ids)
    found = {name: predict(scorer, test) for name, scorer in systems.items()}
    f1 = {name: Counts.of(own, bootstrap).f1 for name, own in found.items()}
    macro = {
        name: {axis.name: own[:, span].mean(axis=1) for axis, span in spans}
        for name, own in f1.items()
    }
    same = found["student"].applies == found["teacher"].applies
    n = bootstrap.sums(np.ones(len(test)))
    return Comparison(
        len(test),
        bootstrap.n_articles,
        {
            name: {axis: Measured.of(drawn) for axis, drawn in own.items()}
            for name, own in macro.items()
        },
        {
            axis.name: Measured.of(macro["student"][axis.name] - macro["labelled_only"][axis.name])
            for axis, _ in spans
        },
        {
            axis.name: Measured.of(bootstrap.sums(same[:, span].all(axis=1)) / n)
            for axis, span in spans
        },
    )


def _described(texts: UnlabelledTexts, limit: int) -> str:
    said = [f"{len(texts)} unlabelled paragraphs of {texts.n_read} read"]
    if texts.n_repeated:
        said.append(f"{texts.n_repeated} empty or repeated left out")
    if texts.n_not_drawn:
        said.append(f"{texts.n_not_drawn} not drawn, as the limit is {limit} (--limit)")
    if texts.n_near_labelled:
        said.append(f"{texts.n_near_labelled} nearly the same as a labelled text left out")
    return "; ".join(said)
