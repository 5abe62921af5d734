"""Exports of annotation tools, read as rows of judgements: Label Studio, doccano, Prodigy.

Shapes as the tools write them: Label Studio's JSON and JSON-MIN (its task format, and the
converter of label_studio_sdk), doccano's JSONL and JSON of a classification project (its
data_export pipeline), Prodigy's `db-out` of the choice interface.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from inference.errors import InputError
from inference.tables import Row, stream_rows
from inference.taxonomy import Axis, Taxonomy
from training.label_cells import bad_rows, cell_text

EXPORT_SUFFIXES = (".json", ".jsonl", ".zip")

_EXPECTED = (
    "an export of Label Studio (JSON or JSON-MIN), doccano (JSONL) or Prodigy (db-out of choices)"
)
_NOT_TRAVELLED = {
    # What the tools add themselves.
    *("label", "labels", "meta", "Comments", "options", "accept", "answer", "config", "spans"),
    *("annotation_id", "created_at", "updated_at", "lead_time", "tokens", "path", "html"),
}
_UNNAMED_SESSION = re.compile(r".*\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d")

Item = Mapping[str, Any]


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
class _Answer:
    """What one annotator said of one unit, as far as one item of the file goes.

    labels : axis → codes; an axis that was not asked is missing.
    """

    where: str
    annotator: str
    given: Item
    labels: dict[str, list[str]]
    wrong: list[str]


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
    return not all(own <= set(first) for own in columns) and _reader(first) is not None


def read_export(path: Path, taxonomy: Taxonomy) -> Export:
    """Read a file of a tool, a folder of them or a zip; what it is shows in its content.

    The unit is `id` of the task's data or meta (as `posture-train sample` writes it), else the
    tool's own number, else a hash of the text. Raises InputError that names every wrong item.
    """
    answers: list[_Answer] = []
    passed_over: list[_Answer] = []
    for file in _files(path):
        for where, item in file.items:
            reader = _reader(item)
            if reader is None:
                keys = ", ".join(map(str, list(item)[:12])) or "none"
                msg = f"{where}: found an object with the keys {keys}; expected {_EXPECTED}"
                raise InputError(msg)
            for answer in reader(item, where, file.stem, taxonomy):
                (passed_over if _is_empty(answer, taxonomy) else answers).append(answer)
    if problems := [f"{one.where}: {wrong}" for one in answers for wrong in one.wrong]:
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
    nothing: dict[str, Any] = {axis.field: [] for axis in taxonomy.axes}
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


def _rows(answers: Iterable[_Answer], taxonomy: Taxonomy, where: str) -> list[Row]:
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


def _is_empty(answer: _Answer, taxonomy: Taxonomy) -> bool:
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
                    name
                    for name in map(Path, sorted(archive.namelist()))
                    if _is_member(name) and "__MACOSX" not in name.parts
                ]
                if not members:
                    msg = f"{path}: found no .json or .jsonl file in the zip; expected {_EXPECTED}"
                    raise InputError(msg)
                for name in members:
                    yield _file(archive.read(str(name)), name, f"{path}, {name}")
        else:
            yield _file(path.read_bytes(), path, str(path))
    except (OSError, zipfile.BadZipFile) as error:
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


# Tools. Each reader gives the answers of one item.

_Reader = Callable[[Item, str, str, Taxonomy], Iterator[_Answer]]


def _reader(item: Item) -> _Reader | None:
    if isinstance(item.get("annotations"), list) and isinstance(item.get("data"), Mapping):
        return _label_studio
    if "annotation_id" in item:
        return _label_studio_min
    if "answer" in item and ("accept" in item or "_input_hash" in item):
        return _prodigy
    if any(isinstance(item.get(name), list) for name in ("label", "labels", "cats")):
        return _doccano
    return None


def _label_studio(item: Item, where: str, _: str, taxonomy: Taxonomy) -> Iterator[_Answer]:
    task = {"id": item.get("id"), **item["data"]}
    if not item["annotations"]:
        yield _left_out(where, task)
    for number, annotation in enumerate(item["annotations"], start=1):
        place = f"{where}, annotation {number}"
        if annotation.get("was_cancelled") or annotation.get("skipped"):
            yield _left_out(place, task)
            continue
        answers: dict[str, list[str]] = {axis.name: [] for axis in taxonomy.axes}
        wrong: list[str] = []
        for result in annotation.get("result", []):
            if result.get("type") != "choices":  # a comment, a highlighted span
                continue
            asked = cell_text(result.get("from_name"))
            axis = _axis_named(asked, taxonomy)
            if axis is None:
                names = ", ".join(axis.name for axis in taxonomy.axes)
                wrong.append(f"answers the choices {asked!r}; expected {names}")
                continue
            answers[axis.name] += result.get("value", {}).get("choices", [])
        annotator = _label_studio_name(annotation.get("completed_by"))
        if not annotator:
            wrong.append("completed_by is empty; expected the annotator")
        labels, unknown = _codes_of(answers, taxonomy)
        yield _Answer(place, annotator, task, labels, wrong + unknown)


def _label_studio_min(item: Item, where: str, _: str, taxonomy: Taxonomy) -> Iterator[_Answer]:
    """JSON-MIN; its `id` is Label Studio's number of the task, whatever the data's own was."""
    answers = {}
    for axis in taxonomy.axes:
        found = item.get(axis.name, item.get(axis.field, []))  # an empty choice has no key
        parts = found if isinstance(found, list) else [found]
        answers[axis.name] = [
            code
            for part in parts
            for code in (part.get("choices", []) if isinstance(part, Mapping) else [str(part)])
        ]
    annotator = _label_studio_name(item.get("annotator"))
    wrong = [] if annotator else ["annotator is empty; expected one"]
    labels, unknown = _codes_of(answers, taxonomy)
    yield _Answer(where, annotator, item, labels, wrong + unknown)


def _label_studio_name(completed_by: Any) -> str:
    if isinstance(completed_by, Mapping):
        return cell_text(completed_by.get("email") or completed_by.get("id"))
    return cell_text(completed_by)


def _doccano(item: Item, where: str, stem: str, taxonomy: Taxonomy) -> Iterator[_Answer]:
    """A classification; the annotator is the file's name, as doccano exports a file for each."""
    given = next(item[name] for name in ("label", "labels", "cats") if name in item)
    text = item.get("text", item.get("data"))
    labels, wrong = _codes_of_any(given, taxonomy, taxonomy.axes)
    yield _Answer(where, stem, {**item, "text": text}, labels, wrong)


