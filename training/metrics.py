"""Scores of predictions against labels, every figure with its interval over articles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.taxonomy import Axis, Taxonomy
from training.bootstrap import ArticleBootstrap
from training.measured import Measured, plain, sample_and_draws
from training.predictions import Predictions
from training.ranking import Abstention, abstention, average_precision
from training.reliability import Reliability, reliability

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rates:
    """Precision, recall and F1 of one label, or of several together (van Rijsbergen 1979, ch. 7).

    A label never chosen, or never there, scores 0 (scikit-learn's zero_division). Intervals leave
    out the draws of the bootstrap that lost what a rate is a share of: for recall and F1 every
    paragraph with the label, for precision every decision for it.
    """

    precision: Measured
    recall: Measured
    f1: Measured


@dataclass(frozen=True, slots=True)
class LabelScores:
    """One label.

    support : paragraphs that carry it.
    average_precision : area under the precision-recall curve; a label drawn by lot has its share.
    reliability : whether its probabilities can be read as shares, Brier score among them.
    """

    support: int
    rates: Rates
    average_precision: Measured
    reliability: Reliability


@dataclass(frozen=True, slots=True)
class AxisScores:
    """One axis.

    macro : means of the labels' rates. micro : rates of all decisions counted together.
    average_precision : mean over the labels.
    exact_match : share of paragraphs whose labels are all right.
    jaccard : mean over paragraphs of labels in common by labels in either; 1 where both have none.
    abstention : risk, the share of paragraphs not exactly right, against coverage.
    confusion : of an exclusive axis: label → what is said → share of the paragraphs with that
        label; None where any number of labels may apply.
    """

    labels: dict[str, LabelScores]
    macro: Rates
    micro: Rates
    average_precision: Measured
    exact_match: Measured
    jaccard: Measured
    abstention: Abstention
    confusion: dict[str, dict[str, Measured]] | None


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of one system on paragraphs that it has not seen; axes by name."""

    n_paragraphs: int
    n_articles: int
    axes: dict[str, AxisScores]

    @property
    def macro_f1(self) -> dict[str, float]:
        """Axis → mean F1 of its labels, without the interval."""
        return {name: axis.macro.f1.value for name, axis in self.axes.items()}

    def to_dict(self) -> dict[str, Any]:
        """As the manifest keeps it, rounded to six digits; what is not defined is None."""
        return {
            "n_paragraphs": self.n_paragraphs,
            "n_articles": self.n_articles,
            "macro_f1": plain(self.macro_f1),
            "axes": plain(self.axes),
        }


def score(predictions: Predictions) -> Scores:
    """All scores of a system's predictions, with 95 % intervals by bootstrap over articles."""
    bootstrap = sample_and_draws(predictions.article_ids)
    counts = Counts.of(predictions, bootstrap)
    axes = {
        axis.name: _axis_scores(predictions, index, counts.columns(span), bootstrap)
        for index, (axis, span) in enumerate(predictions.taxonomy.spans())
    }
    return Scores(len(predictions), bootstrap.n_articles, axes)


@dataclass(frozen=True, slots=True)
class Counts:
    """What rates are made of, each (n_draws, n_columns); the first draw is the sample.

    hits : right decisions for a label. chosen : all decisions for it. support : paragraphs that
    carry it.
    """

    hits: _Floats
    chosen: _Floats
    support: _Floats

    @classmethod
    def of(cls, predictions: Predictions, bootstrap: ArticleBootstrap) -> Counts:
        """Count the decisions of each draw."""
        applies, labels = predictions.applies, predictions.labels
        return cls(*(bootstrap.sums(counted) for counted in (applies & labels, applies, labels)))

    def columns(self, span: slice) -> Counts:
        """The same of an axis's columns."""
        return Counts(self.hits[:, span], self.chosen[:, span], self.support[:, span])

    def summed(self) -> Counts:
        """All columns counted as one: (n_draws, 1)."""
        return Counts(
            *(part.sum(axis=1, keepdims=True) for part in (self.hits, self.chosen, self.support))
        )

    @property
    def f1(self) -> _Floats:
        """F1 of each draw and column; NaN in a draw that lost the label."""
        return _where_kept(f1_of_counts(self.hits, self.chosen, self.support), self.support)

    @property
    def precision(self) -> _Floats:
        """Precision of each draw and column; NaN in a draw that lost all decisions for it."""
        return _where_kept(self.hits / np.maximum(self.chosen, 1), self.chosen)

    @property
    def recall(self) -> _Floats:
        """Recall of each draw and column; NaN in a draw that lost the label."""
        return _where_kept(self.hits / np.maximum(self.support, 1), self.support)

    def macro(self) -> Rates:
        """Means over the columns."""
        means = (drawn.mean(axis=1) for drawn in (self.precision, self.recall, self.f1))
        return Rates(*map(Measured.of, means))

    def rates(self, column: int = 0) -> Rates:
        """Rates of one column."""
        drawn = (self.precision, self.recall, self.f1)
        return Rates(*(Measured.of(own[:, column]) for own in drawn))


def _axis_scores(
    predictions: Predictions, index: int, counts: Counts, bootstrap: ArticleBootstrap
) -> AxisScores:
    axis, span = predictions.taxonomy.spans()[index]
    labels, applies = predictions.labels[:, span], predictions.applies[:, span]
    probabilities = predictions.probabilities[:, span]
    precisions = np.column_stack(
        [
            average_precision(probability, label, bootstrap)
            for probability, label in zip(probabilities.T, labels.T, strict=True)
        ]
    )
    by_label = {
        code: LabelScores(
            int(labels[:, i].sum()),
            counts.rates(i),
            Measured.of(precisions[:, i]),
            reliability(probabilities[:, i], labels[:, i], bootstrap),
        )
        for i, code in enumerate(axis.codes)
    }
    n = bootstrap.sums(np.ones(len(labels)))
    right = (labels == applies).all(axis=1)
    either = (labels | applies).sum(axis=1)
    jaccard = np.where(either, (labels & applies).sum(axis=1) / np.maximum(either, 1), 1.0)
    return AxisScores(
        by_label,
        counts.macro(),
        counts.summed().rates(),
        Measured.of(precisions.mean(axis=1)),
        Measured.of(bootstrap.sums(right) / n),
        Measured.of(bootstrap.sums(jaccard) / n),
        abstention(predictions.confidence[:, index], ~right, bootstrap),
        _confusion(axis, labels, applies, bootstrap) if axis.exclusive else None,
    )


def _confusion(
    axis: Axis,
    labels: NDArray[np.bool_],
    applies: NDArray[np.bool_],
    bootstrap: ArticleBootstrap,
) -> dict[str, dict[str, Measured]]:
    pairs = bootstrap.sums(labels[:, :, None] & applies[:, None, :])
    with np.errstate(invalid="ignore"):  # a draw without the label
        shares = pairs / pairs.sum(axis=2, keepdims=True)
    return {
        code: {said: Measured.of(shares[:, i, j]) for j, said in enumerate(axis.codes)}
        for i, code in enumerate(axis.codes)
    }


def _where_kept(rate: _Floats, shared: _Floats) -> _Floats:
    """NaN in draws without anything of what a rate is a share of, where the sample has some."""
    return np.where((shared == 0) & (shared[:1] > 0), np.nan, rate)


def f1_of_counts(
    hits: NDArray[Any], chosen: NDArray[Any], support: NDArray[Any]
) -> NDArray[np.float64]:
    """F1 from right decisions for a label, all decisions for it, and texts that carry it."""
    f1: NDArray[np.float64] = 2 * hits / np.maximum(chosen + support, 1)
    return f1


def macro_f1(
    applies: NDArray[np.bool_], labels: NDArray[np.bool_], taxonomy: Taxonomy
) -> dict[str, float]:
    """Axis → mean F1 of its labels; both (n_paragraphs, n_columns)."""
    f1 = f1_of_counts(*(counted.sum(axis=0) for counted in (applies & labels, applies, labels)))
    return {axis.name: float(f1[span].mean()) for axis, span in taxonomy.spans()}
