"""`posture-train agreement`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isnan
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from training.agreement import Agreement, AgreementReport, Kappa, Kappas, agreement
from training.annotations import read_annotations
from training.commands.options import (
    PATH,
    format_option,
    taxonomy_of,
    taxonomy_option,
    wants_json,
)
from training.commands.terminal import say, standard_output

_PAIRS_ABREAST = 2  # at 80 columns
# In a simulation, tried once, the interval of alpha held it in 83 % at 8 articles, 89 % at 20.
_FEW_ARTICLES = 20


@click.command("agreement")
@click.argument("annotations", type=PATH, nargs=-1, required=True)
@taxonomy_option
@click.option(
    "--annotator",
    "annotators",
    multiple=True,
    help="Compare these alone; give it once for each. Default: all that are found.",
)
@format_option
def command(
    annotations: tuple[Path, ...],
    taxonomy: Path | None,
    annotators: tuple[str, ...],
    format_: str | None,
) -> None:
    """Print how far the annotators in ANNOTATIONS agree, with intervals by article.

    ANNOTATIONS is a table (.csv, .jsonl, .parquet) with one judgement a row: id, annotator, and
    the labels as in a corpus (topics as a|b; tone); optionally article_id. Or what an annotation
    tool exports, as files, a folder or a zip: Label Studio (JSON, JSON-MIN), doccano (JSONL, a
    file an annotator), Prodigy (db-out of choices).
    """
    judged = read_annotations(annotations, taxonomy_of(taxonomy))
    if judged.n_left_out:
        say(f"left out {judged.n_left_out} answer(s) that were skipped, rejected or empty")
    _show(agreement(judged, annotators=annotators or None), format_)


@standard_output()
def _show(report: AgreementReport, format_: str | None) -> None:
    if wants_json(format_):
        print(json.dumps(report.to_dict()))
        return
    console = Console()
    fleiss = report.fleiss
    table = _table(
        f"{report.n_pairable} units of {report.n_articles} articles, judged twice or more by "
        f"{report.n_annotators} annotators",
        ("alpha", "95 % interval", "same", "Fleiss", "95 % interval"),
    )
    for axis, labels in report.labels.items():
        whole = report.axes[axis]
        for name, one, kappa in [
            *((f"{axis}.{code}", one, fleiss.labels[axis][code]) for code, one in labels.items()),
            (f"{axis}, whole", whole, fleiss.axes.get(axis)),
        ]:
            cells = (_number(kappa.kappa), _interval(kappa)) if kappa else ("", "")
            table.add_row(name, _number(one.alpha), _interval(one), f"{one.observed:.1%}", *cells)
        table.add_section()
    console.print(table)
    pairs = list(report.cohen.items())
    for start in range(0, len(pairs), _PAIRS_ABREAST):
        console.print(_cohen_table(pairs[start : start + _PAIRS_ABREAST]))
    console.print(
        "alpha: Krippendorff's, 1 is perfect and 0 is chance; of label sets under MASI distance. "
        "From 0.80 labels may be relied on, from 0.667 tentatively. same: equal judgements. "
        "Fleiss: kappa of all annotators, each unit with as many as judged it. Where a third was "
        "asked because two differed, a pair's units are no fair sample, and its kappa is no figure "
        "of that annotator. Intervals by article.",
        highlight=False,
    )
    if report.n_articles < _FEW_ARTICLES:
        console.print(
            "With fewer than twenty articles the intervals are narrower than they should be.",
            highlight=False,
        )


def _cohen_table(pairs: list[tuple[str, Kappas]]) -> Table:
    headers = [f"{name}\n{kappas.n_units} units" for name, kappas in pairs]
    table = _table("Cohen's kappa of each two annotators", headers)
    first = pairs[0][1]
    for axis, labels in first.labels.items():
        for code in labels:
            cells = (kappas.labels[axis][code] for _, kappas in pairs)
            table.add_row(f"{axis}.{code}", *map(_with_interval, cells))
        if axis in first.axes:
            cells = (kappas.axes[axis] for _, kappas in pairs)
            table.add_row(f"{axis}, whole", *map(_with_interval, cells))
        table.add_section()
    return table


def _table(title: str, headers: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("label", overflow="fold")
    for header in headers:
        table.add_column(header, justify="right", no_wrap="\n" not in header)
    return table


def _with_interval(one: Kappa) -> str:
    return "–" if isnan(one.kappa) else f"{one.kappa:.3f} {_interval(one)}"


def _number(value: float) -> str:
    return "–" if isnan(value) else f"{value:.3f}"


def _interval(one: Agreement | Kappa) -> str:
    return "–" if isnan(one.low) else f"{one.low:.3f}–{one.high:.3f}"
