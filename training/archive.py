"""A scored archive as columns: what `posture score` wrote, read without its texts."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from inference.errors import InputError
from inference.records import flat
from inference.tables import TABLE_SUFFIXES, read_rows
from inference.taxonomy import Axis, Taxonomy

_BLOCK_BYTES = 1 << 22
_SLOW_ROWS = 10_000
_PLACE = ("record", "id", "index", "article_id")


@dataclass(frozen=True, slots=True)
class ScoredArchive:
    """Every paragraph of an archive with what a model says of it; the texts stay in the file.

    ids : (n_paragraphs,), strings: the records' `id` where it stands for one paragraph only, and
        `id#index` where it is an article's (a spreadsheet would take 12:3 for a time). Unique.
    article : (n_paragraphs,), which article a paragraph belongs to, 0 to n_articles - 1: the
        record's `article_id`, else its `id`.
    probabilities : (n_paragraphs, n_columns).
    applies : bool (n_paragraphs, n_columns), the decisions; none on an axis that abstained.
    columns : the other columns that were asked for, by name; code -1 is an empty cell.
    """

    taxonomy: Taxonomy
    ids: pa.Array
    article: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    applies: NDArray[np.bool_]
    columns: Mapping[str, pd.Categorical]

    def __len__(self) -> int:
        return len(self.article)

    @property
    def n_articles(self) -> int:
        """How many articles the paragraphs come from."""
        return int(self.article.max()) + 1

    def rows_of(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Where the paragraphs of these ids stand, shape (n_ids,); -1 for an unknown one."""
        place = pc.index_in(self.ids, value_set=pa.array(ids, pa.string()))
        known = np.flatnonzero(pc.is_valid(place).to_numpy(zero_copy_only=False))
        rows = np.full(len(ids), -1)
        rows[pc.drop_null(place).to_numpy()] = known
        return rows

    @classmethod
    def read(cls, path: Path, taxonomy: Taxonomy, columns: Sequence[str] = ()) -> Self:
        """Read the output of `posture score` (.jsonl, .csv, .parquet), and these other columns.

        A column that is not there is read from `input.NAME`, where `--unit paragraph` keeps a
        row's own date, title, source and url.

        Raises InputError for another taxonomy, a column that is missing, a probability that is
        none, and an id that stands twice.
        """
        if path.suffix.lower() not in TABLE_SUFFIXES or not path.is_file():
            found = "nothing" if not path.exists() else f"a {path.suffix or 'suffixless'} file"
            msg = (
                f"{path}: found {found if not path.is_dir() else 'a folder'}; expected what "
                "posture score wrote (.jsonl, .csv, .parquet)"
            )
            raise InputError(msg)
        wanted = _Wanted(taxonomy, tuple(columns))
        try:
            parts = list(_fast_parts(path, wanted))
        except (pa.ArrowException, json.JSONDecodeError, UnicodeDecodeError):
            # What Arrow cannot parse is read row by row: other encodings and flat JSON pass there,
            # and what is broken is named by its line.
            parts = list(_slow_parts(path, wanted))
        return cls._of_parts(parts, wanted, str(path))

    @classmethod
    def of_frame(cls, frame: pd.DataFrame, taxonomy: Taxonomy, columns: Sequence[str] = ()) -> Self:
        """From a data frame as `Scorer.score_frame` gives it, or pandas reads it from a file."""
        if "record" in frame:
            frame = frame[frame["record"] == "paragraph"]
        wanted = _Wanted(taxonomy, tuple(columns))
        table = {
            name: pa.array(frame[name], from_pandas=True)
            for name in wanted.among(list(frame.columns), "the frame")
        }
        return cls._of_parts([_part(table, wanted)], wanted, "the frame")

    @classmethod
    def _of_parts(cls, parts: Sequence[_Part], wanted: _Wanted, where: str) -> Self:
        n = sum(len(part.applies) for part in parts)
        if not n:
            msg = f"{where}: found no scored paragraph; expected what posture score wrote"
            raise InputError(msg)
        own = pa.chunked_array([part.id for part in parts], pa.string())
        index = pa.chunked_array([part.index for part in parts], pa.string())
        article = pc.coalesce(pa.chunked_array([part.article for part in parts], pa.string()), own)
        ids = own
        if pc.count_distinct(ids).as_py() < n:
            ids = pc.binary_join_element_wise(own, index, "#", null_handling="replace")
            if (n_ids := pc.count_distinct(ids).as_py()) < n:
                counted = pc.value_counts(ids)
                twice = counted.filter(pc.greater(counted.field("counts"), 1))[0]["values"]
                msg = (
                    f"{where}: {n - n_ids} paragraph(s) stand a second time (the first: "
                    f"{twice.as_py()!r}); expected each id and index once; score the archive "
                    "again without copies"
                )
                raise InputError(msg)
        probabilities = np.concatenate([part.probabilities for part in parts])
        _check_probabilities(probabilities, wanted.taxonomy, ids, where)
        return cls(
            wanted.taxonomy,
            ids.combine_chunks(),
            _categorical(article).codes.astype(np.int64),
            probabilities,
            np.concatenate([part.applies for part in parts]),
            {
                name: _categorical(
                    pa.chunked_array([part.columns[name] for part in parts], pa.string())
                )
                for name in wanted.columns
            },
        )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The columns that are read: of the taxonomy, and others by name."""

    taxonomy: Taxonomy
    columns: tuple[str, ...]

    @property
    def scored(self) -> list[str]:
        """Those that every archive of the taxonomy has."""
        fields = [axis.field for axis in self.taxonomy.axes]
        return ["id", *fields, *(f"p.{name}" for name in self.taxonomy.column_names)]

    def among(self, found: Sequence[str], where: str) -> list[str]:
        """Those of the columns found that are read. Raises InputError where one is missing."""
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
        sources = [name if name in found else f"input.{name}" for name in self.columns]
        if absent := [
            name for name, s in zip(self.columns, sources, strict=True) if s not in found
        ]:
            others = [
                name for name in found if not name.startswith(("p.", "share.", "confidence."))
            ]
            msg = f"{where}: no column {absent[0]!r}; found {', '.join(others)}; choose one of them"
            raise InputError(msg)
        return [name for name in dict.fromkeys((*_PLACE, *self.scored, *sources)) if name in found]


@dataclass(frozen=True, slots=True)
class _Part:
    """Some rows of an archive, paragraphs only; ids and columns are strings of Arrow."""

    id: pa.Array
    index: pa.Array
    article: pa.Array
    probabilities: NDArray[np.float64]
    applies: NDArray[np.bool_]
    columns: Mapping[str, pa.Array]


def _part(table: Mapping[str, Any], wanted: _Wanted) -> _Part:
    """Rows of any of the formats, by column, as a part."""
    n = len(next(iter(table.values())))
    texts = {name: _text(column, n) for name, column in table.items() if not name.startswith("p.")}
    nothing = pa.nulls(n, pa.string())
    applies = np.concatenate(
        [_decisions(texts[axis.field], axis) for axis in wanted.taxonomy.axes], axis=1
    )
    probabilities = np.column_stack(
        [
            pc.cast(table[f"p.{name}"], pa.float64()).to_numpy(zero_copy_only=False)
            for name in wanted.taxonomy.column_names
        ]
    )
    article = texts.get("article_id", nothing)
    return _Part(
        texts["id"],
        texts.get("index", nothing),
        pc.if_else(pc.equal(article, ""), pa.scalar(None, pa.string()), article),
        probabilities,
        applies,
        {name: texts[name] if name in texts else texts[f"input.{name}"] for name in wanted.columns},
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
    encoded = _categorical(column)
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


def _categorical(column: Any) -> pd.Categorical:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    encoded = pc.dictionary_encode(column)
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return pd.Categorical.from_codes(codes, encoded.dictionary.to_pylist())


def _check_probabilities(
    probabilities: NDArray[np.float64], taxonomy: Taxonomy, ids: Any, where: str
) -> None:
    bad = ~((probabilities >= 0) & (probabilities <= 1))  # NaN is bad too
    if bad.any():
        row, column = np.argwhere(bad)[0].tolist()
        msg = (
            f"{where}: paragraph {ids[row].as_py()!r} has p.{taxonomy.column_names[column]} = "
            f"{probabilities[row, column]}; expected 0 to 1; score the archive again"
        )
        raise InputError(msg)


def _fast_parts(path: Path, wanted: _Wanted) -> Iterator[_Part]:
    """Block by block with Arrow's readers, which leave unread what is not wanted."""
    readers = {".parquet": _parquet_tables, ".csv": _csv_tables, ".jsonl": _json_tables}
    for table in readers[path.suffix.lower()](path, wanted):
        own = table
        if "record" in table.column_names:
            own = table.filter(pc.equal(table["record"].cast(pa.string()), "paragraph"))
        if len(own):
            yield _part({name: own[name].combine_chunks() for name in own.column_names}, wanted)


