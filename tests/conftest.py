"""What several tests need: the shipped taxonomy and corpus, a small labelled corpus, its model."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from inference.scorer import Scorer, load
from inference.taxonomy import Taxonomy
from training.corpus import LabelledCorpus
from training.fit import FittedModel, fit
from training.linear import LinearRecipe

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def quick() -> LinearRecipe:
    """One setting, two folds: the smallest fit that goes through every step."""
    return LinearRecipe(C=(10.0,), passage_weights=(1.0,), n_folds=2, min_examples=4, n_jobs=1)


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return Taxonomy.read(ROOT / "data" / "taxonomy.toml")


@pytest.fixture(scope="session")
def corpus(taxonomy: Taxonomy) -> LabelledCorpus:
    return LabelledCorpus.read(ROOT / "data" / "corpus", taxonomy)


@pytest.fixture(scope="session")
def small_corpus(corpus: LabelledCorpus) -> LabelledCorpus:
    """The paragraphs of the corpus's first 40 articles, without split or passages."""
    table = corpus.table[~corpus.table["passage"]]
    first = set(table["article_id"].unique()[:40])
    small = corpus.where(~corpus.table["passage"] & corpus.table["article_id"].isin(first))
    small.table["split"] = ""
    return small


@pytest.fixture(scope="session")
def small_model(small_corpus: LabelledCorpus, quick: LinearRecipe) -> FittedModel:
    return fit(small_corpus, quick)


@pytest.fixture(scope="session")
def scorer() -> Scorer:
    """The shipped model."""
    return load()


@pytest.fixture
def small_csv(small_corpus: LabelledCorpus, tmp_path: Path) -> Path:
    """The small corpus as a CSV of one's own: article_id, text, topics, tone."""
    path = tmp_path / "labelled.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["article_id", "text", "topics", "tone"])
        names = small_corpus.taxonomy.column_names
        for row, labels in zip(
            small_corpus.table.itertuples(), small_corpus.labels.tolist(), strict=True
        ):
            on = [name.split(".") for name, yes in zip(names, labels, strict=True) if yes]
            topics = "|".join(code for axis, code in on if axis == "topic")
            tone = next(code for axis, code in on if axis == "tone")
            writer.writerow([row.article_id, row.text, topics, tone])
    return path
