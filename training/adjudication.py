"""The suspects of an audit as a table to fill in, and the way back into the corpus's own files."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from inference.destination import check_new, destination
from inference.errors import InputError
from inference.tables import TABLE_SUFFIXES, Row, read_rows
from inference.taxonomy import Axis, Taxonomy
from training.audit import Audit, given_codes
from training.corpus import LabelledCorpus
from training.label_cells import axis_labels, bad_rows, cell_text

if TYPE_CHECKING:
    import pyarrow as pa

_BOM = b"\xef\xbb\xbf"
_SPELLINGS = (("0", "1"), ("0.0", "1.0"), ("false", "true"), ("False", "True"), ("FALSE", "TRUE"))
_SPELLING_OF = {cell: pair for pair in _SPELLINGS for cell in pair}

Codes = dict[str, list[str]]  # axis → codes


def write_suspects(audit: Audit, path: Path) -> None:
    """Write the suspects as CSV, the least believed first, with empty cells for new labels.

    `new_topics` and `new_tone` (the fields of the taxonomy's axes) are to be filled in: `a|b`, or
    `-` for no label. An empty cell leaves the labels as they are. Other columns may be added.
    Raises InputError where the file exists already.
    """
    check_new(path)
    corpus, axes = audit.corpus, audit.corpus.taxonomy.spans()
    with destination(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(text, lineterminator="\n")
        fields = [axis.field for axis, _ in axes]
        header = ["id", "article_id", "text", "heading", *fields]
        header += [f"model_{name}" for name in fields] + ["self_confidence", "reasons"]
        writer.writerow(header + [f"new_{name}" for name in fields])
        for row in audit.suspects():
            entry = corpus.table.iloc[row]
            writer.writerow(
                [
                    *(entry[name] for name in ("id", "article_id", "text", "heading")),
                    *("|".join(given_codes(corpus, row, axis, span)) for axis, span in axes),
                    *(_model_says(audit, row, axis, span) for axis, span in axes),
                    f"{audit.self_confidence[row]:.3f}",
                    "; ".join(audit.reasons(row)),
                    *("" for _ in axes),
                ]
            )
        text.detach()


def _model_says(audit: Audit, row: int, axis: Axis, span: slice) -> str:
    """The labels that are more likely than not, or given, each with its probability."""
    likely = [
        (probability, code)
        for code, probability, given in zip(
            axis.codes, audit.probabilities[row, span], audit.corpus.labels[row, span], strict=True
        )
        if given or probability >= 0.5
    ]
    return ", ".join(f"{code} {probability:.2f}" for probability, code in sorted(likely)[::-1])


def apply_verdicts(verdicts: Path, corpus: Path, output: Path, taxonomy: Taxonomy) -> Counter[str]:
    """Write the corpus anew with the labels that were filled in; count what changed, by change.

    A table becomes a table of the same kind, a folder a new folder with all its files. Everything
    but the adjudicated cells stays as it is, save that a CSV in another encoding is written as
    UTF-8. Raises InputError that names every bad row, as where the corpus is no longer the one
    that was audited.
    """
    _check_paths(verdicts, corpus, output)
    labelled = LabelledCorpus.read(corpus, taxonomy)
    changes, counts = _changes(verdicts, labelled)
    if corpus.is_dir():
        n_paragraphs = int((~labelled.table["passage"]).sum())
        with _new_folder(corpus, output) as folder:
            for name, first in (("paragraphs.csv", 0), ("passages.csv", n_paragraphs)):
                if (corpus / name).exists():
                    own = {row - first: codes for row, codes in changes.items()}
                    with (folder / name).open("wb") as file:
                        _rewrite_csv(corpus / name, own, taxonomy, file)
    else:
        with destination(output) as file:
            _REWRITERS[corpus.suffix.lower()](corpus, changes, taxonomy, file)
    return counts


def _check_paths(verdicts: Path, corpus: Path, output: Path) -> None:
    if output.resolve() in (corpus.resolve(), verdicts.resolve()):
        msg = f"{output}: is what is read; expected a new name, since nothing is changed in place"
        raise InputError(msg)
    if corpus.is_dir():
        if not (corpus / "paragraphs.csv").exists():
            msg = f"{corpus}: found no paragraphs.csv; expected a corpus's folder or a table"
            raise InputError(msg)
        if output.exists():
            msg = f"{output}: already exists; expected a new folder for the corrected corpus"
            raise InputError(msg)
    elif corpus.suffix.lower() not in TABLE_SUFFIXES:
        msg = f"{corpus}: expected a table ({', '.join(TABLE_SUFFIXES)}) or a folder like it"
        raise InputError(msg)
    elif output.suffix.lower() != corpus.suffix.lower():
        msg = f"{output}: expected a {corpus.suffix} file, as the corpus is one"
        raise InputError(msg)


def _changes(verdicts: Path, corpus: LabelledCorpus) -> tuple[dict[int, Codes], Counter[str]]:
    """New codes by row of the corpus, and how often each label is added or taken away."""
    rows_of: dict[str, list[int]] = {}
    for row, identifier in enumerate(corpus.table["id"]):
        rows_of.setdefault(identifier, []).append(row)
    changes: dict[int, Codes] = {}
    counts: Counter[str] = Counter()
    problems: list[str] = []
    new_of: dict[str, Codes] = {}
    for number, verdict in enumerate(read_rows(verdicts)):
        if number == 0:
            _check_columns(verdict, corpus.taxonomy)
        new, wrong = _new_codes(verdict, corpus.taxonomy)
        identifier = cell_text(verdict.values["id"])
        rows = rows_of.get(identifier, [])
        wrong += _stale(verdict, corpus, rows, new)
        if new and new_of.setdefault(identifier, new) != new:
            wrong.append(f"id {identifier!r} gets other new labels above")
        problems += [f"{verdict.where}: {problem}" for problem in wrong]
        for row in rows if new and not wrong else ():
            before = _codes_by_axis(corpus, row)
            for axis, codes in new.items():
                if before[axis] != codes:
                    changes.setdefault(row, {})[axis] = codes
                    counts.update(f"+{axis}.{x}" for x in codes if x not in before[axis])
                    counts.update(f"-{axis}.{x}" for x in before[axis] if x not in codes)
    if problems:
        raise bad_rows(str(verdicts), problems)
    counts["texts"] = len(changes)
    return changes, counts


def _codes_by_axis(corpus: LabelledCorpus, row: int) -> Codes:
    return {
        axis.name: given_codes(corpus, row, axis, span) for axis, span in corpus.taxonomy.spans()
    }


def _stale(verdict: Row, corpus: LabelledCorpus, rows: list[int], new: Codes) -> list[str]:
    """How a verdict does not fit the corpus: it was given on another one, or on an older state.

    Labels that are already the new ones fit: verdicts may be applied a second time.
    """
    identifier = cell_text(verdict.values["id"])
    if not rows:
        return [f"id {identifier!r} is not in the corpus"]
    if corpus.table["text"].iloc[rows[0]] != cell_text(verdict.values["text"]):
        return [f"id {identifier!r} has another text in the corpus"]
    cells = {axis.field: verdict.values[axis.field] for axis in corpus.taxonomy.axes}
    audited, wrong = _cells(corpus.taxonomy, cells)
    now = [_codes_by_axis(corpus, row) for row in rows]
    return wrong or [
        f"id {identifier!r} has the {axis} {'|'.join(now[0][axis]) or 'none'} in the corpus, and "
        f"{'|'.join(audited[axis]) or 'none'} here; audit the corpus afresh"
        for axis, codes in new.items()
        if not any(own[axis] in (audited[axis], codes) for own in now)
    ]


def _check_columns(row: Row, taxonomy: Taxonomy) -> None:
    expected = ["id", "text", *(axis.field for axis in taxonomy.axes)]
    expected += [f"new_{axis.field}" for axis in taxonomy.axes]
    if missing := [name for name in expected if name not in row.values]:
        found = ", ".join(map(str, row.values))
        msg = (
            f"{row.where}: column(s) missing: {', '.join(missing)}; found: {found}; expected the "
            "table that posture-train audit wrote"
        )
        raise InputError(msg)


def _new_codes(row: Row, taxonomy: Taxonomy) -> tuple[Codes, list[str]]:
    """The labels that were filled in, axes with an empty cell left out; and what is wrong."""
    filled = {
        axis.field: cell
        for axis in taxonomy.axes
        if (cell := cell_text(row.values[f"new_{axis.field}"]).strip())
    }
    codes, wrong = _cells(taxonomy, filled)
    return codes, [f"new_{problem}" for problem in wrong]


def _cells(taxonomy: Taxonomy, cells: Mapping[str, Any]) -> tuple[Codes, list[str]]:
    """The codes in cells of axes' fields, by axis, and what is wrong with them."""
    wrong: list[str] = []
    codes: Codes = {}
    for axis in taxonomy.axes:
        if axis.field in cells:
            applies, problems = axis_labels(axis, cells)
            wrong += problems
            codes[axis.name] = [c for c, yes in zip(axis.codes, applies, strict=True) if yes]
    return codes, wrong


@contextmanager
def _new_folder(corpus: Path, output: Path) -> Iterator[Path]:
    """A copy of the corpus's files, which becomes `output` when all is written."""
    temporary: Path | None = None
    try:
        temporary = Path(tempfile.mkdtemp(dir=output.resolve().parent, prefix=f".{output.name}-"))
        for file in sorted(corpus.iterdir()):
            if file.is_file():
                shutil.copyfile(file, temporary / file.name)
        yield temporary
        temporary.chmod(0o755)  # mkdtemp's is for its owner alone
        temporary.replace(output)
    except OSError as error:
        msg = f"{output}: cannot be written ({error.strerror or error}); nothing was changed"
        raise InputError(msg) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


# Writing tables anew, each kind with all that it holds besides.


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


def _rewrite_csv(
    path: Path, changes: Mapping[int, Codes], taxonomy: Taxonomy, file: IO[bytes]
) -> None:
    with path.open("rb") as source:
        first = source.readline()
    separator = max(",;\t", key=lambda mark: first.count(mark.encode()))
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


def _rewrite_jsonl(
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


def _rewrite_parquet(
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


_REWRITERS: dict[str, Callable[[Path, Mapping[int, Codes], Taxonomy, IO[bytes]], None]] = {
    ".csv": _rewrite_csv,
    ".jsonl": _rewrite_jsonl,
    ".parquet": _rewrite_parquet,
}
