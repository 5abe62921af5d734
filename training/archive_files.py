"""Reads the columns of a scored archive out of .jsonl, .csv and .parquet, block by block."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from inference.errors import InputError
from inference.records import flat
from inference.tables import read_rows, separator_of
from inference.taxonomy import Axis, Taxonomy

_BLOCK_BYTES = 1 << 22
_SLOW_ROWS = 10_000
_PLACE = ("record", "id", "index", "article_id")
_SCORES = ("p.", "share.", "confidence.")


@dataclass(frozen=True, slots=True)
class WantedColumns:
    """The columns that are read: of the taxonomy, and others by name."""

    taxonomy: Taxonomy
    columns: tuple[str, ...]

    @property
    def scored(self) -> list[str]:
        """Those that every archive of the taxonomy has."""
        fields = [axis.field for axis in self.taxonomy.axes]
        return ["id", *fields, *(f"p.{name}" for name in self.taxonomy.column_names)]

    @property
    def names(self) -> list[str]:
        """All that is read where a file has it: those asked for by their `input.NAME` too."""
        own = (source for name in self.columns for source in sources(name))
        return list(dict.fromkeys((*_PLACE, *self.scored, *own)))

    def among(self, found: Collection[str], where: str) -> list[str]:
        """Those of the columns found that are read. Raises InputError where one is missing."""
        self.check_scores(found, where)
        self.check_columns(found, where)
        return [name for name in self.names if name in found]

    def check_scores(self, found: Collection[str], where: str) -> None:
        """Raise InputError where a column of the taxonomy is missing, or one is of another."""
        if missing := [name for name in self.scored if name not in found]:
            msg = (
                f"{where}: column(s) missing: {', '.join(missing)}; expected what posture score "
                "wrote with a model of this taxonomy; give the model's own with --taxonomy"
            )
            raise InputError(msg)
        known = {f"p.{name}" for name in self.taxonomy.column_names}
        if other := [name for name in found if name.startswith("p.") and name not in known]:
            msg = (
                f"{where}: scores of another taxonomy ({', '.join(other)}); expected those of "
                f"{', '.join(self.taxonomy.column_names)}; give the model's own with --taxonomy"
            )
            raise InputError(msg)

    def check_columns(self, found: Collection[str], where: str) -> None:
        """Raise InputError where a column that was asked for is missing."""
        if absent := self.absent(found):
            others = ", ".join(name for name in found if not name.startswith(_SCORES))
            msg = f"{where}: no column {absent[0]!r}; found {others}; choose one of them"
            raise InputError(msg)

    def absent(self, found: Collection[str]) -> list[str]:
        """Those asked for that are under neither of their names among the columns found."""
        return [
            name for name in self.columns if not any(source in found for source in sources(name))
        ]


def sources(name: str) -> list[str]:
    """Where a column's cell is: under its name, or where that is empty under `input.NAME`.

    Scores are no column to ask for; one of the archive's own that is named like them is
    `input.NAME` only.
    """
    return [one for one in (name, f"input.{name}") if not one.startswith(_SCORES)]


def is_paragraph(values: Mapping[str, Any]) -> bool:
    """Whether a row of an archive is a paragraph, as one is that does not say what it is."""
    return values.get("record") in (None, "", "paragraph")


@dataclass(frozen=True, slots=True)
class ArchivePart:
    """Some rows of an archive, paragraphs only; ids and columns are strings of Arrow."""

    id: pa.Array
    index: pa.Array
    article: pa.Array
    probabilities: NDArray[np.float64]
    applies: NDArray[np.bool_]
    columns: Mapping[str, pa.Array]


def part_of(table: Mapping[str, Any], wanted: WantedColumns) -> ArchivePart:
    """Rows of any of the formats, by column, as a part."""
    n = len(next(iter(table.values())))
    texts = {name: _text(column, n) for name, column in table.items() if not name.startswith("p.")}
    applies = np.concatenate(
        [_decisions(texts[axis.field], axis) for axis in wanted.taxonomy.axes], axis=1
    )
    probabilities = np.column_stack(
        [
            pc.cast(table[f"p.{name}"], pa.float64()).to_numpy(zero_copy_only=False)
            for name in wanted.taxonomy.column_names
        ]
    )

    def filled(*names: str) -> pa.Array:
        """Of columns that may be there the first cell that is not empty."""
        nothing = pa.nulls(n, pa.string())
        own = (texts[name] for name in names if name in texts)
        return pc.coalesce(*(pc.if_else(pc.equal(one, ""), nothing, one) for one in own), nothing)

    return ArchivePart(
        texts["id"],
        filled("index"),
        filled("article_id"),
        probabilities,
        applies,
        {name: filled(*sources(name)) for name in wanted.columns},
    )


def _text(column: Any, n: int) -> pa.Array:
    if pa.types.is_null(column.type):
        return pa.nulls(n, pa.string())
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        column = pc.binary_join(pc.cast(column, pa.list_(pa.string())), "|")
    elif pa.types.is_floating(column.type) and pc.all(pc.equal(column, pc.trunc(column))).as_py():
        column = pc.cast(column, pa.int64())  # pandas' whole numbers beside empty cells
    return pc.cast(column, pa.string())


def _decisions(column: pa.Array, axis: Axis) -> NDArray[np.bool_]:
    """Cells like `a|b` to one bool a label; a column has few different ones."""
    encoded = categorical(column)
    given = [[code for code in cell.split("|") if code] for cell in encoded.categories]
    if unknown := [code for codes in given for code in codes if code not in axis.codes]:
        msg = (
            f"{axis.field}: found the label {unknown[0]!r}; expected {', '.join(axis.codes)}; "
            "give the taxonomy of the model that scored with --taxonomy"
        )
        raise InputError(msg)
    # Code -1, an empty cell, takes the last row.
    table = np.array([[c in codes for c in axis.codes] for codes in (*given, [])], np.bool_)
    decided: NDArray[np.bool_] = table[encoded.codes]
    return decided


def categorical(column: Any) -> pd.Categorical:
    """A column of Arrow's strings; code -1 is an empty cell."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    encoded = pc.dictionary_encode(column)
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return pd.Categorical.from_codes(codes, encoded.dictionary.to_pylist())


