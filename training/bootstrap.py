"""The bootstrap over articles, since paragraphs of one article are not independent.

Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 8 (the unit that is drawn)
and section 13.3 (percentile intervals); Davison and Hinkley (1997), section 3.8, on clusters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

INTERVAL = (2.5, 97.5)  # percentiles: 95 %
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class ArticleBootstrap:
    """Draws of whole articles with replacement; the same draws serve every measure of one report.

    article : (n_rows,), which article a row belongs to, 0 to n_articles - 1.
    weights : (n_draws, n_articles), how often a draw holds each article.
    """

    article: NDArray[np.int64]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, article_ids: NDArray[np.object_], n_draws: int = 2_000, seed: int = 0) -> Self:
        """Draw articles of the rows' ids, shape (n_rows,)."""
        articles, article = np.unique(article_ids.astype(str), return_inverse=True)
        n = len(articles)
        drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), n_draws)
        return cls(article.astype(np.int64), drawn.astype(np.float64))

    @property
    def n_articles(self) -> int:
        """How many articles are drawn from, and how many a draw holds."""
        return int(self.weights.shape[1])

    def by_article(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sums of rows by article: (n_rows, …) to (n_articles, …)."""
        sums = np.zeros((self.n_articles, *values.shape[1:]))
        np.add.at(sums, self.article, values)
        return sums

    def sums(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sums over each draw's rows: (n_rows, …) to (n_draws, …)."""
        return np.tensordot(self.weights, self.by_article(values), axes=1)


def interval(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bounds of the 95 % percentile interval, draws on the first axis: (n_draws, …) to (2, …).

    Draws that are NaN, in which a measure is not defined, are left out. NaN where all are, and
    where both bounds are the same: draws without variation say nothing of how much there is.
    """
    defined = ~np.isnan(drawn).all(axis=0)
    bounds = np.full((2, *drawn.shape[1:]), np.nan)
    bounds[:, defined] = np.nanpercentile(drawn[:, defined], INTERVAL, axis=0)
    bounds[:, np.isclose(bounds[0], bounds[1], rtol=0, atol=_ROUNDING)] = np.nan
    return bounds
