"""Time and memory of `posture-train estimate` on a million paragraphs, from outside the process."""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from inference.records import Record
from inference.taxonomy import Taxonomy
from inference.writers import WRITERS
from tests.benchmarks.process import command_path, peak_memory
from training.corpus import LabelledCorpus

_ARTICLES, _PER_ARTICLE = 100_000, 10
_LABELLED = 1_000
_FIRST_DAY, _DAYS = date(2015, 1, 1), 3_650


def table(corpus: LabelledCorpus) -> list[str]:
    """One line a format that `posture score` writes: size, seconds and peak of `--by month`."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        labelled = Path(folder, "labelled.csv")
        _write_labels(labelled, corpus.taxonomy)
        for suffix in ("parquet", "csv", "jsonl"):
            archive = Path(folder, f"scored.{suffix}")
            with archive.open("wb") as file:
                WRITERS[suffix](_records(corpus), file, corpus.taxonomy)
            command = [command_path("posture-train"), "estimate", archive, labelled]
            start = time.perf_counter()
            peak = peak_memory([*map(str, command), "--by", "month"])
            seconds = time.perf_counter() - start
            size = archive.stat().st_size / 1e6
            archive.unlink()
            lines.append(f"{suffix:8}{size:6.0f} MB {seconds:6.1f} s   peak {peak:.0f} MB resident")
    return lines


def _records(corpus: LabelledCorpus) -> Iterator[Record]:
    """What `posture score` would write of articles whose probabilities are drawn at random."""
    rng = np.random.default_rng(0)
    texts = corpus.texts
    for i in range(_ARTICLES):
        about = {
            "title": f"Article {i}",
            "date": (_FIRST_DAY + timedelta(days=i % _DAYS)).isoformat(),
            "source": "ABCD"[i % 4],
            "url": "",
        }
        for index, row in enumerate(rng.random((_PER_ARTICLE, corpus.taxonomy.n_columns)).round(6)):
            text = texts[(i * _PER_ARTICLE + index) % len(texts)]
            probabilities, labels, sure = {}, {}, {}
            for axis, span in corpus.taxonomy.spans():
                p = dict(zip(axis.codes, row[span].tolist(), strict=True))
                probabilities[axis.name] = p
                best = max(p, key=p.__getitem__)
                labels[axis.field] = best if axis.exclusive else [c for c in p if p[c] > 0.7]
                sure[axis.name] = p[best]
            yield {
                "record": "paragraph",
                "id": f"article-{i}",
                "index": index,
                "start": 0,
                "end": len(text),
                "heading": "",
                "text": text,
                **labels,
                "abstained": [],
                "confidence": sure,
                "probabilities": probabilities,
                **about,
            }


def _write_labels(path: Path, taxonomy: Taxonomy) -> None:
    """A random sample of the archive, every label as likely as another."""
    rng = np.random.default_rng(1)
    rows = rng.choice(_ARTICLES * _PER_ARTICLE, _LABELLED, replace=False).tolist()
    with path.open("w", encoding="utf-8", newline="") as file:
        fields = [axis.field for axis in taxonomy.axes]
        writer = csv.DictWriter(file, ["id", "inclusion_probability", *fields])
        writer.writeheader()
        for row in rows:
            chosen = {
                axis.field: axis.codes[rng.integers(len(axis.codes))] for axis in taxonomy.axes
            }
            place = f"article-{row // _PER_ARTICLE}#{row % _PER_ARTICLE}"
            chance = _LABELLED / (_ARTICLES * _PER_ARTICLE)
            writer.writerow({"id": place, "inclusion_probability": chance, **chosen})
