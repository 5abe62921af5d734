"""Options that several commands take."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from inference.artefact import DEFAULT_MODEL, StoredModel, read_model, read_taxonomy
from inference.model_kind import Backend
from inference.taxonomy import Taxonomy

PATH = click.Path(path_type=Path)

taxonomy_option = click.option(
    "--taxonomy", type=PATH, help="TOML file of your own axes and labels, as data/taxonomy.toml."
)

format_option = click.option(
    "--format",
    "format_",
    type=click.Choice(("table", "json")),
    help="Default: table on a terminal, json otherwise.",
)


def taxonomy_of(path: Path | None) -> Taxonomy:
    """The taxonomy of a TOML file; None means that of the shipped model."""
    return Taxonomy.read(path) if path else read_taxonomy(DEFAULT_MODEL)


def stored_model(path: Path, backend: Backend = Backend()) -> StoredModel:
    """A model folder as it was written; `default` is the one shipped."""
    return read_model(DEFAULT_MODEL if str(path) == "default" else path, backend)


def in_words(path: Path, stored: StoredModel) -> str:
    """A model by its folder and, where there is a choice, what computes it."""
    return f"{path}, computed by {stored.runtime}" if stored.runtime else str(path)


def wants_json(format_: str | None) -> bool:
    """Whether standard output gets JSON, given what `--format` said."""
    return (format_ or ("table" if sys.stdout.isatty() else "json")) == "json"
