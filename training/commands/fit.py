"""`posture-train fit`."""

from __future__ import annotations

from pathlib import Path

import click

from inference.artefact import check_output
from training.commands.evaluate import show
from training.commands.options import PATH, format_option, taxonomy_of, taxonomy_option
from training.commands.terminal import progress, say
from training.config import FitConfig
from training.corpus import LabelledCorpus
from training.fit import fit


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
    show(fitted.held_out, labelled.taxonomy, format_)
