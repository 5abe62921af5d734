"""CamemBERT, or any encoder fine-tuned with one head over all labels, at run time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inference.errors import InputError
from inference.model import probabilities
from inference.runtimes import need, readable
from inference.windows import WindowCutter, batches_by_length

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from inference.article import Paragraph
    from inference.runtimes import Runtime
    from inference.taxonomy import Taxonomy

# Accents, both apostrophes, elision, no-break spaces, ligatures, guillemets, figures.
PROBES = (
    "L’armée d'élite qu’on déploie à Noël, jusqu'aujourd’hui.",
    "«\u00a0Où va l’Europe\u202f?\u00a0», s'est-il inquiété.",
    "Cœur, naïveté, maïs, dû, ça\u00a0: 5\u202f200\u00a0km².",
)

_BLOCK = 500_000  # characters; their tokens take some 50 MB


@dataclass(frozen=True, slots=True)
class CamembertModel:
    """A `ParagraphModel` whose columns are those of an encoder's classification head.

    runtime : computes logits; all runtimes of one folder hold the same weights, rounded or not.
    cutter : makes windows of paragraphs and their context.
    padding : id of the token that fills a batch up.

    A row is the same whatever its neighbours, to rounding. ONNX Runtime's dynamic int8 rounds by
    the batch, so there a neighbour can move a probability; `posture-train export` measures how
    many labels that changes.
    """

    taxonomy: Taxonomy
    cutter: WindowCutter
    runtime: Runtime
    padding: int

    @property
    def at_once(self) -> int:
        """See `ParagraphModel`: some twenty batches of paragraphs of a hundred tokens."""
        return max(1, self.runtime.tokens_per_batch // 5)

    def predict_proba(self, paragraphs: Sequence[Paragraph]) -> NDArray[np.float64]:
        """See `ParagraphModel`."""
        return probabilities(self.logits(paragraphs), self.taxonomy)

    def logits(self, paragraphs: Sequence[Paragraph]) -> NDArray[np.float64]:
        """Log-odds of each label, up to a constant on an exclusive axis; (n_paragraphs, n_columns).

        Of a paragraph's several windows, the largest logit of a label counts where any number of
        labels may apply, since one passage is enough; on an exclusive axis their mean does.
        """
        found = [self._logits(block) for block in _blocks(paragraphs)]
        return np.concatenate([np.empty((0, self.taxonomy.n_columns)), *found])

    def _logits(self, paragraphs: Sequence[Paragraph]) -> NDArray[np.float64]:
        windows = self.cutter.windows(paragraphs)
        found = np.empty((len(windows), self.taxonomy.n_columns))
        for batch in batches_by_length(windows.lengths, self.runtime.tokens_per_batch):
            found[batch] = self.runtime(*windows.padded(batch, self.padding))
        starts = np.flatnonzero(np.diff(windows.paragraph, prepend=-1))
        n_windows = np.diff(starts, append=len(windows))[:, None]
        pooled = np.empty((len(starts), self.taxonomy.n_columns))
        for axis, span in self.taxonomy.spans():
            if axis.exclusive:
                pooled[:, span] = np.add.reduceat(found[:, span], starts) / n_windows
            else:
                pooled[:, span] = np.maximum.reduceat(found[:, span], starts)
        return pooled


def _blocks(paragraphs: Sequence[Paragraph]) -> Iterator[Sequence[Paragraph]]:
    """Paragraphs of at most `_BLOCK` characters together, or one: a block's tokens take memory."""
    start, size = 0, 0
    for i, own in enumerate(paragraphs):
        n = len(own.text) + len(own.heading) + len(own.preceding)
        if i > start and size + n > _BLOCK:
            yield paragraphs[start:i]
            start, size = i, 0
        size += n
    if paragraphs:
        yield paragraphs[start:]


def read_tokenizer(path: Path) -> Tokenizer:
    """Open a `tokenizer.json` as `plain` has it; raises InputError where it cannot be read."""
    need("tokenizers", extra="onnx")
    from tokenizers import Tokenizer

    with readable(path, "tokenizers"):
        return plain(Tokenizer.from_file(str(path)))


def plain(tokenizer: Tokenizer) -> Tokenizer:
    """The same without the truncation and padding that may be set in it."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def probe_ids(tokenizer: Tokenizer) -> list[list[int]]:
    """Token ids of French probe sentences: the fingerprint of how a tokenizer works."""
    return [tokenizer.encode(probe).ids for probe in PROBES]


def check_probes(tokenizer: Tokenizer, expected: Sequence[Sequence[int]], where: str) -> None:
    """Raise InputError where a tokenizer cuts the probes otherwise than it did at training."""
    kind = type(tokenizer.model).__name__
    if len(expected) != len(PROBES):
        msg = f"{where}: found {len(expected)} tokenizer probes; expected {len(PROBES)}; fit again"
        raise InputError(msg)
    for probe, found, golden in zip(PROBES, probe_ids(tokenizer), expected, strict=True):
        if found != list(golden):
            msg = (
                f"{where}: the tokenizer (class {kind}) cuts {probe!r} into {found}; expected "
                f"{list(golden)}, as when the model was trained; install the version of tokenizers "
                "that its manifest names, or fit again"
            )
            raise InputError(msg)
