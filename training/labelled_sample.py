"""What `posture-train sample` drew, with its labels filled in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from inference.errors import InputError
from inference.tables import TABLE_SUFFIXES, Row, read_rows
from inference.taxonomy import Taxonomy
from training.annotation_exports import is_export, labelled_rows
from training.label_cells import axis_labels, bad_rows, cell_text

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class _Draw:
    """A row's cell of the column draw, "" where there is none, and whether it has a label."""

    where: str
    cell: str
    labelled: bool

    @property
    def number(self) -> int:
        """A place in the draw, from 1; 0 where the cell is none."""
        try:
            number = float(self.cell)
        except ValueError:
            return 0
        return int(number) if number.is_integer() and number > 0 else 0


@dataclass(frozen=True, slots=True)
class LabelledSample:
    """Paragraphs of an archive with their labels and their chance of being in the sample.

    ids, texts : the paragraphs' ids in the archive, and their texts ("" where the table has none).
    labels : bool (n_labelled, n_columns).
    inclusion_probability : (n_labelled,), in (0, 1].
    n_drawn : how many were drawn; more than there are rows where labelling stopped early.
    """

    taxonomy: Taxonomy
    ids: tuple[str, ...]
    texts: tuple[str, ...]
    labels: NDArray[np.bool_]
    inclusion_probability: NDArray[np.float64]
    n_drawn: int

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def read(cls, path: Path, taxonomy: Taxonomy) -> Self:
        """Read a table of labels, or a tool's export. Raises InputError; see `of_rows`."""
        if is_export(path, taxonomy):
            return cls.of_rows(
                labelled_rows(path, taxonomy, with_unlabelled=True), taxonomy, str(path)
            )
        if path.suffix.lower() not in TABLE_SUFFIXES or not path.is_file():
            found = "nothing" if not path.exists() else f"a {path.suffix or 'suffixless'} file"
            msg = (
                f"{path}: found {found}; expected the labelled table of posture-train sample "
                "(.csv, .jsonl, .parquet)"
            )
            raise InputError(msg)
        return cls.of_rows(read_rows(path), taxonomy, str(path))

    @classmethod
    def of_frame(cls, frame: pd.DataFrame, taxonomy: Taxonomy) -> Self:
        """From a data frame with the columns of such a table."""
        rows = (
            Row(f"row {label}", {str(name): value for name, value in values.items()})
            for label, values in zip(frame.index, frame.to_dict("records"), strict=True)
        )
        return cls.of_rows(rows, taxonomy, "the frame")

    @classmethod
    def of_rows(cls, rows: Iterable[Row], taxonomy: Taxonomy, where: str) -> Self:
        """Validate rows of id, inclusion_probability, the labels, and optionally draw.

        A row without any label is not labelled yet; where no axis is exclusive, `-` (or 0 in the
        labels' own columns, or an empty list) says that none applies. Rows not labelled yet may
        stand at the end of the order in which they were drawn, which is random: what is labelled
        is then still a random sample.

        Raises InputError for gaps in that order, whether a row there has no label or was taken
        out, for a row that is wrong (all are named), and for a sample without inclusion
        probabilities. Without the column draw every row must have a label.
        """
        problems: list[str] = []
        entries: list[dict[str, str]] = []
        labels: list[list[bool]] = []
        chances: list[float] = []
        draws: list[_Draw] = []
        ids: set[str] = set()
        for number, row in enumerate(rows, start=1):
            if number == 1:
                _check_columns(row, taxonomy)
            values = {name: cell_text(value) for name, value in row.values.items()}
            labelled = _is_labelled(row, taxonomy)
            draws.append(_Draw(row.where, values.get("draw", ""), labelled))
            chance, wrong = _chance(values["inclusion_probability"])
            if not values["id"]:
                wrong.append("id is empty; expected the paragraph's id in the archive")
            elif values["id"] in ids:
                wrong.append(
                    f"id {values['id']!r} stands a second time; expected one row a paragraph"
                )
            ids.add(values["id"])
            if labelled:
                applies: list[bool] = []
                for axis in taxonomy.axes:
                    own, problem = axis_labels(axis, row.values)
                    applies += own
                    wrong += problem
                labels.append(applies)
                entries.append(values)
                chances.append(chance)
            problems += [f"{row.where}: {problem}" for problem in wrong]
        if problems:
            raise bad_rows(where, problems)
        if not entries:
            msg = f"{where}: found no labelled row; expected labels in the sample's empty columns"
            raise InputError(msg)
        _check_order(draws, where)
        share = len(entries) / len(draws)
        return cls(
            taxonomy,
            tuple(values["id"] for values in entries),
            tuple(values.get("text", "") for values in entries),
            np.array(labels, np.bool_),
            np.array(chances) * share,
            len(draws),
        )


