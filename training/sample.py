"""Which paragraphs of a scored archive to label, each with its probability of being drawn.

Every design gives every paragraph of the archive a known chance above 0, which is what
`training.estimate` divides by (Särndal, Swensson and Wretman 1992, Model Assisted Survey Sampling,
section 2.4). None of them shows what the model predicted to whoever labels: it would anchor them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.errors import InputError
from training.archive import ScoredArchive

DESIGNS = ("random", "score", "uncertainty")

_UNIFORM_SHARE = 0.2  # no weight is more than 1 / 0.2 = 5 times that of a random draw
_UNSURE = 0.5  # the half of a stratum that is less sure is a stratum of its own
_LEAST = 2  # paragraphs of each stratum, so that none is left out

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sample:
    """Paragraphs to label, in random order: the first k of them are a random part of all.

    rows : (n,), where they stand in the archive.
    inclusion_probability : (n,), each one's chance of being among the n, in (0, 1].
    """

    rows: Ints
    inclusion_probability: Floats

    def __len__(self) -> int:
        return len(self.rows)


def draw_sample(archive: ScoredArchive, n: int, by: str = "random", seed: int = 0) -> Sample:
    """Draw `n` paragraphs without replacement.

    by : "random": all have the same chance. "score": strata of the model's decisions, with more of
        the rare labels and of what it is unsure of (`_stratified`). "uncertainty": the chance grows
        with the model's doubt, and what is drawn is spread over labels and articles
        (`_proportional`).

    Raises InputError for another design, and where the archive has fewer than `n` paragraphs.
    """
    designs = {"random": _random, "score": _stratified, "uncertainty": _proportional}
    if by not in designs:
        msg = f"sample: design {by!r}; expected one of {', '.join(DESIGNS)}"
        raise InputError(msg)
    if not 1 <= n <= len(archive):
        msg = (
            f"cannot draw {n} of {len(archive)} paragraph(s); expected 1 to {len(archive)}; "
            "ask for fewer"
        )
        raise InputError(msg)
    rng = np.random.default_rng(seed)
    rows, probability = designs[by](archive, n, rng)
    order = rng.permutation(n)
    return Sample(rows[order], probability[order])


def _random(archive: ScoredArchive, n: int, rng: np.random.Generator) -> tuple[Ints, Floats]:
    return rng.choice(len(archive), n, replace=False), np.full(n, n / len(archive))


def _stratified(archive: ScoredArchive, n: int, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """A simple random sample in each stratum: the rarest label that was decided, sure or unsure.

    A stratum's part grows with the square root of its size (the power allocation of Bankier 1988,
    The American Statistician 42) and with the mean doubt of its paragraphs (Neyman's, whose
    standard deviation of the residual is here what the model expects of it).
    """
    doubt = _doubt(archive)
    stratum = 2 * _rarest_label(archive)
    for own in np.unique(stratum):
        rows = np.flatnonzero(stratum == own)
        stratum[rows] += doubt[rows] > np.quantile(doubt[rows], _UNSURE)
    _, stratum, sizes = np.unique(stratum, return_inverse=True, return_counts=True)
    wanted = np.sqrt(sizes) * np.bincount(stratum, doubt) / sizes
    drawn = _allocated(n, wanted, sizes)
    rows = np.concatenate(
        [
            rng.choice(np.flatnonzero(stratum == own), size, replace=False)
            for own, size in enumerate(drawn.tolist())
        ]
    )
    return rows, (drawn / sizes)[stratum[rows]]


def _proportional(archive: ScoredArchive, n: int, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """Systematic sampling with probability proportional to doubt, mixed with equal chances.

    Doubt is the standard deviation of the residual if the model is calibrated, the best choice for
    a corrected share (Zrnic and Candès 2024, Active Statistical Inference, ICML; Särndal,
    Swensson and Wretman 1992, chapter 12). The list is ordered by decided label and within it by
    article, so that steps along it (ibid., section 3.6) seldom take two neighbours.
    """
    probability = inclusion_by_doubt(_doubt(archive), n)
    # Articles in random order: the list has no period for the steps to fall in with.
    place = rng.permutation(archive.n_articles)[archive.article]
    order = np.lexsort((np.arange(len(archive)), place, _rarest_label(archive)))
    passed = np.cumsum(probability[order])
    passed *= n / passed[-1]  # n but for rounding
    steps = rng.random() + np.arange(n)
    rows = order[np.searchsorted(passed, steps, side="right")]
    return rows, probability[rows]


def inclusion_by_doubt(doubt: Floats, n: int) -> Floats:
    """Chances (n_paragraphs,) that add up to `n`, proportional to the mixture, none above 1."""
    total = doubt.sum()
    size = np.full(len(doubt), 1 / len(doubt))
    if total > 0:
        size = _UNIFORM_SHARE * size + (1 - _UNIFORM_SHARE) * doubt / total
    return _capped(n, size, np.ones(len(size)))


def _doubt(archive: ScoredArchive) -> Floats:
    """Square root of the variance that the probabilities imply over all labels."""
    p = archive.probabilities
    doubt: Floats = np.sqrt((p * (1 - p)).sum(axis=1))
    return doubt


def _rarest_label(archive: ScoredArchive) -> Ints:
    """Of the labels decided for a paragraph the rarest in the archive; 0 for none, from 1."""
    share = archive.applies.mean(axis=0)
    rank = np.argsort(np.argsort(share, kind="stable"), kind="stable")
    of_label = np.where(archive.applies, rank, archive.applies.shape[1])
    rarest: Ints = archive.applies.shape[1] - of_label.min(axis=1)
    return rarest


def _capped(n: int, size: Floats, most: Floats) -> Floats:
    """Parts of `n` proportional to `size`, none above its `most`; what is cut goes to the rest."""
    part = np.zeros(len(size))
    full = np.zeros(len(size), np.bool_)
    while True:
        rest = n - most[full].sum()
        part = np.where(full, most, 0.0)
        open_size = np.where(full, 0.0, size)
        if (total := open_size.sum()) > 0:
            part += open_size * rest / total
        over = ~full & (part > most)
        if not over.any():
            return np.minimum(part, most)
        full |= over


def _allocated(n: int, wanted: Floats, sizes: Ints) -> Ints:
    """Whole numbers that add up to `n`, near `wanted`'s proportions, none above its stratum."""
    least = np.minimum(sizes, min(_LEAST, n // len(sizes)))
    if least.min() == 0:
        msg = (
            f"cannot draw {n} paragraph(s) from {len(sizes)} strata of scores; expected at least "
            f"one of each; ask for {len(sizes)} or more, or draw with --by random"
        )
        raise InputError(msg)
    part = _capped(int(n - least.sum()), np.maximum(wanted, 1e-12), (sizes - least).astype(float))
    drawn = least + np.floor(part + 1e-9).astype(np.int64)
    # What rounding left goes to the largest remainders that have room.
    left = np.argsort(-(part - np.floor(part + 1e-9)) + (drawn >= sizes) * 2, kind="stable")
    drawn[left[: n - drawn.sum()]] += 1
    return drawn
