"""`posture`: files, folders and tables of articles in; labels, summaries, explanations out."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from inference import __version__
from inference.article import Article
from inference.destination import destination
from inference.errors import InputError
from inference.highlighting import write_highlighted
from inference.language import foreign_language
from inference.readers import article_paths, read_article, read_stream
from inference.records import Record, article_records, explained_record, paragraph_records
from inference.scorer import Scorer, load
from inference.tables import TABLE_SUFFIXES, UNITS, Ids, articles_of_rows, read_rows, stream_rows
from inference.writers import WRITERS, write_jsonl

if TYPE_CHECKING:
    from io import BufferedReader


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def posture() -> None:
    """Topic and tone of French defence news, paragraph by paragraph."""


_model_option = click.option(
    "--model", type=click.Path(path_type=Path), help="Folder that posture-train fit wrote."
)
_runtime_option = click.option(
    "--runtime", help="Of an encoder: torch, or one that posture-train export added."
)
_device_option = click.option("--device", help="For an encoder in torch: cpu, cuda, mps…")


@posture.command()
@click.argument(
    "inputs", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@_model_option
@_runtime_option
@_device_option
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
    scorer = load(model, runtime=runtime, device=device)
    if min_confidence:
        scorer = scorer.abstaining_below(min_confidence)
    articles = _language_checked(_articles(inputs, unit))
    # A long run that writes elsewhere shows on the terminal how far it is.
    many = any(path.is_dir() or path.suffix.lower() in TABLE_SUFFIXES for path in inputs)
    if many and sys.stderr.isatty() and (output or not sys.stdout.isatty()):
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
@_runtime_option
@_device_option
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
    articles = _language_checked(_articles((path,), "article"))
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
    try:
        command(prog_name=name)
    except InputError as error:
        print(f"{name}: {error}", file=sys.stderr)
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


def _articles(inputs: tuple[Path, ...], unit: str) -> Iterator[Article]:
    ids = Ids()
    for path in inputs:
        if str(path) == "-":
            yield from _standard_input(unit, ids)
        elif path.suffix.lower() in TABLE_SUFFIXES and not path.is_dir():
            yield from articles_of_rows(read_rows(path), unit, ids)
        elif not path.exists():
            msg = f"{path}: does not exist; expected a file or a folder; check the path"
            raise InputError(msg)
        else:
            _check_unit(path, unit)
            for file in article_paths(path) if path.is_dir() else [path]:
                article = read_article(file)
                if path.is_dir():  # two folders may hold files of one name
                    article = replace(article, id=str(file.relative_to(path).with_suffix("")))
                ids.check(article.id, article.text, str(file))
                yield article


def _check_unit(where: object, unit: str) -> None:
    if unit == "paragraph":
        msg = f"{where}: is an article; --unit paragraph is for tables (.jsonl, .csv, .parquet)"
        raise InputError(msg)


def _standard_input(unit: str, ids: Ids) -> Iterator[Article]:
    """A table in JSON Lines or CSV, or a web page, if its first line says so; else plain text."""
    if sys.stdin is None:
        msg = "standard input: is closed; expected a text, or give a FILE"
        raise InputError(msg)
    where = "standard input"
    stream = cast("BufferedReader", sys.stdin.buffer)
    head = stream.peek(65_536).lstrip(b"\xef\xbb\xbf \t\r\n")
    first_line = head.split(b"\n", 1)[0].strip()
    columns = {name.strip(b'" ') for name in re.split(rb"[,;\t]", first_line)}
    if first_line.startswith(b"{"):
        yield from articles_of_rows(stream_rows(stream, ".jsonl", where), unit, ids)
    elif b"text" in columns:
        yield from articles_of_rows(stream_rows(stream, ".csv", where), unit, ids)
    else:
        _check_unit(where, unit)
        is_page = head[:500].lower().startswith((b"<!doctype html", b"<html", b"<?xml"))
        article = read_stream(stream.read(), ".html" if is_page else ".txt", where)
        ids.check(article.id, article.text, where)
        yield article


def _together(rows: Iterable[Article]) -> Iterator[Article]:
    """The same rows; a warning at the end if those of one article do not stand together."""
    seen: set[object] = set()
    last, scattered = None, 0
    for row in rows:
        name = row.extra.get("article_id")
        scattered += name is not None and name != last and name in seen
        seen.add(name)
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
