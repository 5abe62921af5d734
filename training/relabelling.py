"""Writes a labelled table anew with other labels: each kind with all that it holds besides."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from inference.tables import read_rows, separator_of
from inference.taxonomy import Taxonomy
from training.label_cells import axis_labels, cell_text

if TYPE_CHECKING:
    import pyarrow as pa

_BOM = b"\xef\xbb\xbf"
_SPELLINGS = (("0", "1"), ("0.0", "1.0"), ("false", "true"), ("False", "True"), ("FALSE", "TRUE"))
_SPELLING_OF = {cell: pair for pair in _SPELLINGS for cell in pair}

Codes = dict[str, list[str]]  # axis → codes


def relabel(path: Path, changes: Mapping[int, Codes], taxonomy: Taxonomy, file: IO[bytes]) -> None:
    """Write a table with new labels to an open file, of the same kind as the old one.

    changes : place of a row, from 0 → axis → its new codes; other axes and rows stay as they are.
    """
    _WRITERS[path.suffix.lower()](path, changes, taxonomy, file)


def _label_columns(taxonomy: Taxonomy) -> list[str]:
    return [name for axis in taxonomy.axes for name in (axis.field, *axis.codes)]


def _forms(rows: Iterable[Mapping[str, Any]], taxonomy: Taxonomy) -> dict[str, Any]:
    """A filled cell of each column of labels: an empty one that gets labels is written like it."""
    forms: dict[str, Any] = {}
    for values in rows:
        for name in _label_columns(taxonomy):
            if name not in forms and _is_filled(values.get(name)):
                forms[name] = values[name]
    return forms


def _is_filled(cell: object) -> bool:
    return bool(cell_text(cell).strip())


def _changed(
    values: Mapping[str, Any], codes: Codes, taxonomy: Taxonomy, forms: Mapping[str, Any]
) -> dict[str, Any]:
    """A row with new labels, each cell in the form of the old one, or else of its column."""
    changed = dict(values)
    form = {
        name: values[name] if _is_filled(values[name]) else forms.get(name)
        for name in _label_columns(taxonomy)
        if name in values
    }
    for axis in taxonomy.axes:
        if axis.name not in codes:
            continue
        new = codes[axis.name]
        if axis.field in values:
            changed[axis.field] = new if isinstance(form[axis.field], list) else "|".join(new)
            continue
        given, _ = axis_labels(axis, values)
        for code, was in zip(axis.codes, given, strict=True):
            if was != (code in new):
                changed[code] = _zero_or_one(code in new, form[code])
    return changed


def _zero_or_one(applies: bool, form: Any) -> Any:
    if isinstance(form, str):
        return _SPELLING_OF.get(form.strip(), ("0", "1"))[applies]
    return int(applies) if form is None else type(form)(applies)


def _relabel_csv(
    path: Path, changes: Mapping[int, Codes], taxonomy: Taxonomy, file: IO[bytes]
) -> None:
    with path.open("rb") as source:
        first = source.readline()
    separator = separator_of(first.decode("utf-8", errors="replace"))
    rows = list(read_rows(path))
    if first.startswith(_BOM):
        file.write(_BOM)
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    ending = "\r\n" if first.endswith(b"\r\n") else "\n"
    writer = csv.writer(text, delimiter=separator, lineterminator=ending)
    writer.writerow(rows[0].values)
    forms = _forms((row.values for row in rows), taxonomy)
    for number, row in enumerate(rows):
        writer.writerow(_changed(row.values, changes.get(number, {}), taxonomy, forms).values())
    text.detach()


def _relabel_jsonl(
    path: Path, changes: Mapping[int, Codes], taxonomy: Taxonomy, file: IO[bytes]
) -> None:
    forms = _forms((row.values for row in read_rows(path)), taxonomy)
    number = -1
    with path.open("rb") as source:
        for line in source:
            number += bool(line.strip())
            if line.strip() and number in changes:
                values = json.loads(line.decode("utf-8-sig"))
                values = _changed(values, changes[number], taxonomy, forms)
                file.write(json.dumps(values, ensure_ascii=False).encode() + b"\n")
            else:
                file.write(line)


def _relabel_parquet(
    path: Path, changes: Mapping[int, Codes], taxonomy: Taxonomy, file: IO[bytes]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    names = [name for name in _label_columns(taxonomy) if name in table.column_names]
    rows = table.select(names).to_pylist()
    kinds = {name: table.schema.field(name).type for name in names}
    forms = {name: _form_of_nulls(kind) for name, kind in kinds.items()}
    forms |= _forms(rows, taxonomy)
    for number, codes in changes.items():
        rows[number] = _changed(rows[number], codes, taxonomy, forms)
    for name, kind in kinds.items():
        place = table.schema.get_field_index(name)
        # A column of type null holds nothing else: it takes the type of what is put in.
        cells = pa.array([row[name] for row in rows], None if pa.types.is_null(kind) else kind)
        field = table.schema.field(place).with_type(cells.type)
        table = table.set_column(place, field, cells)
    pq.write_table(table, file)


def _form_of_nulls(kind: pa.DataType) -> Any:
    """How a column is written in which every cell is null: its type alone shows it."""
    import pyarrow as pa

    if pa.types.is_nested(kind):
        return []
    if pa.types.is_boolean(kind):
        return False
    return "0" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else 0


_WRITERS: dict[str, Callable[[Path, Mapping[int, Codes], Taxonomy, IO[bytes]], None]] = {
    ".csv": _relabel_csv,
    ".jsonl": _relabel_jsonl,
    ".parquet": _relabel_parquet,
}
