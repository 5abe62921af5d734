"""`posture-train card`."""

from __future__ import annotations

from pathlib import Path

import click

from inference.artefact import DEFAULT_MODEL
from inference.destination import destination
from inference.sealed_folder import read_sealed
from training.card import card
from training.commands.options import PATH


@click.command("card")
@click.argument("model", type=PATH)
def command(model: Path) -> None:
    """Print what is known of MODEL (a folder, or `default`) as Markdown, for its readers.

    Its data and how far annotators agree on them, figures with intervals, calibration, robustness,
    what it is for and what not, and its limits, all from the manifest. `fit` and `distil` write
    the same beside it as card.md.
    """
    manifest = read_sealed(DEFAULT_MODEL if str(model) == "default" else model)
    with destination(None) as file:
        file.write(card(manifest).encode())
