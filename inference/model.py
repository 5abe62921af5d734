"""The protocol that every model answers to, and how its log-odds become probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from inference.article import Paragraph
    from inference.taxonomy import Taxonomy


class ParagraphModel(Protocol):
    """Gives each paragraph a probability for each label of its taxonomy."""

    @property
    def taxonomy(self) -> Taxonomy:
        """What the columns mean."""
        ...

    def predict_proba(self, paragraphs: Sequence[Paragraph]) -> NDArray[np.float64]:
        """Uncalibrated probabilities, shape (n_paragraphs, n_columns).

        The columns of an exclusive axis sum to one; those of another are independent. A row
        depends on its paragraph alone, neither on its neighbours nor on how many there are; no
        paragraph gives shape (0, n_columns).
        """
        ...


def probabilities(logits: NDArray[np.float64], taxonomy: Taxonomy) -> NDArray[np.float64]:
    """Softmax over the columns of an exclusive axis, the logistic function elsewhere."""
    result = np.empty_like(logits)
    for axis, span in taxonomy.spans():
        part = logits[:, span]
        if axis.exclusive:
            powers = np.exp(part - part.max(axis=1, keepdims=True))
            result[:, span] = powers / powers.sum(axis=1, keepdims=True)
        else:
            result[:, span] = 0.5 * (1.0 + np.tanh(0.5 * part))  # never overflows
    return result
