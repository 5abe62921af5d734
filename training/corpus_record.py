"""What a manifest says of a labelled corpus: its size, its spread, its labels, their agreement."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inference.errors import InputError
from inference.taxonomy import Taxonomy
from training.agreement import agreement
from training.annotations import Annotations, annotations_beside
from training.corpus import LabelledCorpus
from training.designs import Design
from training.group_scores import GROUP_COLUMNS
from training.recipe import Report

_PERCENTILES = (10, 50, 90)
_DATE_COLUMNS = ("date", "year")
_DATE = r"\d{4}(?:-\d\d(?:-\d\d)?)?"


@dataclass(frozen=True, slots=True)
class Background:
    """What is known of a corpus besides its texts and labels.

    annotations : single judgements; None where there are none.
    origin : who wrote the texts and who labelled them, in sentences; empty where nobody says.
    """

    annotations: Annotations | None = None
    origin: str = ""

    @classmethod
    def beside(cls, corpus: Path, taxonomy: Taxonomy, report: Report) -> Self:
        """From annotations.csv and origin.txt of a corpus's folder, as far as they are there.

        What cannot be read is left out, and `report` is told: a model can be fitted without.
        """
        annotations, origin = None, ""
        try:
            annotations = annotations_beside(corpus, taxonomy)
        except InputError as error:
            report(f"no agreement in the card: {error}")
        path = corpus / "origin.txt"
        try:
            origin = " ".join(path.read_text(encoding="utf-8").split()) if path.is_file() else ""
        except (OSError, UnicodeDecodeError) as error:
            report(f"no origin of the corpus in the card: {path}: cannot be read ({error})")
        return cls(annotations, origin)


def corpus_record(design: Design, background: Background, report: Report) -> dict[str, Any]:
    """Describe a corpus and the split on which a model was fitted; ready for JSON.

    `agreement` is None without annotations, and, as `report` is told, where no two annotators
    judge the same unit.
    """
    corpus, (part,) = design.corpus, design.parts
    passage = corpus.table["passage"].to_numpy(np.bool_)
    test = part.test & ~passage
    sides = {"train": part.train & ~passage, "passages": passage, "test": test}
    articles = corpus.table[~passage].drop_duplicates("article_id")
    words = corpus.table.loc[~passage, "text"].str.split().str.len().to_numpy(np.int64)
    return {
        "fingerprint": corpus.fingerprint(),
        "n_train_paragraphs": int(sides["train"].sum()),
        "n_train_passages": int(passage.sum()),
        "n_test_paragraphs": int(test.sum()),
        "n_train_articles": _n_articles(corpus, sides["train"]),
        "n_test_articles": _n_articles(corpus, test),
        "n_near_duplicates_dropped": design.n_dropped,
        "labels": {
            axis.name: {
                code: {side: int(own[rows].sum()) for side, rows in sides.items()}
                for code, own in zip(axis.codes, corpus.labels[:, span].T, strict=True)
            }
            for axis, span in corpus.taxonomy.spans()
        },
        "words": {f"p{p}": round(np.percentile(words, p).item()) for p in _PERCENTILES},
        "dates": _dates(articles),
        "articles_by": _articles_by(articles),
        "origin": background.origin,
        "agreement": _agreement(background.annotations, report),
    }


def _n_articles(corpus: LabelledCorpus, rows: NDArray[np.bool_]) -> int:
    return len(set(corpus.article_ids[rows]))


def _articles_by(articles: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Theatre, register or source, as far as there are such columns → value → articles."""
    found = {}
    for column in GROUP_COLUMNS:
        if column in articles:
            values = articles[column].fillna("").astype(str)
            counts = values[values != ""].value_counts()
            if len(counts):
                found[column] = {str(value): int(n) for value, n in counts.items()}
    return found


def _dates(articles: pd.DataFrame) -> dict[str, str] | None:
    """First and last of the articles that have one; None where none has."""
    for column in _DATE_COLUMNS:
        if column in articles:
            given = articles[column].astype(str).str.extract(f"^({_DATE})", expand=False).dropna()
            if len(given):
                return {"first": given.min(), "last": given.max()}
    return None


def _agreement(annotations: Annotations | None, report: Report) -> dict[str, Any] | None:
    if annotations is None:
        return None
    try:
        found = agreement(annotations).to_dict()
    except InputError as error:
        report(f"no agreement in the card: {error}")
        return None
    # The kappas are for those who run `agreement`.
    return {name: own for name, own in found.items() if name not in ("fleiss", "cohen")}
