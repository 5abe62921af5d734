"""What annotators said, out of items as Label Studio, doccano and Prodigy export them.

Shapes as the tools write them: Label Studio's JSON and JSON-MIN (its task format, and the
converter of label_studio_sdk), doccano's JSONL and JSON of a classification project (its
data_export pipeline), Prodigy's `db-out` of the choice interface.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference.errors import InputError
from inference.taxonomy import Axis, Taxonomy
from training.label_cells import cell_text

_UNNAMED_SESSION = re.compile(r".*\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d")

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one annotator said of one unit, as far as one item of the file goes.

    labels : axis → codes; an axis that was not asked is missing.
    """

    where: str
    annotator: str
    given: Item
    labels: dict[str, list[str]]
    wrong: list[str]


# Gives the answers of one item; where it stands, and the name of its file, go with it.
ToolReader = Callable[[Item, str, str, Taxonomy], Iterator[Answer]]


def reader_of(item: Item) -> ToolReader | None:
    """What reads the answers of an item; None where no tool writes such items."""
    if isinstance(item.get("annotations"), list) and isinstance(item.get("data"), Mapping):
        return _label_studio
    if "annotation_id" in item:
        return _label_studio_min
    if "answer" in item and ("accept" in item or "_input_hash" in item):
        return _prodigy
    if _doccano_labels(item) is not None:
        return _doccano
    return None


def _label_studio(item: Item, where: str, _: str, taxonomy: Taxonomy) -> Iterator[Answer]:
    task = {"id": item.get("id"), **item["data"]}
    annotations = _listed(item["annotations"], "annotations", where, Mapping)
    if not annotations:
        yield _left_out(where, task)
    for number, annotation in enumerate(annotations, start=1):
        place = f"{where}, annotation {number}"
        if annotation.get("was_cancelled") or annotation.get("skipped"):
            yield _left_out(place, task)
            continue
        answers: dict[str, list[str]] = {axis.name: [] for axis in taxonomy.axes}
        wrong: list[str] = []
        for result in _listed(annotation.get("result"), "result", place, Mapping):
            if result.get("type") != "choices":  # a comment, a highlighted span
                continue
            asked = cell_text(result.get("from_name"))
            axis = _axis_named(asked, taxonomy)
            if axis is None:
                names = ", ".join(axis.name for axis in taxonomy.axes)
                wrong.append(f"answers the choices {asked!r}; expected {names}")
                continue
            answers[axis.name] += _choices(result.get("value"), place)
        annotator = _label_studio_name(annotation.get("completed_by"))
        if not annotator:
            wrong.append("completed_by is empty; expected the annotator")
        labels, unknown = _codes_of(answers, taxonomy)
        yield Answer(place, annotator, task, labels, wrong + unknown)


def _label_studio_min(item: Item, where: str, _: str, taxonomy: Taxonomy) -> Iterator[Answer]:
    """JSON-MIN; its `id` is Label Studio's number of the task, whatever the data's own was."""
    answers = {}
    for axis in taxonomy.axes:
        found = item.get(axis.name, item.get(axis.field))  # an empty choice has no key
        parts = found if isinstance(found, list) else [found]
        answers[axis.name] = [
            code
            for part in parts
            for code in ([part] if isinstance(part, str) else _choices(part, where))
        ]
    annotator = _label_studio_name(item.get("annotator"))
    wrong = [] if annotator else ["annotator is empty; expected one"]
    labels, unknown = _codes_of(answers, taxonomy)
    yield Answer(where, annotator, item, labels, wrong + unknown)


def _choices(value: Any, where: str) -> list[Any]:
    return _listed(value.get("choices") if isinstance(value, Mapping) else value, "choices", where)


def _label_studio_name(completed_by: Any) -> str:
    if isinstance(completed_by, Mapping):
        return cell_text(completed_by.get("email") or completed_by.get("id"))
    return cell_text(completed_by)


def _doccano(item: Item, where: str, stem: str, taxonomy: Taxonomy) -> Iterator[Answer]:
    """A classification; the annotator is the file's name, as doccano exports a file for each."""
    text = item.get("text", item.get("data"))
    labels, wrong = _codes_of_any(_doccano_labels(item) or [], taxonomy, taxonomy.axes)
    yield Answer(where, stem, {**item, "text": text}, labels, wrong)


def _doccano_labels(item: Item) -> list[Any] | None:
    """The list, which doccano names by the kind of project; None where there is none."""
    given = (item.get(name) for name in ("label", "labels", "cats"))
    return next((labels for labels in given if isinstance(labels, list)), None)


def _prodigy(item: Item, where: str, stem: str, taxonomy: Taxonomy) -> Iterator[Answer]:
    if item["answer"] != "accept":  # rejected, or passed over
        yield _left_out(where, item)
        return
    if item.get("accept") is None:
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
    options = _listed(item.get("options"), "options", where, Mapping)
    axes: Sequence[Axis] = taxonomy.axes
    if options:
        offered, _ = _codes_of_any([option.get("id") for option in options], taxonomy, axes)
        axes = [axis for axis in axes if offered[axis.name]]
    accepted = _listed(item["accept"], "accept", where)
    labels, wrong = _codes_of_any(accepted, taxonomy, axes)
    yield Answer(where, annotator, item, labels, wrong)


def _left_out(where: str, given: Item) -> Answer:
    return Answer(where, "", given, {}, [])


def _listed(given: Any, name: str, where: str, kind: type = object) -> list[Any]:
    """What a tool writes as a list, empty where it is null or missing."""
    if given is None:
        return []
    if isinstance(given, list) and all(isinstance(one, kind) for one in given):
        return given
    msg = (
        f"{where}: {name} = {given!r:.60}; expected a list"
        f"{'' if kind is object else ' of objects'}, as the tool writes it; export it again"
    )
    raise InputError(msg)


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
