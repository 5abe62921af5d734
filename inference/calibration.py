"""Calibration: from a model's probabilities to ones that can be read as shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from inference.model import log_odds, probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inference.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True)
class Calibration:
    """Plain numbers, fitted by `training.calibrate` on out-of-fold predictions.

    slopes, intercepts : one a column of a non-exclusive axis: p' = logistic(slope * logit(p) +
        intercept), Platt (1999). One slope for all columns of an exclusive axis (the inverse
        temperature of Guo et al. 2017, "On Calibration of Modern Neural Networks") and no
        intercept. All of shape (n_columns,).
    """

    slopes: tuple[float, ...]
    intercepts: tuple[float, ...]

    @classmethod
    def identity(cls, taxonomy: Taxonomy) -> Self:
        """Leaves probabilities as they are."""
        return cls((1.0,) * taxonomy.n_columns, (0.0,) * taxonomy.n_columns)

    def apply(self, uncalibrated: NDArray[np.float64], taxonomy: Taxonomy) -> NDArray[np.float64]:
        """Calibrated probabilities of uncalibrated ones, both (n_paragraphs, n_columns).

        The order of the paragraphs by any one label of a non-exclusive axis, and the order of an
        exclusive axis's labels in any one paragraph, stay as they are.
        """
        logits = log_odds(uncalibrated, taxonomy) * np.asarray(self.slopes)
        return probabilities(logits + np.asarray(self.intercepts), taxonomy)

    def to_dict(self) -> dict[str, Any]:
        """As the manifest keeps it."""
        return {"slopes": list(self.slopes), "intercepts": list(self.intercepts)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Inverse of `to_dict`."""
        return cls(tuple(content["slopes"]), tuple(content["intercepts"]))
