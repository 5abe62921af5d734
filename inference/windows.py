"""Paragraphs as token ids that fit an encoder's window, none cut off; their context may be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from inference.article import Paragraph

INPUTS = ("input_ids", "attention_mask", "token_type_ids")  # the last of them tells segments
CONTEXTS = ("none", "heading", "preceding")

_OVERLAP = 4  # successive windows of a long paragraph share a quarter
_LEAST_CONTEXT = 8  # tokens; a shorter scrap of context says nothing


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of some paragraphs, one or more each, in order.

    ids, types : token and segment ids of each window.
    paragraph : (n_windows,), the number of the paragraph that a window is of, ascending.
    """

    ids: list[list[int]]
    types: list[list[int]]
    paragraph: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens in each window."""
        return np.fromiter(map(len, self.ids), np.int64, len(self.ids))

    def padded(self, chosen: NDArray[np.int64], padding: int) -> dict[str, NDArray[np.int64]]:
        """What an encoder takes in of some windows: `INPUTS`, each (n_chosen, longest)."""
        longest = max(len(self.ids[i]) for i in chosen)
        ids = np.full((len(chosen), longest), padding, np.int64)
        mask, types = np.zeros((2, len(chosen), longest), np.int64)
        for row, i in enumerate(chosen):
            n = len(self.ids[i])
            ids[row, :n], types[row, :n], mask[row, :n] = self.ids[i], self.types[i], 1
        return dict(zip(INPUTS, (ids, mask, types), strict=True))


@dataclass(frozen=True, slots=True)
class WindowCutter:
    """From paragraphs to windows.

    tokenizer : from the `tokenizers` library, without truncation or padding of its own.
    max_length : tokens in the encoder's window, special ones included.
    context : what goes with a paragraph as its second segment: nothing ("none"), its heading, or
        its heading and the paragraph before ("preceding"). Of context and paragraph that do not
        fit together, the context is cut.
    """

    tokenizer: Tokenizer
    max_length: int
    context: str

    def windows(self, paragraphs: Sequence[Paragraph]) -> Windows:
        """Cut paragraphs into windows; one longer than the encoder's window fills several.

        Windows of a long paragraph overlap by a quarter and have no context.
        """
        own = self.tokenizer.encode_batch([p.text for p in paragraphs], add_special_tokens=False)
        texts = [self._context(paragraph) for paragraph in paragraphs]
        contexts = self.tokenizer.encode_batch(texts, add_special_tokens=False)
        ids, types, paragraph = [], [], []
        for i, (encoding, context) in enumerate(zip(own, contexts, strict=True)):
            for window in self._cut(encoding, context):
                ids.append(window.ids)
                types.append(window.type_ids)
                paragraph.append(i)
        return Windows(ids, types, np.array(paragraph, np.int64))

    def _context(self, paragraph: Paragraph) -> str:
        if self.context == "none":
            return ""
        parts = (paragraph.heading, paragraph.preceding if self.context == "preceding" else "")
        return "\n".join(part for part in parts if part)

    def _cut(self, encoding: Any, context: Any) -> Iterator[Any]:
        room = self.max_length - self.tokenizer.num_special_tokens_to_add(is_pair=False)
        if len(encoding) > room:
            encoding.truncate(room, stride=room // _OVERLAP)
            for window in (encoding, *encoding.overflowing):
                yield self.tokenizer.post_process(window)
            return
        left = self.max_length - self.tokenizer.num_special_tokens_to_add(is_pair=True)
        left -= len(encoding)
        if not len(context) or left < min(_LEAST_CONTEXT, len(context)):
            yield self.tokenizer.post_process(encoding)
            return
        context.truncate(left)
        yield self.tokenizer.post_process(encoding, context)


def batches_by_length(
    lengths: NDArray[np.int64], tokens_per_batch: int
) -> Iterator[NDArray[np.int64]]:
    """Windows grouped so that little is padding: longest first, a batch no more than its tokens.

    A batch's tokens are its longest window times its windows; it holds one window at the least.
    Yields the numbers of the windows of each batch.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        n = max(1, tokens_per_batch // max(int(lengths[order[start]]), 1))
        yield order[start : start + n]
        start += n
