"""Measures of predictions against labels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.taxonomy import Taxonomy

_BINS = 10


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
    """Held-out scores: axis → label → `LabelScores`, and macro-F1 of each axis."""

    n_paragraphs: int
    n_articles: int
    labels: dict[str, dict[str, LabelScores]]
    macro_f1: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """As the manifest keeps it, rounded to four digits."""
        return {
            "n_paragraphs": self.n_paragraphs,
            "n_articles": self.n_articles,
            "macro_f1": {axis: round(value, 4) for axis, value in self.macro_f1.items()},
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
    n_articles: int,
) -> Scores:
    """Scores of decisions and calibrated probabilities, all (n_paragraphs, n_columns)."""
    by_axis: dict[str, dict[str, LabelScores]] = {}
    for axis, span in taxonomy.spans():
        hits = (applies[:, span] & labels[:, span]).sum(axis=0)
        chosen, support = applies[:, span].sum(axis=0), labels[:, span].sum(axis=0)
        # A label never chosen, or never there, scores 0 (scikit-learn's zero_division).
        precision, recall = hits / np.maximum(chosen, 1), hits / np.maximum(support, 1)
        f1 = 2 * hits / np.maximum(chosen + support, 1)
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
    return Scores(len(labels), n_articles, by_axis, macro)


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
