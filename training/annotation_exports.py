"""Exports of annotation tools, read as rows of judgements."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from inference.errors import InputError
from inference.tables import Row, stream_rows
from inference.taxonomy import Taxonomy
from training.annotation_tools import Answer, Item, reader_of
from training.label_cells import bad_rows, cell_text, other_text

EXPORT_SUFFIXES = (".json", ".jsonl", ".zip")

_EXPECTED = (
    "an export of Label Studio (JSON or JSON-MIN), doccano (JSONL) or Prodigy (db-out of choices)"
)
_NOT_TRAVELLED = {
    # What the tools add themselves.
    *("label", "labels", "meta", "Comments", "options", "accept", "answer", "config", "spans"),
    *("annotation_id", "created_at", "updated_at", "lead_time", "tokens", "path", "html"),
}


@dataclass(frozen=True, slots=True)
class Export:
    """Judgements of an export.

    rows : one a judgement, with `id`, `article_id` ("" where the export has none), `annotator`,
        each axis's field as a list of codes, and whatever else travelled with the text.
    unlabelled : one a unit that nobody has judged yet, as far as the export holds it; likewise,
        without annotator and with empty lists.
    n_left_out : answers that judge nothing: skipped, rejected, or empty where one label is due.
    """

    rows: list[Row]
    unlabelled: list[Row]
    n_left_out: int


@dataclass(frozen=True, slots=True)
class _File:
    """One file of the export; its name stands for the annotator where the items name none."""

    stem: str
    items: list[tuple[str, Item]]


def is_export(path: Path, taxonomy: Taxonomy) -> bool:
    """Whether the path is to be read as an export, not as a table with the taxonomy's columns."""
    suffix = path.suffix.lower()
    if path.is_dir() or suffix in (".json", ".zip"):
        return True
    if suffix != ".jsonl" or not path.is_file():
        return False
    with path.open("rb") as file:
        first = next(iter(stream_rows(file, suffix, str(path)))).values
    columns = ({axis.field} if axis.field in first else set(axis.codes) for axis in taxonomy.axes)
    return not all(own <= set(first) for own in columns) and reader_of(first) is not None


def read_export(path: Path, taxonomy: Taxonomy) -> Export:
    """Read a file of a tool, a folder of them or a zip; what it is shows in its content.

    The unit is `id` of the task's data or meta (as `posture-train sample` writes it), else the
    tool's own number, else a hash of the text. Raises InputError that names every wrong item.
    """
    answers: list[Answer] = []
    passed_over: list[Answer] = []
    for file in _files(path):
        for where, item in file.items:
            reader = reader_of(item)
            if reader is None:
                keys = ", ".join(map(str, list(item)[:12])) or "none"
                msg = f"{where}: found an object with the keys {keys}; expected {_EXPECTED}"
                raise InputError(msg)
            for answer in reader(item, where, file.stem, taxonomy):
                (passed_over if _is_empty(answer, taxonomy) else answers).append(answer)
    problems = [f"{one.where}: {wrong}" for one in answers for wrong in one.wrong]
    text_of: dict[str, str] = {}
    for one in answers + passed_over:
        unit, _ = _identity(one.given)
        problems += [f"{one.where}: {x}" for x in other_text(unit, _flat(one.given), text_of)]
    if problems:
        raise bad_rows(str(path), problems)
    if not answers:
        msg = f"{path}: found {len(passed_over)} item(s) and no answer; expected {_EXPECTED}"
        raise InputError(msg)
    for axis in taxonomy.axes:
        if not any(answer.labels.get(axis.name) for answer in answers):
            msg = (
                f"{path}: found no answer on {axis.name!r} in {len(answers)} judgement(s); expected"
                f" some of {', '.join(axis.codes)}; in Label Studio name the Choices {axis.name!r}"
            )
            raise InputError(msg)
    rows = _rows(answers, taxonomy, str(path))
    judged = {row.values["id"] for row in rows}
    nothing = {axis.field: None for axis in taxonomy.axes}  # unlike [], which is an answer
    unlabelled = {
        unit: Row(one.where, {**_described(one.given), **nothing})
        for one in passed_over
        if (unit := _identity(one.given)[0]) not in judged
    }
    return Export(rows, list(unlabelled.values()), len(passed_over))


def labelled_rows(path: Path, taxonomy: Taxonomy, *, with_unlabelled: bool = False) -> list[Row]:
    """One row a unit, as a labelled table has them; several annotators decide by majority.

    with_unlabelled : give the units that nobody has judged too, at the end and without labels.

    A label that may stand beside others applies when more than half give it; of those that
    exclude each other the one given most often. Raises InputError that names every tie.
    """
    export = read_export(path, taxonomy)
    judged: dict[str, list[Row]] = {}
    for row in export.rows:
        judged.setdefault(row.values["id"], []).append(row)
    problems: list[str] = []
    settled: list[Row] = []
    for unit, rows in judged.items():
        values = dict(rows[0].values)
        for axis in taxonomy.axes:
            sets = [frozenset(row.values[axis.field]) for row in rows]
            votes = Counter(code for codes in sets for code in codes)
            most = max(votes.values(), default=0)
            if axis.exclusive:
                tied = [code for code in axis.codes if votes[code] == most]
                values[axis.field] = tied
                tied = tied if len(tied) > 1 else []
            else:
                values[axis.field] = [code for code in axis.codes if 2 * votes[code] > len(rows)]
                tied = [code for code in axis.codes if 2 * votes[code] == len(rows)]
            if tied:
                problems.append(
                    f"{rows[0].where}: {len(rows)} annotators are divided over {unit!r} on "
                    f"{axis.name} ({', '.join(tied)}); have one more judge it"
                )
        del values["annotator"]
        settled.append(replace(rows[0], values=values))
    if problems:
        raise bad_rows(str(path), problems)
    return settled + export.unlabelled if with_unlabelled else settled


