"""The protocol that every model answers to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
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
