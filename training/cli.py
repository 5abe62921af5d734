"""`posture-train`: what needs labels."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import track
from rich.table import Table

from inference import __version__
from inference.artefact import check_output
from inference.cli import run
from inference.scorer import load
from inference.taxonomy import Taxonomy
from training.agreement import AgreementReport, agreement, read_annotations
from training.config import FitConfig
from training.corpus import LabelledCorpus
from training.evaluate import evaluate, evaluate_baselines
from training.fit import fit
from training.metrics import Scores

_FORMAT = click.option(
    "--format",
    "format_",
    type=click.Choice(("table", "json")),
    help="Default: table on a terminal, json otherwise.",
)
_PATH = click.Path(path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def posture_train() -> None:
    """Fit and evaluate models on labelled paragraphs.

    A CORPUS is a table (.csv, .jsonl, .parquet) of labelled paragraphs with article_id, text, a
    column for each axis (topics as a|b; tone) or a 0/1 column for each label, and optionally
    heading, preceding and split (train, test); or a folder like data/corpus.
    """


@posture_train.command("fit")
@click.argument("corpus", type=_PATH)
@click.option("--output", type=_PATH, required=True, help="Model folder to write.")
@click.option(
    "--taxonomy", type=_PATH, help="TOML file of your own axes and labels, as data/taxonomy.toml."
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Draws the held-out articles and the folds.",
)
@_FORMAT
def fit_command(
    corpus: Path, output: Path, taxonomy: Path | None, seed: int, format_: str | None
) -> None:
    """Fit a linear model on CORPUS, say how good it is on held-out articles, write its folder."""
    check_output(output)
    labelled = LabelledCorpus.read(corpus, Taxonomy.read(taxonomy) if taxonomy else load().taxonomy)
    fitted = fit(labelled, FitConfig(seed=seed), report=_say, track=_progress)
    fitted.write(output)
    _say(f"wrote {output}; use it with: posture score --model {output} FILE")
    _show(fitted.held_out, labelled.taxonomy, format_)


@posture_train.command("evaluate")
@click.argument("model", type=_PATH)
@click.argument("corpus", type=_PATH)
@_FORMAT
def evaluate_command(model: Path, corpus: Path, format_: str | None) -> None:
    """Score MODEL (a folder, or `default`) on CORPUS: its test articles, or all without a split."""
    scorer = load(None if str(model) == "default" else model)
    labelled = LabelledCorpus.read(corpus, scorer.taxonomy)
    test, train = labelled.split("test"), labelled.split("train")
    systems = {"model": evaluate(scorer, test if len(test) else labelled)}
    if len(test) and len(train):
        systems |= evaluate_baselines(train, test)
    elif not len(test):
        _say("no row is marked test: if the model was fitted on this corpus, its scores flatter")
    _show(systems, labelled.taxonomy, format_)


@posture_train.command("agreement")
@click.argument("annotations", type=_PATH)
@click.option(
    "--taxonomy", type=_PATH, help="TOML file of your own axes and labels, as data/taxonomy.toml."
)
@click.option(
    "--annotator",
    "annotators",
    multiple=True,
    help="Compare these alone; give it once for each. Default: all in the table.",
)
@_FORMAT
def agreement_command(
    annotations: Path, taxonomy: Path | None, annotators: tuple[str, ...], format_: str | None
) -> None:
    """Print Krippendorff's alpha of the annotators in ANNOTATIONS, with intervals by article.

    ANNOTATIONS is a table (.csv, .jsonl, .parquet) with one judgement a row: id, annotator, and
    the labels as in a corpus (topics as a|b; tone); optionally article_id.
    """
    judged = read_annotations(annotations, Taxonomy.read(taxonomy) if taxonomy else load().taxonomy)
    _show_agreement(agreement(judged, annotators=annotators or None), format_)


def main() -> None:
    """Run `posture-train`; bad input ends with one line on stderr and exit code 2."""
    run(posture_train, "posture-train")


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _progress(steps: Iterable[Any], total: int) -> Iterable[Any]:
    console = Console(stderr=True)
    return track(steps, "fits", total=total, console=console, disable=not console.is_terminal)


def _show_agreement(report: AgreementReport, format_: str | None) -> None:
    if (format_ or ("table" if sys.stdout.isatty() else "json")) == "json":
        print(json.dumps(report.to_dict()))
        return
    table = Table(
        title=f"{report.n_pairable} units of {report.n_articles} articles, judged twice or more by "
        f"{report.n_annotators} annotators",
        title_justify="left",
    )
    table.add_column("label")
    for header in ("alpha", "95 % interval", "same"):
        table.add_column(header, justify="right")
    for axis, labels in report.labels.items():
        rows = [(f"{axis}.{code}", one) for code, one in labels.items()]
        for name, one in [*rows, (f"[bold]{axis}, whole", report.axes[axis])]:
            table.add_row(
                name, f"{one.alpha:.3f}", f"{one.low:.3f} to {one.high:.3f}", f"{one.observed:.1%}"
            )
        table.add_section()
    console = Console()
    console.print(table)
    console.print(
        "alpha: Krippendorff's, 1 is perfect and 0 is chance; of label sets under MASI distance. "
        "From 0.80 labels may be relied on, from 0.667 tentatively. Intervals by article."
    )


def _show(systems: Mapping[str, Scores], taxonomy: Taxonomy, format_: str | None) -> None:
    if (format_ or ("table" if sys.stdout.isatty() else "json")) == "json":
        print(json.dumps({name: scores.to_dict() for name, scores in systems.items()}))
        return
    console = Console()
    model = systems["model"]
    others = {name: scores for name, scores in systems.items() if name != "model"}
    table = Table(
        title=f"On {model.n_paragraphs} paragraphs of {model.n_articles} articles",
        title_justify="left",
        box=SIMPLE,
        padding=(0, 1, 0, 0),
    )
    longest = max(len(code) for axis in taxonomy.axes for code in axis.codes)
    table.add_column("label", no_wrap=True, min_width=longest)
    for header in ("prec.", "recall", "F1", "n", "Brier", "ECE"):
        table.add_column(header, justify="right", no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    for axis in taxonomy.axes:
        for code in axis.codes:
            s = model.labels[axis.name][code]
            table.add_row(
                code,
                *(f"{value:.3f}" for value in (s.precision, s.recall, s.f1)),
                str(s.support),
                *(f"{value:.3f}" for value in (s.brier, s.calibration_error)),
                *(f"{scores.labels[axis.name][code].f1:.3f}" for scores in others.values()),
            )
        table.add_section()
    console.print(table)
    for axis in taxonomy.axes:
        macro = (
            f"{name} {scores.macro_f1[axis.name]:.3f} ({{:.3f}} to {{:.3f}})".format(
                *scores.macro_f1_interval[axis.name]
            )
            for name, scores in systems.items()
        )
        console.print(f"{axis.name}, macro-F1: {', '.join(macro)}", highlight=False)
    console.print(
        "Brier: mean squared error of the probability, 0 is best. ECE: how far probabilities are "
        "from observed shares on average, 0 is best. In brackets: 95 % intervals over articles. "
        "n: paragraphs with the label. majority, tfidf: F1 of two simple baselines."
    )
