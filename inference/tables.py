"""Tables of texts: rows of CSV, JSON Lines and Parquet, streamed, each with its place."""

from __future__ import annotations

import codecs
import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from inference.article import Article, Paragraph
from inference.decode import decode, mend_mojibake
from inference.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

TABLE_SUFFIXES = (".csv", ".jsonl", ".parquet")
UNITS = ("article", "paragraph")

_ARTICLE_FIELDS = ("title", "date", "source", "url")
_CHUNK_BYTES = 1 << 20
_BATCH_ROWS = 1_000
_JSON_START = re.compile(r"\{|\[\s*(\{|\Z)")  # « [Archives] » begins a text
_QUOTED = re.compile(r'"[^"]*"')
_SEPARATOR = re.compile(r"[,;\t]")
_TOO_DEEP = "found values nested too deep to be read; expected a few levels; flatten them"
_ONE_OBJECT = "expected one JSON object a line, as jq -c '.[]' makes them of an array"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: where it stands (« file.csv, line 3 ») and its values by column."""

    where: str
    values: Mapping[str, Any]


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of a table, by its suffix. Raises InputError where one cannot be read."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            yield from _parquet_rows(path)
        else:
            with path.open("rb") as file:
                yield from stream_rows(file, suffix, str(path))
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]  # Arrow's errors have many lines
        msg = f"{path}: cannot be read ({reason}); expected a whole file; write it again"
        raise InputError(msg) from error


def stream_rows(
    file: IO[bytes], suffix: str, where: str, head: Sequence[bytes] = ()
) -> Iterator[Row]:
    """Rows of a CSV or JSON Lines file that is open for reading bytes.

    head : lines that have been read from it before.
    """
    if suffix == ".csv":
        return _csv_rows(file, where, head)
    return _json_rows(chain(head, file), where)


def table_suffix(first_line: str) -> str | None:
    """The suffix of a table that begins so, if only by mistake; None where none does."""
    if _JSON_START.match(first_line):
        return ".jsonl"
    columns = {name.strip(' "').lower() for name in _SEPARATOR.split(first_line)}
    return ".csv" if "text" in columns else None


class Ids:
    """The ids of one run's texts: each may stand for one text only."""

    def __init__(self) -> None:
        self._text_of: dict[int, int] = {}  # hashes, not strings: a million must fit in memory

    def check(
        self, identifier: str, text: str, where: str, remedy: str = "give each its own id"
    ) -> None:
        """Raise InputError if the id has stood for another text."""
        if self._text_of.setdefault(hash(identifier), hash(text)) != hash(text):
            msg = (
                f"{where}: id {identifier!r} stands a second time with another text; expected "
                f"one text an id; {remedy}"
            )
            raise InputError(msg)


def articles_of_rows(rows: Iterable[Row], unit: str, ids: Ids) -> Iterator[Article]:
    """One article a row, cut into paragraphs; or, with unit "paragraph", one paragraph a row.

    A row without `id` gets its place as one. Columns that are not the unit's own go to `extra`.
    Raises InputError for a row without text and for two texts of one id.
    """
    for row in rows:
        try:
            values = {name: _plain(value) for name, value in row.values.items()}
        except RecursionError as error:
            msg = f"{row.where}: {_TOO_DEEP}"
            raise InputError(msg) from error
        text = values.pop("text", None)
        if not isinstance(text, str):
            found = ", ".join(map(repr, row.values)) or "none"
            msg = f"{row.where}: expected a column 'text' with a text; found " + (
                f"{text!r} in it; leave the row out, or put an empty text"
                if "text" in row.values
                else f"the columns {found}; name the column of the texts 'text'"
            )
            raise InputError(msg)
        text = mend_mojibake(text)
        given = values.pop("id", None)
        identifier = row.where if given in (None, "") else str(given)
        ids.check(identifier, text, row.where)
        if unit == "paragraph":
            heading = _string(values.pop("heading", None))
            preceding = _string(values.pop("preceding", None))
            paragraph = Paragraph(text, 0, len(text), heading, preceding)
            yield Article(text, (paragraph,), id=identifier, extra=values)
        else:
            fields = {name: _string(values.pop(name, None)) for name in _ARTICLE_FIELDS}
            yield Article.from_text(text, id=identifier, extra=values, **fields)


def _string(value: object) -> str:
    return "" if value is None else str(value)


