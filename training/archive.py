"""A scored archive as columns: what `posture score` wrote, read without its texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from inference.errors import InputError
from inference.tables import TABLE_SUFFIXES
from inference.taxonomy import Taxonomy
from training.archive_files import ArchivePart, WantedColumns, categorical, part_of, read_parts


@dataclass(frozen=True, slots=True)
class ScoredArchive:
    """Every paragraph of an archive with what a model says of it; the texts stay in the file.

    ids : (n_paragraphs,), strings: the records' `id` where it stands for one paragraph only, and
        `id#index` where it is an article's (a spreadsheet would take 12:3 for a time). Unique.
    article : (n_paragraphs,), which article a paragraph belongs to, 0 to n_articles - 1: the
        record's `article_id`, else its `id`.
    probabilities : (n_paragraphs, n_columns).
    applies : bool (n_paragraphs, n_columns), the decisions; none on an axis that abstained.
    columns : the other columns that were asked for, by name; code -1 is an empty cell.
    """

    taxonomy: Taxonomy
    ids: pa.Array
    article: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    applies: NDArray[np.bool_]
    columns: Mapping[str, pd.Categorical]

    def __len__(self) -> int:
        return len(self.article)

    @property
    def n_articles(self) -> int:
        """How many articles the paragraphs come from."""
        return int(self.article.max()) + 1

    def rows_of(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Where the paragraphs of these ids stand, shape (n_ids,); -1 for an unknown one."""
        place = pc.index_in(self.ids, value_set=pa.array(ids, pa.string()))
        known = np.flatnonzero(pc.is_valid(place).to_numpy(zero_copy_only=False))
        rows = np.full(len(ids), -1)
        rows[pc.drop_null(place).to_numpy()] = known
        return rows

    @classmethod
    def read(cls, path: Path, taxonomy: Taxonomy, columns: Sequence[str] = ()) -> Self:
        """Read the output of `posture score` (.jsonl, .csv, .parquet), and these other columns.

        An empty cell of a column is read from `input.NAME`, where `--unit paragraph` keeps a
        row's own date, title, source and url. In JSON Lines an absent key is an empty cell.

        Raises InputError for another taxonomy, a column that is missing, a probability that is
        none, and an id that stands twice.
        """
        if path.suffix.lower() not in TABLE_SUFFIXES or not path.is_file():
            found = "nothing" if not path.exists() else f"a {path.suffix or 'suffixless'} file"
            msg = (
                f"{path}: found {found if not path.is_dir() else 'a folder'}; expected what "
                "posture score wrote (.jsonl, .csv, .parquet)"
            )
            raise InputError(msg)
        wanted = WantedColumns(taxonomy, tuple(columns))
        return cls._of_parts(read_parts(path, wanted), wanted, str(path))

    @classmethod
    def of_frame(cls, frame: pd.DataFrame, taxonomy: Taxonomy, columns: Sequence[str] = ()) -> Self:
        """From a data frame as `Scorer.score_frame` gives it, or pandas reads it from a file."""
        if "record" in frame:
            frame = frame[frame["record"].isna() | frame["record"].isin(["", "paragraph"])]
        wanted = WantedColumns(taxonomy, tuple(columns))
        table = {
            name: pa.array(frame[name], from_pandas=True)
            for name in wanted.among(list(frame.columns), "the frame")
        }
        return cls._of_parts([part_of(table, wanted)], wanted, "the frame")

    @classmethod
    def _of_parts(cls, parts: Sequence[ArchivePart], wanted: WantedColumns, where: str) -> Self:
        n = sum(len(part.applies) for part in parts)
        if not n:
            msg = f"{where}: found no scored paragraph; expected what posture score wrote"
            raise InputError(msg)
        own = pa.chunked_array([part.id for part in parts], pa.string())
        index = pa.chunked_array([part.index for part in parts], pa.string())
        article = pc.coalesce(pa.chunked_array([part.article for part in parts], pa.string()), own)
        ids = own
        if pc.count_distinct(ids).as_py() < n:
            ids = pc.binary_join_element_wise(own, index, "#", null_handling="replace")
            if (n_ids := pc.count_distinct(ids).as_py()) < n:
                counted = pc.value_counts(ids)
                twice = counted.filter(pc.greater(counted.field("counts"), 1))[0]["values"]
                msg = (
                    f"{where}: {n - n_ids} paragraph(s) stand a second time (the first: "
                    f"{twice.as_py()!r}); expected each id and index once; score the archive "
                    "again without copies"
                )
                raise InputError(msg)
        probabilities = np.concatenate([part.probabilities for part in parts])
        _check_probabilities(probabilities, wanted.taxonomy, ids, where)
        return cls(
            wanted.taxonomy,
            ids.combine_chunks(),
            categorical(article).codes.astype(np.int64),
            probabilities,
            np.concatenate([part.applies for part in parts]),
            {
                name: categorical(
                    pa.chunked_array([part.columns[name] for part in parts], pa.string())
                )
                for name in wanted.columns
            },
        )


def _check_probabilities(
    probabilities: NDArray[np.float64], taxonomy: Taxonomy, ids: Any, where: str
) -> None:
    bad = ~((probabilities >= 0) & (probabilities <= 1))  # NaN is bad too
    if bad.any():
        row, column = np.argwhere(bad)[0].tolist()
        msg = (
            f"{where}: paragraph {ids[row].as_py()!r} has p.{taxonomy.column_names[column]} = "
            f"{probabilities[row, column]}; expected 0 to 1; score the archive again"
        )
        raise InputError(msg)
