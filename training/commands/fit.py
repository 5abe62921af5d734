"""`posture-train fit`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from inference.artefact import check_output
from training.commands.options import (
    PATH,
    format_option,
    taxonomy_of,
    taxonomy_option,
    wants_json,
)
from training.commands.terminal import progress, say
from training.config import FitConfig
from training.corpus import LabelledCorpus
from training.fit import fit
from training.report_sections import main_section
from training.report_terminal import print_sections


@click.command("fit")
@click.argument("corpus", type=PATH)
@click.option("--output", type=PATH, required=True, help="Model folder to write.")
@taxonomy_option
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Draws the held-out articles and the folds.",
)
@format_option
def command(
    corpus: Path, output: Path, taxonomy: Path | None, seed: int, format_: str | None
) -> None:
    """Fit a linear model on CORPUS, say how good it is on held-out articles, write its folder."""
    check_output(output)
    labelled = LabelledCorpus.read(corpus, taxonomy_of(taxonomy))
    fitted = fit(labelled, FitConfig(seed=seed), report=say, track=progress)
    fitted.write(output)
    say(f"wrote {output}; use it with: posture score --model {output} FILE")
    if wants_json(format_):
        print(json.dumps({name: scores.to_dict() for name, scores in fitted.held_out.items()}))
        return
    model = fitted.held_out["model"]
    told = f"On {model.n_paragraphs} held-out paragraphs of {model.n_articles} articles:"
    print_sections([told], [main_section(fitted.held_out)])
    say(f"all measures: posture-train evaluate {output} {corpus}")
