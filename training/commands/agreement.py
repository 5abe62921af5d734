"""`posture-train agreement`."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from training.agreement import AgreementReport, agreement, read_annotations
from training.commands.options import (
    PATH,
    format_option,
    taxonomy_of,
    taxonomy_option,
    wants_json,
)


@click.command("agreement")
@click.argument("annotations", type=PATH)
@taxonomy_option
@click.option(
    "--annotator",
    "annotators",
    multiple=True,
    help="Compare these alone; give it once for each. Default: all in the table.",
)
@format_option
def command(
    annotations: Path, taxonomy: Path | None, annotators: tuple[str, ...], format_: str | None
) -> None:
    """Print Krippendorff's alpha of the annotators in ANNOTATIONS, with intervals by article.

    ANNOTATIONS is a table (.csv, .jsonl, .parquet) with one judgement a row: id, annotator, and
    the labels as in a corpus (topics as a|b; tone); optionally article_id.
    """
    judged = read_annotations(annotations, taxonomy_of(taxonomy))
    _show(agreement(judged, annotators=annotators or None), format_)


def _show(report: AgreementReport, format_: str | None) -> None:
    if wants_json(format_):
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
