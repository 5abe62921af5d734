"""The decision rule: from calibrated probabilities to labels, or to none where it is unsure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inference.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """Thresholds for any-number axes, the largest probability for exclusive ones.

    thresholds : one a column; a label of a non-exclusive axis applies from there on. The columns
        of an exclusive axis have 0 there, which is not used.
    min_confidence : an axis on which the confidence is lower gets no label: the rule abstains.
        0 means never.
    """

    thresholds: tuple[float, ...]
    min_confidence: float = 0.0

    def decide(
        self, probabilities: NDArray[np.float64], taxonomy: Taxonomy
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Labels and confidences.

        Parameters
        ----------
        probabilities : (n_paragraphs, n_columns), calibrated.

        Returns
        -------
        applies : bool (n_paragraphs, n_columns), exactly one True on an exclusive axis, before
            any abstention.
        confidence : (n_paragraphs, n_axes): the probability of the label chosen on an exclusive
            axis; on another, of the least sure of its yes-or-no decisions.
        """
        applies = np.zeros(probabilities.shape, np.bool_)
        confidence = np.ones((len(probabilities), len(taxonomy.axes)))
        for i, (axis, span) in enumerate(taxonomy.spans()):
            part = probabilities[:, span]
            if axis.exclusive:
                best = part.argmax(axis=1)
                applies[np.arange(len(part)), span.start + best] = True
                confidence[:, i] = part.max(axis=1)
            else:
                yes = part >= np.asarray(self.thresholds[span])
                applies[:, span] = yes
                confidence[:, i] = np.where(yes, part, 1 - part).min(axis=1)
        return applies, confidence

    def to_dict(self) -> dict[str, Any]:
        """As the manifest keeps it."""
        return {"thresholds": list(self.thresholds), "min_confidence": self.min_confidence}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Inverse of `to_dict`."""
        return cls(tuple(content["thresholds"]), float(content["min_confidence"]))
