"""The suspects of an audit as a table to fill in, and the way back into the corpus's own files."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inference.destination import check_new, destination
from inference.errors import InputError
from inference.tables import TABLE_SUFFIXES, Row, read_rows
from inference.taxonomy import Axis, Taxonomy
from training.audit import Audit, given_codes
from training.corpus import LabelledCorpus
from training.label_cells import axis_labels, bad_rows, cell_text
from training.relabelling import Codes, relabel


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
                        relabel(corpus / name, own, taxonomy, file)
    else:
        with destination(output) as file:
            relabel(corpus, changes, taxonomy, file)
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
