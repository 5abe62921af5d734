"""The linear model: sums of weight rows over hashed columns, with NumPy alone.

For each of three fields (words, letters, classes) a paragraph's logits are the sum of its columns'
weight rows over the square root of the sum of their squared inverse document frequencies: TF-IDF
whose length is counted per occurrence, so that everything, idf, naive-Bayes ratios and regression
weights, folds into one row a column (`training.linear_table` does). Because the letters of a word
depend on the word alone, each word's rows are summed once and kept.
"""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.blocks import blocks
from inference.errors import InputError
from inference.features import (
    FeatureConfig,
    letter_columns,
    masked_tokens,
    pair_columns,
    word_columns,
)
from inference.masking import mask_positions, mask_states
from inference.model import centred, probabilities
from inference.model_kind import Backend, ModelKind, Opened
from inference.phrases import PhraseMatcher
from inference.tokens import tokenize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from inference.article import Paragraph
    from inference.explanation import Explanation
    from inference.taxonomy import Taxonomy
    from inference.tokens import Tokens

_BLOCK_PARAGRAPHS = 2_000  # longer blocks gain nothing more, and cost memory
_BLOCK_CHARACTERS = 1_000_000
_WEIGHTS = "weights.safetensors"
_MEMORY_BITS = 16  # 65,536 words stay summed


@dataclass(frozen=True, slots=True)
class LinearWeights:
    """What `fit` leaves of a linear model; every array lies in the model folder.

    columns : uint32 (n_rows,), ascending: the columns that carry weight, words' then letters'.
    rows : float32 (n_rows, n_columns + 1): a weight for each label, then the squared idf.
    class_rows : float32 (n_classes, n_columns + 1), the same for the lexicon's classes.
    intercepts : float32 (n_columns,)
    names, lexicon : the gazetteer's names to mask; the lexicon's terms with their classes.
    """

    columns: NDArray[np.uint32]
    rows: NDArray[np.float32]
    class_rows: NDArray[np.float32]
    intercepts: NDArray[np.float32]
    names: PhraseMatcher
    lexicon: PhraseMatcher


class LinearModel:
    """A `ParagraphModel` that reads text at memory speed."""

    def __init__(self, taxonomy: Taxonomy, config: FeatureConfig, weights: LinearWeights) -> None:
        self.taxonomy = taxonomy
        self.config = config
        self.weights = weights
        self._width = taxonomy.n_columns + 1
        # Row 0 is nothing: columns without weight point to it.
        self._rows = np.concatenate((np.zeros((1, self._width), np.float32), weights.rows))
        self._row_of = np.zeros(config.n_hashed, np.int32)
        self._row_of[weights.columns] = np.arange(1, len(weights.columns) + 1, dtype=np.int32)
        self._memory_keys = np.zeros(1 << _MEMORY_BITS, np.uint64)
        self._memory = np.zeros((1 << _MEMORY_BITS, 2 * self._width), np.float32)
        self._claims = np.zeros(1 << _MEMORY_BITS, np.int64)
        self._lock = threading.Lock()

    @property
    def at_once(self) -> int:
        """See `ParagraphModel`."""
        return _BLOCK_PARAGRAPHS

    def predict_proba(self, paragraphs: Sequence[Paragraph]) -> NDArray[np.float64]:
        """See `ParagraphModel`."""
        logits = self.logits([paragraph.text for paragraph in paragraphs])
        return probabilities(logits, self.taxonomy)

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Log-odds of each label, shape (n_texts, n_columns)."""
        cut = blocks(map(len, texts), _BLOCK_CHARACTERS, _BLOCK_PARAGRAPHS)
        found = [self._block_logits(texts[block]) for block in cut]
        return np.concatenate([np.zeros((0, self._width - 1)), *found])

    def explain(self, paragraph: Paragraph) -> Explanation:
        """What each word adds to the logits, exactly: they are a sum of rows.

        A word has its own row and its letters', half of each pair's that it is in, and its share
        of a lexicon term's, all over their field's length. What the one word that masks a state's
        name carries is shared by the words of the name and its article.
        """
        from inference.explanation import Explanation  # scoring needs none of it
        from inference.offsets import word_offsets

        tokens = tokenize([paragraph.text])
        masked = mask_states(tokens, self.weights.names)
        words, letters = np.split(self._word_rows(masked).astype(np.float64), 2, axis=1)
        columns, first = pair_columns(masked, self.config)
        halves = self._rows.take(self._row_of.take(columns), axis=0) / 2
        words[first] += halves
        words[first + 1] += halves
        classes = np.zeros_like(words)
        matches = self.weights.lexicon.find(masked)
        shares = self.weights.class_rows[matches.value] / matches.length[:, None]
        for step in range(int(matches.length.max(initial=0))):
            longer = matches.length > step
            classes[matches.first[longer] + step] += shares[longer]  # no two over the same word
        carried = np.zeros((len(masked), self.taxonomy.n_columns))
        for field in (words, letters, classes):
            squared = field[:, -1].sum()
            carried += field[:, :-1] / (np.sqrt(squared) if squared > 0 else 1.0)

        position = mask_positions(tokens, self.weights.names)
        contributions = (carried / np.bincount(position, minlength=len(masked))[:, None])[position]
        base = self.weights.intercepts.astype(np.float64)[None]
        starts, ends = word_offsets(paragraph.text, tokens)
        return Explanation(
            text=paragraph.text,
            starts=starts,
            ends=ends,
            contributions=centred(contributions, self.taxonomy),
            base=centred(base, self.taxonomy)[0],
            method="exact sum",
            taxonomy=self.taxonomy,
        )

    def _block_logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        tokens = masked_tokens(texts, self.weights.names)
        n = tokens.n_paragraphs
        sums = _sums(self._word_rows(tokens), tokens.paragraphs, n)
        words, letters = sums[:, : self._width], sums[:, self._width :]
        words += self._pair_sums(tokens)
        matches = self.weights.lexicon.find(tokens)
        classes = _sums(self.weights.class_rows[matches.value], tokens.paragraphs[matches.first], n)
        logits = np.tile(self.weights.intercepts.astype(np.float64), (n, 1))
        for field in (words, letters, classes):
            # A field without a known column has length 0 and adds nothing.
            length = np.sqrt(np.where(field[:, -1] > 0, field[:, -1], 1.0))
            logits += field[:, :-1] / length[:, None]
        return logits

    def _pair_sums(self, tokens: Tokens) -> NDArray[np.float32]:
        """Sum of the rows of each paragraph's pairs of words; (n_paragraphs, width)."""
        columns, first = pair_columns(tokens, self.config)
        rows = self._row_of.take(columns)
        known = np.flatnonzero(rows)  # most pairs were never seen
        return _sums(
            self._rows.take(rows[known], axis=0),
            tokens.paragraphs[first[known]],
            tokens.n_paragraphs,
        )

    def _word_rows(self, tokens: Tokens) -> NDArray[np.float32]:
        """Each word's own row and the sum of its letters' rows; (n_tokens, 2 * width)."""
        rows = np.empty((len(tokens), 2 * self._width), np.float32)
        slots = (tokens.hashes & np.uint64((1 << _MEMORY_BITS) - 1)).astype(np.int64)
        waiting = np.arange(len(tokens))
        with self._lock:
            while len(waiting):
                known = self._memory_keys.take(slots[waiting]) == tokens.hashes[waiting]
                rows[waiting[known]] = self._memory.take(slots[waiting[known]], axis=0)
                waiting = waiting[~known]
                # One word a slot is remembered now; others that want its slot wait a round.
                self._claims[slots[waiting]] = waiting
                words = waiting[self._claims[slots[waiting]] == waiting]
                fresh = self._fresh_rows(tokens, words)
                self._memory_keys[slots[words]] = 0  # an interrupt here leaves no wrong row behind
                self._memory[slots[words]] = fresh
                self._memory_keys[slots[words]] = tokens.hashes[words]
        return rows

    def _fresh_rows(self, tokens: Tokens, words: NDArray[np.int64]) -> NDArray[np.float32]:
        rows = np.zeros((len(words), 2 * self._width), np.float32)
        rows[:, : self._width] = self._rows[self._row_of[word_columns(tokens, self.config)[words]]]
        for columns, word in letter_columns(tokens, words, self.config):
            found = self._row_of.take(columns)
            known = np.flatnonzero(found)
            rows[:, self._width :] += _sums(
                self._rows.take(found[known], axis=0), word[known], len(words)
            )
        return rows


