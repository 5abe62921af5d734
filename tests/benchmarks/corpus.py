"""What each part of the corpus brings: python -m tests.benchmarks.corpus [REAL.jsonl].

Macro-F1 of out-of-fold predictions on the training articles, at one setting, and, where a file of
real labelled paragraphs is given (text, topics, tone), of the same model on those. No figure here
is measured on the test articles.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inference.phrases import PhraseMatcher
from inference.tables import read_rows
from inference.taxonomy import Taxonomy
from training.calibrate import fit_calibration, fit_rule
from training.corpus import LabelledCorpus
from training.folds import article_folds
from training.label_cells import axis_labels
from training.linear import Counted, LinearRecipe, cross_validate, fit_estimator
from training.metrics import Scores, score_predictions

ROOT = Path(__file__).parents[2]
SETTING = (30.0, 1.0)
_WITHOUT_CLASSES = LinearRecipe(min_documents=(3, 5, 1 << 30))
# The passages' series by the prefix of their ids: the pilot's, then rounds of about 350.
ROUNDS = (("p",), ("n1", "n2"), ("n3", "n4"), ("n5", "n6"), ("n7", "n8"))

Real = tuple[list[str], NDArray[np.bool_]] | None


def main(real_path: Path | None) -> None:
    """Print one Markdown row a variant, as it is ready."""
    taxonomy = Taxonomy.read(ROOT / "data" / "taxonomy.toml")
    corpus = LabelledCorpus.read(ROOT / "data" / "corpus", taxonomy).split("train")
    real = read_real(real_path, taxonomy) if real_path else None
    names = [code for axis in taxonomy.axes for code in axis.codes]
    print("| variant | texts | topic | tone | real topic | real tone | " + " | ".join(names) + " |")
    print("|---" * (6 + len(names)) + "|")

    def show(variant: str, part: LabelledCorpus, **options: object) -> None:
        own, there = _measure(part, real, **options)  # type: ignore[arg-type]
        f1 = [f"{s.f1:.3f}" for labels in own.labels.values() for s in labels.values()]
        macro = [f"{value:.3f}" for value in own.macro_f1.values()]
        macro += [f"{value:.3f}" for value in there.macro_f1.values()] if there else ["–", "–"]
        print(f"| {variant} | {len(part)} | " + " | ".join([*macro, *f1]) + " |", flush=True)

    ids = corpus.table["id"].astype(str)
    passage = corpus.table["passage"].to_numpy(bool)
    show("without passages", corpus.where(~passage))
    show("without lexicon", corpus, recipe=_WITHOUT_CLASSES)
    show("without masking", corpus, names=PhraseMatcher.of([], []))
    pilot = corpus.where(~ids.str.match(r"[gn]\d"))
    show("pilot texts, labels after blind annotation", pilot)
    show("pilot texts, their writers' labels", _with_writers_labels(pilot))
    articles, article = np.unique(corpus.article_ids.astype(str), return_inverse=True)
    rank = np.random.default_rng(0).permutation(len(articles))[article] / len(articles)
    for share in (0.25, 0.5, 0.75):
        show(f"{share:.0%} of articles, all passages", corpus.where(passage | (rank < share)))
    for share in (0.25, 0.5, 0.75):
        show(f"all articles, {share:.0%} of passages", corpus.where(~passage | (rank < share)))
    prefix = ids.str.extract(r"^(n\d|p)", expand=False)
    kept: list[str] = []
    for series in ROUNDS:
        kept += series
        show(f"passages {', '.join(kept)}", corpus.where(~passage | prefix.isin(kept)))
    _print_label_noise(pilot)


def _measure(
    part: LabelledCorpus,
    real: Real,
    recipe: LinearRecipe = LinearRecipe(),
    names: PhraseMatcher | None = None,
) -> tuple[Scores, Scores | None]:
    counted = Counted.of(part)
    if names is not None:
        counted.ngrams.names_ = names
        counted = Counted(counted.ngrams, counted.ngrams.transform(part.texts))
    folds = article_folds(part, recipe.n_folds, recipe.seed)
    out_of_fold = cross_validate(counted, part, folds, [SETTING], recipe)[SETTING]
    there = None
    if real is not None:
        there = fit_estimator(counted, part, SETTING, recipe).predict_proba(real[0])
    return macro_scores(part, out_of_fold, folds, real, there)


def macro_scores(
    part: LabelledCorpus,
    out_of_fold: NDArray[np.float64],
    folds: NDArray[np.int64],
    real: Real,
    there: NDArray[np.float64] | None,
) -> tuple[Scores, Scores | None]:
    """Scores on the articles and on the real paragraphs, calibrated and cut as `fit` does it.

    out_of_fold, there : uncalibrated probabilities of the corpus's rows and of the real ones.
    """
    own = folds >= 0
    taxonomy, labels = part.taxonomy, part.labels[own]
    calibration = fit_calibration(out_of_fold[own], labels, taxonomy)
    calibrated = calibration.apply(out_of_fold[own], taxonomy)
    rule = fit_rule(calibrated, labels, part.article_ids[own], taxonomy)

    def scores(probabilities: NDArray[np.float64], truth: NDArray[np.bool_]) -> Scores:
        applies, _ = rule.decide(probabilities, taxonomy)
        return score_predictions(applies, probabilities, truth, taxonomy, np.arange(len(truth)))

    if real is None or there is None:
        return scores(calibrated, labels), None
    return scores(calibrated, labels), scores(calibration.apply(there, taxonomy), real[1])


def read_real(path: Path, taxonomy: Taxonomy) -> tuple[list[str], NDArray[np.bool_]]:
    """Texts and labels of a file of real paragraphs."""
    rows = [row.values for row in read_rows(path)]
    return [str(row["text"]) for row in rows], _labels(rows, taxonomy)


def _labels(rows: Sequence[Mapping[str, Any]], taxonomy: Taxonomy) -> NDArray[np.bool_]:
    by_axis = [[axis_labels(axis, row)[0] for row in rows] for axis in taxonomy.axes]
    return np.concatenate([np.array(own, np.bool_) for own in by_axis], axis=1)


def _writers(corpus: LabelledCorpus) -> NDArray[np.bool_]:
    table = pd.read_csv(ROOT / "data" / "corpus" / "annotations.csv", keep_default_na=False)
    table = table[table["annotator"] == "writer"].set_index("id").loc[corpus.table["id"]]
    return _labels(table.to_dict("records"), corpus.taxonomy)


def _with_writers_labels(corpus: LabelledCorpus) -> LabelledCorpus:
    return replace(corpus, labels=_writers(corpus))


def _print_label_noise(pilot: LabelledCorpus) -> None:
    passage = pilot.table["passage"].to_numpy(bool)
    print("\nShare of the pilot's labels that blind annotation changed:\n")
    for name, part in (("paragraphs", ~passage), ("passages", passage)):
        changed = (_writers(pilot) != pilot.labels)[part].mean(axis=0)
        shares = zip(pilot.taxonomy.column_names, changed, strict=True)
        print(f"{name}: " + ", ".join(f"{column} {share:.1%}" for column, share in shares))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
