"""Which articles train and which are measured; no near-duplicate is on both sides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.artefact import Provenance
from inference.errors import InputError
from training.corpus import LabelledCorpus, hold_out
from training.duplicates import near_duplicates
from training.folds import article_folds

LATER_SHARE = 0.2
_MOST_VALUES = 50
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d.*)?)?")

_Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Part:
    """One training and one measured side, bool (n_texts,) each.

    name : what sets the measured side apart: a fold's number, a value left out.
    """

    name: str
    train: _Mask
    test: _Mask


@dataclass(frozen=True, slots=True)
class Design:
    """How a corpus is divided.

    sentence : what is measured, in words. caveat : what to think of it; empty where nothing is.
    corpus : the corpus that the parts' masks are about.
    parts : one, or one a fold; passages train and are never measured.
    refits : whether the recipe is fitted anew on each part; otherwise the model as it stands is
        measured, and the training sides serve the baselines alone.
    n_dropped : near-duplicates of the other side that were taken out: training texts where the
        recipe is refitted, measured paragraphs where the model is as it is.
    column : whose values are left out; "" in other designs.
    """

    name: str
    sentence: str
    corpus: LabelledCorpus
    parts: tuple[Part, ...]
    refits: bool
    n_dropped: int = 0
    column: str = ""
    caveat: str = ""

    @property
    def measured(self) -> LabelledCorpus:
        """The measured rows, part after part."""
        return self.corpus.rows(np.concatenate([np.flatnonzero(p.test) for p in self.parts]))

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "name": self.name,
            "sentence": self.sentence,
            "caveat": self.caveat,
            "refits": self.refits,
            "n_parts": len(self.parts),
            "n_near_duplicates_dropped": self.n_dropped,
        }


def fixed_split(corpus: LabelledCorpus, *provenances: Provenance, required: bool = False) -> Design:
    """The articles that the corpus marks test, or those that a fit held out of this corpus.

    provenances : of the models that are to be measured. Where the corpus has no split of its own,
        a fit's seed draws the held-out articles again, and its fingerprint says whether this is
        the corpus it had.
    required : raise InputError where there is no test row; otherwise all articles are measured.

    Raises InputError where one model was fitted on articles that another's fit held out.
    """
    paragraph = ~_passages(corpus)
    sentence = "the articles that the corpus marks test"
    if not (corpus.table["split"] == "test").any():
        drawn = () if _has_split(corpus) else _drawn_again(corpus, provenances)
        if len({own.fingerprint() for own in drawn}) > 1:
            msg = (
                "the models were fitted on this corpus with other articles held out, so that each "
                "has seen what would measure the other; expected the same; fit both with the same "
                "--seed, or mark articles test in a column split"
            )
            raise InputError(msg)
        if drawn:
            corpus, sentence = drawn[0], "the articles that fit held out of this corpus"
        elif required:
            msg = (
                "the corpus has no row marked test; expected a column split with train and test; "
                "mark some articles test, or measure with --cv 5"
            )
            raise InputError(msg)
        else:
            everything = Part("all", np.zeros(len(corpus), np.bool_), paragraph)
            return Design(
                "all",
                "all articles, as no row is marked test",
                corpus,
                (everything,),
                refits=False,
                caveat="If the model was fitted on these articles, its figures flatter; --cv 5 "
                "would measure its recipe.",
            )
    test = (corpus.table["split"] == "test").to_numpy(np.bool_)
    return _apart(Design("split", sentence, corpus, (Part("test", ~test, test),), refits=False))


def cross_validation(corpus: LabelledCorpus, n_folds: int, seed: int = 0) -> Design:
    """Folds of whole articles, each with its share of every label (see `article_folds`).

    Raises InputError for fewer articles than folds.
    """
    n_articles = len(np.unique(corpus.article_ids[~_passages(corpus)].astype(str)))
    if n_articles < n_folds:
        msg = (
            f"found {n_articles} article(s) for {n_folds} folds; expected at least one a fold; "
            "give fewer folds, or check the article_id column"
        )
        raise InputError(msg)
    folds = article_folds(corpus, n_folds, seed)
    parts = tuple(Part(f"fold {k + 1}", folds != k, folds == k) for k in range(n_folds))
    sentence = f"all articles, each predicted in one of {n_folds} folds by a model without it"
    return _apart(Design("cv", sentence, corpus, parts, refits=True))


def past_and_later(corpus: LabelledCorpus) -> Design:
    """Train on the past, measure the last fifth of the articles by `date` or `year`.

    Articles of one date stay together. Passages, which have no date, train.
    Raises InputError without such a column, for articles without a date and where all have one.
    """
    column = next((name for name in ("date", "year") if name in corpus.table), None)
    if column is None:
        msg = (
            "the corpus has no column date or year; expected one with dates such as 2024-05-31 "
            f"or 2024; found {', '.join(corpus.table.columns)}"
        )
        raise InputError(msg)
    paragraph = ~_passages(corpus)
    dates = corpus.table[column].fillna("").astype(str).str.strip().to_numpy(str)
    bad = [date for date in dates[paragraph].tolist() if not _DATE.fullmatch(date)]
    if bad:
        msg = (
            f"{column}: {len(bad)} of {int(paragraph.sum())} paragraphs have no date such as "
            f"2024-05-31 or 2024 (the first is {bad[0]!r}); fill the column in"
        )
        raise InputError(msg)
    _whole_articles(corpus, column)
    articles, first = np.unique(corpus.article_ids[paragraph].astype(str), return_index=True)
    rising = np.sort(dates[paragraph][first])
    since = rising[len(articles) - max(1, round(LATER_SHARE * len(articles)))]
    test = paragraph & (dates >= since)
    if not (paragraph & ~test).any():
        msg = f"{column}: no article is before {since}; expected older ones to train on"
        raise InputError(msg)
    sentence = f"the articles from {since} on, predicted by a model of those before"
    return _apart(Design("time", sentence, corpus, (Part("later", ~test, test),), refits=True))


def leave_out(corpus: LabelledCorpus, column: str) -> Design:
    """One value of a column left out at a time: a theatre, a register, a source.

    Raises InputError where the column is missing or empty in part, has one value or more than 50,
    and where an article has two.
    """
    own = [name for name in corpus.table.columns if name not in ("text", "heading", "preceding")]
    if column not in corpus.table:
        msg = f"the corpus has no column {column!r}; found {', '.join(own)}"
        raise InputError(msg)
    paragraph = ~_passages(corpus)
    values = corpus.table[column].fillna("").astype(str).str.strip().to_numpy(str)
    if empty := int((values[paragraph] == "").sum()):
        msg = (
            f"{column}: {empty} of {int(paragraph.sum())} paragraphs have none; expected one "
            "each; fill the column in, or name the unknown ones"
        )
        raise InputError(msg)
    distinct = np.unique(values[paragraph]).tolist()
    if not 2 <= len(distinct) <= _MOST_VALUES:
        msg = f"{column}: found {len(distinct)} value(s); expected 2 to {_MOST_VALUES} to leave out"
        raise InputError(msg)
    _whole_articles(corpus, column)
    parts = tuple(
        Part(value, ~(paragraph & (values == value)), paragraph & (values == value))
        for value in distinct
    )
    sentence = f"all articles, each predicted by a model that saw no article of its {column}"
    design = Design("leave-out", sentence, corpus, parts, refits=True, column=column)
    return _apart(design)


def _passages(corpus: LabelledCorpus) -> _Mask:
    return corpus.table["passage"].to_numpy(np.bool_)


def _has_split(corpus: LabelledCorpus) -> bool:
    return bool((corpus.table.loc[~corpus.table["passage"], "split"] != "").any())


def _drawn_again(
    corpus: LabelledCorpus, provenances: Sequence[Provenance]
) -> tuple[LabelledCorpus, ...]:
    """The corpus with the split that each fit drew; without those fitted on another corpus."""
    found = []
    for own in provenances:
        if not {"test_share", "seed"} <= set(own.training):
            continue
        try:
            drawn = hold_out(corpus, float(own.training["test_share"]), int(own.training["seed"]))
        except InputError:  # too few articles: no fit was possible on this corpus
            continue
        if drawn.fingerprint() == own.corpus.get("fingerprint"):
            found.append(drawn)
    return tuple(found)


def _whole_articles(corpus: LabelledCorpus, column: str) -> None:
    own = corpus.table[~corpus.table["passage"]]
    several = own.groupby("article_id", sort=False)[column].nunique()
    if len(several := several[several > 1]):
        msg = (
            f"{column}: article(s) {', '.join(map(str, several.index[:5]))} have more than one; "
            "expected one an article, as no article may be on both sides"
        )
        raise InputError(msg)


def _apart(design: Design) -> Design:
    """The design without near-duplicates across its sides, and how many were taken out."""
    found = near_duplicates(design.corpus.texts)
    pairs = np.array([(i, j) for i, j, _ in found], np.int64).reshape(-1, 2)
    pairs = np.concatenate((pairs, pairs[:, ::-1]))
    parts, n_dropped = [], 0
    for part in design.parts:
        one, other = (part.train, part.test) if design.refits else (part.test, part.train)
        copies = np.zeros(len(design.corpus), np.bool_)
        copies[pairs[one[pairs[:, 0]] & other[pairs[:, 1]], 0]] = True
        n_dropped += int(copies.sum())
        train, test = (one & ~copies, other) if design.refits else (other, one & ~copies)
        if not test.any():
            msg = (
                f"{part.name}: every paragraph is a near-duplicate of a training text; expected "
                "other articles on the two sides; check the split"
            )
            raise InputError(msg)
        parts.append(Part(part.name, train, test))
    return replace(design, parts=tuple(parts), n_dropped=n_dropped)
