"""`posture-train audit`."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from inference.destination import check_new
from inference.errors import InputError
from inference.taxonomy import Taxonomy
from training.adjudication import apply_verdicts, write_suspects
from training.audit import Audit, audit
from training.commands.options import (
    PATH,
    format_option,
    taxonomy_of,
    taxonomy_option,
    wants_json,
)
from training.commands.terminal import progress, say, standard_output
from training.corpus import LabelledCorpus


@click.command("audit")
@click.argument("corpus", type=PATH)
@click.option(
    "--output",
    type=PATH,
    required=True,
    help="New CSV of the suspects to write; with --apply, the corrected corpus.",
)
@click.option(
    "--apply",
    "verdicts",
    type=PATH,
    help="The CSV with its new_ columns filled in: write CORPUS anew with those labels.",
)
@taxonomy_option
@format_option
def command(
    corpus: Path, output: Path, verdicts: Path | None, taxonomy: Path | None, format_: str | None
) -> None:
    """Find labels of CORPUS to look at again, and put the corrected ones back.

    Three reasons make a suspect: a model that has not seen the article contradicts a label; a
    near-duplicate is labelled otherwise; many words stand in no other article. The CSV lists the
    suspects, the least believed first. Fill in new_topics and new_tone where a label is wrong
    (a|b, or - for none; an empty cell changes nothing), then run again with --apply, which
    changes those cells and no other; a CSV in another encoding is written as UTF-8.
    """
    axes = taxonomy_of(taxonomy)
    if verdicts:
        _apply(verdicts, corpus, output, axes)
        return
    _check_output(output)
    found = audit(LabelledCorpus.read(corpus, axes), report=say, track=progress)
    write_suspects(found, output)
    say(f"wrote {len(found.suspects())} suspects to {output}")
    _show(found, format_)


def _apply(verdicts: Path, corpus: Path, output: Path, taxonomy: Taxonomy) -> None:
    counts = apply_verdicts(verdicts, corpus, output, taxonomy)
    n_texts = counts.pop("texts")
    changes = ", ".join(f"{name} {n}" for name, n in sorted(counts.items())) or "nothing"
    say(f"wrote {output}: {n_texts} text(s) with other labels than before ({changes})")


def _check_output(output: Path) -> None:
    check_new(output)
    if output.suffix.lower() != ".csv":
        msg = f"{output}: expected a new .csv file for the suspects; give --output audit.csv"
        raise InputError(msg)
    if not output.resolve().parent.is_dir():  # not at the end of minutes of work
        msg = f"{output}: its folder does not exist; expected one to write into; make it first"
        raise InputError(msg)


@standard_output()
def _show(found: Audit, format_: str | None) -> None:
    counts = found.to_dict()
    if wants_json(format_):
        print(json.dumps(counts))
        return
    console = Console()
    table = Table(
        title=f"{counts['n_suspects']} suspects among {counts['n_texts']} texts: "
        f"{counts['n_contradicted']} contradicted, {counts['n_unequal_copies']} with an unequal "
        f"copy, {counts['n_odd']} out of the usual domain",
        title_justify="left",
        box=SIMPLE,
        padding=(0, 1, 0, 0),
    )
    table.add_column("label", overflow="fold")
    for header in ("with", "doubted", "est. wrong", "missed", "est. missed"):
        table.add_column(header, justify="right", no_wrap=True)
    for axis, labels in found.labels.items():
        for code, one in labels.items():
            table.add_row(
                f"{axis}.{code}",
                str(one.n_with),
                str(one.n_doubted),
                f"{one.wrong_share:.1%}",
                str(one.n_missed),
                f"{one.missed_share:.1%}",
            )
        table.add_section()
    console.print(table)
    console.print(
        "doubted: texts with the label that the model would not give it; missed: texts without it "
        "that the model would. est.: share of the texts with it, and without it, whose label is "
        "wrong, by confident learning. The model's own errors count in it, so that it is too high "
        "where the model is weak, as on a small corpus; the list is an order in which to read.",
        highlight=False,
    )
