"""Labelled paragraphs, validated once at the door: a folder as shipped, or one table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inference.article import Paragraph
from inference.errors import InputError
from inference.tables import TABLE_SUFFIXES, Row, read_rows
from inference.taxonomy import Taxonomy
from training.annotation_exports import has_exports, is_export, labelled_rows
from training.label_cells import axis_labels, bad_rows, cell_text

SPLITS = ("train", "test")
_NAMES = ("id", "article_id", "split")


@dataclass(frozen=True, slots=True)
class LabelledCorpus:
    """Labelled paragraphs, and short passages that only ever train.

    table : one row a text, in order; always the columns `id`, `article_id`, `text`, `heading`,
        `preceding`, `split` ("train", "test" or ""), `passage` (bool), and whatever else the
        articles' table or the file holds (theatre, register, date, …).
    labels : bool (n_texts, n_columns), in the taxonomy's column order.
    """

    taxonomy: Taxonomy
    table: pd.DataFrame
    labels: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.table)

    @property
    def texts(self) -> list[str]:
        """The texts in order."""
        return list(self.table["text"])

    @property
    def paragraphs(self) -> list[Paragraph]:
        """The texts with their context, as a model takes them."""
        return [
            Paragraph(text, 0, len(text), heading, preceding)
            for text, heading, preceding in zip(
                self.table["text"], self.table["heading"], self.table["preceding"], strict=True
            )
        ]

    @property
    def article_ids(self) -> NDArray[np.object_]:
        """The article of each text: the unit of every split and every bootstrap."""
        return self.table["article_id"].to_numpy(object)

    def where(self, mask: NDArray[np.bool_] | pd.Series) -> Self:
        """The rows of a mask, in order."""
        return self.rows(np.flatnonzero(np.asarray(mask, np.bool_)))

    def rows(self, chosen: NDArray[np.int64]) -> Self:
        """The rows of these numbers, in their order."""
        return replace(
            self, table=self.table.iloc[chosen].reset_index(drop=True), labels=self.labels[chosen]
        )

    def split(self, name: str) -> Self:
        """The rows of one split; passages belong to "train"."""
        return self.where(self.table["split"] == name)

    def label_shares(self) -> NDArray[np.float64]:
        """Share of each label, (n_columns,), among paragraphs, or passages where there are none."""
        paragraphs = ~self.table["passage"].to_numpy(np.bool_)
        own = self.labels[paragraphs] if paragraphs.any() else self.labels
        shares: NDArray[np.float64] = own.mean(axis=0)
        return shares

    def fingerprint(self) -> str:
        """SHA-256 over every text with its context, article, split and labels, in order."""
        digest = hashlib.sha256(repr(self.taxonomy.column_names).encode())
        columns = ["id", "article_id", "text", "heading", "preceding", "split", "passage"]
        for row, labels in zip(
            self.table[columns].itertuples(index=False), self.labels.tolist(), strict=True
        ):
            digest.update(repr((tuple(map(str, row)), labels)).encode())
        return digest.hexdigest()

    @classmethod
    def read(cls, path: Path, taxonomy: Taxonomy) -> Self:
        """Read a labelled table, or a folder of `articles.csv`, `paragraphs.csv`, `passages.csv`.

        An annotation tool's export is read too; of several annotators the majority decides.
        Raises InputError that names every bad row at once, each by file, line and field.
        """
        articles: dict[str, dict[str, str]] = {}
        if path.is_dir() and not (path / "paragraphs.csv").exists() and not has_exports(path):
            msg = (
                f"{path}: found no paragraphs.csv in the folder; expected a corpus as in "
                "data/corpus, or an annotation tool's .json or .jsonl files"
            )
            raise InputError(msg)
        if (path / "paragraphs.csv").exists():
            rows, articles = _folder_rows(path)
        elif path.exists() and is_export(path, taxonomy):
            rows = ((row, False) for row in labelled_rows(path, taxonomy))
        elif path.suffix.lower() in TABLE_SUFFIXES:
            rows = ((row, False) for row in read_rows(path))
        else:
            found = "nothing" if not path.exists() else f"a {path.suffix or 'suffixless'} file"
            msg = (
                f"{path}: found {found}; expected a labelled table (.csv, .jsonl, .parquet), a "
                "folder that holds paragraphs.csv, or an annotation tool's export (.json, .zip)"
            )
            raise InputError(msg)
        return cls._of_rows(rows, articles, taxonomy, str(path))

    @classmethod
    def _of_rows(
        cls,
        rows: Iterator[tuple[Row, bool]],
        articles: Mapping[str, Mapping[str, str]],
        taxonomy: Taxonomy,
        where: str,
    ) -> Self:
        problems: list[str] = []
        entries: list[dict[str, Any]] = []
        labels: list[list[bool]] = []
        texts_of_id: dict[str, str] = {}
        last: dict[str, Any] = {}
        foreign: list[str] = []
        for number, (row, passage) in enumerate(rows, start=1):
            if number == 1:
                _check_columns(row, taxonomy)
            entry, applies, wrong = _entry(row, passage, taxonomy, articles)
            entry["id"] = entry["id"] or f"row {number}"
            if texts_of_id.setdefault(entry["id"], entry["text"]) != entry["text"]:
                wrong.append(f"id {entry['id']!r} stands a second time with another text")
            problems += [f"{row.where}: {problem}" for problem in wrong]
            if any("unknown label" in problem for problem in wrong):
                foreign.append(f"{row.where}: {'; '.join(wrong)}")
            same_article = last.get("article_id") == entry["article_id"]
            if not entry["preceding"] and not passage and same_article:
                entry["preceding"] = last["text"]
            last = entry
            entries.append(entry)
            labels.append(applies)
        if entries and len(foreign) == len(entries):
            msg = (
                f"{where}: not one row has the labels of this taxonomy ({foreign[0]}); rename the "
                "labels, or fit a model of your own axes with --taxonomy"
            )
            raise InputError(msg)
        if problems:
            raise bad_rows(where, problems)
        if not entries:
            msg = f"{where}: found no labelled row; expected at least a few dozen"
            raise InputError(msg)
        table = pd.DataFrame(entries)
        _check_splits(table, where)
        return cls(taxonomy, table, np.array(labels, np.bool_))


def _folder_rows(
    folder: Path,
) -> tuple[Iterator[tuple[Row, bool]], dict[str, dict[str, str]]]:
    paragraphs, passages = folder / "paragraphs.csv", folder / "passages.csv"
    articles: dict[str, dict[str, str]] = {}
    if (folder / "articles.csv").exists():
        for row in read_rows(folder / "articles.csv"):
            values = _texts(row)
            articles[values.get("article_id", "")] = values

    def rows() -> Iterator[tuple[Row, bool]]:
        for row in read_rows(paragraphs):
            yield row, False
        if passages.exists():
            for row in read_rows(passages):
                yield row, True

    return rows(), articles


def _texts(row: Row) -> dict[str, str]:
    """The cells as text, names without the spaces around them: « a » and « a  » are one article."""
    texts = {
        # Half a surrogate pair cannot be written as UTF-8; « ? » as where a text is scored.
        name: cell_text(value).encode(errors="replace").decode()
        for name, value in row.values.items()
    }
    return {name: text.strip() if name in _NAMES else text for name, text in texts.items()}


def _check_columns(row: Row, taxonomy: Taxonomy) -> None:
    missing = [name for name in ("article_id", "text") if name not in row.values]
    missing += [
        f"{axis.field} (or one 0/1 column for each of {', '.join(axis.codes)})"
        for axis in taxonomy.axes
        if axis.field not in row.values and not set(axis.codes) <= set(row.values)
    ]
    if missing:
        found = ", ".join(map(str, row.values))
        msg = (
            f"{row.where}: column(s) missing: {'; '.join(missing)}; found: {found}; rename your "
            "columns, or give your own axes with --taxonomy"
        )
        raise InputError(msg)


def _entry(
    row: Row, passage: bool, taxonomy: Taxonomy, articles: Mapping[str, Mapping[str, str]]
) -> tuple[dict[str, Any], list[bool], list[str]]:
    """A table row, its labels in column order, and what is wrong with it."""
    values = _texts(row)
    wrong: list[str] = []
    applies: list[bool] = []
    for axis in taxonomy.axes:
        own, problem = axis_labels(axis, row.values)
        applies += own
        wrong += problem
        for name in (axis.field, *axis.codes):
            values.pop(name, None)
    for name in ("article_id", "text"):
        if not values.get(name, "").strip():
            wrong.append(f"{name} is empty; expected one")
    article = articles.get(values.get("article_id", ""), {})
    if articles and not article and not passage:
        wrong.append(f"article_id {values.get('article_id')!r} is not in articles.csv")
    entry: dict[str, Any] = {
        "id": "",
        "article_id": "",
        "text": "",
        "heading": "",
        "preceding": "",
        "split": "train" if passage else "",
        **article,
        **values,
        "passage": passage,
    }
    if entry["split"] not in ("", *SPLITS):
        wrong.append(f"split {entry['split']!r}; expected train, test or nothing")
    return entry, applies, wrong


def _check_splits(table: pd.DataFrame, where: str) -> None:
    paragraphs = table[~table["passage"]]
    both = paragraphs.groupby("article_id", sort=False)["split"].nunique()
    if len(both := both[both > 1]):
        msg = (
            f"{where}: article(s) {', '.join(map(str, both.index[:5]))} stand in more than one "
            "split; expected every paragraph of an article on one side; mend the split column"
        )
        raise InputError(msg)


def hold_out(corpus: LabelledCorpus, share: float, seed: int) -> LabelledCorpus:
    """The corpus with a split: as given, or a random `share` of its articles as "test".

    Raises InputError where fewer than ten articles leave nothing to hold out, and where a split
    is given that has only one side.
    """
    is_paragraph = ~corpus.table["passage"].to_numpy(np.bool_)
    given = set(corpus.table.loc[is_paragraph, "split"])
    if given & set(SPLITS):
        if "test" not in given or given == {"test"}:
            side = "test" if "test" not in given else "training"
            msg = (
                f"the split column has no {side} row; expected both sides; mark some articles "
                f"{'test' if side == 'test' else 'train'}, or leave the column out"
            )
            raise InputError(msg)
        split = corpus.table["split"].replace("", "train")
    else:
        articles = np.unique(corpus.article_ids[is_paragraph].astype(str))
        if len(articles) < 10:
            msg = (
                f"found {len(articles)} article(s); expected at least 10, so that some can be "
                "held out; add labelled articles, or check the article_id column"
            )
            raise InputError(msg)
        n_test = max(2, round(share * len(articles)))
        chosen = set(np.random.default_rng(seed).permutation(articles)[:n_test])
        split = pd.Series(
            [
                "test" if paragraph and article in chosen else "train"
                for paragraph, article in zip(is_paragraph, corpus.article_ids, strict=True)
            ]
        )
    return replace(corpus, table=corpus.table.assign(split=split.to_numpy()))
