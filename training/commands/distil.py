"""`posture-train distil`."""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from inference.cli import device_option, runtime_option
from inference.errors import InputError
from inference.inputs import read_articles
from inference.language import language_checked
from inference.model_kind import Backend
from inference.sealed_folder import check_output
from inference.tables import UNITS
from training.commands.options import PATH, format_option, wants_json
from training.commands.terminal import progress, say, standard_output
from training.corpus import LabelledCorpus
from training.corpus_record import Background
from training.distil import LIMIT, Distilled, Teacher, distil
from training.linear import LinearRecipe
from training.measured import Measured

_SYSTEMS = {"student": "student", "teacher": "teacher", "labelled_only": "labels alone"}


@click.command("distil")
@click.argument("corpus", type=PATH)
@click.option("--teacher", type=PATH, required=True, help="Model folder, usually a CamemBERT's.")
@click.option(
    "--texts",
    type=PATH,
    required=True,
    help="Texts without labels: anything that posture score reads.",
)
@click.option("--output", type=PATH, required=True, help="Model folder to write the student to.")
@click.option(
    "--unit",
    type=click.Choice(UNITS),
    default="article",
    show_default=True,
    help="What a row of a table of --texts is.",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=LIMIT,
    show_default=True,
    help="Most paragraphs of --texts to learn from, drawn at random if there are more; each takes "
    "about 0.1 MB of memory on each processor core.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Draws the held-out articles, the folds and the texts; the one that fitted the teacher.",
)
@runtime_option
@device_option
@format_option
def command(
    corpus: Path,
    teacher: Path,
    texts: Path,
    output: Path,
    unit: str,
    limit: int,
    seed: int,
    runtime: str | None,
    device: str | None,
    format_: str | None,
) -> None:
    """Fit a linear student on a teacher's probabilities for --texts and the labels of CORPUS.

    Says how good student, teacher, and a model fitted on the labels alone are on the held-out
    articles of CORPUS.
    """
    check_output(output)
    if output.resolve() == teacher.resolve():
        msg = f"{output}: is the teacher; the student would take its place; choose another --output"
        raise InputError(msg)
    opened = Teacher.read(teacher, Backend(runtime, device))
    labelled = LabelledCorpus.read(corpus, opened.scorer.taxonomy)
    articles = language_checked(read_articles([texts], unit))
    distilled = distil(
        opened,
        articles,
        labelled,
        LinearRecipe(seed=seed),
        limit=limit,
        report=say,
        track=progress,
        background=Background.beside(corpus, opened.scorer.taxonomy, say),
    )
    made_by = (
        "posture-train distil CORPUS --teacher TEACHER --texts TEXTS --output MODEL "
        f"--unit {unit} --limit {limit} --seed {seed}"
    )
    distilled.student.made_by(made_by).write(output)
    say(f"wrote {output}, with its card.md; use it with: posture score --model {output} FILE")
    show(distilled, format_)


@standard_output()
def show(distilled: Distilled, format_: str | None) -> None:
    """Print how student, teacher and labels alone compare, as a table or as JSON."""
    found = distilled.comparison
    for axis in found.no_gain_shown:
        say(
            f"{axis}: no gain shown over the labels alone "
            f"({_difference(found.gain[axis])} macro-F1)"
        )
    if wants_json(format_):
        print(json.dumps(distilled.to_dict()))
        return
    console = Console()
    table = Table(
        title=f"On {found.n_paragraphs} held-out paragraphs of {found.n_articles} articles",
        title_justify="left",
        box=SIMPLE,
        padding=(0, 1, 0, 0),
    )
    table.add_column("macro-F1", no_wrap=True)
    axes = list(found.gain)
    for axis in axes:
        table.add_column(axis)
    for system, name in _SYSTEMS.items():
        table.add_row(name, *(str(found.macro_f1[system][axis]) for axis in axes))
    table.add_section()
    table.add_row("gain", *(_difference(found.gain[axis]) for axis in axes))
    table.add_row("agreement", *(str(found.agreement[axis]) for axis in axes))
    console.print(table)
    console.print(
        f"The student learned from {len(distilled.texts)} unlabelled paragraphs, each weighing "
        f"{distilled.weight:g} of a labelled one. gain: student less labels alone. agreement: "
        "share of paragraphs to which student and teacher give the same labels. In brackets: 95 % "
        "intervals over articles.",
        highlight=False,
    )


def _difference(figure: Measured) -> str:
    bounds = f" ({figure.low:+.3f} to {figure.high:+.3f})" if np.isfinite(figure.low) else ""
    return f"{figure.value:+.3f}{bounds}"
