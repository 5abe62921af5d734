"""What `posture score` is given: articles of files, folders, tables and standard input."""

from __future__ import annotations

import codecs
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from inference.article import Article
from inference.errors import InputError
from inference.readers import article_paths, is_folder, read_article, read_stream
from inference.tables import (
    TABLE_SUFFIXES,
    Ids,
    articles_of_rows,
    read_rows,
    stream_rows,
    table_suffix,
)

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
                remedy = "rename one of the files, or give the folder above both"
                ids.check(article.id, article.text, str(file), remedy)
                yield article


def check_not_read(output: Path, inputs: Iterable[Path]) -> None:
    """Raise InputError where the output is a file that is read: its results would replace it."""
    try:
        there = output.stat()
    except OSError:
        return  # nothing that could be lost; writing says what is wrong with it
    if not stat.S_ISREG(there.st_mode):
        return  # a terminal may be both
    for path in inputs:
        if str(path) == "-":
            read = iter([os.fstat(sys.stdin.fileno())] if sys.stdin else [])
        else:
            read = (file.stat() for file in article_paths(path))
        if any(os.path.samestat(there, one) for one in read):
            msg = (
                f"{output}: is a file that is read, and the results would replace it; expected "
                "another file; choose another --output"
            )
            raise InputError(msg)


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
    head, first_line = _beginning(stream)
    if suffix := table_suffix(first_line):
        yield from articles_of_rows(stream_rows(stream, suffix, where, head), unit, ids)
    else:
        _check_unit(where, unit)
        is_page = first_line.lower().startswith(("<!doctype html", "<html", "<?xml"))
        data = b"".join([*head, stream.read()])
        article = read_stream(data, ".html" if is_page else ".txt", where)
        ids.check(article.id, article.text, where)
        yield article


def _beginning(stream: BufferedReader) -> tuple[list[bytes], str]:
    """The lines up to the first that is not blank, as they are, and that one as text.

    A line is waited for until it is whole: a pipe may bring it in pieces.
    """
    head: list[bytes] = []
    first_line = ""
    for line in stream:
        head.append(line)
        in_utf_16 = head[0].startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        # The end of a line is not the end of its last character in UTF-16.
        first_line = line.decode("utf-16" if in_utf_16 else "utf-8-sig", errors="ignore").strip()
        if first_line:
            break
    return head, first_line
