"""Output formats; each is one function from records to a stream of bytes."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from inference.label_styles import label_style
from inference.records import Record, flat

if TYPE_CHECKING:
    import pyarrow as pa

    from inference.taxonomy import Axis, Taxonomy

_BATCH_ROWS = 10_000
_LEGEND = (
    "sure: probability of the decision (of the least sure one where any number of labels may "
    "apply). expected: mean probability. strongest: the paragraph with the largest probability."
)
_WIDEST_LABEL = 16  # characters; a longer code wraps


def write_jsonl(records: Iterable[Record], file: IO[bytes], taxonomy: Taxonomy) -> None:  # noqa: ARG001
    """One JSON object a line."""
    for record in records:
        line = json.dumps(record, ensure_ascii=False, default=str)
        file.write(line.encode(errors="replace") + b"\n")


def write_csv(records: Iterable[Record], file: IO[bytes], taxonomy: Taxonomy) -> None:  # noqa: ARG001
    """Flat rows; several labels are joined as `a|b`."""
    with _spooled(records) as (columns, read):
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        for row in read():
            writer.writerow(
                {
                    key: "|".join(map(str, value)) if isinstance(value, list) else value
                    for key, value in row.items()
                }
            )
        text.detach()


def write_parquet(records: Iterable[Record], file: IO[bytes], taxonomy: Taxonomy) -> None:  # noqa: ARG001
    """Flat rows; several labels are a list."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _spooled(records) as (columns, read):
        kinds: dict[str, set[str]] = {name: set() for name in columns}
        for row in read():
            for name, value in row.items():
                if value is not None:
                    kinds[name].add(_kind(value))
        schema = pa.schema([(name, _arrow_type(kinds[name])) for name in columns])
        with pq.ParquetWriter(file, schema) as writer:
            for batch in _batches(read()):
                writer.write_table(pa.Table.from_pylist(_fitting(batch, schema), schema=schema))


def write_table(records: Iterable[Record], file: IO[bytes], taxonomy: Taxonomy) -> None:
    """For people at a terminal: an article's paragraphs as a table, then its summary."""
    from rich.console import Console

    text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", write_through=True)
    console = Console(file=text)
    paragraphs: list[Record] = []
    record: Record | None = None
    for record in records:
        if record["record"] == "paragraph":
            paragraphs.append(record)
        else:
            console.print(_paragraph_table(paragraphs, record, taxonomy))
            console.print(_summary_table(record["summary"], taxonomy))
            paragraphs = []
    if paragraphs:
        console.print(_paragraph_table(paragraphs, None, taxonomy))
    if record is not None:
        console.print(_LEGEND, style="dim")
    text.detach()


WRITERS: dict[str, Callable[[Iterable[Record], IO[bytes], Taxonomy], None]] = {
    "table": write_table,
    "jsonl": write_jsonl,
    "csv": write_csv,
    "parquet": write_parquet,
}


@contextmanager
def _spooled(
    records: Iterable[Record],
) -> Iterator[tuple[list[str], Callable[[], Iterator[Record]]]]:
    """The columns of flat records, and a function that reads the records from the start.

    Rows may differ in their columns, so they are laid aside on disk until the last one has shown
    which columns there are.
    """
    columns: dict[str, None] = {}
    with tempfile.TemporaryFile() as spool:
        for record in records:
            row = flat(record)
            columns |= dict.fromkeys(row)
            line = json.dumps(row, ensure_ascii=False, default=str)
            spool.write(line.encode(errors="replace") + b"\n")

        def read() -> Iterator[Record]:
            spool.seek(0)
            return (json.loads(line) for line in spool)

        yield list(columns), read


def _batches(rows: Iterator[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _kind(value: object) -> str:
    """The value's type, "long" for an integer that no float holds, "text" where none fits."""
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        return "text"
    if isinstance(value, int) and not -(1 << 53) <= value <= 1 << 53:
        return "long" if -(1 << 63) <= value < 1 << 63 else "text"
    return type(value).__name__


def _arrow_type(kinds: set[str]) -> pa.DataType:
    import pyarrow as pa

    if kinds == {"list"}:
        return pa.list_(pa.string())
    if kinds == {"bool"}:
        return pa.bool_()
    if kinds and kinds <= {"int", "long"}:
        return pa.int64()
    if kinds and kinds <= {"int", "float"}:
        return pa.float64()
    return pa.string()


def _fitting(rows: list[Record], schema: pa.Schema) -> list[Record]:
    """Rows whose values of mixed columns are text."""
    import pyarrow as pa

    texts = {field.name for field in schema if field.type == pa.string()}
    return [
        {
            key: value
            if key not in texts or isinstance(value, str | None)
            else json.dumps(value, ensure_ascii=False)
            for key, value in row.items()
        }
        for row in rows
    ]


def _paragraph_table(paragraphs: list[Record], article: Record | None, taxonomy: Taxonomy) -> Any:
    from rich.table import Table
    from rich.text import Text

    title = (article or {}).get("title") or (article or {}).get("id") or ""
    table = Table(title=Text(str(title)), title_justify="left", expand=True)
    table.add_column("¶", justify="right")
    table.add_column("text", ratio=1, no_wrap=True, overflow="ellipsis")
    for axis in taxonomy.axes:
        longest = max(map(len, axis.codes))
        table.add_column(axis.field, min_width=min(longest, _WIDEST_LABEL))
        table.add_column("sure", justify="right", min_width=4)
    for paragraph in paragraphs:
        cells: list[Any] = [
            str(paragraph["index"] + 1),
            Text(" ".join(paragraph["text"].split())[:200]),
        ]
        for axis in taxonomy.axes:
            cells.append(_label_text(paragraph, axis))
            cells.append(f"{paragraph['confidence'][axis.name]:.0%}")
        table.add_row(*cells)
    return table


def _label_text(paragraph: Record, axis: Axis) -> Any:
    from rich.text import Text

    value = paragraph[axis.field]
    if axis.name in paragraph["abstained"]:
        return Text("abstained", style="dim")
    if isinstance(value, list):
        return Text(", ".join(value) or "–")
    return Text(value, style=label_style(axis, value))


def _summary_table(summary: dict[str, Any], taxonomy: Taxonomy) -> Any:
    from rich.table import Table
    from rich.text import Text

    n = summary["n_paragraphs"]
    table = Table(title=f"Summary of {n} paragraph{'' if n == 1 else 's'}", title_justify="left")
    for column in ("axis", "label", "paragraphs", "share", "expected", "strongest ¶"):
        table.add_column(column, justify="left" if column in ("axis", "label") else "right")
    for axis in taxonomy.axes:
        for label in axis.labels:
            one = summary[axis.name][label.code]
            table.add_row(
                axis.name,
                Text(label.en),
                str(one["count"]),
                f"{one['share']:.0%}",
                f"{one['expected_share']:.0%}",
                "–" if one["strongest"] is None else str(one["strongest"] + 1),
            )
    return table
