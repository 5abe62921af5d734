"""How far annotators agree: Krippendorff's alpha, Cohen's and Fleiss' kappa, intervals by article.

Krippendorff (2004), Content Analysis, 2nd ed., chapter 11, and (2011), Computing Krippendorff's
Alpha-Reliability. Passonneau (2006), Measuring Agreement on Set-valued Items (MASI), LREC.
Cohen (1960), A Coefficient of Agreement for Nominal Scales. Fleiss (1971), Measuring Nominal Scale
Agreement Among Many Raters; Gwet (2014), Handbook of Inter-Rater Reliability, chapter 2, for units
with different numbers of judgements.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inference.errors import InputError
from inference.taxonomy import Taxonomy
from training.annotations import Annotations
from training.bootstrap import ArticleBootstrap, interval

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement on one label or one axis.

    alpha : Krippendorff's; 1 is perfect, 0 is chance, NaN where only one value occurs.
    low, high : 95 % percentile interval; NaN where alpha is, or with fewer than two articles.
    observed : percent agreement, as a share: how often two judgements of one unit are the same
        (of label sets: the whole set), every judgement weighing alike, as in alpha.
    n_undefined : bootstrap draws in which only one value occurs, left out of the interval.
    """

    alpha: float
    low: float
    high: float
    observed: float
    n_undefined: int


@dataclass(frozen=True, slots=True)
class Kappa:
    """A kappa with its 95 % percentile interval; NaN and `n_undefined` as in `Agreement`."""

    kappa: float
    low: float
    high: float
    n_undefined: int


@dataclass(frozen=True, slots=True)
class Kappas:
    """Kappa of every label, and of every exclusive axis as a whole.

    n_units : units that it rests on.
    labels : axis → label → kappa on whether it applies.
    axes : exclusive axis → kappa on which label it is.
    """

    n_units: int
    labels: dict[str, dict[str, Kappa]]
    axes: dict[str, Kappa]


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """Agreement on every label, and on every axis as a whole.

    annotators : name → how many of the judgements of pairable units are theirs.
    n_annotators : those who have any.
    n_units, n_pairable : units with a judgement, and with two or more, on which alpha rests.
    n_articles : articles of the pairable units.
    labels : axis → label → agreement on whether it applies.
    axes : axis → nominal alpha of an exclusive axis, of another alpha of label sets under MASI.
    fleiss : on the pairable units, each with the judgements that it has and weighing alike. To keep
        only those with one number of judgements would mislead: where a third annotator is called
        in when two differ, the units with two are those on which they agree.
    cohen : "A, B" → on the units that both judged; pairs without such a unit are missing.
    """

    annotators: dict[str, int]
    n_annotators: int
    n_units: int
    n_pairable: int
    n_articles: int
    n_draws: int
    labels: dict[str, dict[str, Agreement]]
    axes: dict[str, Agreement]
    fleiss: Kappas
    cohen: dict[str, Kappas]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, rounded to four digits; what is undefined (NaN) is None."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    def to_frame(self) -> pd.DataFrame:
        """One row a label and then its axis as a whole: alpha, low, high, observed, Fleiss."""
        rows = {}
        for axis, labels in self.labels.items():
            kappas = {**self.fleiss.labels[axis], "whole": self.fleiss.axes.get(axis)}
            for name, one in {**labels, "whole": self.axes[axis]}.items():
                kappa = kappas[name]
                rows[axis, name] = {
                    "alpha": one.alpha,
                    "low": one.low,
                    "high": one.high,
                    "observed": one.observed,
                    "fleiss": kappa.kappa if kappa else np.nan,
                }
        index = pd.MultiIndex.from_tuples(rows, names=["axis", "label"])
        return pd.DataFrame(list(rows.values()), index)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(own) for name, own in value.items()}
    if isinstance(value, float):
        return None if np.isnan(value) else round(value, 4)
    return value