def _rows(answers: Iterable[Answer], taxonomy: Taxonomy, where: str) -> list[Row]:
    """Whole judgements; in Prodigy one annotator may answer each axis in a dataset of its own."""
    rows: dict[tuple[Any, ...], tuple[Row, dict[str, list[str]]]] = {}
    for answer in answers:
        unit, _ = _identity(answer.given)
        occurrence = 0  # a second answer on the same axis is another judgement, judged later
        while (key := (unit, answer.annotator, occurrence)) in rows and (
            rows[key][1].keys() & answer.labels.keys()
        ):
            occurrence += 1
        if key in rows:
            rows[key][1].update(answer.labels)
            continue
        values = {**_described(answer.given), "annotator": answer.annotator}
        rows[key] = (Row(answer.where, values), dict(answer.labels))
    problems = [
        f"{row.where}: {row.values['annotator']!r} has not judged {row.values['id']!r} on "
        f"{axis.name}; expected an answer on every axis"
        for row, labels in rows.values()
        for axis in taxonomy.axes
        if axis.name not in labels
    ]
    if problems:
        raise bad_rows(where, problems)
    return [
        replace(row, values={**row.values, **{a.field: labels[a.name] for a in taxonomy.axes}})
        for row, labels in rows.values()
    ]


def _described(given: Item) -> dict[str, Any]:
    """The unit's id, article and text, and what travelled with it through the tool."""
    travelled = {
        name: value
        for name, value in _flat(given).items()
        if name not in _NOT_TRAVELLED and not name.startswith("_")
    }
    unit, article = _identity(given)
    return {**travelled, "id": unit, "article_id": article}


def _identity(given: Item) -> tuple[str, str]:
    """The unit and its article."""
    flat = _flat(given)
    for name in ("id", "_input_hash"):
        if unit := cell_text(flat.get(name)).strip():
            break
    else:
        unit = hashlib.sha256(cell_text(flat.get("text")).encode()).hexdigest()[:16]
    return unit, cell_text(flat.get("article_id")).strip()


def _flat(given: Item) -> dict[str, Any]:
    """The item with its `meta` beside it; what the meta says of the unit comes first."""
    meta = given.get("meta")
    return {**given, **meta} if isinstance(meta, Mapping) else dict(given)


def _is_empty(answer: Answer, taxonomy: Taxonomy) -> bool:
    """Nothing is said, though an axis asks for a label or none was asked: it was passed over."""
    due = any(axis.exclusive and axis.name in answer.labels for axis in taxonomy.axes)
    said = answer.wrong or any(answer.labels.values())
    return not said and (due or not answer.labels)


# Files.


def has_exports(folder: Path) -> bool:
    """Whether the folder holds files that a tool may have exported."""
    return any(map(_is_member, folder.iterdir()))


def _is_member(name: Path) -> bool:
    return name.suffix.lower() in (".json", ".jsonl") and not name.name.startswith(".")


def _files(path: Path) -> Iterator[_File]:
    try:
        if path.is_dir():
            if not has_exports(path):
                msg = f"{path}: found no .json or .jsonl file in the folder; expected {_EXPECTED}"
                raise InputError(msg)
            for name in sorted(filter(_is_member, path.iterdir())):
                yield _file(name.read_bytes(), Path(name.name), str(name))
        elif path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                members = [
                    member
                    for member in sorted(archive.namelist())
                    if _is_member(Path(member)) and "__MACOSX" not in Path(member).parts
                ]
                if not members:
                    msg = f"{path}: found no .json or .jsonl file in the zip; expected {_EXPECTED}"
                    raise InputError(msg)
                for member in members:
                    yield _file(archive.read(member), Path(member), f"{path}, {member}")
        else:
            yield _file(path.read_bytes(), path, str(path))
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        # zipfile gives a RuntimeError where a member is encrypted, or packed as it does not know.
        reason = getattr(error, "strerror", None) or error
        msg = f"{path}: cannot be read ({reason}); expected {_EXPECTED}"
        raise InputError(msg) from error


def _file(data: bytes, name: Path, where: str) -> _File:
    if name.suffix.lower() == ".jsonl":
        rows = stream_rows(io.BytesIO(data), ".jsonl", where)
        return _File(name.stem, [(row.where, row.values) for row in rows])
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except ValueError as error:
        msg = f"{where}: not JSON in UTF-8 ({error}); expected {_EXPECTED}"
        raise InputError(msg) from error
    content = [content] if isinstance(content, dict) else content
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        msg = f"{where}: found {type(content).__name__} of something else; expected {_EXPECTED}"
        raise InputError(msg)
    return _File(name.stem, [(f"{where}, item {i}", x) for i, x in enumerate(content, 1)])
