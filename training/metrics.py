"""Measures of predictions against labels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.taxonomy import Taxonomy
from training.bootstrap import ArticleBootstrap, interval

_BINS = 10
_DRAWS = 1_000


@dataclass(frozen=True, slots=True)
class LabelScores:
    """One label on held-out paragraphs.

    support : paragraphs that carry it. brier : mean squared error of the probability.
    calibration_error : expected calibration error over ten bins of equal mass.
    """

    precision: float
    recall: float
    f1: float
    support: int
    brier: float
    calibration_error: float


@dataclass(frozen=True, slots=True)
class Scores:
    """Held-out scores.

    labels : axis → label → `LabelScores`.
    macro_f1 : axis → mean F1 of its labels.
    macro_f1_interval : axis → bounds of the 95 % percentile interval, bootstrap over articles,
        because paragraphs of one article are not independent; NaN with a single article.
    """

    n_paragraphs: int
    n_articles: int
    labels: dict[str, dict[str, LabelScores]]
    macro_f1: dict[str, float]
    macro_f1_interval: dict[str, tuple[float, float]]

    def to_dict(self) -> dict[str, Any]:
        """As the manifest keeps it, rounded to four digits."""
        return {
            "n_paragraphs": self.n_paragraphs,
            "n_articles": self.n_articles,
            "macro_f1": {axis: round(value, 4) for axis, value in self.macro_f1.items()},
            "macro_f1_interval": {
                axis: [round(bound, 4) if np.isfinite(bound) else None for bound in bounds]
                for axis, bounds in self.macro_f1_interval.items()
            },
            "labels": {
                axis: {
                    code: {
                        name: round(value, 4) if isinstance(value, float) else value
                        for name, value in asdict(scores).items()
                    }
                    for code, scores in labels.items()
                }
                for axis, labels in self.labels.items()
            },
        }


def score_predictions(
    applies: NDArray[np.bool_],
    probabilities: NDArray[np.float64],
    labels: NDArray[np.bool_],
    taxonomy: Taxonomy,
    article_ids: NDArray[np.object_],
) -> Scores:
    """Scores of decisions and calibrated probabilities, all (n_paragraphs, n_columns)."""
    intervals = _macro_f1_intervals(applies, labels, taxonomy, article_ids)
    by_axis: dict[str, dict[str, LabelScores]] = {}
    for axis, span in taxonomy.spans():
        hits = (applies[:, span] & labels[:, span]).sum(axis=0)
        chosen, support = applies[:, span].sum(axis=0), labels[:, span].sum(axis=0)
        # A label never chosen, or never there, scores 0 (scikit-learn's zero_division).
        precision, recall = hits / np.maximum(chosen, 1), hits / np.maximum(support, 1)
        f1 = f1_of_counts(hits, chosen, support)
        by_axis[axis.name] = {
            code: LabelScores(
                float(precision[i]),
                float(recall[i]),
                float(f1[i]),
                int(support[i]),
                brier(probabilities[:, span.start + i], labels[:, span.start + i]),
                calibration_error(probabilities[:, span.start + i], labels[:, span.start + i]),
            )
            for i, code in enumerate(axis.codes)
        }
    macro = {
        axis: float(np.mean([scores.f1 for scores in own.values()]))
        for axis, own in by_axis.items()
    }
    return Scores(len(labels), len(set(article_ids)), by_axis, macro, intervals)


def f1_of_counts(
    hits: NDArray[Any], chosen: NDArray[Any], support: NDArray[Any]
) -> NDArray[np.float64]:
    """F1 from right decisions for a label, all decisions for it, and texts that carry it."""
    f1: NDArray[np.float64] = 2 * hits / np.maximum(chosen + support, 1)
    return f1


def _macro_f1_intervals(
    applies: NDArray[np.bool_],
    labels: NDArray[np.bool_],
    taxonomy: Taxonomy,
    article_ids: NDArray[np.object_],
) -> dict[str, tuple[float, float]]:
    bootstrap = ArticleBootstrap.of(article_ids, _DRAWS)
    if bootstrap.n_articles < 2:
        return {axis.name: (np.nan, np.nan) for axis in taxonomy.axes}
    f1 = f1_of_counts(*(bootstrap.sums(counted) for counted in (applies & labels, applies, labels)))
    bounds = {axis.name: interval(f1[:, span].mean(axis=1)) for axis, span in taxonomy.spans()}
    return {name: (float(low), float(high)) for name, (low, high) in bounds.items()}


def brier(probability: NDArray[np.float64], label: NDArray[np.bool_]) -> float:
    """Mean squared difference between probability and label (Brier 1950), 0 is perfect."""
    return float(np.mean((probability - label) ** 2))


def calibration_error(probability: NDArray[np.float64], label: NDArray[np.bool_]) -> float:
    """Expected calibration error over ten bins with equal numbers of paragraphs.

    Naeini et al. (2015), with the equal-mass bins of Nguyen and O'Connor (2015).
    """
    order = np.argsort(probability, kind="stable")
    bins = [part for part in np.array_split(order, _BINS) if len(part)]
    gaps = [abs(probability[part].mean() - label[part].mean()) * len(part) for part in bins]
    return float(sum(gaps) / len(order))
