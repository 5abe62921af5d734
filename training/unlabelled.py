"""Paragraphs without labels: streamed from an archive, drawn at random, kept off labelled texts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from inference.article import Article, Paragraph
from inference.errors import InputError
from training.duplicates import near_any


@dataclass(frozen=True, slots=True)
class UnlabelledTexts:
    """The paragraphs of an archive that a student learns from, and what was left out.

    paragraphs : in the archive's order.
    n_read : paragraphs in the archive.
    n_repeated : blank, or equal but for white space to one read before.
    n_not_drawn : beyond the limit.
    n_near_labelled : of those drawn, nearly the same as a labelled text.
    """

    paragraphs: tuple[Paragraph, ...]
    n_read: int
    n_repeated: int
    n_not_drawn: int
    n_near_labelled: int

    def __len__(self) -> int:
        return len(self.paragraphs)

    @property
    def texts(self) -> list[str]:
        """The texts in order."""
        return [paragraph.text for paragraph in self.paragraphs]

    @classmethod
    def draw(
        cls, articles: Iterable[Article], labelled: Iterable[str], limit: int, seed: int
    ) -> Self:
        """Read an archive once, and hold no more than `limit` of its paragraphs.

        Every paragraph has the same chance of being drawn (Vitter 1985, "Random Sampling with a
        Reservoir", algorithm R). Nearly the same as a labelled text is what shares most of its
        word 5-grams with it (`training.duplicates`).

        Raises InputError where nothing is left.
        """
        drawn: list[tuple[int, Paragraph]] = []
        seen: set[int] = set()  # hashes, not texts: a million must fit in memory
        random = np.random.default_rng(seed)
        n_read = n_fresh = 0
        for article in articles:
            for paragraph in article.paragraphs:
                n_read += 1
                key = hash(" ".join(paragraph.text.split()))
                if key in seen or not paragraph.text.strip():
                    continue
                seen.add(key)
                n_fresh += 1
                if len(drawn) < limit:
                    drawn.append((n_read, paragraph))
                elif (place := int(random.integers(n_fresh))) < limit:
                    drawn[place] = (n_read, paragraph)
        drawn.sort(key=lambda one: one[0])
        paragraphs = [paragraph for _, paragraph in drawn]
        near = near_any([paragraph.text for paragraph in paragraphs], list(labelled))
        kept = tuple(one for one, labelled in zip(paragraphs, near, strict=True) if not labelled)
        if not kept:
            msg = (
                f"the archive has {n_read} paragraph(s), of which {int(near.sum())} stand nearly "
                "the same in the corpus and none is left to learn from; expected texts that are "
                "not labelled"
            )
            raise InputError(msg)
        return cls(kept, n_read, n_read - n_fresh, n_fresh - len(drawn), int(near.sum()))

    def to_dict(self) -> dict[str, Any]:
        """Counts, and the SHA-256 of the texts, for the manifest."""
        digest = hashlib.sha256()
        for paragraph in self.paragraphs:
            digest.update(repr((paragraph.text, paragraph.heading, paragraph.preceding)).encode())
        counts = {name: n for name, n in asdict(self).items() if name != "paragraphs"}
        return {"n_paragraphs": len(self), **counts, "fingerprint": digest.hexdigest()}
