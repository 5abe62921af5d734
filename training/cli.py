"""`posture-train`: what needs labels."""

from __future__ import annotations

from importlib import import_module

import click

from inference import __version__
from inference.cli import run

# Each is a file in `training/commands`, in the order in which they are used.
COMMANDS = (
    "fit",
    "distil",
    "export",
    "card",
    "evaluate",
    "compare",
    "agreement",
    "audit",
    "sample",
    "estimate",
)


class _Commands(click.Group):
    """Imports a command when it is called: none waits for the libraries of another."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Names in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of a name; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = import_module(f"training.commands.{cmd_name}").command
        return found


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def posture_train() -> None:
    """Fit and evaluate models on labelled paragraphs.

    A CORPUS is a table (.csv, .jsonl, .parquet) of labelled paragraphs with article_id, text, a
    column for each axis (topics as a|b; tone) or a 0/1 column for each label, and optionally
    heading, preceding and split (train, test); or a folder like data/corpus; or what Label Studio,
    doccano or Prodigy exports.
    """


def main() -> None:
    """Run `posture-train`; bad input ends with one line on stderr and exit code 2."""
    run(posture_train, "posture-train")
