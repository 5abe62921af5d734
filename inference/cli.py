"""`posture score`: files, folders and tables of articles in; labels and summaries out."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import click

from inference import __version__
from inference.article import Article
from inference.decode import decode
from inference.errors import InputError
from inference.language import foreign_language
from inference.readers import article_paths, read_article
from inference.records import article_records, paragraph_records
from inference.scorer import load
from inference.tables import TABLE_SUFFIXES, UNITS, articles_of_rows, read_rows, stream_rows
from inference.writers import WRITERS

if TYPE_CHECKING:
    from io import BufferedReader


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def posture() -> None:
    """Topic and tone of French defence news, paragraph by paragraph."""


@posture.command()
@click.argument(
    "inputs", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--model", type=click.Path(path_type=Path), help="Folder that posture-train fit wrote."
)
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
    scorer = load(model)
    if min_confidence:
        scorer = scorer.abstaining_below(min_confidence)
    scored = scorer.score_many(_language_checked(_articles(inputs, unit)))
    records = paragraph_records(scored) if unit == "paragraph" else article_records(scored)
    with _destination(output) as file:
        WRITERS[format_ or _format_for(output)](records, file, scorer.taxonomy)


def main() -> None:
    """Run `posture`; bad input ends with one line on stderr and exit code 2."""
    run(posture, "posture")


def run(command: click.Command, name: str) -> None:
    """Run a command line application of this project with its way of ending."""
    try:
        command(prog_name=name)
    except InputError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _articles(inputs: tuple[Path, ...], unit: str) -> Iterator[Article]:
    for path in inputs:
        if str(path) == "-":
            yield from _standard_input(unit)
        elif path.is_dir():
            for file in article_paths(path):
                yield read_article(file)
        elif path.suffix.lower() in TABLE_SUFFIXES:
            yield from articles_of_rows(read_rows(path), unit)
        else:
            yield read_article(path)


def _standard_input(unit: str) -> Iterator[Article]:
    """A table in JSON Lines or CSV if its first line says so, plain text otherwise."""
    stream = cast("BufferedReader", sys.stdin.buffer)
    head = stream.peek(65_536)
    first_line = head.lstrip(b"\xef\xbb\xbf \t\r\n").split(b"\n", 1)[0]
    columns = {name.strip().strip(b'"') for name in first_line.split(b",")}
    if first_line.startswith(b"{"):
        yield from articles_of_rows(stream_rows(stream, ".jsonl", "standard input"), unit)
    elif b"text" in columns:
        yield from articles_of_rows(stream_rows(stream, ".csv", "standard input"), unit)
    else:
        yield Article.from_text(decode(stream.read(), "standard input"), id="-")


def _language_checked(articles: Iterable[Article]) -> Iterator[Article]:
    """The same articles; a warning at the end names those that do not look French."""
    foreign: Counter[str] = Counter()
    example = ""
    n = 0
    for article in articles:
        n += 1
        if code := foreign_language(article.text):
            foreign[code] += 1
            example = example or article.id
        yield article
    if foreign:
        languages = ", ".join(f"{count} {code}" for code, count in foreign.most_common(5))
        print(
            f"posture: {foreign.total()} of {n} text(s) do not look French ({languages}; the first "
            f"is {example!r}); the model knows French only, so their labels mean little",
            file=sys.stderr,
        )


def _format_for(output: Path | None) -> str:
    if output is None:
        return "table" if sys.stdout.isatty() else "jsonl"
    suffix = output.suffix.lower().removeprefix(".")
    if suffix in ("jsonl", "csv", "parquet"):
        return suffix
    msg = f"{output}: its suffix names no format; expected .jsonl, .csv or .parquet, or --format"
    raise InputError(msg)


@contextmanager
def _destination(output: Path | None) -> Iterator[IO[bytes]]:
    """Standard output, or a file that appears whole when all is written."""
    if output is None:
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing left to flush
            msg = f"standard output: cannot be written ({error.strerror}); make room and run again"
            raise InputError(msg) from error
        return
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=output.parent, prefix=f".{output.name}-", delete=False
        ) as file:
            temporary = Path(file.name)
            yield file.file
        temporary.chmod(0o644)  # NamedTemporaryFile's is for its owner alone
        temporary.replace(output)
    except OSError as error:
        msg = f"{output}: cannot be written ({error.strerror or error}); nothing was changed"
        raise InputError(msg) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
