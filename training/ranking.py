"""Measures of an order of paragraphs: average precision, and risk against coverage.

Under the bootstrap the order stays and only the articles' weights change, so that each is sorted
once and summed along the order for all draws together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.bootstrap import ArticleBootstrap
from training.measured import Measured

_CELLS = 1_000_000  # draws × paragraphs in memory at a time
COVERAGES = tuple(round(0.1 * tenth, 1) for tenth in range(1, 11))

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is left and how much of it is wrong, when the model abstains where it is unsure.

    coverage : share of the paragraphs that are decided.
    min_confidence : the confidence from which on they are.
    risk : share of wrong decisions among them.
    """

    coverage: float
    min_confidence: float
    risk: Measured


@dataclass(frozen=True, slots=True)
class Abstention:
    """Risk and coverage of an axis (Geifman and El-Yaniv 2017, section 2).

    curve : from low coverage to all.
    area : area under the risk-coverage curve, the mean risk over all coverages; 0 is best
        (Geifman, Uziel and El-Yaniv 2019, section 3).
    """

    curve: tuple[Coverage, ...]
    area: Measured


def average_precision(
    score: _Floats, label: NDArray[np.bool_], bootstrap: ArticleBootstrap
) -> _Floats:
    """Area under the precision-recall curve without interpolation, one a draw: (n_draws,).

    Sum of precision times gain in recall over the thresholds (Davis and Goadrich 2006 on why
    points are not joined by lines). NaN where a draw has no paragraph with the label.
    """
    parts = []
    for n, hits in _prefix_sums(score, label, bootstrap):
        precision = hits / np.maximum(n, 1)
        gained = np.diff(hits, axis=1, prepend=0)
        with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN we want
            parts.append((gained * precision).sum(axis=1) / hits[:, -1])
    return np.concatenate(parts)


def abstention(
    confidence: _Floats, wrong: NDArray[np.bool_], bootstrap: ArticleBootstrap
) -> Abstention:
    """Risk when only the most confident paragraphs are decided; the first draw is the sample.

    confidence, wrong : (n_paragraphs,). Paragraphs of equal confidence come in together.
    """
    areas, risks = [], []
    for n, errors in _prefix_sums(confidence, wrong, bootstrap):
        risk = errors / np.maximum(n, 1)
        covered = n / n[:, -1:]
        areas.append((np.diff(covered, axis=1, prepend=0) * risk).sum(axis=1))
        # One search for all draws: draw i's coverages lie between i and i + 1.
        shift = np.arange(len(n))[:, None] * 2.0
        wanted = (shift + np.array(COVERAGES) - 1e-9).ravel()
        at = np.searchsorted((covered + shift).ravel(), wanted).reshape(len(n), -1)
        risks.append(risk.ravel()[at])
    drawn = np.concatenate(risks)
    falling = -np.sort(-confidence, kind="stable")
    curve = tuple(
        Coverage(
            coverage,
            float(falling[max(0, int(np.ceil(coverage * len(falling) - 1e-9)) - 1)]),
            Measured.of(drawn[:, i]),
        )
        for i, coverage in enumerate(COVERAGES)
    )
    return Abstention(curve, Measured.of(np.concatenate(areas)))


def _prefix_sums(
    score: _Floats, counted: NDArray[np.bool_], bootstrap: ArticleBootstrap
) -> Iterator[tuple[_Floats, _Floats]]:
    """Paragraphs at or above each score, all and those counted: (n_draws in block, n_scores)."""
    order = np.argsort(-score, kind="stable")
    falling = score[order]
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    article, hit = bootstrap.article[order], counted[order]
    step = max(1, _CELLS // max(1, len(score)))
    for start in range(0, len(bootstrap.weights), step):
        weight = bootstrap.weights[start : start + step, article]
        n = weight.cumsum(axis=1)[:, last]
        yield n, (weight * hit).cumsum(axis=1)[:, last]