def agreement(
    annotations: Annotations,
    *,
    annotators: Collection[str] | None = None,
    n_draws: int = 2_000,
    seed: int = 0,
) -> AgreementReport:
    """Agreement of all annotators, or of those named, on each label and each axis.

    The bootstrap draws whole articles with replacement, as paragraphs of one are not independent.
    Raises InputError for unknown or fewer than two names, and where no unit has two judgements.
    """
    known = sorted(annotations.table["annotator"].unique())
    names = known if annotators is None else sorted(set(annotators))
    if isinstance(annotators, str) or not set(names) <= set(known) or len(names) < 2:
        msg = f"annotators {annotators!r}: expected at least two of {', '.join(known)}"
        raise InputError(msg)
    table = annotations.table.reset_index(drop=True)  # positions, as in `labels`
    table = table[table["annotator"].isin(names)]
    pairable = table[table["id"].duplicated(keep=False)]
    if pairable.empty:
        msg = f"no unit is judged by two of {', '.join(names)}; expected some that are"
        raise InputError(msg)
    unit_of, units = pd.factorize(pairable["id"])
    articles = pairable.drop_duplicates("id")["article_id"].to_numpy(object)
    bootstrap = ArticleBootstrap.of(articles, n_draws, seed)
    judged = annotations.labels[pairable.index]
    taxonomy = annotations.taxonomy

    labels: dict[str, dict[str, Agreement]] = {}
    axes: dict[str, Agreement] = {}
    for axis, span in taxonomy.spans():
        own = judged[:, span]
        labels[axis.name] = {
            code: _agreement(column.astype(np.int64), 1 - np.eye(2), unit_of, bootstrap)
            for code, column in zip(axis.codes, own.T, strict=True)
        }
        sets, values = np.unique(own, axis=0, return_inverse=True)
        distance = 1 - np.eye(len(sets)) if axis.exclusive else _masi(sets)
        axes[axis.name] = _agreement(values.reshape(-1), distance, unit_of, bootstrap)

    # The row of each unit's judgement by each annotator, -1 where there is none.
    row_of = np.full((len(units), len(names)), -1)
    row_of[unit_of, np.searchsorted(names, pairable["annotator"])] = np.arange(len(pairable))
    cohen: dict[str, Kappas] = {}
    for one, other in combinations(range(len(names)), 2):
        rows = row_of[:, (one, other)]
        both: NDArray[np.bool_] = np.all(rows >= 0, axis=1)
        if both.any():
            cohen[f"{names[one]}, {names[other]}"] = _kappas(
                judged, np.where(both[:, None], rows, -1), taxonomy, bootstrap, _cohen_terms, _cohen
            )
    fleiss = _kappas(judged, row_of, taxonomy, bootstrap, _fleiss_terms, _fleiss)

    counts = pairable["annotator"].value_counts()
    return AgreementReport(
        annotators={name: int(counts.get(name, 0)) for name in names},
        n_annotators=len(counts),
        n_units=table["id"].nunique(),
        n_pairable=len(units),
        n_articles=bootstrap.n_articles,
        n_draws=n_draws,
        labels=labels,
        axes=axes,
        fleiss=fleiss,
        cohen=cohen,
    )


def _bounds(drawn: Floats) -> tuple[float, float, int]:
    """The interval of draws (n_draws,), and how many of them are undefined."""
    low, high = interval(drawn).tolist()
    return low, high, int(np.isnan(drawn).sum())


# Krippendorff's alpha.


def _agreement(
    values: Ints, distance: Floats, unit_of: Ints, bootstrap: ArticleBootstrap
) -> Agreement:
    """Agreement on the values (n_judgements,) of pairable units."""
    n_units, n_values = len(bootstrap.article), len(distance)
    counts = np.bincount(unit_of * n_values + values, minlength=n_units * n_values)
    counts = counts.reshape(n_units, n_values).astype(np.float64)
    # A unit's coincidences, weighted by distance: sums of them are all that alpha needs.
    others = counts.sum(axis=1) - 1
    apart = ((counts @ distance) * counts).sum(axis=1) / others
    equal = (counts * (counts - 1)).sum(axis=1) / others
    terms = np.column_stack((apart, counts))
    alpha, observed = float(_alpha(terms.sum(axis=0), distance)), equal.sum() / counts.sum()
    low, high, n_undefined = _bounds(_alpha(bootstrap.sums(terms), distance))
    return Agreement(alpha, low, high, float(observed), n_undefined)