def _plain(value: Any) -> Any:
    """The value as JSON in UTF-8 can hold it: no NaN, no infinity, no half a surrogate pair."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()  # « ? » keeps every offset
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):  # a tuple is an entry of one of Parquet's maps
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _check_names(names: Sequence[str], where: str) -> None:
    """Raise InputError if a column stands twice: one of its two values would be lost."""
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        msg = f"{where}: column(s) {twice} stand twice; name each column once"
        raise InputError(msg)


def _json_rows(lines: Iterable[bytes], where: str) -> Iterator[Row]:
    found = False
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{where}, line {number}"
        try:
            values = json.loads(
                line.decode("utf-8-sig"), object_pairs_hook=partial(_json_object, place)
            )
        except InputError:
            raise
        except RecursionError as error:
            msg = f"{place}: {_TOO_DEEP}"
            raise InputError(msg) from error
        except ValueError as error:
            msg = f"{place}: not JSON in UTF-8 ({error}); {_ONE_OBJECT}"
            raise InputError(msg) from error
        if not isinstance(values, dict):
            msg = f"{place}: found {type(values).__name__}; {_ONE_OBJECT}"
            raise InputError(msg)
        found = True
        yield Row(place, values)
    if not found:
        msg = f"{where}: found no row; {_ONE_OBJECT}"
        raise InputError(msg)


def _json_object(where: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [_plain(name) for name, _ in pairs]
    _check_names(names, where)
    return {name: value for name, (_, value) in zip(names, pairs, strict=True)}


def separator_of(header: str) -> str:
    """What parts the cells of a CSV: Excel in French writes semicolons, and the header shows it."""
    return max(",;\t", key=_QUOTED.sub("", header).count)


def _csv_rows(file: IO[bytes], where: str, head: Sequence[bytes]) -> Iterator[Row]:
    text = _csv_text(file, where, head)
    first = text.readline()
    separator = separator_of(first)
    reader = csv.reader(chain([first], text), delimiter=separator, strict=True)
    header: list[str] | None = None
    line, found = 1, False
    try:
        for written in reader:
            start, line = line, reader.line_num + 1
            if not written:
                continue
            place = f"{where}, line {start}"
            if header is None:
                header = _without_empty_end([name.strip() for name in written], 0)
                _check_names(header, place)
                continue
            cells = _without_empty_end(written, len(header))
            if len(cells) != len(header):
                msg = (
                    f"{place}: {len(cells)} cells; expected {len(header)} as in the header; "
                    f"quote texts that hold {separator!r}, and name every column"
                )
                raise InputError(msg)
            found = True
            yield Row(place, dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        msg = f"{where}, line {line}: not CSV ({error}); expected commas and double quotes"
        raise InputError(msg) from error
    finally:
        if isinstance(text, io.TextIOWrapper):
            text.detach()  # it would close the caller's file
    if not found:
        rows = "the file is empty" if header is None else "found a header and no row"
        msg = f"{where}: {rows}; expected a header and rows below it"
        raise InputError(msg)


def _without_empty_end(cells: list[str], least: int) -> list[str]:
    """The cells less the empty ones at the end, which spreadsheets write, but for the `least`."""
    n = len(cells)
    while n > least and not cells[n - 1]:
        n -= 1
    return cells[:n]


def _csv_text(file: IO[bytes], where: str, head: Sequence[bytes]) -> io.TextIOWrapper | io.StringIO:
    """The file as text: UTF-8 is streamed, another encoding is read whole."""
    csv.field_size_limit(1 << 30)  # the default, 128 KiB, is shorter than a long article
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    spool = file if file.seekable() else io.BytesIO(b"".join([*head, file.read()]))
    spool.seek(0)
    start = spool.read(64)
    try:
        decoder.decode(start)
        if b"\x00" in start:
            raise UnicodeDecodeError("utf-8", start, 0, 1, "a NUL byte")
        while chunk := spool.read(_CHUNK_BYTES):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        spool.seek(0)
        return io.StringIO(decode(spool.read(), where), newline="")
    spool.seek(0)
    return io.TextIOWrapper(spool, encoding="utf-8-sig", newline="")


def _parquet_rows(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        table = pq.ParquetFile(path)
        names = table.schema_arrow.names
        _check_names(names, str(path))
        for batch in table.iter_batches(_BATCH_ROWS):
            columns = [
                _parquet_cells(column, f"{path}, column {name!r}")
                for name, column in zip(names, batch.columns, strict=True)
            ]
            for cells in zip(*columns, strict=True):
                number += 1
                yield Row(f"{path}, row {number}", dict(zip(names, cells, strict=True)))
    except pa.ArrowException as error:
        msg = f"{path}: not a Parquet table ({str(error).splitlines()[0]}); write it again"
        raise InputError(msg) from error
    if not number:
        msg = f"{path}: found columns and no row; expected at least one; give another file"
        raise InputError(msg)


def _parquet_cells(column: pa.Array, where: str) -> list[Any]:
    try:
        cells: list[Any] = column.to_pylist()
    except (ValueError, OverflowError, LookupError) as error:
        msg = (
            f"{where}: found a value that cannot be read ({type(error).__name__}: {error}); "
            "expected texts in UTF-8, numbers, or dates up to the year 9999; write it as text"
        )
        raise InputError(msg) from error
    return cells