def read_parts(path: Path, wanted: WantedColumns) -> list[ArchivePart]:
    """The paragraphs of a file of `TABLE_SUFFIXES`, in parts; raises InputError for bad rows."""
    try:
        return list(_fast_parts(path, wanted))
    except (pa.ArrowException, json.JSONDecodeError, UnicodeDecodeError):
        # What Arrow cannot parse is read row by row: other encodings and flat JSON pass there,
        # and what is broken is named by its line.
        return list(_slow_parts(path, wanted))


def _fast_parts(path: Path, wanted: WantedColumns) -> Iterator[ArchivePart]:
    """Block by block with Arrow's readers, which leave unread what is not wanted."""
    readers = {".parquet": _parquet_tables, ".csv": _csv_tables, ".jsonl": _json_tables}
    for table in readers[path.suffix.lower()](path, wanted):
        own = table
        if "record" in table.column_names:
            record = pc.fill_null(table["record"].cast(pa.string()), "paragraph")
            own = table.filter(pc.is_in(record, pa.array(["", "paragraph"])))
        if len(own):
            yield part_of({name: own[name].combine_chunks() for name in own.column_names}, wanted)


def _parquet_tables(path: Path, wanted: WantedColumns) -> Iterator[Any]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    names = wanted.among(file.schema_arrow.names, str(path))
    for batch in file.iter_batches(1 << 16, columns=names):
        yield pa.Table.from_batches([batch])