def _parquet_tables(path: Path, wanted: _Wanted) -> Iterator[Any]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    names = wanted.among(file.schema_arrow.names, str(path))
    for batch in file.iter_batches(1 << 16, columns=names):
        yield pa.Table.from_batches([batch])


def _csv_tables(path: Path, wanted: _Wanted) -> Iterator[Any]:
    import pyarrow.csv as pv

    with path.open(encoding="utf-8-sig", newline="") as text:
        first = text.readline()
    separator = max(",;\t", key=first.count)
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


def _json_tables(path: Path, wanted: _Wanted) -> Iterator[Any]:
    import pyarrow.json as pj

    with path.open("rb") as file:
        first = json.loads(next((line for line in file if line.strip()), b"{}"))
    if not isinstance(first, dict) or "probabilities" not in first:
        msg = "flat records, or none"
        raise pa.ArrowInvalid(msg)
    names = wanted.among([*flat(first)], str(path))
    taxonomy = wanted.taxonomy
    fields = {axis.field: axis for axis in taxonomy.axes}
    types = {
        name: pa.int64()
        if name == "index"
        else pa.list_(pa.string())
        if name in fields and not fields[name].exclusive
        else pa.string()
        for name in names
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


def _slow_parts(path: Path, wanted: _Wanted) -> Iterator[_Part]:
    rows = (
        (row.where, flat(dict(row.values)))
        for row in read_rows(path)
        if row.values.get("record", "paragraph") == "paragraph"
    )
    names: list[str] = []
    while block := list(islice(rows, _SLOW_ROWS)):
        names = names or wanted.among(list(block[0][1]), block[0][0])
        yield _part({name: _column(name, block) for name in names}, wanted)


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
            msg = f"{where}: {name} = {values.get(name)!r}; expected a probability, 0 to 1"
            raise InputError(msg) from error
    return pa.array(numbers, pa.float64())
