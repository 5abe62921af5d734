"""`posture-train fit`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from inference.errors import InputError
from inference.sealed_folder import check_output
from inference.windows import CONTEXTS
from training.camembert import COMBINATIONS, ENCODERS, CamembertRecipe
from training.commands.options import (
    PATH,
    format_option,
    taxonomy_of,
    taxonomy_option,
    wants_json,
)
from training.commands.terminal import progress, say, standard_output
from training.corpus import LabelledCorpus
from training.corpus_record import Background
from training.fit import FittedModel, fit
from training.linear import LinearRecipe
from training.measured import Measured
from training.perturbations import COUNTRIES
from training.recipe import Recipe
from training.report_sections import main_section
from training.report_terminal import print_sections
from training.robustness import beside_linear

_DEFAULTS = CamembertRecipe()


def _weights(
    _context: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> dict[str, float] | None:
    """`tone=2` and the like."""
    try:
        return {axis: float(weight) for axis, weight in (one.split("=") for one in given)} or None
    except ValueError as error:
        msg = f"found {' '.join(given)}; expected axis=weight, as in tone=2"
        raise click.BadParameter(msg) from error


@click.command("fit")
@click.argument("corpus", type=PATH)
@click.option("--output", type=PATH, required=True, help="Model folder to write.")
@taxonomy_option
@click.option(
    "--model",
    type=click.Choice(("linear", "camembert")),
    default="linear",
    show_default=True,
    help="camembert fine-tunes an encoder; it needs the extra of that name.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Draws the held-out articles, the folds, and all else that is drawn.",
)
@click.option(
    "--encoder",
    help=f"A local folder, or a name on the Hugging Face hub: {', '.join(ENCODERS)}, or any "
    f"other for French.  [default: {_DEFAULTS.encoder}]",
)
@click.option(
    "--context",
    type=click.Choice(CONTEXTS),
    help=f"What the encoder reads beside a paragraph; preceding: its heading and the paragraph "
    f"before.  [default: {_DEFAULTS.context}]",
)
@click.option("--epochs", type=click.IntRange(1), help=f"At most.  [default: {_DEFAULTS.epochs}]")
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    help=f"Of the head and the top layer.  [default: {_DEFAULTS.learning_rate:g}]",
)
@click.option(
    "--layer-decay",
    type=click.FloatRange(0, 1, min_open=True),
    help="Factor of the learning rate from each layer to the one below.  "
    f"[default: {_DEFAULTS.layer_decay}]",
)
@click.option(
    "--freeze-layers",
    "frozen_layers",
    type=click.IntRange(0),
    help="Lower layers, with the embeddings, that stay as they are.  [default: 0]",
)
@click.option(
    "--batch-tokens",
    "tokens_per_batch",
    type=click.IntRange(1),
    help=f"Tokens computed at once.  [default: {_DEFAULTS.tokens_per_batch}]",
)
@click.option(
    "--accumulate",
    type=click.IntRange(1),
    help=f"Batches whose mean gradient makes one step.  [default: {_DEFAULTS.accumulate}]",
)
@click.option(
    "--label-smoothing",
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of each label's target that goes evenly to all its values.  [default: 0]",
)
@click.option(
    "--class-weights", is_flag=True, default=None, help="Weigh rare labels more in the loss."
)
@click.option(
    "--axis-weight",
    "axis_weights",
    multiple=True,
    callback=_weights,
    help="Weight of an axis in the loss, as in tone=2; once for each.  [default: 1]",
)
@click.option(
    "--augment",
    is_flag=True,
    default=None,
    help="Exchange the names of states among themselves at random during training.",
)
@click.option("--seeds", type=click.IntRange(1), help="How many times to train.  [default: 1]")
@click.option(
    "--combine",
    type=click.Choice(COMBINATIONS),
    help="Keep the best of several seeds, or average their weights.  [default: best]",
)
@click.option("--device", help="cpu, cuda, mps…  [default: a GPU if there is one]")
@click.option("--resume", is_flag=True, default=None, help="Go on with a run that was interrupted.")
@format_option
def command(
    corpus: Path,
    output: Path,
    taxonomy: Path | None,
    model: str,
    seed: int,
    format_: str | None,
    **chosen: Any,
) -> None:
    """Fit a model on CORPUS, say how good it is on held-out articles, write its folder.

    The options from --encoder to --resume are for --model camembert.
    """
    check_output(output)
    given = {name: value for name, value in chosen.items() if value is not None}
    checkpoint = output.resolve().with_name(f"{output.resolve().name}.checkpoint")
    recipe = _recipe(model, seed, checkpoint, given)
    labelled = LabelledCorpus.read(corpus, taxonomy_of(taxonomy))
    background = Background.beside(corpus, labelled.taxonomy, say)
    try:
        fitted = fit(labelled, recipe, report=say, track=progress, background=background)
    except KeyboardInterrupt:
        if model == "camembert" and checkpoint.exists():
            say("interrupted; the same command with --resume goes on from the last checkpoint")
        raise
    fitted.made_by(_command(model, seed, given, own_taxonomy=taxonomy is not None)).write(output)
    if model == "camembert":  # another model leaves an interrupted run of an encoder alone
        checkpoint.unlink(missing_ok=True)
    say(f"wrote {output}, with its card.md; use it with: posture score --model {output} FILE")
    _show(fitted, format_)
    if not wants_json(format_):
        say(f"all measures: posture-train evaluate {output} {corpus}")


@standard_output()
def _show(fitted: FittedModel, format_: str | None) -> None:
    if wants_json(format_):
        provenance = fitted.provenance
        found = {"systems": provenance.scores, "robustness": provenance.robustness}
        print(json.dumps(found, ensure_ascii=False))
        return
    own = fitted.held_out["model"]
    told = f"On {own.n_paragraphs} held-out paragraphs of {own.n_articles} articles:"
    print_sections([told], [main_section(fitted.held_out)])
    print(_countries(fitted.provenance.robustness[COUNTRIES]["axes"]))


def _countries(axes: Mapping[str, Any]) -> str:
    flips = {axis: Measured.from_dict(found) for axis, found in axes.items()}
    shares = ", ".join(f"{axis} {share}" for axis, share in flips.items())
    told = f"Share of paragraphs whose labels change with the countries exchanged: {shares}."
    return f"{told} {beside_linear(flips)}".strip()


def _command(model: str, seed: int, given: Mapping[str, Any], *, own_taxonomy: bool) -> str:
    """The command line with names in the place of paths."""
    parts = ["posture-train fit CORPUS --output MODEL"]
    parts += ["--taxonomy TAXONOMY"] if own_taxonomy else []
    parts += [f"--model {model} --seed {seed}"]
    flags = {option.name: option.opts[0] for option in command.params}
    for name, value in given.items():
        if name == "axis_weights":
            parts += [f"{flags[name]} {axis}={weight:g}" for axis, weight in value.items()]
        elif value is True:
            parts += [] if name == "resume" else [flags[name]]
        elif name == "encoder" and Path(value).exists():
            parts.append(f"{flags[name]} ENCODER")
        elif name != "device":
            parts.append(f"{flags[name]} {value}")
    return " ".join(parts)


def _recipe(model: str, seed: int, checkpoint: Path, given: dict[str, Any]) -> Recipe:
    if model == "camembert":
        return CamembertRecipe(seed=seed, checkpoint=checkpoint, **given)
    if given:
        names = ", ".join(sorted(given))
        msg = f"found option(s) of an encoder ({names}) for a linear model; add --model camembert"
        raise InputError(msg)
    return LinearRecipe(seed=seed)