def _csv_tables(path: Path, wanted: WantedColumns) -> Iterator[Any]:
    import pyarrow.csv as pv

    with path.open(encoding="utf-8-sig", newline="") as text:
        first = text.readline()
    separator = separator_of(first)
    found = [name.strip() for name in next(csv.reader([first], delimiter=separator), [])]
    if not found:
        msg = "no header"
        raise pa.ArrowInvalid(msg)
    own = wanted.among(found, str(path))
    types = {name: pa.float64() if name.startswith("p.") else pa.string() for name in own}
    reader = pv.open_csv(
        path,
        pv.ReadOptions(block_size=_BLOCK_BYTES),
        pv.ParseOptions(delimiter=separator, newlines_in_values=True),
        pv.ConvertOptions(
            include_columns=own,
            column_types=types,
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    for batch in reader:
        yield pa.Table.from_batches([batch])


def _json_tables(path: Path, wanted: WantedColumns) -> Iterator[Any]:
    import pyarrow.json as pj

    found = _json_columns(path, wanted)
    if not found:
        msg = "flat records, or none"
        raise pa.ArrowInvalid(msg)
    wanted.check_scores(found, str(path))
    wanted.check_columns(found, str(path))
    taxonomy = wanted.taxonomy
    fields = {axis.field: axis for axis in taxonomy.axes}
    types = {
        name: pa.int64()
        if name == "index"
        else pa.list_(pa.string())
        if name in fields and not fields[name].exclusive
        else pa.string()
        for name in wanted.names
        if not name.startswith("p.")
    }
    nested = pa.struct(
        [
            (axis.name, pa.struct([(code, pa.float64()) for code in axis.codes]))
            for axis in taxonomy.axes
        ]
    )
    reader = pj.open_json(
        path,
        pj.ReadOptions(block_size=_BLOCK_BYTES),
        pj.ParseOptions(
            explicit_schema=pa.schema([*types.items(), ("probabilities", nested)]),
            unexpected_field_behavior="ignore",
        ),
    )
    for batch in reader:
        columns = {name: batch.column(name) for name in types}
        for axis in taxonomy.axes:
            for code in axis.codes:
                columns[f"p.{axis.name}.{code}"] = pc.struct_field(
                    batch.column("probabilities"), [axis.name, code]
                )
        yield pa.table(columns)


def _json_columns(path: Path, wanted: WantedColumns) -> dict[str, None]:
    """The columns of nested records, up to the record with the last of those asked for.

    That is nearly always the first, but a key may stand in any: what is absent is an empty cell.
    """
    found: dict[str, None] = {}
    with path.open("rb") as file:
        for record in (json.loads(line) for line in file if line.strip()):
            if not isinstance(record, dict) or not (found or "probabilities" in record):
                return {}
            if is_paragraph(record):
                found |= dict.fromkeys(flat(record))
            if not wanted.absent(found):
                break
    return found


def _slow_parts(path: Path, wanted: WantedColumns) -> Iterator[ArchivePart]:
    rows = (
        (row.where, flat(dict(row.values))) for row in read_rows(path) if is_paragraph(row.values)
    )
    found: dict[str, None] = {}
    while block := list(islice(rows, _SLOW_ROWS)):
        if not found:
            wanted.check_scores(block[0][1], block[0][0])
        found |= {name: None for _, values in block for name in values}
        yield part_of({name: _column(name, block) for name in wanted.names}, wanted)
    wanted.check_columns(found, str(path))


def _column(name: str, block: Sequence[tuple[str, Mapping[str, Any]]]) -> pa.Array:
    if not name.startswith("p."):
        cells = (values.get(name) for _, values in block)
        return pa.array(
            [
                None
                if cell is None or cell == ""
                else "|".join(map(str, cell))
                if isinstance(cell, list)
                else str(cell)
                for cell in cells
            ],
            pa.string(),
        )
    numbers = []
    for where, values in block:
        try:
            numbers.append(float(values[name]))
        except (KeyError, TypeError, ValueError) as error:
            msg = (
                f"{where}: {name} = {values.get(name)!r}; expected a probability, 0 to 1, with a "
                "decimal point; score the archive again, and save it in no spreadsheet"
            )
            raise InputError(msg) from error
    return pa.array(numbers, pa.float64())
