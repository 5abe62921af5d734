"""How far annotators agree: Krippendorff's alpha with bootstrap intervals by article.

Krippendorff (2004), Content Analysis, 2nd ed., chapter 11, and (2011), Computing Krippendorff's
Alpha-Reliability. Passonneau (2006), Measuring Agreement on Set-valued Items (MASI), LREC.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inference.errors import InputError
from inference.tables import TABLE_SUFFIXES, Row, read_rows
from inference.taxonomy import Taxonomy
from training.label_cells import axis_labels, bad_rows, cell_text

_INTERVAL = (2.5, 97.5)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Annotations:
    """Single judgements: what one annotator said of one unit, at most once.

    table : one row a judgement, with the columns `id` (the unit), `article_id`, `annotator`.
    labels : bool (n_judgements, n_columns), in the taxonomy's column order.
    """

    taxonomy: Taxonomy
    table: pd.DataFrame
    labels: NDArray[np.bool_]


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
class AgreementReport:
    """Agreement on every label, and on every axis as a whole.

    annotators : name → how many of the judgements of pairable units are theirs.
    n_annotators : those who have any.
    n_units, n_pairable : units with a judgement, and with two or more, on which alpha rests.
    n_articles : articles of the pairable units.
    labels : axis → label → agreement on whether it applies.
    axes : axis → nominal alpha of an exclusive axis, of another alpha of label sets under MASI.
    """

    annotators: dict[str, int]
    n_annotators: int
    n_units: int
    n_pairable: int
    n_articles: int
    n_draws: int
    labels: dict[str, dict[str, Agreement]]
    axes: dict[str, Agreement]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, rounded to four digits; what is undefined (NaN) is None."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(own) for name, own in value.items()}
    if isinstance(value, float):
        return None if np.isnan(value) else round(value, 4)
    return value


def read_annotations(path: Path, taxonomy: Taxonomy) -> Annotations:
    """Read a table of judgements: `id`, `annotator`, and each axis (`topics` as a|b; `tone`).

    The article is `article_id`, else what stands before the last colon of `id`, else `id`.
    The same judgement given twice counts once. Raises InputError, naming all bad rows at once.
    """
    if path.suffix not in TABLE_SUFFIXES:
        msg = f"{path}: expected a table of single judgements ({', '.join(TABLE_SUFFIXES)})"
        raise InputError(msg)
    problems: list[str] = []
    judged: dict[tuple[str, str], list[bool]] = {}
    article_of: dict[str, str] = {}
    for number, row in enumerate(read_rows(path)):
        if number == 0 and (missing := {"id", "annotator"} - set(row.values)):
            msg = (
                f"{row.where}: column(s) missing: {', '.join(sorted(missing))}; found: "
                f"{', '.join(row.values)}; expected one judgement a row"
            )
            raise InputError(msg)
        unit, annotator, labels, wrong = _judgement(row, taxonomy)
        if not wrong and judged.setdefault((unit, annotator), labels) != labels:
            wrong.append(f"{annotator!r} judges {unit!r} a second time with other labels")
        article = cell_text(row.values.get("article_id")).strip() or unit.rpartition(":")[0] or unit
        if not wrong and article_of.setdefault(unit, article) != article:
            wrong.append(f"{unit!r} is in article {article!r}, above in {article_of[unit]!r}")
        problems += [f"{row.where}: {problem}" for problem in wrong]
    if problems:
        raise bad_rows(str(path), problems)
    annotators = sorted({annotator for _, annotator in judged})
    if len(annotators) < 2:
        found = ", ".join(annotators) or "none"
        msg = f"{path}: found the annotator(s) {found}; expected at least two to compare"
        raise InputError(msg)
    entries = [(unit, article_of[unit], annotator) for unit, annotator in judged]
    table = pd.DataFrame(entries, columns=["id", "article_id", "annotator"])
    return Annotations(taxonomy, table, np.array(list(judged.values()), np.bool_))


def _judgement(row: Row, taxonomy: Taxonomy) -> tuple[str, str, list[bool], list[str]]:
    """Unit, annotator and labels of a row, and what is wrong with it."""
    unit, annotator = (cell_text(row.values.get(name)).strip() for name in ("id", "annotator"))
    cells = (("id", unit), ("annotator", annotator))
    wrong = [f"{name} is empty; expected one" for name, text in cells if not text]
    labels: list[bool] = []
    for axis in taxonomy.axes:
        own, problems = axis_labels(axis, row.values)
        labels += own
        wrong += problems
    return unit, annotator, labels, wrong


def agreement(
    annotations: Annotations,
    *,
    annotators: Collection[str] | None = None,
    n_draws: int = 1000,
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
    articles, article_of = np.unique(
        pairable.drop_duplicates("id")["article_id"].to_numpy(str), return_inverse=True
    )
    rng, n = np.random.default_rng(seed), len(articles)
    draws = np.zeros((n_draws, n))  # how often each counts; the same for every measure
    for draw in draws:
        draw[:] = np.bincount(rng.integers(n, size=n), minlength=n)
    measure = partial(_measure, unit_of=unit_of, article_of=article_of, draws=draws)
    labels: dict[str, dict[str, Agreement]] = {}
    axes: dict[str, Agreement] = {}
    for axis, span in annotations.taxonomy.spans():
        own = annotations.labels[pairable.index, span]
        labels[axis.name] = {
            code: measure(column.astype(np.int64), 1 - np.eye(2))
            for code, column in zip(axis.codes, own.T, strict=True)
        }
        sets, values = np.unique(own, axis=0, return_inverse=True)
        distance = 1 - np.eye(len(sets)) if axis.exclusive else _masi(sets)
        axes[axis.name] = measure(values.reshape(-1), distance)
    judged = pairable["annotator"].value_counts()
    by_name, n_units = {name: int(judged.get(name, 0)) for name in names}, table["id"].nunique()
    return AgreementReport(by_name, len(judged), n_units, len(units), n, n_draws, labels, axes)


def _measure(
    values: Ints, distance: Floats, *, unit_of: Ints, article_of: Ints, draws: Floats
) -> Agreement:
    """Agreement on the values (n_judgements,) of pairable units."""
    n_units, n_values = len(article_of), len(distance)
    counts = np.bincount(unit_of * n_values + values, minlength=n_units * n_values)
    counts = counts.reshape(n_units, n_values).astype(np.float64)
    # A unit's coincidences, weighted by distance: sums of them are all that alpha needs.
    others = counts.sum(axis=1) - 1
    apart = ((counts @ distance) * counts).sum(axis=1) / others
    equal = (counts * (counts - 1)).sum(axis=1) / others
    by_article = np.zeros((draws.shape[1], n_values + 1))
    np.add.at(by_article, article_of, np.column_stack((apart, counts)))
    alphas = _alpha(draws @ by_article, distance)
    defined = alphas[~np.isnan(alphas)]
    alpha, observed = float(_alpha(by_article.sum(axis=0), distance)), equal.sum() / counts.sum()
    resampled = len(defined) and len(by_article) > 1
    low, high = np.percentile(defined, _INTERVAL).tolist() if resampled else (np.nan, np.nan)
    return Agreement(alpha, low, high, float(observed), len(alphas) - len(defined))


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
