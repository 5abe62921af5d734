"""`posture-train sample`."""

from __future__ import annotations

from pathlib import Path

import click

from inference.destination import check_new
from training.archive import ScoredArchive
from training.commands.options import PATH, taxonomy_of, taxonomy_option
from training.commands.terminal import progress, say
from training.sample import DESIGNS, draw_sample
from training.sample_files import FORMATS, companions, format_for, read_tasks, write_sample


@click.command("sample")
@click.argument("archive", type=PATH)
@click.option(
    "--n", type=click.IntRange(1), default=300, show_default=True, help="Paragraphs to draw."
)
@click.option(
    "--by",
    type=click.Choice(DESIGNS),
    default="random",
    show_default=True,
    help="Equal chances; more of rare and unsure labels; or more of what the model doubts, spread.",
)
@click.option("--output", type=PATH, required=True, help="New file: .csv, .json or .jsonl.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="Default: by --output's suffix; .json is Label Studio's, .jsonl doccano's.",
)
@taxonomy_option
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the draw.")
def command(
    archive: Path,
    n: int,
    by: str,
    output: Path,
    format_: str | None,
    taxonomy: Path | None,
    seed: int,
) -> None:
    """Draw paragraphs of ARCHIVE to label, and keep each one's probability of being drawn.

    ARCHIVE is what posture score wrote (.jsonl, .csv, .parquet). The model's predictions are not
    shown to the annotator, whom they would sway. Paragraphs stand in random order: whoever stops
    early has still labelled a random sample. What each label means is written beside the file.
    """
    chosen = format_for(output, format_)
    check_new(*companions(output, chosen))
    scored = ScoredArchive.read(archive, taxonomy_of(taxonomy))
    sample = draw_sample(scored, n, by, seed)
    say(f"drew {n} of {len(scored):,} paragraphs; reading their texts")
    tasks = read_tasks(archive, scored, sample, progress)
    paths = write_sample(tasks, output, scored.taxonomy, chosen)
    articles = len({task["article_id"] for task in tasks})
    say(f"wrote {', '.join(map(str, paths))}: {n} paragraphs of {articles} articles")
    say(f"label them in order, then: posture-train estimate {archive} {output}")