def _prodigy(item: Item, where: str, stem: str, taxonomy: Taxonomy) -> Iterator[_Answer]:
    if item["answer"] != "accept":  # rejected, or passed over
        yield _left_out(where, item)
        return
    if "accept" not in item:
        view = item.get("_view_id", "binary")
        msg = (
            f"{where}: found no 'accept' list (a {view} answer); expected "
            "answers of Prodigy's choice interface"
        )
        raise InputError(msg)
    session = cell_text(item.get("_annotator_id") or item.get("_session_id"))
    # A session is « dataset-name »; without a name it is a time, which is nobody's.
    named = session and not _UNNAMED_SESSION.fullmatch(session)
    annotator = session.rpartition("-")[2] if named else stem
    options = [str(option.get("id")) for option in item.get("options", [])]
    axes: Sequence[Axis] = taxonomy.axes
    if options:
        offered, _ = _codes_of_any(options, taxonomy, axes)
        axes = [axis for axis in axes if offered[axis.name]]
    labels, wrong = _codes_of_any(item["accept"], taxonomy, axes)
    yield _Answer(where, annotator, item, labels, wrong)


def _left_out(where: str, given: Item) -> _Answer:
    return _Answer(where, "", given, {}, [])


# Labels.


def _axis_named(name: str, taxonomy: Taxonomy) -> Axis | None:
    return next((axis for axis in taxonomy.axes if name in (axis.name, axis.field)), None)


def _codes(text: str, axis: Axis) -> list[str]:
    """The axis's codes that a tool's label stands for: its code, or its English or French name."""
    wanted = text.strip().casefold()
    return [
        label.code
        for label in axis.labels
        if wanted in (label.code, label.en.casefold(), label.fr.casefold())
    ]


def _codes_of(
    answers: Mapping[str, list[str]], taxonomy: Taxonomy
) -> tuple[dict[str, list[str]], list[str]]:
    """Codes of labels whose axis is known, and what is wrong with them."""
    labels: dict[str, list[str]] = {}
    wrong: list[str] = []
    for axis in taxonomy.axes:
        found = [(str(text), _codes(str(text), axis)) for text in answers[axis.name]]
        labels[axis.name] = [codes[0] for _, codes in found if codes]
        wrong += [
            f"{axis.name}: unknown label {text!r}; expected {', '.join(axis.codes)}"
            for text, codes in found
            if not codes
        ]
    return labels, wrong


def _codes_of_any(
    given: Iterable[Any], taxonomy: Taxonomy, axes: Sequence[Axis]
) -> tuple[dict[str, list[str]], list[str]]:
    """Codes of labels that name their axis (`axis.code`, `axis:code`) or can only be of one."""
    labels: dict[str, list[str]] = {axis.name: [] for axis in axes}
    wrong: list[str] = []
    for text in map(str, given):
        prefix, _, rest = text.replace(":", ".", 1).partition(".")
        axis = _axis_named(prefix.strip(), taxonomy)
        found = (
            [(axis.name, code) for code in _codes(rest, axis)]
            if axis and rest
            else [(axis.name, code) for axis in taxonomy.axes for code in _codes(text, axis)]
        )
        if len(found) == 1 and found[0][0] in labels:
            labels[found[0][0]].append(found[0][1])
        elif len(found) > 1:
            both = ", ".join(f"{axis}.{code}" for axis, code in found)
            wrong.append(f"label {text!r} may be {both}; name the axis too")
        else:
            expected = ", ".join(f"{axis.name}.{code}" for axis in axes for code in axis.codes)
            wrong.append(f"unknown label {text!r}; expected {expected}")
    return labels, wrong
