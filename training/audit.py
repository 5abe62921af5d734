"""Which labels of a corpus to look at again: contradicted ones, unequal copies, odd texts.

Confident learning: Northcutt, Jiang and Chuang (2021), Confident Learning: Estimating Uncertainty
in Dataset Labels, as cleanlab implements it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from inference.taxonomy import Axis
from inference.tokens import tokenize
from training.calibrate import fit_calibration
from training.corpus import LabelledCorpus
from training.duplicates import near_duplicates
from training.folds import article_folds
from training.linear import Counted, LinearRecipe, cross_validate
from training.recipe import Report, Track, untracked
from training.train import check_examples

# One setting, not a search: which labels stand out hardly depends on the penalty.
AUDIT_RECIPE = LinearRecipe(C=(30.0,), passage_weights=(1.0,))

_ODD = 3.5  # robust z-score: Iglewicz and Hoaglin (1993), How to Detect and Handle Outliers
_NORMAL_MAD = 1.4826  # standard deviations in a median absolute deviation, of a normal variable
_SHOWN_WORDS = 8

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LabelAudit:
    """What the model says of one label's use in the corpus.

    n_with : texts that carry it.
    n_doubted, n_missed : texts that carry it, and that do not, where the model contradicts that.
    wrong_share, missed_share : of the texts that carry it, and of those that do not, the share
        where the opposite would be right, by the confident joint (Northcutt et al., section 3.1).
        Where the model is weak its own errors count as the labels'.
    """

    n_with: int
    n_doubted: int
    n_missed: int
    wrong_share: float
    missed_share: float


@dataclass(frozen=True, slots=True)
class Audit:
    """What is suspicious in a corpus, row by row.

    probabilities : (n_texts, n_columns), calibrated, by models that saw neither the text's article
        nor a near-duplicate of it.
    contradicted : bool (n_texts, n_columns), where the model contradicts the label's presence or
        absence; on an exclusive axis in the column of the label given and in that of the better.
    self_confidence : (n_texts,), the smallest probability that the model gives what stands there,
        over labels and exclusive axes.
    copies : near-duplicates with different labels, (row, row, Jaccard index).
    odd_words : row → its words of no other article, where they are more than is usual.
    usual_share : of the words of the corpus, how many stand in one article only.
    labels : axis → label → what is said of its use.
    """

    corpus: LabelledCorpus
    probabilities: Floats
    contradicted: Bools
    self_confidence: Floats
    copies: tuple[tuple[int, int, float], ...]
    odd_words: dict[int, list[str]]
    usual_share: float
    labels: dict[str, dict[str, LabelAudit]]

    def suspects(self) -> list[int]:
        """Rows with a reason to look at them, those that the model believes least first."""
        rows = set(np.flatnonzero(self.contradicted.any(axis=1)).tolist()) | set(self.odd_words)
        rows |= {row for one, other, _ in self.copies for row in (one, other)}
        return sorted(rows, key=lambda row: (self.self_confidence[row], row))

    def reasons(self, row: int) -> list[str]:
        """Why the row is a suspect, in words."""
        return [*self._contradictions(row), *self._unequal_copies(row), *self._oddity(row)]

    def to_dict(self) -> dict[str, Any]:
        """The counts, ready for JSON."""
        return {
            "n_texts": len(self.corpus),
            "n_suspects": len(self.suspects()),
            "n_contradicted": int(self.contradicted.any(axis=1).sum()),
            "n_unequal_copies": len({row for *pair, _ in self.copies for row in pair}),
            "n_odd": len(self.odd_words),
            "labels": {
                axis: {
                    code: {
                        k: round(v, 4) if isinstance(v, float) else v
                        for k, v in asdict(one).items()
                    }
                    for code, one in own.items()
                }
                for axis, own in self.labels.items()
            },
        }

    def _contradictions(self, row: int) -> Iterable[str]:
        for axis, span in self.corpus.taxonomy.spans():
            probability = dict(zip(axis.codes, self.probabilities[row, span], strict=True))
            given = dict(zip(axis.codes, self.corpus.labels[row, span].tolist(), strict=True))
            doubted = [
                code
                for code, yes in zip(axis.codes, self.contradicted[row, span], strict=True)
                if yes
            ]
            if axis.exclusive and doubted:
                is_now = next(code for code in axis.codes if given[code])
                better = max(probability, key=lambda code: probability[code])
                yield (
                    f"{axis.name}: labelled {is_now}, which the model gives "
                    f"{probability[is_now]:.2f}; {better} {probability[better]:.2f}"
                )
            elif not axis.exclusive:
                for code in doubted:
                    labelled = "labelled" if given[code] else "not labelled"
                    yield (
                        f"{axis.name}: {labelled} {code}, which the model gives "
                        f"{probability[code]:.2f}"
                    )

    def _unequal_copies(self, row: int) -> Iterable[str]:
        for one, other, jaccard in self.copies:
            if row in (one, other):
                twin = other if row == one else one
                labels = "; ".join(
                    ", ".join(given_codes(self.corpus, twin, axis, span)) or f"no {axis.name}"
                    for axis, span in self.corpus.taxonomy.spans()
                )
                identifier = self.corpus.table["id"].iloc[twin]
                yield (
                    f"near-duplicate of {identifier} ({jaccard:.0%} of their word 5-grams are "
                    f"the same), which is labelled {labels}"
                )

    def _oddity(self, row: int) -> Iterable[str]:
        if words := self.odd_words.get(row):
            shown = ", ".join(words[:_SHOWN_WORDS]) + (" …" if len(words) > _SHOWN_WORDS else "")
            n_words = len(tokenize([self.corpus.table["text"].iloc[row]]))
            yield (
                f"out of the usual domain: {len(words)} of its {n_words} words stand in no other "
                f"article, where {self.usual_share:.0%} is usual ({shown})"
            )


def given_codes(corpus: LabelledCorpus, row: int, axis: Axis, span: slice) -> list[str]:
    """The codes that a row carries on an axis."""
    return [code for code, yes in zip(axis.codes, corpus.labels[row, span], strict=True) if yes]


def audit(
    corpus: LabelledCorpus,
    recipe: LinearRecipe = AUDIT_RECIPE,
    report: Report = lambda _: None,
    track: Track = untracked,
) -> Audit:
    """Look for wrong labels with the linear model, among near-duplicates, and for odd texts.

    recipe : `C` and `passage_weights` are used at their first value.
    report, track : as in `training.fit.fit`.

    Raises InputError for a label with too few examples to learn from.
    """
    check_examples(corpus, recipe.min_examples)
    report("looking for near-duplicates")
    pairs = near_duplicates(corpus.texts)
    sources = _sources(corpus, pairs)
    n_folds = min(recipe.n_folds, len(set(sources.tolist())))
    report(f"predicting {len(corpus)} texts in {n_folds} folds by article")
    probabilities = _out_of_fold(corpus, sources, n_folds, recipe, track)
    contradicted = np.zeros(corpus.labels.shape, np.bool_)
    believed = np.where(corpus.labels, probabilities, 1 - probabilities)
    labels: dict[str, dict[str, LabelAudit]] = {}
    for axis, span in corpus.taxonomy.spans():
        own, given = probabilities[:, span], corpus.labels[:, span]
        if axis.exclusive:
            believed[:, span] = np.where(given, own, 1)  # the others follow from the one given
            wrong, joint = _confident_learning(given.argmax(axis=1), own)
            is_better = np.arange(len(axis.codes)) == own.argmax(axis=1)[:, None]
            contradicted[:, span] = wrong[:, None] & (given | is_better)
            joints = [_one_against_rest(joint, i) for i in range(len(axis.codes))]
        else:
            joints = []
            for i, column in enumerate(range(span.start, span.stop)):
                wrong, joint = _confident_learning(
                    given[:, i].astype(np.int64), np.column_stack((1 - own[:, i], own[:, i]))
                )
                contradicted[:, column] = wrong
                joints.append(joint)
        labels[axis.name] = {
            code: _label_audit(given[:, i], contradicted[:, span][:, i], joints[i])
            for i, code in enumerate(axis.codes)
        }
    copies = tuple(
        pair for pair in pairs if (corpus.labels[pair[0]] != corpus.labels[pair[1]]).any()
    )
    odd_words, usual_share = _odd_words(corpus.texts, sources)
    self_confidence = believed.min(axis=1)
    return Audit(
        *(corpus, probabilities, contradicted, self_confidence),
        *(copies, odd_words, usual_share, labels),
    )


def _sources(corpus: LabelledCorpus, pairs: Iterable[tuple[int, int, float]]) -> NDArray[np.int64]:
    """The source of each text, (n_texts,): its article, with all articles that share a text."""
    _, article = np.unique(corpus.article_ids.astype(str), return_inverse=True)
    n = int(article.max()) + 1
    ends = np.array([[article[i], article[j]] for i, j, _ in pairs], np.int64).reshape(-1, 2)
    linked = sp.coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(n, n))
    _, component = connected_components(linked, directed=False)
    return np.asarray(component[article], np.int64)


def _out_of_fold(
    corpus: LabelledCorpus,
    sources: NDArray[np.int64],
    n_folds: int,
    recipe: LinearRecipe,
    track: Track,
) -> Floats:
    """Calibrated probabilities of all texts; passages are held out like paragraphs here."""
    as_paragraphs = replace(corpus, table=corpus.table.assign(passage=False, article_id=sources))
    folds = article_folds(as_paragraphs, n_folds, recipe.seed)
    setting = (recipe.C[0], recipe.passage_weights[0])
    raw = cross_validate(Counted.of(corpus), corpus, folds, [setting], recipe, track)[setting]
    calibration = fit_calibration(raw, corpus.labels, corpus.taxonomy)
    return calibration.apply(raw, corpus.taxonomy)


def _confident_learning(given: NDArray[np.int64], probabilities: Floats) -> tuple[Bools, Floats]:
    """Which given classes are wrong, and the joint of given and true ones (n_classes, n_classes).

    A class is wrong where another is the likeliest, and as probable as is usual (on average)
    among the texts that carry it.
    """
    from cleanlab.count import estimate_joint
    from cleanlab.filter import find_label_issues

    wrong = find_label_issues(given, probabilities, filter_by="confident_learning", n_jobs=1)
    return np.asarray(wrong, np.bool_), np.asarray(estimate_joint(given, probabilities))


def _one_against_rest(joint: Floats, i: int) -> Floats:
    """The joint of one class and all others, which come first: (2, 2)."""
    own, row, column = joint[i, i], joint[i].sum(), joint[:, i].sum()
    return np.array([[1 - row - column + own, column - own], [row - own, own]])


def _label_audit(given: Bools, contradicted: Bools, joint: Floats) -> LabelAudit:
    return LabelAudit(
        n_with=int(given.sum()),
        n_doubted=int((given & contradicted).sum()),
        n_missed=int((~given & contradicted).sum()),
        wrong_share=float(joint[1, 0] / joint[1].sum()),
        missed_share=float(joint[0, 1] / joint[0].sum()),
    )


def _odd_words(texts: list[str], sources: NDArray[np.int64]) -> tuple[dict[int, list[str]], float]:
    """Texts with more words of no other source than is usual: those words, by row; the usual share.

    Such words can be shown to whoever judges the text; a distance to neighbours cannot. The
    number found is measured against the binomial's mean and deviation for a text of that length,
    so that short texts are not odd by chance, and then by the corpus's own median and deviation.
    """
    tokens = tokenize(texts)
    row = tokens.paragraphs
    _, word = np.unique(tokens.hashes, return_inverse=True)
    n_sources = int(sources.max()) + 1
    in_source = np.unique(word * n_sources + sources[row])
    alone = np.bincount(in_source // n_sources)[word] == 1
    n_words = np.bincount(row, minlength=len(texts))
    n_alone = np.bincount(row, alone, len(texts))
    share = float(n_alone.sum() / max(n_words.sum(), 1))
    deviation = np.sqrt(np.maximum(n_words * share * (1 - share), 1e-9))
    score = (n_alone - n_words * share) / deviation
    spread = _NORMAL_MAD * np.median(np.abs(score - np.median(score)))
    # In a small corpus half the texts may have no such word; the binomial's own deviation is 1.
    odd = np.flatnonzero(score - np.median(score) > _ODD * max(spread, 1.0))
    spelt = tokens.words()
    ends = np.cumsum(n_words)
    found = {
        text: [spelt[k] for k in range(ends[text] - n_words[text], ends[text]) if alone[k]]
        for text in odd.tolist()
    }
    return {text: list(dict.fromkeys(words)) for text, words in found.items()}, share
