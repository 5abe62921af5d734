"""The protocol that every model answers to, and how its log-odds become probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from inference.article import Paragraph
    from inference.explanation import Explanation
    from inference.taxonomy import Taxonomy

_SMALLEST = 1e-12


class ParagraphModel(Protocol):
    """Gives each paragraph a probability for each label of its taxonomy."""

    @property
    def taxonomy(self) -> Taxonomy:
        """What the columns mean."""
        ...

    @property
    def at_once(self) -> int:
        """How many paragraphs of a stream to give it at once: more are no faster."""
        ...

    def predict_proba(self, paragraphs: Sequence[Paragraph]) -> NDArray[np.float64]:
        """Uncalibrated probabilities, shape (n_paragraphs, n_columns).

        The columns of an exclusive axis sum to one; those of another are independent. A row
        depends on its paragraph alone, neither on its neighbours nor on how many there are; no
        paragraph gives shape (0, n_columns).
        """
        ...


@runtime_checkable
class SelfExplaining(ParagraphModel, Protocol):
    """A model that knows what each word brings; any other is explained by leaving words out."""

    def explain(self, paragraph: Paragraph) -> Explanation:
        """Contributions to `log_odds` of the uncalibrated probabilities."""
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


def clipped(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities, of any shape, off 0 and 1: the log-odds of a certain model stay finite."""
    return np.clip(probabilities, _SMALLEST, 1 - _SMALLEST)


def log_odds(probabilities: NDArray[np.float64], taxonomy: Taxonomy) -> NDArray[np.float64]:
    """What `probabilities` was made from, shape (n_paragraphs, n_columns).

    The columns of an exclusive axis are logarithms less their mean over the axis, so that they sum
    to zero there (the centred log-ratio of Aitchison 1986): logits are known up to a constant.
    """
    inside = clipped(probabilities)
    result = np.log(inside)
    for axis, span in taxonomy.spans():
        if not axis.exclusive:
            result[:, span] -= np.log1p(-inside[:, span])
    return centred(result, taxonomy)


def centred(rows: NDArray[np.float64], taxonomy: Taxonomy) -> NDArray[np.float64]:
    """Rows of columns, those of an exclusive axis less their mean."""
    result = rows.copy()
    for axis, span in taxonomy.spans():
        if axis.exclusive:
            result[:, span] -= rows[:, span].mean(axis=1, keepdims=True)
    return result
