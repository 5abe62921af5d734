"""Names of states are masked, so that no label can depend on which country is named.

By the codebook the same sentence with the countries exchanged has the same tone. Every form of a
state's name in the gazetteer (name, people, capital, seat of government, leader) becomes one and
the same word. The article and the preposition before it vary with the country (« la Chine »,
« l'Iran », « les États-Unis »; « en », « au », « aux »), so they are levelled too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inference.tokens import Tokens, tokenize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inference.phrases import PhraseMatcher


def _hashes(words: str) -> NDArray[np.uint64]:
    return tokenize([words]).hashes


_ARTICLES = _hashes("le la les l")
# Hashes of words are mixed, so no word has one of these. Their high bits are 0, and so
# `features.word_columns` gives all of them the first column.
_STATE = np.uint64(0x57A7E5)
_PREPOSITIONS = (
    (_hashes("de du des d"), np.uint64(0x57A7E6)),
    (_hashes("à au aux en"), np.uint64(0x57A7E7)),
    # « que la Chine », but « qu'Israël »
    (_hashes("que qu"), np.uint64(0x57A7E8)),
    (_hashes("lorsque lorsqu"), np.uint64(0x57A7E9)),
    (_hashes("puisque puisqu"), np.uint64(0x57A7EA)),
)


def mask_states(tokens: Tokens, names: PhraseMatcher) -> Tokens:
    """Replace every state's name, with its article, by one word, and level what stands before it.

    « au », « aux », « en » and « à » have one hash there, « de », « du », « des » and « d' »
    another, « que » and « qu' » a third, so with « lorsque » and « puisque »; none has letters.
    By themselves all these and the state are the same word to the linear model, one column; the
    pairs that they stand in differ.
    """
    matches = names.find(tokens)
    if not len(matches.first):
        return tokens
    hashes = tokens.hashes.copy()
    starts, ends = tokens.starts.copy(), tokens.ends.copy()
    keep = np.ones(len(tokens), np.bool_)
    for step in range(1, int(matches.length.max())):
        keep[matches.first[matches.length > step] + step] = False
    hashes[matches.first] = _STATE
    ends[matches.first] = starts[matches.first]

    before = _previous(matches.first, tokens)
    articles = before[np.isin(tokens.hashes[before], _ARTICLES)]
    keep[articles] = False
    without_article = before[~np.isin(tokens.hashes[before], _ARTICLES)]
    prepositions = np.concatenate((_previous(articles, tokens), without_article))
    for group, levelled in _PREPOSITIONS:
        chosen = prepositions[np.isin(tokens.hashes[prepositions], group)]
        hashes[chosen] = levelled
        ends[chosen] = starts[chosen]
    return Tokens(
        hashes[keep],
        tokens.paragraphs[keep],
        starts[keep],
        ends[keep],
        tokens.buffer,
        tokens.n_paragraphs,
    )


def mask_positions(tokens: Tokens, names: PhraseMatcher) -> NDArray[np.int64]:
    """For each word the position, in `mask_states(tokens, names)`, of the word it became.

    The words of a name and the article before it share one. Shape (n_tokens,), ascending.
    """
    matches = names.find(tokens)
    became = np.arange(len(tokens))
    before = _previous(matches.first, tokens)
    articles = before[np.isin(tokens.hashes[before], _ARTICLES)]
    became[articles] = articles + 1
    for step in range(1, int(matches.length.max(initial=1))):
        longer = matches.first[matches.length > step]
        became[longer + step] = longer
    positions: NDArray[np.int64] = np.unique(became, return_inverse=True)[1]
    return positions


def _previous(positions: NDArray[np.int64], tokens: Tokens) -> NDArray[np.int64]:
    """Positions just before `positions`, where they lie in the same paragraph."""
    before = positions[positions > 0] - 1
    inside: NDArray[np.int64] = before[tokens.paragraphs[before] == tokens.paragraphs[before + 1]]
    return inside
