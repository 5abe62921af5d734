"""`posture`: files, folders and tables of articles in; labels, summaries, explanations out."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from inference import __version__
from inference.article import Article
from inference.destination import destination
from inference.errors import InputError
from inference.highlighting import write_highlighted
from inference.inputs import check_not_read, read_articles
from inference.language import language_checked
from inference.readers import is_folder
from inference.records import Record, article_records, explained_record, paragraph_records
from inference.scorer import Scorer, load
from inference.tables import TABLE_SUFFIXES, UNITS
from inference.writers import WRITERS, write_jsonl


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def posture() -> None:
    """Topic and tone of French defence news, paragraph by paragraph."""


_model_option = click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="Folder that posture-train fit wrote.  [default: the embedded model]",
)
runtime_option = click.option(
    "--runtime",
    help="Of an encoder: torch (in bfloat16 where the device has it), or one that posture-train "
    "export added.",
)
device_option = click.option(
    "--device", help="Compute an encoder with torch on cpu, cuda, mps…, not with what was exported."
)


@posture.command()
@click.argument(
    "inputs", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@_model_option
@runtime_option
@device_option
@click.option(
    "--unit",
    type=click.Choice(UNITS),
    default="article",
    show_default=True,
    help="What a row of a table is.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(WRITERS)),
    help="Default: table on a terminal; else by --output's suffix, or jsonl.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="File to write, whole or not at all; default: standard output.",
)
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Abstain on an axis where the model is less sure; 0, the default, never abstains.",
)
def score(
    inputs: tuple[Path, ...],
    model: Path | None,
    runtime: str | None,
    device: str | None,
    unit: str,
    format_: str | None,
    output: Path | None,
    min_confidence: float,
) -> None:
    """Label the paragraphs of articles and sum each article up.

    FILE is an article (.txt, .md, .html), a folder of them, or a table (.jsonl, .csv, .parquet)
    with one article a row (column text, optionally id, title, date, source, url) or, with --unit
    paragraph, one paragraph a row (text, optionally id, heading, preceding, article_id); - is
    standard input. Other columns travel through to the output.
    """
    if output:
        check_not_read(output, inputs)
    scorer = load(model, runtime=runtime, device=device)
    if min_confidence:
        scorer = scorer.abstaining_below(min_confidence)
    articles = language_checked(read_articles(inputs, unit))
    # A long run that writes elsewhere shows on the terminal how far it is.
    many = any(
        path.suffix.lower() in TABLE_SUFFIXES or is_folder(path)
        for path in inputs
        if str(path) != "-"
    )
    if many and sys.stderr and sys.stderr.isatty() and (output or not sys.stdout.isatty()):
        articles = _counted(articles)
    if unit == "paragraph":
        articles = _together(articles)
    scored = scorer.score_many(articles)
    records = paragraph_records(scored) if unit == "paragraph" else article_records(scored)
    with destination(output) as file:
        WRITERS[format_ or _format_for(output)](records, file, scorer.taxonomy)


@posture.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@_model_option
@runtime_option
@device_option
@click.option(
    "--paragraph",
    "number",
    type=click.IntRange(min=1),
    metavar="N",
    help="Only the Nth paragraph, counted from 1; default: all.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "jsonl"]),
    help="Default: text on a terminal, else jsonl.",
)
def explain(
    path: Path,
    model: Path | None,
    runtime: str | None,
    device: str | None,
    number: int | None,
    format_: str | None,
) -> None:
    """Show which words of a paragraph speak for its labels, and which against.

    FILE is an article, a folder or a table of articles, as for posture score; - is standard input.
    """
    scorer = load(model, runtime=runtime, device=device)
    articles = language_checked(read_articles((path,), "article"))
    records = _explained(scorer, articles, number)
    with destination(None) as file:
        if (format_ or ("text" if sys.stdout.isatty() else "jsonl")) == "jsonl":
            write_jsonl(records, file, scorer.taxonomy)
        else:
            write_highlighted(records, file, scorer.taxonomy)


def main() -> None:
    """Run `posture`; bad input ends with one line on stderr and exit code 2."""
    run(posture, "posture")


def run(command: click.Command, name: str) -> None:
    """Run a command line application of this project with its way of ending."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up as after Ctrl-C
    try:
        if sys.stdout is None:
            msg = "standard output: is closed; expected a place for results; run again without >&-"
            raise InputError(msg)
        command(prog_name=name)
    except InputError as error:
        click.echo(f"{name}: {error}", err=True)
        sys.exit(2)
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _explained(scorer: Scorer, articles: Iterable[Article], number: int | None) -> Iterator[Record]:
    """A record for each paragraph, or for each article's paragraph of that `number`."""
    longest, found = 0, False
    for one in scorer.score_many(articles):
        paragraphs = one.article.paragraphs
        longest = max(longest, len(paragraphs))
        for index in range(len(paragraphs)) if number is None else [number - 1]:
            if index < len(paragraphs):
                found = True
                yield explained_record(one, index, scorer.explain(paragraphs[index]))
    if number is not None and not found:
        msg = f"--paragraph {number}: expected at most {longest}; leave it out for all"
        raise InputError(msg)


def _together(rows: Iterable[Article]) -> Iterator[Article]:
    """The same rows; a warning at the end if those of one article do not stand together."""
    seen: set[str] = set()
    last, scattered = None, 0
    for row in rows:
        name = row.extra.get("article_id")
        scattered += name is not None and name != last and str(name) in seen
        seen.add(str(name))  # a list cannot be in a set
        last = name
        yield row
    if scattered:
        print(
            f"posture: rows of one article_id stand apart in {scattered} place(s), so that its "
            "summary comes in parts; sort the table by article_id to have it whole",
            file=sys.stderr,
        )


def _counted(articles: Iterable[Article]) -> Iterator[Article]:
    """The same articles, counted on standard error as they pass."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.completed:,.0f} texts read"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        for article in articles:
            progress.advance(task)
            yield article


def _format_for(output: Path | None) -> str:
    if output is None:
        return "table" if sys.stdout.isatty() else "jsonl"
    suffix = output.suffix.lower().removeprefix(".")
    if suffix in ("jsonl", "csv", "parquet"):
        return suffix
    msg = f"{output}: its suffix names no format; expected .jsonl, .csv or .parquet, or --format"
    raise InputError(msg)
