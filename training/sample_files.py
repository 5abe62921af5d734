"""A sample as files to label: CSV, Label Studio and doccano, each with the labels' definitions.

The paragraphs' predictions are left out on purpose: an annotator who sees them agrees with them.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from inference.destination import check_new, destination
from inference.errors import InputError
from inference.tables import Row, read_rows
from inference.taxonomy import Axis, Taxonomy
from training.archive import ScoredArchive
from training.archive_files import is_paragraph
from training.label_cells import cell_text
from training.palette import label_colours
from training.sample import Sample

FORMATS = ("csv", "label-studio", "doccano")

_FORMAT_OF_SUFFIX = {".csv": "csv", ".json": "label-studio", ".jsonl": "doccano"}
_OF_THE_MODEL = ("abstained", "confidence", "probabilities", "summary", "n_paragraphs")
_OF_THE_MODEL_PREFIXES = ("p.", "confidence.", "share.")
_ABOUT = ("title", "date", "source", "url")
_PLACE = ("record", "id", "index", "start", "end", "article_id", "heading", "text")

Task = dict[str, Any]


def format_for(output: Path, chosen: str | None = None) -> str:
    """The format of `--format`, or of the file's suffix."""
    if found := chosen or _FORMAT_OF_SUFFIX.get(output.suffix.lower()):
        return found
    msg = (
        f"{output}: its suffix names no format; expected .csv, .json (Label Studio) or .jsonl "
        "(doccano), or --format"
    )
    raise InputError(msg)


def companions(output: Path, format_: str) -> tuple[Path, ...]:
    """All the files that a sample is written to: `output` and what explains it, beside."""
    beside = {
        "csv": ("-codebook.md",),
        "label-studio": ("-codebook.md", "-interface.xml"),
        "doccano": ("-codebook.md", "-labels.json"),
    }[format_]
    return (output, *(output.with_name(output.stem + end) for end in beside))


def read_tasks(
    path: Path,
    archive: ScoredArchive,
    sample: Sample,
    track: Callable[[Iterable[Row], int], Iterable[Row]] = lambda rows, _: rows,
) -> list[Task]:
    """The sample's paragraphs with their texts, from the file the archive was read from.

    Each has id, article_id, index, heading, preceding (the paragraph before in the article), text,
    draw (its place in the sample, from 1), inclusion_probability, and the archive's other columns.
    """
    place = {row: i for i, row in enumerate(sample.rows.tolist())}
    fields = {axis.field for axis in archive.taxonomy.axes}
    tasks: dict[int, Task] = {}
    before: tuple[str, str] = ("", "")
    number = 0
    for row in track(read_rows(path), len(archive)):
        values = row.values
        if not is_paragraph(values):
            continue
        article = cell_text(values.get("article_id")) or cell_text(values.get("id"))
        text = cell_text(values.get("text"))
        if (draw := place.get(number)) is not None:
            if not text.strip():
                msg = f"{row.where}: no text; expected the archive's texts beside its scores"
                raise InputError(msg)
            tasks[draw] = {
                "id": archive.ids[number].as_py(),
                "article_id": article,
                "index": values.get("index"),
                "heading": cell_text(values.get("heading")),
                "preceding": before[1] if before[0] == article else "",
                "text": text,
                "draw": draw + 1,
                "inclusion_probability": float(sample.inclusion_probability[draw]),
                **_travelling(values, fields),
            }
        before = (article, text)
        number += 1
    return [tasks[draw] for draw in range(len(sample))]


def write_sample(
    tasks: Sequence[Task], output: Path, taxonomy: Taxonomy, format_: str
) -> tuple[Path, ...]:
    """Write the tasks in a format of `FORMATS` and what explains them; the paths written.

    Raises InputError where one of the files exists already.
    """
    paths = companions(output, format_)
    check_new(*paths)
    contents: dict[str, Callable[[], Sequence[str]]] = {
        "csv": lambda: [_csv(tasks, taxonomy), codebook(taxonomy)],
        "label-studio": lambda: [
            _json([{"data": task} for task in tasks]),
            codebook(taxonomy),
            interface(taxonomy),
        ],
        "doccano": lambda: [
            "".join(json.dumps({**t, "label": []}, ensure_ascii=False) + "\n" for t in tasks),
            codebook(taxonomy),
            _json(_doccano_labels(taxonomy)),
        ],
    }
    # The tasks come last: where they are, all of them and what explains them are.
    for path, content in reversed(list(zip(paths, contents[format_](), strict=True))):
        with destination(path) as file:
            file.write(content.encode())
    return paths


