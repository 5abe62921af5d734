"""Whether one model is better than another on the same paragraphs, or no difference is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.bootstrap import ArticleBootstrap
from training.measured import Measured, plain, sample_and_draws
from training.metrics import Counts, f1_of_counts
from training.predictions import Predictions

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.05
_N_PERMUTATIONS = 9_999

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Difference:
    """The F1 of two models, A and B.

    difference : B minus A, with the interval of a paired bootstrap over articles.
    p : of the permutation test, two-sided. p_holm : the same, for several tests at once.
    """

    a: Measured
    b: Measured
    difference: Measured
    p: float
    p_holm: float

    @property
    def better(self) -> str | None:
        """The better one, A or B; None where no difference is shown at 5 %: a result, too."""
        if self.p_holm >= LEVEL:
            return None
        return "B" if self.difference.value > 0 else "A"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Differences of each label's F1, and of each axis's macro-F1.

    Both families of tests are corrected after Holm (1979), each in itself.
    """

    n_paragraphs: int
    n_articles: int
    labels: dict[str, dict[str, Difference]]
    macro_f1: dict[str, Difference]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; `better` is "A", "B" or None."""
        return {
            "n_paragraphs": self.n_paragraphs,
            "n_articles": self.n_articles,
            "macro_f1": {axis: _plain(own) for axis, own in self.macro_f1.items()},
            "labels": {
                axis: {code: _plain(one) for code, one in own.items()}
                for axis, own in self.labels.items()
            },
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a label and then its axis's macro-F1; `better` is "A", "B" or None."""
        import pandas as pd

        rows = {
            (axis, name): one
            for axis, own in self.labels.items()
            for name, one in {**own, "macro": self.macro_f1[axis]}.items()
        }
        index = pd.MultiIndex.from_tuples(rows, names=["axis", "label"])
        return pd.DataFrame([_flat(one) for one in rows.values()], index)


def compare(a: Predictions, b: Predictions, *, seed: int = 0) -> Comparison:
    """Compare two models' predictions for the same rows.

    Test: in each permutation every article's predictions are exchanged between A and B or left,
    by lot; p is the share of permutations whose difference is as large (approximate
    randomization: Noreen 1989, section 2.1; Yeh 2000, More accurate tests for the statistical
    significance of result differences), with whole articles as the units, since paragraphs of
    one are not independent. Raises ValueError where the rows are not the same.
    """
    same = a.labels.shape == b.labels.shape and (a.labels == b.labels).all()
    if not same or (a.article_ids != b.article_ids).any():
        msg = "expected predictions of the same paragraphs, in the same order"
        raise ValueError(msg)
    spans = a.taxonomy.spans()
    bootstrap = sample_and_draws(a.article_ids, seed=seed)
    f1_a, f1_b = (Counts.of(own, bootstrap).f1 for own in (a, b))
    permuted = _permuted_differences(a, b, bootstrap, seed)
    p = _p_values(f1_b[0] - f1_a[0], permuted)
    p_holm = holm(p)
    labels = {
        axis.name: {
            code: _difference(f1_a[:, k], f1_b[:, k], p[k], p_holm[k])
            for k, code in enumerate(axis.codes, start=span.start)
        }
        for axis, span in spans
    }
    macro_a, macro_b, macro_permuted = (
        np.column_stack([drawn[:, span].mean(axis=1) for _, span in spans])
        for drawn in (f1_a, f1_b, permuted)
    )
    macro_p = _p_values(macro_b[0] - macro_a[0], macro_permuted)
    macro_holm = holm(macro_p)
    macro = {
        axis.name: _difference(macro_a[:, i], macro_b[:, i], macro_p[i], macro_holm[i])
        for i, (axis, _) in enumerate(spans)
    }
    return Comparison(len(a), bootstrap.n_articles, labels, macro)


def holm(p: _Floats) -> _Floats:
    """Adjusted p-values: Holm (1979), A simple sequentially rejective multiple test procedure."""
    order = np.argsort(p, kind="stable")
    raised = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1)
    return adjusted


def _permuted_differences(
    a: Predictions, b: Predictions, bootstrap: ArticleBootstrap, seed: int
) -> _Floats:
    """F1 of B minus that of A, articles exchanged by lot: (n_permutations, n_columns)."""
    swapped = np.random.default_rng(seed).integers(0, 2, (_N_PERMUTATIONS, bootstrap.n_articles))
    support = a.labels.sum(axis=0)
    sums = []
    for counted_a, counted_b in (
        (a.applies & a.labels, b.applies & b.labels),
        (a.applies, b.applies),
    ):
        own_a, own_b = bootstrap.by_article(counted_a), bootstrap.by_article(counted_b)
        moved = swapped @ (own_b - own_a)
        sums.append((own_a.sum(axis=0) + moved, own_b.sum(axis=0) - moved))
    (hits_a, hits_b), (chosen_a, chosen_b) = sums
    return f1_of_counts(hits_b, chosen_b, support) - f1_of_counts(hits_a, chosen_a, support)


def _p_values(found: _Floats, permuted: _Floats) -> _Floats:
    """Two-sided; the sample itself counts as one permutation, so that p is never 0."""
    as_large = (np.abs(permuted) >= np.abs(found) - 1e-12).sum(axis=0)
    return np.asarray((1 + as_large) / (1 + len(permuted)))


def _difference(a: _Floats, b: _Floats, p: float, p_holm: float) -> Difference:
    return Difference(Measured.of(a), Measured.of(b), Measured.of(b - a), float(p), float(p_holm))


def _flat(one: Difference) -> dict[str, Any]:
    return {
        "a": one.a.value,
        "b": one.b.value,
        "difference": one.difference.value,
        "low": one.difference.low,
        "high": one.difference.high,
        "p_holm": one.p_holm,
        "better": one.better,
    }


def _plain(one: Difference) -> dict[str, Any]:
    shown: dict[str, Any] = plain(one)
    return {**shown, "better": one.better}
