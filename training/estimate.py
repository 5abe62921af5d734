"""Shares of an archive that may be published, over all of it and by group.

The method is in `training.corrected_share`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from inference.errors import InputError
from inference.taxonomy import Taxonomy
from training.archive import ScoredArchive
from training.corrected_share import (
    LEVEL,
    Floats,
    Ints,
    Share,
    Totals,
    corrected_share,
    naive_share,
)
from training.labelled_sample import LabelledSample

WITHOUT_GROUP = "(none)"

_ISO_DATE = {
    "month": re.compile(r"(?!0000)\d{4}-(0[1-9]|1[0-2])(?!\d)"),
    "year": re.compile(r"(?!0000)\d{4}(?!\d)"),
}
PERIODS = {"month": 7, "year": 4}  # characters of an ISO date

_SHARES = ("corrected", "classical", "counted", "expected")


@dataclass(frozen=True, slots=True)
class LabelEstimate:
    """How much of the archive, or of one group of it, carries a label.

    group : None is the whole archive.
    n_labelled, n_labelled_articles : paragraphs of the sample, and the articles they come from.
    n_with_label : of `n_labelled`, how many carry the label.
    corrected : the one to publish; None where too few articles are labelled
        (`corrected_share.TOO_FEW_ARTICLES`).
    classical : the labelled sample alone; None likewise.
    counted : share of the model's decisions, and `expected` the mean probability: naive, with
        intervals that leave out the model's errors.
    power : λ, from 0 (the model does not help) to 1; 0 where too few articles have the label, or
        lack it, to tune it, or too few errors are seen to trust it (`corrected_share`).
    """

    axis: str
    label: str
    group: str | None
    n_paragraphs: int
    n_labelled: int
    n_labelled_articles: int
    n_with_label: int
    corrected: Share | None
    classical: Share | None
    counted: Share
    expected: Share
    power: float


@dataclass(frozen=True, slots=True)
class Estimates:
    """Shares of all labels: of the whole archive, then of each group in order.

    by : what the groups are; None without groups.
    """

    taxonomy: Taxonomy
    by: str | None
    rows: tuple[LabelEstimate, ...]

    @property
    def overall(self) -> tuple[LabelEstimate, ...]:
        """The rows of the whole archive, in column order."""
        return tuple(row for row in self.rows if row.group is None)

    @property
    def groups(self) -> dict[str, tuple[LabelEstimate, ...]]:
        """Group → its rows, in column order."""
        found: dict[str, list[LabelEstimate]] = {}
        for row in self.rows:
            if row.group is not None:
                found.setdefault(row.group, []).append(row)
        return {group: tuple(rows) for group, rows in found.items()}

    def to_frame(self) -> pd.DataFrame:
        """One row a label and group; `corrected`, `corrected_low`, …; NaN where too few labels."""
        return pd.DataFrame([_flat(row) for row in self.rows])

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: `by`, and the rows with their shares nested."""
        return {"by": self.by, "level": LEVEL, "estimates": [asdict(row) for row in self.rows]}


def columns_for(by: str | None) -> tuple[str, ...]:
    """The archive's columns that grouping reads: `date` for "month" and "year"."""
    if by is None:
        return ()
    return ("date",) if by in PERIODS else (by,)


