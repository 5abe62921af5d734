"""`posture-train export`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from inference.artefact import read_taxonomy
from training.commands.options import PATH, format_option, wants_json
from training.commands.terminal import say, standard_output
from training.corpus import LabelledCorpus
from training.runtime_export import export


@click.command("export")
@click.argument("folder", type=PATH)
@click.argument("corpus", type=PATH)
@click.option(
    "--runtime",
    type=click.Choice(("onnx", "openvino")),
    default="onnx",
    show_default=True,
    help="What shall compute the encoder.",
)
@click.option(
    "--int8",
    is_flag=True,
    help="Round weights and activations to 8 bits: for onnx by window, for openvino by ranges "
    "found beforehand; where that changes too many labels, in a slower and more exact way.",
)
@format_option
def command(folder: Path, corpus: Path, runtime: str, int8: bool, format_: str | None) -> None:
    """Add to an encoder's FOLDER what scores with it quickly and without torch.

    CORPUS is a labelled one, as for fit: on its test articles the labels are compared with those
    of the model as it was trained. Where more than 1.5 % of at least 67 paragraphs change labels,
    or macro-F1 moves by more than 0.005, the export is refused.
    """
    labelled = LabelledCorpus.read(corpus, read_taxonomy(folder))
    name = f"{runtime}-int8" if int8 else runtime
    measured = export(folder, labelled, name, report=say)
    say(f"added {name}; posture score --model {folder} uses it, or --runtime torch")
    with standard_output():
        as_json = json.dumps({"runtime": name, **asdict(measured)})
        print(as_json if wants_json(format_) else measured)