def _sums(
    rows: NDArray[np.float32], group: NDArray[np.int64], n_groups: int
) -> NDArray[np.float32]:
    """Sum of the rows of each group; `group` ascends; a group without rows sums to zero."""
    sums = np.zeros((n_groups, rows.shape[1]), np.float32)
    if len(rows):
        starts = np.flatnonzero(np.diff(group, prepend=-1))
        sums[group[starts]] = np.add.reduceat(rows, starts, axis=0)
    return sums


def _describe(model: LinearModel) -> tuple[dict[str, Any], Callable[[Path], None]]:
    weights = model.weights
    arrays: dict[str, NDArray[Any]] = {
        "columns": weights.columns,
        "rows": weights.rows,
        "class_rows": weights.class_rows,
        "intercepts": weights.intercepts,
    }
    for name, phrases in (("names", weights.names), ("lexicon", weights.lexicon)):
        arrays |= {
            f"{name}.keys": phrases.keys,
            f"{name}.values": phrases.values,
            f"{name}.openings": phrases.openings,
        }

    def fill(temporary: Path) -> None:
        from safetensors.numpy import save_file

        save_file(arrays, temporary / _WEIGHTS)
        (temporary / _WEIGHTS).chmod(0o644)  # save_file's is for its owner alone

    return {"features": asdict(model.config)}, fill


def _read(
    folder: Path, taxonomy: Taxonomy, manifest: Mapping[str, Any], backend: Backend
) -> Opened:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if backend != Backend():
        msg = f"{folder}: a linear model; --runtime and --device are for encoders; leave them out"
        raise InputError(msg)
    try:
        arrays = load_file(folder / _WEIGHTS)
    except SafetensorError as error:
        msg = f"{folder / _WEIGHTS}: not a safetensors file ({error}); fit the model again"
        raise InputError(msg) from error
    names, lexicon = (
        PhraseMatcher(arrays[f"{part}.keys"], arrays[f"{part}.values"], arrays[f"{part}.openings"])
        for part in ("names", "lexicon")
    )
    weights = LinearWeights(
        arrays["columns"],
        arrays["rows"],
        arrays["class_rows"],
        arrays["intercepts"],
        names,
        lexicon,
    )
    model = LinearModel(taxonomy, FeatureConfig(**manifest["features"]), weights)
    # float32 sums on another processor differ by less; a wrong weight moves far more
    return Opened(model, manifest["golden"], 1e-3, "fit it again with this version")


KIND = ModelKind(LinearModel, ("numpy",), _read, _describe)