def codebook(taxonomy: Taxonomy) -> str:
    """What each label means, as a page of Markdown."""
    lines = ["# What each label means", ""]
    for axis in taxonomy.axes:
        none = "" if axis.exclusive else " (`-` in a table)"
        lines += [f"## {axis.field}: {_rule(axis)}{none}", ""]
        lines += [f"- `{x.code}` ({_names(x.en, x.fr)}): {x.definition}" for x in axis.labels]
        lines.append("")
    return "\n".join(lines)


def interface(taxonomy: Taxonomy) -> str:
    """Label Studio's labelling interface: one set of choices an axis, definitions on hover."""
    lines = [
        "<View>",
        '  <Header value="$heading" size="5"/>',
        '  <Collapse><Panel value="Paragraph before"><View>',
        '    <Text name="preceding" value="$preceding"/>',
        "  </View></Panel></Collapse>",
        '  <Text name="text" value="$text"/>',
    ]
    for axis in taxonomy.axes:
        choice = 'choice="single" required="true"' if axis.exclusive else 'choice="multiple"'
        lines += [
            f"  <Header value={quoteattr(f'{axis.field}: {_rule(axis)}')}/>",
            f'  <Choices name="{axis.field}" toName="text" {choice}>',
            *(
                f'    <Choice value="{x.code}" hint={quoteattr(x.definition or x.en)}/>'
                for x in axis.labels
            ),
            "  </Choices>",
        ]
    lines.append('  <Collapse><Panel value="What each label means"><View>')
    lines += [
        f'    <Header value={quoteattr(f"{x.code}: {x.definition or x.en}")} size="6"/>'
        for axis in taxonomy.axes
        for x in axis.labels
    ]
    lines += ["  </View></Panel></Collapse>", "</View>"]
    return "\n".join(lines) + "\n"


def _travelling(values: Mapping[str, Any], fields: set[str]) -> Task:
    """The columns that describe a paragraph and do not come from the model."""
    # Where a row is a paragraph, `posture score` keeps its date and source as `input.date`, ….
    own = {
        name.removeprefix("input.") if name.removeprefix("input.") in _ABOUT else name: value
        for name, value in values.items()
    }
    return {
        name: None if value != value else value  # noqa: PLR0124 - NaN
        for name, value in own.items()
        if name not in (*_PLACE, *_OF_THE_MODEL)
        and name not in fields
        and not name.startswith(_OF_THE_MODEL_PREFIXES)
    }


def _csv(tasks: Sequence[Task], taxonomy: Taxonomy) -> str:
    fields = [axis.field for axis in taxonomy.axes]
    first = ["id", "article_id", "index", "heading", "preceding", "text", *fields]
    columns = dict.fromkeys((*first, *(name for task in tasks for name in task)))
    text = io.StringIO()
    text.write("\ufeff")  # without it Excel takes the accents for Windows-1252
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(tasks)
    return text.getvalue()


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1, default=str) + "\n"


def _doccano_labels(taxonomy: Taxonomy) -> list[dict[str, str]]:
    """The label types that doccano imports; a code of two axes is told apart by its axis."""
    codes = [code for axis in taxonomy.axes for code in axis.codes]
    colours = label_colours(taxonomy)
    return [
        {
            "text": code if codes.count(code) == 1 else f"{axis.name}.{code}",
            "background_color": colours[f"{axis.name}.{code}"],
            "text_color": "#ffffff",
        }
        for axis in taxonomy.axes
        for code in axis.codes
    ]


def _rule(axis: Axis) -> str:
    return "exactly one" if axis.exclusive else "any number, or none"


def _names(en: str, fr: str) -> str:
    return en if en == fr else f"{en}; {fr}"
