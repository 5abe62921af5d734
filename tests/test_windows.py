"""Paragraphs as windows of tokens: nothing is cut off, and little is padding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.article import Paragraph
from inference.windows import WindowCutter, batches_by_length
from tests.tiny_encoder import write_tiny_encoder

LONG = " ".join(f"La frégate {i} appareille." for i in range(120))


@pytest.fixture(scope="module")
def tokenizer(corpus, tmp_path_factory):
    from inference.tokenizer_guard import read_tokenizer

    folder = write_tiny_encoder(tmp_path_factory.mktemp("encoder"), corpus.texts[:300])
    return read_tokenizer(folder / "tokenizer.json")


def paragraph(text, heading="", preceding=""):
    return Paragraph(text, 0, len(text), heading, preceding)


def plain(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).ids


@given(
    st.lists(st.integers(1, 200), max_size=60).map(lambda x: np.array(x, np.int64)),
    st.integers(1, 500),
)
def test_batches_hold_every_window_once_and_no_more_than_their_tokens(lengths, budget):
    batches = list(batches_by_length(lengths, budget))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= budget


def test_no_paragraph_gives_no_window(tokenizer):
    windows = WindowCutter(tokenizer, 64, "none").windows([])
    assert len(windows) == 0
    assert list(batches_by_length(windows.lengths, 100)) == []


def test_a_long_paragraph_fills_overlapping_windows_that_hold_all_of_it(tokenizer):
    cutter = WindowCutter(tokenizer, 64, "preceding")
    windows = cutter.windows(
        [paragraph("Court."), paragraph(LONG, "Titre", "Avant."), paragraph("")]
    )
    assert windows.paragraph[0] == 0
    assert windows.paragraph[-1] == 2
    assert max(windows.lengths) == 64
    ids = plain(tokenizer, LONG)
    bodies = [own[1:-1] for own, p in zip(windows.ids, windows.paragraph, strict=True) if p == 1]
    assert len(bodies) > 3
    rebuilt = bodies[0] + [token for body in bodies[1:] for token in body[62 // 4 :]]
    assert rebuilt == ids


def test_context_is_the_second_segment(tokenizer):
    one = paragraph("La frégate appareille.", "En mer", "Le port était calme.")
    own, heading = plain(tokenizer, one.text), plain(tokenizer, one.heading)
    none, with_heading, with_both = (
        WindowCutter(tokenizer, 64, context).windows([one]).ids[0]
        for context in ("none", "heading", "preceding")
    )
    assert none == [0, *own, 2]
    assert with_heading == [0, *own, 2, 2, *heading, 2]
    assert with_both == [0, *own, 2, 2, *plain(tokenizer, "En mer\nLe port était calme."), 2]


def test_the_context_is_cut_before_the_paragraph(tokenizer):
    text = " ".join(LONG.split()[:26])
    own = plain(tokenizer, text)
    assert 30 < len(own) < 50
    (ids,) = WindowCutter(tokenizer, 64, "preceding").windows([paragraph(text, "", LONG)]).ids
    assert len(ids) == 64
    assert ids[1 : 1 + len(own)] == own


def test_padding_is_masked_and_cuts_nothing(tokenizer):
    windows = WindowCutter(tokenizer, 64, "none").windows(
        [paragraph("Court."), paragraph("La frégate appareille à l'aube.")]
    )
    ids, mask, types = windows.padded(np.array([1, 0]), 1).values()
    assert ids.shape == mask.shape == types.shape == (2, max(windows.lengths))
    assert (ids[mask == 0] == 1).all()
    assert ids[1][mask[1] == 1].tolist() == windows.ids[0]
