"""Data frames in and out, for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pandas as pd

from inference.errors import InputError
from inference.records import article_records, flat, paragraph_records
from inference.tables import UNITS, Ids, Row, articles_of_rows

if TYPE_CHECKING:
    from inference.article import Article
    from inference.scorer import ScoredArticle


def articles_of_frame(frame: pd.DataFrame, unit: str) -> Iterator[Article]:
    """Articles of a frame's rows; see `inference.tables.articles_of_rows` for the columns."""
    if unit not in UNITS:
        msg = f"score_frame: unit {unit!r}; expected one of {UNITS}"
        raise InputError(msg)
    known = frame.astype(object).where(frame.notna(), None)
    rows = (
        Row(f"row {label}", {str(name): value for name, value in values.items()})
        for label, values in zip(known.index, known.to_dict("records"), strict=True)
    )
    return articles_of_rows(rows, unit, Ids())


def scored_frame(scored: Iterable[ScoredArticle], *, unit: str = "article") -> pd.DataFrame:
    """One row a paragraph; columns as in `posture score --format csv`, labels as lists."""
    records = paragraph_records(scored) if unit == "paragraph" else article_records(scored)
    rows = [flat(record) for record in records if record["record"] == "paragraph"]
    return pd.DataFrame(rows).drop(columns="record", errors="ignore")
