"""A figure with its 95 % interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from training.bootstrap import ArticleBootstrap, interval

N_DRAWS = 2_000
_DIGITS = 6  # of what is kept; a card shows three, and rounding twice would give others


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure with the bounds of its 95 % interval, by bootstrap over articles.

    value : NaN where it is not defined, such as the average precision of a label that no
        paragraph carries.
    low, high : NaN where the value is, with a single article, and where nearly all draws give the
        same, as of a label that is always found.
    """

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, drawn: NDArray[np.float64]) -> Self:
        """From the sample's figure and then that of each draw, (1 + n_draws,)."""
        low, high = interval(drawn[1:]).tolist() if len(drawn) > 1 else (np.nan, np.nan)
        return cls(float(drawn[0]), low, high)

    @classmethod
    def debiased(cls, drawn: NDArray[np.float64]) -> Self:
        """The same of a figure that is never negative and that chance makes too large.

        The bias that the bootstrap shows is taken off (Efron and Tibshirani 1993, section 10.2);
        the percentile interval moves down by twice as much, as the sample has the bias and each
        draw has it anew. Near 0 such an interval is too narrow, since some bias always stays.
        """
        sample = float(drawn[0])
        if len(drawn) == 1:
            return cls(sample, np.nan, np.nan)
        bias = float(np.nanmean(drawn[1:])) - sample
        low, high = (interval(drawn[1:]) - 2 * bias).tolist()
        return cls(*np.maximum((sample - bias, low, high), 0).tolist())

    def to_dict(self) -> dict[str, float | None]:
        """Ready for JSON, rounded to six digits; NaN is None."""
        bounds = {"value": self.value, "low": self.low, "high": self.high}
        return {k: round(v, _DIGITS) if np.isfinite(v) else None for k, v in bounds.items()}

    @classmethod
    def from_dict(cls, found: Mapping[str, float | None]) -> Self:
        """From `to_dict`'s form."""
        bounds = (found["value"], found["low"], found["high"])
        return cls(*(np.nan if bound is None else bound for bound in bounds))

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "–"
        return f"{self.value:.3f}" + (f" ({self.bounds})" if np.isfinite(self.low) else "")

    @property
    def bounds(self) -> str:
        """The interval in words of a table: `0.701 to 0.762`, or `–` where there is none."""
        return f"{self.low:.3f} to {self.high:.3f}" if np.isfinite(self.low) else "–"


def sample_and_draws(
    article_ids: NDArray[np.object_], n_draws: int = N_DRAWS, seed: int = 0
) -> ArticleBootstrap:
    """A bootstrap whose first draw is the sample itself, so that one pass gives `Measured.of`.

    With a single article there is nothing to draw from: the sample is the only draw.
    """
    drawn = ArticleBootstrap.of(article_ids, n_draws, seed)
    sample = np.ones((1, drawn.n_articles))
    several = drawn.n_articles > 1
    return ArticleBootstrap(
        drawn.article, np.concatenate((sample, drawn.weights)) if several else sample
    )


def plain(value: Any) -> Any:
    """Dataclasses' content ready for JSON: figures as `Measured.to_dict`, floats to six digits."""
    if isinstance(value, Measured):
        return value.to_dict()
    if isinstance(value, dict):
        return {name: plain(own) for name, own in value.items()}
    if isinstance(value, list | tuple):
        return [plain(own) for own in value]
    if isinstance(value, float):
        return round(value, _DIGITS) if np.isfinite(value) else None
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value
