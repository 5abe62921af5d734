"""Whether probabilities can be read as shares: reliability, calibration error, Brier score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.bootstrap import ArticleBootstrap
from training.measured import Measured

_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Paragraphs with nearly the same probability of a label.

    n : how many. probability : their mean probability. observed : share that carries the label.
    """

    n: int
    probability: float
    observed: Measured


@dataclass(frozen=True, slots=True)
class Reliability:
    """Probabilities of one label against what is observed.

    bins : ten of equal mass, from the lowest probability up; fewer where probabilities are equal.
    error : expected calibration error, debiased.
    brier : mean squared error of the probability.
    """

    bins: tuple[Bin, ...]
    error: Measured
    brier: Measured


def reliability(
    probability: NDArray[np.float64], label: NDArray[np.bool_], bootstrap: ArticleBootstrap
) -> Reliability:
    """Reliability of one label's probabilities, both (n_paragraphs,); first draw the sample.

    Expected calibration error of Naeini et al. (2015) over bins of equal mass (Nguyen and
    O'Connor 2015). In a small sample chance alone parts shares from probabilities, so that it
    comes out too large (Kumar, Liang and Ma 2019; Roelofs et al. 2022). That bias is estimated by
    the bootstrap over articles and taken off, see `Measured.debiased`; of a perfectly calibrated
    model some of it stays, as no error can be less than 0. Brier (1950), the half of his score
    that concerns one label.
    """
    bins = equal_mass_bins(probability)
    member = bins[:, None] == np.arange(bins.max() + 1)
    n, mass, hits = (
        bootstrap.sums(member * values[:, None])
        for values in (np.ones(len(bins)), probability, label)
    )
    error = np.abs(mass - hits).sum(axis=1) / n.sum(axis=1)
    with np.errstate(invalid="ignore"):  # a draw without any paragraph of a bin
        observed, mean = hits / n, mass / n
    squares = bootstrap.sums((probability - label) ** 2) / n.sum(axis=1)
    return Reliability(
        tuple(
            Bin(int(n[0, b]), float(mean[0, b]), Measured.of(observed[:, b]))
            for b in range(member.shape[1])
        ),
        Measured.debiased(error),
        Measured.of(squares),
    )


def equal_mass_bins(probability: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bin of each paragraph, (n_paragraphs,), 0 the lowest; equal probabilities share one."""
    rising = np.sort(probability)
    ends = np.unique([rising[-(-len(rising) * k // _BINS) - 1] for k in range(1, _BINS + 1)])
    return np.searchsorted(ends, probability).astype(np.int64)
