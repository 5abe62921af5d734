"""How a model is fitted: everything that may be chosen, with its default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FitConfig:
    """How a linear model is fitted; a sequence is searched by cross-validation.

    C : inverse strengths of the regressions' penalty.
    passage_weights : weights of a passage beside a paragraph's 1.
    min_documents : training texts in which a column of words, of letters, of classes must stand.
    min_examples : a label on fewer training texts is refused.
    test_share : of the articles, held out where the corpus has no split of its own.
    n_jobs : processes; -1 for one a core. It changes no result.
    """

    C: Sequence[float] = (10.0, 30.0, 100.0)
    passage_weights: Sequence[float] = (1.0, 2.0)
    min_documents: tuple[int, int, int] = (3, 5, 1)
    min_examples: int = 10
    n_folds: int = 5
    test_share: float = 0.2
    seed: int = 0
    n_jobs: int = -1


DEFAULT_CONFIG = FitConfig()
