"""Single judgements, read from a table or from an annotation tool's export."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inference.errors import InputError
from inference.tables import TABLE_SUFFIXES, Row, read_rows
from inference.taxonomy import Taxonomy
from training.annotation_exports import EXPORT_SUFFIXES, is_export, read_export
from training.label_cells import axis_labels, bad_rows, cell_text, other_text


@dataclass(frozen=True, slots=True)
class Annotations:
    """Single judgements: what one annotator said of one unit, at most once.

    table : one row a judgement, with the columns `id` (the unit), `article_id`, `annotator`.
    labels : bool (n_judgements, n_columns), in the taxonomy's column order.
    n_left_out : answers of an export that judge nothing (skipped, rejected, empty).
    """

    taxonomy: Taxonomy
    table: pd.DataFrame
    labels: NDArray[np.bool_]
    n_left_out: int = 0


def read_annotations(paths: Path | Sequence[Path], taxonomy: Taxonomy) -> Annotations:
    """Read tables of judgements, or exports of Label Studio, doccano or Prodigy.

    A table has `id`, `annotator`, and each axis (`topics` as a|b; `tone`). The article is
    `article_id`, else what stands before the last colon of `id`, else `id`. The same judgement
    given twice counts once. Raises InputError, naming all bad rows of a file at once.
    """
    paths = [paths] if isinstance(paths, Path) else list(paths)
    where = ", ".join(map(str, paths))
    judged: dict[tuple[str, str], list[bool]] = {}
    article_of: dict[str, str] = {}
    text_of: dict[str, str] = {}
    problems: list[str] = []
    n_left_out = 0
    for path in paths:
        if is_export(path, taxonomy):
            export = read_export(path, taxonomy)
            n_left_out += export.n_left_out
            rows: Iterable[Row] = export.rows
        elif path.suffix.lower() in TABLE_SUFFIXES:
            rows = read_rows(path)
        else:
            suffixes = ", ".join(dict.fromkeys(TABLE_SUFFIXES + EXPORT_SUFFIXES))
            msg = f"{path}: expected a table of single judgements or an export ({suffixes})"
            raise InputError(msg)
        problems += _collect(rows, taxonomy, judged, article_of, text_of)
    if problems:
        raise bad_rows(where, problems)
    annotators = sorted({annotator for _, annotator in judged})
    if len(annotators) < 2:
        found = ", ".join(annotators) or "none"
        msg = (
            f"{where}: found the annotator(s) {found}; expected at least two to compare; where a "
            "tool writes a file for each, give all the files, their folder or zip"
        )
        raise InputError(msg)
    entries = [(unit, article_of[unit], annotator) for unit, annotator in judged]
    table = pd.DataFrame(entries, columns=["id", "article_id", "annotator"])
    return Annotations(taxonomy, table, np.array(list(judged.values()), np.bool_), n_left_out)


def annotations_beside(corpus: Path, taxonomy: Taxonomy) -> Annotations | None:
    """The single judgements in a corpus's folder, its annotations.csv; None where there is none.

    Raises InputError as `read_annotations` does.
    """
    path = corpus / "annotations.csv"
    return read_annotations(path, taxonomy) if path.is_file() else None


def _collect(
    rows: Iterable[Row],
    taxonomy: Taxonomy,
    judged: dict[tuple[str, str], list[bool]],
    article_of: dict[str, str],
    text_of: dict[str, str],
) -> list[str]:
    """Add the rows' judgements by unit and annotator; give what is wrong with the rows."""
    problems: list[str] = []
    for number, row in enumerate(rows):
        if number == 0 and (missing := {"id", "annotator"} - set(row.values)):
            msg = (
                f"{row.where}: column(s) missing: {', '.join(sorted(missing))}; found: "
                f"{', '.join(map(str, row.values))}; expected one judgement a row, or an export "
                "of Label Studio, doccano or Prodigy"
            )
            raise InputError(msg)
        unit, annotator, labels, wrong = _judgement(row, taxonomy)
        wrong = wrong or other_text(unit, row.values, text_of)
        if not wrong and judged.setdefault((unit, annotator), labels) != labels:
            wrong.append(f"{annotator!r} judges {unit!r} a second time with other labels")
        article = cell_text(row.values.get("article_id")).strip() or unit.rpartition(":")[0] or unit
        if not wrong and article_of.setdefault(unit, article) != article:
            wrong.append(f"{unit!r} is in article {article!r}, above in {article_of[unit]!r}")
        problems += [f"{row.where}: {problem}" for problem in wrong]
    return problems


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