def _check_columns(row: Row, taxonomy: Taxonomy) -> None:
    if "inclusion_probability" not in row.values:
        msg = (
            f"{row.where}: no column inclusion_probability; without each paragraph's chance of "
            "being drawn nothing can be said of the archive; draw it with posture-train sample"
        )
        raise InputError(msg)
    missing = [name for name in ("id",) if name not in row.values]
    missing += [
        f"{axis.field} (or a 0/1 column for each label)"
        for axis in taxonomy.axes
        if axis.field not in row.values and not set(axis.codes) <= set(row.values)
    ]
    if missing:
        msg = (
            f"{row.where}: column(s) missing: {', '.join(missing)}; found: "
            f"{', '.join(map(str, row.values))}; give your own axes with --taxonomy"
        )
        raise InputError(msg)


def _is_labelled(row: Row, taxonomy: Taxonomy) -> bool:
    """Whether any axis has a label; where none needs one, `-`, 0 or an empty list says "none"."""
    needed = any(axis.exclusive for axis in taxonomy.axes)
    cells = (row.values.get(name) for axis in taxonomy.axes for name in (axis.field, *axis.codes))
    return any(
        (cell or not needed) if isinstance(cell, list) else cell_text(cell).strip()
        for cell in cells
    )


def _chance(cell: str) -> tuple[float, list[str]]:
    try:
        chance = float(cell.replace(",", "."))  # a spreadsheet in French
    except ValueError:
        chance = np.nan
    if 0 < chance <= 1:
        return chance, []
    return chance, [f"inclusion_probability = {cell!r}; expected a number above 0, up to 1"]


def _check_order(draws: Sequence[_Draw], where: str) -> None:
    """Refuse labels that are not those of the first that were drawn. Raises InputError."""
    if not any(draw.cell for draw in draws):  # nobody knows the order
        without = [draw.where for draw in draws if not draw.labelled]
        if without:
            msg = (
                f"{where}: {len(without)} of {len(draws)} rows have no label (the first: "
                f"{without[0]}), and no column draw says whether they were the last to be drawn; "
                "what is skipped is seldom like the rest; label them (- where none applies)"
            )
            raise InputError(msg)
        return
    row_of: dict[int, _Draw] = {}
    problems = [
        f"{draw.where}: draw = {draw.cell!r}; expected a whole number from 1, each once"
        for draw in draws
        if not draw.number or row_of.setdefault(draw.number, draw) is not draw
    ]
    if problems:
        raise bad_rows(where, problems)
    labelled = {number for number, draw in row_of.items() if draw.labelled}
    last = max(labelled)
    if n_missing := last - len(labelled):
        gap = next(number for number in range(1, last) if number not in labelled)
        place = row_of[gap].where if gap in row_of else "its row is not there"
        msg = (
            f"{where}: {n_missing} of the draws 1 to {last} have no label (the first: draw {gap}, "
            f"{place}); what is skipped is seldom like the rest; label them all "
            "(- where none applies), with the rows that were taken out, or label in the order of "
            "the column draw and stop early"
        )
        raise InputError(msg)