def estimate(archive: ScoredArchive, sample: LabelledSample, by: str | None = None) -> Estimates:
    """Shares of every label over the archive, and over its groups.

    Parameters
    ----------
    archive : read with `columns_for(by)`. Its probabilities are those of a model that has not seen
        the sample's labels, or come from `training.cross_fit.cross_fit`.
    sample : drawn from this archive.
    by : "month", "year" (of the column `date`, ISO), any other column, or None.

    Raises InputError where the sample is of another archive or of another taxonomy, where it comes
    from fewer than two articles, and for a date that is none.
    """
    rows = _rows_in(archive, sample)
    weights = 1 / sample.inclusion_probability
    _check_sum(weights, archive, sample)
    groups, group = _groups(archive, by)
    # A cell is the part of an article that lies in a group; nearly always the whole of it.
    cells, cell = np.unique(group * archive.n_articles + archive.article, return_inverse=True)
    totals = Totals.of(archive, sample, rows, weights, cell, len(cells))
    whole = totals.by_article(cells % archive.n_articles, archive.n_articles)
    estimates = list(_estimates(whole, archive.taxonomy, None))
    bounds = np.searchsorted(cells // archive.n_articles, np.arange(len(groups) + 1))
    for i, name in enumerate(groups):
        own = totals.where(slice(bounds[i], bounds[i + 1]))
        estimates += _estimates(own, archive.taxonomy, name)
    return Estimates(archive.taxonomy, by, tuple(estimates))


def _estimates(totals: Totals, taxonomy: Taxonomy, group: str | None) -> Iterator[LabelEstimate]:
    for column, name in enumerate(taxonomy.column_names):
        axis, label = name.split(".")
        corrected, classical, power = corrected_share(totals, column)
        yield LabelEstimate(
            axis=axis,
            label=label,
            group=group,
            n_paragraphs=int(totals.n.sum()),
            n_labelled=int(totals.n_s.sum()),
            n_labelled_articles=int((totals.n_s > 0).sum()),
            n_with_label=int(totals.y[:, column].sum()),
            corrected=corrected,
            classical=classical,
            counted=naive_share(totals.n, totals.d[:, column]),
            expected=naive_share(totals.n, totals.f[:, column]),
            power=power,
        )


def _rows_in(archive: ScoredArchive, sample: LabelledSample) -> Ints:
    sample.taxonomy.check_same(archive.taxonomy, "the sample", "the archive")
    ids = sample.ids
    rows = archive.rows_of(ids)
    if (unknown := rows < 0).any():
        msg = (
            f"{unknown.sum()} of {len(sample)} labelled paragraphs are not in the archive (the "
            f"first: id {ids[int(unknown.argmax())]!r}); expected the archive from which "
            "the sample was drawn; give that one"
        )
        raise InputError(msg)
    if len(np.unique(archive.article[rows])) < 2:
        msg = (
            "all labelled paragraphs are of one article; expected many, whose differences give "
            "the interval; draw a sample of the whole archive with posture-train sample"
        )
        raise InputError(msg)
    return rows


def _check_sum(weights: Floats, archive: ScoredArchive, sample: LabelledSample) -> None:
    """The inverse chances add up to the archive's size, but for the luck of the draw."""
    total, luck = weights.sum(), np.sqrt((weights**2).sum())
    if abs(total - len(archive)) > 5 * luck:
        msg = (
            f"the chances of the {len(sample)} labelled paragraphs speak of an archive of about "
            f"{total:,.0f} paragraphs; this one has {len(archive):,}; expected the archive from "
            "which the sample was drawn; give that one"
        )
        raise InputError(msg)


def _groups(archive: ScoredArchive, by: str | None) -> tuple[list[str], Ints]:
    """The groups' names in order, and the group of each paragraph; none at all without `by`."""
    if by is None:
        return [], np.zeros(len(archive), np.int64)
    cells = archive.columns[columns_for(by)[0]]
    names = [_group_name(str(cell), by) for cell in cells.categories]
    groups = sorted(set(names) - {WITHOUT_GROUP})
    if (cells.codes < 0).any() or WITHOUT_GROUP in names:
        groups.append(WITHOUT_GROUP)
    place = {name: i for i, name in enumerate(groups)}
    # Code -1, an empty cell, takes the last entry.
    of_code = np.array([*(place[name] for name in names), place.get(WITHOUT_GROUP, 0)])
    return groups, of_code[cells.codes].astype(np.int64)


def _group_name(cell: str, by: str) -> str:
    if not cell.strip():
        return WITHOUT_GROUP
    if by not in PERIODS:
        return cell
    if not _ISO_DATE[by].match(cell):
        msg = f"date {cell!r}; expected an ISO date like 2024-01-18; mend the archive's dates"
        raise InputError(msg)
    return cell[: PERIODS[by]]


def _flat(row: LabelEstimate) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in asdict(row).items():
        if name not in _SHARES:
            flat[name] = value
            continue
        for part in ("share", "standard_error", "low", "high"):
            column = name if part == "share" else f"{name}_{part}"
            flat[column] = np.nan if value is None or value[part] is None else value[part]
    return flat
