"""What the lexicon's classes and terms bring: python -m tests.benchmarks.lexicon [REAL.jsonl].

First each class is left out and the model refitted. Then the terms that stand in no training text
of a fold are taken out of the held-out articles alone, group of classes by group: what a term is
worth that the corpus never showed. No figure here is measured on the test articles.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.features import masked_tokens
from inference.phrase_lists import lexicon, lexicon_classes, state_names
from inference.phrases import PhraseMatcher
from inference.taxonomy import Taxonomy
from tests.benchmarks.corpus import ROOT, SETTING, Real, macro_scores, read_real
from training.corpus import LabelledCorpus
from training.folds import article_folds
from training.linear import Counted, LinearRecipe, cross_validate, fit_estimator
from training.metrics import Scores

NAMES = (
    "diplomacy_body",
    "exercise_name",
    "forces",
    "industry_firm",
    "industry_product",
    "resource_mineral",
)
TONE = ("speech_warning", "tone_calm", "tone_hostile", "tone_protect", "tone_worsening")


def main(real_path: Path | None) -> None:
    """Print one Markdown row a variant, as it is ready."""
    taxonomy = Taxonomy.read(ROOT / "data" / "taxonomy.toml")
    corpus = LabelledCorpus.read(ROOT / "data" / "corpus", taxonomy).split("train")
    real = read_real(real_path, taxonomy) if real_path else None
    folds = article_folds(corpus, LinearRecipe().n_folds, LinearRecipe().seed)
    print("| out | terms | topic | tone | real topic | real tone |\n|---|---|---|---|---|---|")

    def show(variant: str, n_terms: int, found: tuple[Scores, Scores | None]) -> None:
        macro = [f"{value:.3f}" for value in found[0].macro_f1.values()]
        macro += [f"{value:.3f}" for value in found[1].macro_f1.values()] if found[1] else []
        print(f"| {variant} | {n_terms} | " + " | ".join(macro) + " |", flush=True)

    classes = lexicon_classes()
    for left_out in ((), *((name,) for name in classes), classes):
        n_terms = sum(name in left_out for name, _ in lexicon())
        variant = "every class" if left_out == classes else left_out[0] if left_out else "nothing"
        show(variant, n_terms, _without_classes(corpus, folds, left_out, real))
    others = tuple(name for name in classes if name not in NAMES + TONE)
    for variant, group in (("names", NAMES), ("tone", TONE), ("the others", others)):
        n_terms, found = _without_unseen(corpus, folds, group, real)
        show(f"unseen terms: {variant}", n_terms, found)


def _matcher(keep: Sequence[bool]) -> PhraseMatcher:
    number = {name: i for i, name in enumerate(lexicon_classes())}
    kept = [row for row, own in zip(lexicon(), keep, strict=True) if own]
    return PhraseMatcher.of([term for _, term in kept], [number[name] for name, _ in kept])


def _without_classes(
    corpus: LabelledCorpus, folds: NDArray[np.int64], left_out: Collection[str], real: Real
) -> tuple[Scores, Scores | None]:
    counted = Counted.of(corpus)
    counted.ngrams.lexicon_ = _matcher([name not in left_out for name, _ in lexicon()])
    counted = Counted(counted.ngrams, counted.ngrams.transform(corpus.texts))
    out_of_fold = cross_validate(counted, corpus, folds, [SETTING], LinearRecipe())[SETTING]
    there = None
    if real is not None:
        there = fit_estimator(counted, corpus, SETTING, LinearRecipe()).predict_proba(real[0])
    return macro_scores(corpus, out_of_fold, folds, real, there)


def _without_unseen(
    corpus: LabelledCorpus, folds: NDArray[np.int64], group: Collection[str], real: Real
) -> tuple[int, tuple[Scores, Scores | None]]:
    """Scores, and how many terms stand in no text of the whole corpus."""
    counted = Counted.of(corpus)
    whole = counted.ngrams.lexicon_
    of_group = np.array([name in group for name, _ in lexicon()])
    out_of_fold = np.zeros(corpus.labels.shape)
    for fold in range(LinearRecipe().n_folds):
        held_out = folds == fold
        part = corpus.where(~held_out)
        counted.ngrams.lexicon_ = whole
        estimator = fit_estimator(counted.where(~held_out), part, SETTING, LinearRecipe())
        counted.ngrams.lexicon_ = _matcher((~of_group | _seen(part.texts)).tolist())
        out_of_fold[held_out] = estimator.predict_proba(corpus.where(held_out).texts)
    counted.ngrams.lexicon_ = whole
    seen = _seen(corpus.texts)
    there = None
    if real is not None:
        estimator = fit_estimator(counted, corpus, SETTING, LinearRecipe())
        counted.ngrams.lexicon_ = _matcher((~of_group | seen).tolist())
        there = estimator.predict_proba(real[0])
    n_unseen = int((of_group & ~seen).sum())
    return n_unseen, macro_scores(corpus, out_of_fold, folds, real, there)


def _seen(texts: Sequence[str]) -> NDArray[np.bool_]:
    """Whether each term is matched somewhere in `texts`."""
    terms = [term for _, term in lexicon()]
    tokens = masked_tokens(texts, state_names())
    found = PhraseMatcher.of(terms, range(len(terms))).find(tokens)
    seen = np.zeros(len(terms), np.bool_)
    seen[found.value] = True
    return seen


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
