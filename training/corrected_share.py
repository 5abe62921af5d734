"""Shares of an archive that may be published: the model's, corrected by a labelled sample.

With f the model's probability of a label, y the label, w = 1 / π the inverse of a paragraph's
chance of being in the sample S, N the paragraphs of the archive (or of one group of it) and W the
sum of w over S:

    θ(λ) = λ/N Σ f_i + 1/W Σ_S w_i (y_i - λ f_i)

λ = 1 is the difference estimator (Särndal, Swensson and Wretman 1992, Model Assisted Survey
Sampling, chapter 6), which is design-based supervised learning (DSL: Egami, Hinck, Stewart and Wei
2023, Using Imperfect Surrogates for Downstream Inference, NeurIPS 36) and, at equal chances,
prediction-powered inference (PPI: Angelopoulos, Bates, Fannjiang, Jordan and Zrnic 2023, Science
382). They divide by N where we divide by W. The two are the same at equal chances over a whole
archive; elsewhere W takes out the luck by which a sample, or a group's part of it, came out large
or small (Hájek's estimator; Särndal et al., section 5.7). λ = 0 is the labelled sample alone, in
its classical form.

λ is what gives the smallest variance, within 0 to 1 (PPI++: Angelopoulos, Duchi and Zrnic 2023,
arXiv 2311.01453), so the corrected share never has a larger standard error than the labelled
sample alone. So tuned it is the regression estimator of survey sampling (Särndal et al., ch. 6).

Variance by article, since paragraphs of an article are alike: with m articles that have a label,

    V = m/(m - 1) Σ_a z_a²
    z_a = Σ_{i in a} [λ (f_i - mean f)/N + 1{i in S} w_i (e_i - weighted mean of e)/W],  e = y - λ f

the sandwich of per-article sums of what DSL calls pseudo-outcomes, and the variance between
clusters drawn with replacement (Särndal et al., chapter 4). The archive's articles stand for the
stream they come from; beside a large archive that makes no difference. Draws in strata or in steps
along a list vary somewhat less than this says, so that their intervals are on the safe side.

A model that is sure of itself and seldom wrong leaves nearly no residuals, and a sample may miss
what errors there are. Where fewer than FEW_ARTICLES labelled articles have a paragraph with
|y - f| > ½, V is raised by what each of those missing would add, were all its weight wrong,

    (FEW_ARTICLES - articles with one) Σ_a w_a² / (m W²)

as Wilson's interval of a share adds observations that were not made; if the labelled sample alone
then has the smaller variance, it is what counts (λ = 0). The rule is our own. In simulations (tried
once) with 25 to 400 labels, and models that are wrong on 1 to 5 paragraphs in a hundred, intervals
without it covered 45 to 100 %, with it 95 to 100 %; tests/test_estimate.py has three of the cases.

The interval is Wilson's with t quantiles of m - 1 degrees of freedom. Its number of observations is
that of a simple random sample which would give variance V at the classical share (the effective
sample size; Franco, Little, Louis and Slud 2019, Journal of Survey Statistics and Methodology 7).
So it stays within 0 to 1 and holds for rare labels, where a symmetric one does not.

The scores must come from a model that has not seen the sample's labels; see `training.cross_fit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from training.archive import ScoredArchive
from training.labelled_sample import LabelledSample

LEVEL = 0.95
TOO_FEW_ARTICLES = 5  # with fewer labelled articles nothing is estimated
FEW_ARTICLES = 5  # with the label, without it, or with an error: fewer say little of a variance

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its standard error and its 95 % interval, all from 0 to 1.

    standard_error : None of a single article, whose interval is everything.
    """

    share: float
    standard_error: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the paragraphs of each cluster, an article or the part of it in a group.

    One row a cluster: n paragraphs, n_s of them in the sample, and their weights w; one column
    a label: decisions d, probabilities f; and over the sample y, w·y, w·f, and the paragraphs that
    the model is wrong about, |y - f| > ½.
    """

    n: Floats
    n_s: Floats
    w: Floats
    d: Floats
    f: Floats
    y: Floats
    wy: Floats
    wf: Floats
    wrong: Floats

    @classmethod
    def of(
        cls,
        archive: ScoredArchive,
        sample: LabelledSample,
        rows: Ints,
        weights: Floats,
        cluster: Ints,
        n_clusters: int,
    ) -> Totals:
        """Of an archive and of the sample at its `rows`; cluster : of each paragraph."""

        def summed(values: NDArray[Any], of: Ints) -> Floats:
            return np.column_stack([np.bincount(of, column, n_clusters) for column in values.T])

        sampled = cluster[rows]
        y, f = sample.labels, archive.probabilities[rows]
        return cls(
            n=np.bincount(cluster, minlength=n_clusters).astype(np.float64),
            n_s=np.bincount(sampled, minlength=n_clusters).astype(np.float64),
            w=np.bincount(sampled, weights, n_clusters).astype(np.float64),
            d=summed(archive.applies, cluster),
            f=summed(archive.probabilities, cluster),
            y=summed(y, sampled),
            wy=summed(y * weights[:, None], sampled),
            wf=summed(f * weights[:, None], sampled),
            wrong=summed(abs(y - f) > 0.5, sampled),
        )

    def where(self, chosen: slice) -> Totals:
        """Some of the clusters."""
        return Totals(*(getattr(self, name)[chosen] for name in self.__slots__))

    def by_article(self, article: Ints, n_articles: int) -> Totals:
        """Cells put together again, whatever group they lie in."""
        if len(article) == n_articles:
            return self
        sums = []
        for name in self.__slots__:
            values = getattr(self, name)
            total = np.zeros((n_articles, *values.shape[1:]))
            np.add.at(total, article, values)
            sums.append(total)
        return Totals(*sums)


def corrected_share(totals: Totals, column: int) -> tuple[Share | None, Share | None, float]:
    """The corrected share, the classical one, and λ; None where too few articles are labelled."""
    labelled = totals.n_s > 0
    m = int(labelled.sum())
    if m < TOO_FEW_ARTICLES:
        return None, None, 0.0
    n, w = totals.n, totals.w
    f, wy, wf = (values[:, column] for values in (totals.f, totals.wy, totals.wf))
    total = w.sum()
    y_mean, f_mean, f_all = wy.sum() / total, wf.sum() / total, f.sum() / n.sum()
    # z of an article is own - λ · model: what its labels say, and what its scores take off again.
    own = (wy - w * y_mean) / total
    model = (wf - w * f_mean) / total - (f - n * f_all) / n.sum()
    spread = m / (m - 1)
    # No surer than if the whole archive were labelled, even where all articles are alike.
    y_variance = y_mean * (1 - y_mean)
    least = y_variance / n.sum()
    variance = max(spread * (own**2).sum(), least)
    # No label seen, or no other: as many observations as equal weights would need (Kish 1965).
    n_kish = total**2 / (w**2).sum()
    n_with = (totals.y[labelled, column] > 0).sum()
    n_without = (totals.y[labelled, column] < totals.n_s[labelled]).sum()
    if min(n_with, n_without) < FEW_ARTICLES:
        variance = max(variance, y_variance / n_kish)
        n_effective = y_variance / variance if variance > 0 else n_kish
        alone = _share(y_mean, variance, n_effective, m - 1)
        return alone, alone, 0.0
    alone = _share(y_mean, variance, y_variance / variance, m - 1)
    size = (model**2).sum()
    power = float(np.clip((own * model).sum() / size, 0, 1)) if size > 0 else 0.0
    unseen = max(0, FEW_ARTICLES - int((totals.wrong[labelled, column] > 0).sum()))
    tuned = max(spread * ((own - power * model) ** 2).sum() + unseen / (m * n_kish), least)
    if tuned > variance:
        return alone, alone, 0.0
    corrected = _share(y_mean + power * (f_all - f_mean), tuned, y_variance / tuned, m - 1)
    return corrected, alone, power


def naive_share(n: Floats, sums: Floats) -> Share:
    """The mean over all paragraphs, as if the model were right."""
    share = float(sums.sum() / n.sum())
    m = int((n > 0).sum())
    if m < 2:
        return Share(share, None, 0.0, 1.0)
    variance = m / (m - 1) * float((((sums - share * n) / n.sum()) ** 2).sum())
    n_effective = share * (1 - share) / variance if variance > 0 else float(m)
    return _share(share, variance, n_effective, m - 1)


def _share(share: float, variance: float, n_effective: float, freedom: int) -> Share:
    """With Wilson's interval for `n_effective` observations."""
    share = min(max(float(share), 0.0), 1.0)
    quantile = float(stdtrit(freedom, (1 + LEVEL) / 2))  # of Student's t
    pull = quantile**2 / n_effective
    middle = (share + pull / 2) / (1 + pull)
    half = np.sqrt(pull * share * (1 - share) + pull**2 / 4) / (1 + pull)
    return Share(
        share,
        float(np.sqrt(variance)),
        max(0.0, min(share, float(middle - half))),  # rounding takes a bound past 0, 1 or the share
        min(1.0, max(share, float(middle + half))),
    )