def _alpha(sums: Floats, distance: Floats) -> Floats:
    """Alpha of sums over units: disagreement, then how often each value occurs, on the last axis.

    1 - (n - 1) Σ o(c,k) d(c,k) / Σ n(c) n(k) d(c,k), Krippendorff (2011), nominal or any other d.
    """
    counts = sums[..., 1:]
    observed = (counts.sum(axis=-1) - 1) * sums[..., 0]
    expected = ((counts @ distance) * counts).sum(axis=-1)
    with np.errstate(invalid="ignore"):  # 0 / 0 where one value occurs is the NaN we want
        return np.asarray(1 - observed / expected)


def _masi(sets: NDArray[np.bool_]) -> Floats:
    """Distances 1 - J·M (Passonneau 2006) between sets, the rows; two empty ones are at 0."""
    members = sets.astype(np.float64)
    sizes = members.sum(axis=1)
    common = members @ members.T
    smaller, larger = np.minimum.outer(sizes, sizes), np.maximum.outer(sizes, sizes)
    jaccard = common / np.maximum(smaller + larger - common, 1)
    monotonicity = np.where(common == smaller, 2 / 3, 1 / 3)  # J is 0 where M should be
    return np.where(common == larger, 0.0, 1 - jaccard * monotonicity)


# Kappas. Their terms are summed over units, and kappa is a function of the sums.


def _kappas(
    judged: NDArray[np.bool_],
    row_of: Ints,
    taxonomy: Taxonomy,
    bootstrap: ArticleBootstrap,
    terms_of: Callable[[Floats], Floats],
    kappa_of: Callable[[Floats], Floats],
) -> Kappas:
    """Kappas of judgements (n_judgements, n_columns).

    row_of : (n_units, n_annotators), -1 where there is none; a unit without any does not count.
    """
    given = row_of >= 0

    def kappa(one_hot: NDArray[np.bool_]) -> Kappa:
        terms = terms_of((one_hot[row_of] & given[..., None]).astype(np.float64))
        estimate = float(kappa_of(terms.sum(axis=0)))
        return Kappa(estimate, *_bounds(kappa_of(bootstrap.sums(terms))))

    labels: dict[str, dict[str, Kappa]] = {}
    axes: dict[str, Kappa] = {}
    for axis, span in taxonomy.spans():
        own = judged[:, span]
        labels[axis.name] = {
            code: kappa(np.stack((own[:, i], ~own[:, i]), axis=1))
            for i, code in enumerate(axis.codes)
        }
        if axis.exclusive:
            axes[axis.name] = kappa(own)
    return Kappas(int(given.any(axis=1).sum()), labels, axes)


def _cohen_terms(one_hot: Floats) -> Floats:
    """Each unit's cell of the table of two annotators, (n_units, n_values, n_values)."""
    return one_hot[:, 0, :, None] * one_hot[:, 1, None, :]


def _cohen(table: Floats) -> Floats:
    """(p_o - p_c) / (1 - p_c), Cohen (1960), eq. 1, of tables (…, n_values, n_values)."""
    n = table.sum(axis=(-2, -1))
    with np.errstate(invalid="ignore"):  # 0 / 0 where one value occurs, or in an empty draw
        observed = np.trace(table, axis1=-2, axis2=-1) / n
        chance = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1) / n**2
        return np.asarray((observed - chance) / (1 - chance))


def _fleiss_terms(one_hot: Floats) -> Floats:
    """Each unit's 1, agreement P_i and shares of values, (n_units, 2 + n_values)."""
    counts = one_hot.sum(axis=1)
    n_judgements = counts.sum(axis=1)
    agreeing = (counts * (counts - 1)).sum(axis=1) / (n_judgements * (n_judgements - 1))
    shares = counts / n_judgements[:, None]
    return np.column_stack((np.ones(len(counts)), agreeing, shares))


def _fleiss(sums: Floats) -> Floats:
    """(P̄ - P̄_e) / (1 - P̄_e), Fleiss (1971), eq. 7, of sums of terms (…, 2 + n_values)."""
    with np.errstate(invalid="ignore"):
        means = sums[..., 1:] / sums[..., :1]
        chance = (means[..., 1:] ** 2).sum(axis=-1)
        return np.asarray((means[..., 0] - chance) / (1 - chance))
