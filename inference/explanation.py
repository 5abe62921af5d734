"""What each word of a paragraph adds to each label's log-odds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from inference.errors import InputError
from inference.model import log_odds
from inference.offsets import word_offsets
from inference.tokens import tokenize

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from inference.article import Paragraph
    from inference.model import ParagraphModel
    from inference.taxonomy import Taxonomy


Method = Literal["exact sum", "occlusion"]


class WordContribution(NamedTuple):
    """One word, `text[start:end]`, and what it adds to one label's log-odds."""

    word: str
    start: int
    end: int
    contribution: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """The words of a paragraph, in order, and what each adds.

    starts, ends : int64 (n_words,); a word, a run of letters and digits, is
        `text[starts[i]:ends[i]]`. Punctuation and signs are no words.
    contributions : float64 (n_words, n_columns), in log-odds: 0.69 doubles the odds, -0.69 halves
        them. On an exclusive axis a label stands against the mean of the axis, so that a word's
        contributions to its labels sum to zero (`inference.model.log_odds`).
    base : float64 (n_columns,), what the label has without the words' contributions.
    method : "exact sum", the model itself adds these numbers up; or "occlusion", how far the
        log-odds fall when the word is left out. Two words of which either would do then get
        little each, and `base` holds what words do only together.
    """

    text: str
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    contributions: NDArray[np.float64]
    base: NDArray[np.float64]
    method: Method
    taxonomy: Taxonomy

    @property
    def words(self) -> tuple[str, ...]:
        """The words as they are written."""
        return tuple(self.text[a:b] for a, b in zip(self.starts, self.ends, strict=True))

    @property
    def log_odds(self) -> NDArray[np.float64]:
        """Of the whole paragraph, shape (n_columns,): the base and all contributions."""
        total: NDArray[np.float64] = self.base + self.contributions.sum(axis=0)
        return total

    def top(self, label: str, n: int = 10) -> list[WordContribution]:
        """The `n` words that move a label most, up or down, the strongest first.

        label : as in `column`, which raises InputError.
        """
        column = self.contributions[:, self.column(label)]
        strongest = np.argsort(-np.abs(column), kind="stable")[: max(n, 0)]
        return [
            WordContribution(
                self.text[self.starts[i] : self.ends[i]],
                int(self.starts[i]),
                int(self.ends[i]),
                float(column[i]),
            )
            for i in strongest
        ]

    def to_frame(self) -> pd.DataFrame:
        """One row a word: word, start, end, and a column for each label (`tone.neutral`)."""
        import pandas as pd

        columns = {"word": self.words, "start": self.starts, "end": self.ends}
        labels = zip(self.taxonomy.column_names, self.contributions.T, strict=True)
        return pd.DataFrame(columns | dict(labels))

    def column(self, label: str) -> int:
        """The column of a label: of its code, or of `axis.code` where two axes have the same.

        Raises InputError for an unknown label, and for a code of two axes.
        """
        names = self.taxonomy.column_names
        found = [i for i, name in enumerate(names) if label in (name, name.partition(".")[2])]
        if len(found) != 1:
            msg = f"label {label!r} names {len(found)} columns; expected one of {', '.join(names)}"
            raise InputError(msg)
        return found[0]


def occlusion(model: ParagraphModel, paragraph: Paragraph) -> Explanation:
    """Explain any model: leave out one word at a time, and see how far the log-odds fall.

    Zeiler and Fergus (2014), "Visualizing and Understanding Convolutional Networks", section 4.2;
    of words, Li, Monroe and Jurafsky (2016), "Understanding Neural Networks through Representation
    Erasure". The heading and the paragraph before stay as they are.
    """
    text = paragraph.text
    starts, ends = word_offsets(text, tokenize([text]))
    without = [
        replace(paragraph, text=text[:a] + text[b:]) for a, b in zip(starts, ends, strict=True)
    ]
    found = log_odds(model.predict_proba([paragraph, *without]), model.taxonomy)
    contributions = found[0] - found[1:]
    return Explanation(
        text=text,
        starts=starts,
        ends=ends,
        contributions=contributions,
        base=found[0] - contributions.sum(axis=0),
        method="occlusion",
        taxonomy=model.taxonomy,
    )
