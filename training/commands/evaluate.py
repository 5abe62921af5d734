"""`posture-train evaluate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click

from inference.artefact import StoredModel
from inference.cli import device_option, runtime_option
from inference.errors import InputError
from inference.model_kind import Backend
from inference.taxonomy import Taxonomy
from training.annotations import Annotations, annotations_beside, read_annotations
from training.commands.options import PATH, in_words, stored_model, wants_json
from training.commands.terminal import progress, say, standard_output
from training.corpus import LabelledCorpus
from training.designs import Design, cross_validation, fixed_split, leave_out, past_and_later
from training.evaluate import evaluate
from training.learning_curve import Point, learning_curve
from training.recipe import Recipe
from training.refit import recipe_of
from training.report_sections import preface, sections
from training.report_terminal import print_sections


@click.command("evaluate")
@click.argument("model", type=PATH)
@click.argument("corpus", type=PATH)
@click.option(
    "--split",
    type=click.Choice(("test",)),
    help="Measure MODEL on the articles that CORPUS marks test: the default, where it has some; "
    "else those that the fit held out of it, else all.",
)
@click.option(
    "--cv",
    "n_folds",
    metavar="FOLDS",
    type=click.IntRange(2, 50),
    help="Refit MODEL's recipe in so many folds of whole articles, and measure all articles.",
)
@click.option(
    "--time",
    "by_time",
    is_flag=True,
    help="Refit the recipe on the past, measure the last fifth of the articles (date or year).",
)
@click.option(
    "--leave-out",
    "column",
    metavar="COLUMN",
    help="Refit without one theatre, register, source… at a time, and measure the one left out.",
)
@click.option(
    "--encoder",
    help="Where the encoder is that MODEL was fine-tuned from, to refit it: a local folder, or a "
    "name on the hub. Needed where `fit` was given a folder.  [default: its name on the hub]",
)
@runtime_option
@device_option
@click.option(
    "--annotations",
    type=PATH,
    help="Single judgements (as for agreement), for the annotators' own scores. "
    "Default: annotations.csv of the CORPUS folder.",
)
@click.option(
    "--robustness/--no-robustness",
    "perturbed",
    default=True,
    help="Whether to count the labels that flip in texts with other countries, typing errors…",
)
@click.option(
    "--figures",
    type=PATH,
    help="Folder to write figures to, as SVG and PNG; the learning curve takes four refits.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(("table", "json", "html")),
    help="Default: table on a terminal, json otherwise. html is one page, figures included.",
)
def command(
    model: Path,
    corpus: Path,
    split: str | None,
    n_folds: int | None,
    by_time: bool,
    column: str | None,
    encoder: str | None,
    runtime: str | None,
    device: str | None,
    annotations: Path | None,
    perturbed: bool,
    figures: Path | None,
    format_: str | None,
) -> None:
    """Measure MODEL (a folder, or `default`) on CORPUS, every figure with a 95 % interval.

    Beside it stand two simple systems, fitted on CORPUS's training articles, and the annotators
    where their single judgements are at hand. One design at a time: --split, --cv, --time or
    --leave-out; the last three fit MODEL's recipe anew, which for an encoder takes as many times
    as long as `fit` did.
    """
    given = [
        name
        for name, value in (
            ("--split", split),
            ("--cv", n_folds),
            ("--time", by_time),
            ("--leave-out", column),
        )
        if value not in (None, False)  # an empty COLUMN is no column, not no design
    ]
    refits = bool(given) and split is None
    if len(given) > 1:
        msg = f"{' and '.join(given)}: expected one design at a time; choose one"
        raise InputError(msg)
    if encoder is not None and not (refits or figures):
        msg = (
            "--encoder is for a refit; add --cv, --time, --leave-out or --figures, or leave it out"
        )
        raise InputError(msg)
    if runtime is not None and refits:
        msg = "--runtime is for the model as it stands; a refit is computed by torch; leave it out"
        raise InputError(msg)
    if figures is not None:
        _check_figures(figures)
    stored = stored_model(model, Backend(runtime, device))

    def recipe() -> Recipe:
        return recipe_of(stored.provenance.training, encoder, device)

    scorer = stored.scorer
    labelled = LabelledCorpus.read(corpus, scorer.taxonomy)
    judged = _judgements(annotations, corpus, scorer.taxonomy)
    design = _design(labelled, stored, n_folds, column, by_time=by_time, required=bool(split))
    report = evaluate(
        scorer,
        labelled,
        design=design,
        recipe=recipe() if design.refits else None,
        annotations=judged,
        perturbed=perturbed,
        report=say,
        track=progress,
    )
    if annotations is not None and report.annotators is None:
        say(f"{annotations}: no two annotators judge a measured paragraph; ids are compared")
    curve: tuple[Point, ...] = ()
    if figures is not None:
        from training.report_figures import draw, write

        curve = _learning_curve(recipe, design)
        write(draw(report, curve), figures)
        say(f"wrote the figures to {figures}")
    name = str(model) if design.refits else in_words(model, stored)
    with standard_output() as file:
        if format_ == "html":
            from training.report_page import page

            file.write(page(report, name, curve).encode())
        elif wants_json(format_):
            computed = {} if design.refits else {"runtime": stored.runtime}
            print(json.dumps(report.to_dict() | computed, ensure_ascii=False))
        else:
            print_sections(preface(report, name), sections(report))


def _design(
    corpus: LabelledCorpus,
    stored: StoredModel,
    n_folds: int | None,
    column: str | None,
    *,
    by_time: bool,
    required: bool,
) -> Design:
    if n_folds:
        return cross_validation(corpus, n_folds)
    if by_time:
        return past_and_later(corpus)
    if column is not None:
        return leave_out(corpus, column)
    return fixed_split(corpus, stored.provenance, required=required)


def _judgements(given: Path | None, corpus: Path, taxonomy: Taxonomy) -> Annotations | None:
    if given is None:
        return annotations_beside(corpus, taxonomy)
    return read_annotations(given, taxonomy)


def _learning_curve(recipe: Callable[[], Recipe], design: Design) -> tuple[Point, ...]:
    """Empty, and said so, where there is nothing to fit anew or more than one training side."""
    if len(design.parts) > 1 or not design.parts[0].train.any():
        say("no learning curve: it needs one training side, as --split and --time have it")
        return ()
    try:
        return learning_curve(recipe(), design, say, progress)
    except InputError as error:
        say(f"no learning curve: {error}")
        return ()


def _check_figures(folder: Path) -> None:
    """Refuse before any work is done. Raises InputError."""
    try:
        import matplotlib  # noqa: F401, ICN001 - only whether it is there
    except ImportError as error:
        msg = "--figures needs matplotlib; install it with: pip install 'posture[figures]'"
        raise InputError(msg) from error
    if folder.exists() and not folder.is_dir():
        msg = f"{folder}: is a file; expected a folder to write figures to; choose another"
        raise InputError(msg)
