"""What an article says as a whole: counts, shares and the paragraphs that carry each label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inference.scorer import Prediction
    from inference.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True)
class LabelSummary:
    """One label over an article.

    count : paragraphs that carry it.
    share : `count` over the article's paragraphs; 0 for an article without any.
    expected_share : mean calibrated probability, which counts doubtful paragraphs in part.
    strongest : index of the paragraph with the largest probability; None without paragraphs.
    """

    count: int
    share: float
    expected_share: float
    strongest: int | None


@dataclass(frozen=True, slots=True)
class ArticleSummary:
    """An article's paragraphs taken together.

    labels : axis name → label code → `LabelSummary`.
    abstained : axis name → paragraphs without a decision.
    """

    n_paragraphs: int
    labels: dict[str, dict[str, LabelSummary]]
    abstained: dict[str, int]

    @classmethod
    def of(cls, predictions: Sequence[Prediction], taxonomy: Taxonomy) -> ArticleSummary:
        """Sum up the predictions of one article's paragraphs, in order."""
        labels = {
            axis.name: {code: _label_summary(predictions, axis.name, code) for code in axis.codes}
            for axis in taxonomy.axes
        }
        abstained = {
            axis.name: sum(axis.name in prediction.abstained for prediction in predictions)
            for axis in taxonomy.axes
        }
        return cls(len(predictions), labels, abstained)

    def to_dict(self) -> dict[str, Any]:
        """As the article's record carries it."""
        return {
            "n_paragraphs": self.n_paragraphs,
            **{
                axis: {
                    code: {
                        "count": label.count,
                        "share": round(label.share, 4),
                        "expected_share": round(label.expected_share, 4),
                        "strongest": label.strongest,
                    }
                    for code, label in labels.items()
                }
                for axis, labels in self.labels.items()
            },
            "abstained": dict(self.abstained),
        }


def _label_summary(predictions: Sequence[Prediction], axis: str, code: str) -> LabelSummary:
    n = len(predictions)
    probabilities = [prediction.probabilities[axis][code] for prediction in predictions]
    count = sum(code in prediction.labels[axis] for prediction in predictions)
    strongest = max(range(n), key=probabilities.__getitem__) if n else None
    return LabelSummary(count, count / n if n else 0.0, sum(probabilities) / max(n, 1), strongest)
