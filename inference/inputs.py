"""What `posture score` is given: articles of files, folders, tables and standard input."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from inference.article import Article
from inference.errors import InputError
from inference.readers import article_paths, is_folder, read_article, read_stream
from inference.tables import TABLE_SUFFIXES, Ids, articles_of_rows, read_rows, stream_rows

if TYPE_CHECKING:
    from io import BufferedReader


def read_articles(inputs: Iterable[Path], unit: str) -> Iterator[Article]:
    """Stream the articles of files, folders and tables; `-` is standard input.

    unit : what a row of a table is, "article" or "paragraph".

    Raises InputError for what is not there, cannot be read, or has two texts of one id.
    """
    ids = Ids()
    for path in inputs:
        if str(path) == "-":
            yield from _standard_input(unit, ids)
        elif not (folder := is_folder(path)) and path.suffix.lower() in TABLE_SUFFIXES:
            yield from articles_of_rows(read_rows(path), unit, ids)
        else:
            _check_unit(path, unit)
            for file in article_paths(path):
                article = read_article(file)
                if folder:  # two folders may hold files of one name
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
