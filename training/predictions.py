"""What a system says of labelled paragraphs, beside their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from inference.decision import DecisionRule
from inference.scorer import Scorer
from inference.taxonomy import Taxonomy
from training.corpus import LabelledCorpus


@dataclass(frozen=True, slots=True)
class Predictions:
    """Decisions and probabilities for paragraphs whose labels are known.

    labels, applies : bool (n_paragraphs, n_columns), what is so and what is said, before any
        abstention.
    probabilities : float64 (n_paragraphs, n_columns), calibrated as far as the system is.
    confidence : float64 (n_paragraphs, n_axes), see `DecisionRule.decide`.
    article_ids : (n_paragraphs,), the unit of the bootstrap.
    """

    taxonomy: Taxonomy
    labels: NDArray[np.bool_]
    applies: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    confidence: NDArray[np.float64]
    article_ids: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def decided(
        cls, probabilities: NDArray[np.float64], rule: DecisionRule, corpus: LabelledCorpus
    ) -> Self:
        """From the calibrated probabilities of a corpus's rows."""
        applies, confidence = rule.decide(probabilities, corpus.taxonomy)
        return cls(
            corpus.taxonomy, corpus.labels, applies, probabilities, confidence, corpus.article_ids
        )

    def where(self, mask: NDArray[np.bool_]) -> Self:
        """The rows of a mask, in order."""
        return replace(
            self,
            labels=self.labels[mask],
            applies=self.applies[mask],
            probabilities=self.probabilities[mask],
            confidence=self.confidence[mask],
            article_ids=self.article_ids[mask],
        )

    @classmethod
    def pooled(cls, parts: Sequence[Predictions]) -> Self:
        """The rows of all parts, one part after the other."""
        columns = ("labels", "applies", "probabilities", "confidence", "article_ids")
        return cls(
            parts[0].taxonomy,
            *(np.concatenate([getattr(part, name) for part in parts]) for name in columns),
        )


def predict(scorer: Scorer, corpus: LabelledCorpus) -> Predictions:
    """What a scorer says of all rows of `corpus`."""
    raw = scorer.model.predict_proba(corpus.paragraphs)
    return Predictions.decided(scorer.calibration.apply(raw, corpus.taxonomy), scorer.rule, corpus)
