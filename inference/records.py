"""Records: what leaves Posture, one a paragraph and one an article, as plain dictionaries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from inference.summary import ArticleSummary

if TYPE_CHECKING:
    from inference.explanation import Explanation
    from inference.scorer import Prediction, ScoredArticle

Record = dict[str, Any]

# Names of our own in any record, nested or flat.
_RESERVED = frozenset(
    [
        "record",
        "id",
        "index",
        "start",
        "end",
        "title",
        "date",
        "source",
        "url",
        "heading",
        "text",
        "abstained",
        "confidence",
        "probabilities",
        "summary",
        "n_paragraphs",
    ]
)
_RESERVED_PREFIXES = ("p.", "share.", "confidence.", "input.")

_PROBABILITY_DIGITS = 6
_LOG_ODDS_DIGITS = 9  # hundreds of words still add up


def article_records(scored: Iterable[ScoredArticle]) -> Iterator[Record]:
    """For each article its paragraphs' records, then its own, which carries the summary."""
    for one in scored:
        article = one.article
        about = {
            "title": article.title,
            "date": article.date,
            "source": article.source,
            "url": article.url,
        }
        for index in range(len(article.paragraphs)):
            yield _paragraph(one, index) | about | _others(one)
        summary = one.summary.to_dict()
        yield {"record": "article", "id": article.id, **about, "summary": summary} | _others(one)


def paragraph_records(scored: Iterable[ScoredArticle]) -> Iterator[Record]:
    """A record a paragraph, for articles that are one paragraph each (unit "paragraph").

    Rows in a row with the same `article_id` are followed by a record of their article.
    """
    for name, rows in groupby(scored, lambda one: one.article.extra.get("article_id")):
        predictions: list[Prediction] = []
        for one in rows:
            # A row that belongs to no article is the first paragraph of its own.
            place = {"index": len(predictions)}
            yield _paragraph(one, 0) | place | _others(one)
            if name not in (None, ""):
                predictions += one.predictions
        if predictions:
            summary = ArticleSummary.of(predictions, one.taxonomy)
            yield {"record": "article", "id": name, "summary": summary.to_dict()}


def explained_record(one: ScoredArticle, index: int, explanation: Explanation) -> Record:
    """A paragraph's record with its words; their offsets are into the record's `text`."""
    spans = explanation.taxonomy.spans()

    def by_label(row: list[float]) -> dict[str, dict[str, float]]:
        rounded = [round(x, _LOG_ODDS_DIGITS) for x in row]
        return {
            axis.name: dict(zip(axis.codes, rounded[span], strict=True)) for axis, span in spans
        }

    words = zip(
        explanation.words,
        explanation.starts.tolist(),
        explanation.ends.tolist(),
        explanation.contributions.tolist(),
        strict=True,
    )
    return {
        **_paragraph(one, index),
        "method": explanation.method,
        "base": by_label(explanation.base.tolist()),
        "words": [
            {"text": word, "start": start, "end": end, "contributions": by_label(row)}
            for word, start, end, row in words
        ],
    }


def flat(record: Record) -> Record:
    """A record without nesting, for tables: `p.tone.neutral`, `share.tone.neutral`, …"""
    result: Record = {}
    for key, value in record.items():
        if key == "probabilities":
            for axis, labels in value.items():
                result |= {f"p.{axis}.{code}": p for code, p in labels.items()}
        elif key == "confidence":
            result |= {f"confidence.{axis}": p for axis, p in value.items()}
        elif key == "summary":
            result["n_paragraphs"] = value["n_paragraphs"]
            for axis, labels in value.items():
                if axis not in ("n_paragraphs", "abstained"):
                    result |= {f"share.{axis}.{c}": x["share"] for c, x in labels.items()}
        else:
            result[key] = value
    return result


def _paragraph(one: ScoredArticle, index: int) -> Record:
    paragraph, prediction = one.article.paragraphs[index], one.predictions[index]
    labels: Record = {}
    for axis in one.taxonomy.axes:
        codes = prediction.labels[axis.name]
        labels[axis.field] = (codes[0] if codes else None) if axis.exclusive else list(codes)
    return {
        "record": "paragraph",
        "id": one.article.id,
        "index": index,
        "start": paragraph.start,
        "end": paragraph.end,
        "heading": paragraph.heading,
        "text": paragraph.text,
        **labels,
        "abstained": list(prediction.abstained),
        "confidence": {k: round(v, _PROBABILITY_DIGITS) for k, v in prediction.confidence.items()},
        "probabilities": {
            axis: {code: round(p, _PROBABILITY_DIGITS) for code, p in labels.items()}
            for axis, labels in prediction.probabilities.items()
        },
    }


def _others(one: ScoredArticle) -> Record:
    """The input's other columns; one whose name we use ourselves is kept as `input.name`."""
    fields = {axis.field for axis in one.taxonomy.axes}
    return {
        f"input.{name}"
        if name in _RESERVED or name in fields or name.startswith(_RESERVED_PREFIXES)
        else name: value
        for name, value in one.article.extra.items()
    }
