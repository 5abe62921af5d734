"""`posture-train evaluate`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from inference.scorer import load
from inference.taxonomy import Taxonomy
from training.commands.options import PATH, format_option, wants_json
from training.commands.terminal import say
from training.corpus import LabelledCorpus
from training.evaluate import evaluate, evaluate_baselines
from training.metrics import Scores


@click.command("evaluate")
@click.argument("model", type=PATH)
@click.argument("corpus", type=PATH)
@format_option
def command(model: Path, corpus: Path, format_: str | None) -> None:
    """Score MODEL (a folder, or `default`) on CORPUS: its test articles, or all without a split."""
    scorer = load(None if str(model) == "default" else model)
    labelled = LabelledCorpus.read(corpus, scorer.taxonomy)
    test, train = labelled.split("test"), labelled.split("train")
    systems = {"model": evaluate(scorer, test if len(test) else labelled)}
    if len(test) and len(train):
        systems |= evaluate_baselines(train, test)
    elif not len(test):
        say("no row is marked test: if the model was fitted on this corpus, its scores flatter")
    show(systems, labelled.taxonomy, format_)


def show(systems: Mapping[str, Scores], taxonomy: Taxonomy, format_: str | None) -> None:
    """Print the scores of a model and of others beside it, as a table or as JSON."""
    if wants_json(format_):
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
