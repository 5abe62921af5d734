"""`posture-train estimate`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from inference.taxonomy import Axis
from training.archive import ScoredArchive
from training.commands.options import PATH, taxonomy_of, taxonomy_option
from training.commands.terminal import progress, say, standard_output
from training.corrected_share import TOO_FEW_ARTICLES, Share
from training.estimate import (
    PERIODS,
    Estimates,
    LabelEstimate,
    columns_for,
    estimate,
)
from training.labelled_sample import LabelledSample

_LEGEND = (
    "corrected: the share to publish, the model's scores set right by the labelled paragraphs. "
    "labels alone: those paragraphs without the model. counted: the model's decisions; expected: "
    "its mean probability; their intervals leave out the model's errors. In brackets: 95 % "
    "intervals over articles. help: how far the scores were used, 0 not at all, 1 in full."
)
_GROUP_LEGEND = (
    "Corrected shares in %, in brackets 95 % intervals over articles. n: paragraphs; labelled: of "
    f"the sample among them. –: fewer than {TOO_FEW_ARTICLES} labelled articles, too few to say."
)


@click.command("estimate")
@click.argument("scored", type=PATH)
@click.argument("labelled", type=PATH)
@click.option("--by", help="month or year (of the column date), or a column: source, theatre, …")
@click.option(
    "--cross-fit",
    is_flag=True,
    help="The model that scored was trained on LABELLED: fit and score anew, in folds by article.",
)
@click.option("--figure", type=PATH, help="Plot of a series by month or year: .svg, .png or .pdf.")
@click.option("--events", type=PATH, help="Table of date and label, drawn on the figure.")
@taxonomy_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(("table", "json", "csv")),
    help="Default: table on a terminal, json otherwise.",
)
def command(
    scored: Path,
    labelled: Path,
    by: str | None,
    cross_fit: bool,
    figure: Path | None,
    events: Path | None,
    taxonomy: Path | None,
    format_: str | None,
) -> None:
    """Share of each topic and tone in SCORED, corrected by the labelled sample, with intervals.

    SCORED is what posture score wrote (.jsonl, .csv, .parquet); LABELLED is what posture-train
    sample drew from it, with the labels filled in, or what Label Studio, doccano or Prodigy
    export of it. The model must not have been trained on
    LABELLED; where it was, nobody can see it in the files: say --cross-fit.
    """
    _check_figure(by, figure, events)
    own = taxonomy_of(taxonomy)
    sample = LabelledSample.read(labelled, own)
    archive = ScoredArchive.read(scored, own, columns_for(by))
    if sample.n_drawn > len(sample):
        say(
            f"{len(sample)} of {sample.n_drawn} drawn paragraphs are labelled, in order of the draw"
        )
    if cross_fit:
        from training import cross_fit as fitting

        say("cross-fitting: scoring the archive's texts with models that have not seen them")
        texts = fitting.archive_texts(scored, lambda rows: progress(rows, len(archive)))
        archive = fitting.cross_fit(archive, texts, sample)
    estimates = estimate(archive, sample, by)
    if figure:
        from training.series_figure import read_events, write_series

        write_series(estimates, figure, read_events(events) if events else ())
        say(f"wrote {figure}")
    _print(estimates, format_ or ("table" if sys.stdout.isatty() else "json"))


def _check_figure(by: str | None, figure: Path | None, events: Path | None) -> None:
    if figure:
        from training.series_figure import check_figure

        check_figure(figure)
    if figure and by not in PERIODS:
        msg = "--figure draws a series over time; add --by month or --by year"
        raise click.UsageError(msg)
    if events and not figure:
        msg = "--events are drawn on a figure; say where to, as --figure series.svg"
        raise click.UsageError(msg)


def _print(estimates: Estimates, format_: str) -> None:
    with standard_output() as file:
        if format_ == "json":
            print(json.dumps(estimates.to_dict()))
        elif format_ == "csv":
            file.write(estimates.to_frame().to_csv(index=False).encode())
        else:
            console = Console()
            console.print(_overall_table(estimates))
            console.print(_LEGEND)
            for axis in estimates.taxonomy.axes if estimates.by else ():
                console.print(_group_table(estimates, axis))
            if estimates.by:
                console.print(_GROUP_LEGEND)


def _overall_table(estimates: Estimates) -> Table:
    first = estimates.overall[0]
    table = Table(
        title=f"{first.n_paragraphs:,} paragraphs, {first.n_labelled:,} labelled in "
        f"{first.n_labelled_articles:,} articles; shares in %",
        title_justify="left",
        box=SIMPLE,
        padding=(0, 1, 0, 0),
    )
    table.add_column("label", no_wrap=True)
    for header in ("corrected", "labels alone", "counted", "expected", "help"):
        table.add_column(header, justify="right")
    for axis in estimates.taxonomy.axes:
        for row in estimates.overall:
            if row.axis == axis.name:
                table.add_row(
                    row.label,
                    *map(_cell, (row.corrected, row.classical, row.counted, row.expected)),
                    f"{row.power:.2f}",
                )
        table.add_section()
    return table


def _group_table(estimates: Estimates, axis: Axis) -> Table:
    table = Table(title=f"{axis.field} by {estimates.by}", title_justify="left", box=SIMPLE)
    table.padding = (0, 1, 0, 0)
    table.add_column(estimates.by or "")
    for header in ("n", "labelled", *axis.codes):
        table.add_column(header, justify="right")
    for group, rows in estimates.groups.items():
        own: list[LabelEstimate] = [row for row in rows if row.axis == axis.name]
        n, labelled = own[0].n_paragraphs, own[0].n_labelled
        table.add_row(
            group, f"{n:,}", str(labelled), *(_cell(row.corrected, digits=0) for row in own)
        )
    return table


def _cell(share: Share | None, digits: int = 1) -> str:
    if share is None:
        return "–"
    low, middle, high = (f"{100 * x:.{digits}f}" for x in (share.low, share.share, share.high))
    return f"{middle} ({low}–{high})"
