"""How transformers computes an encoder's attention: step by step, or in a function of torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout")  # BERT's and ModernBERT's name


@contextmanager
def plain_attention(encoder: Any, *, when: bool = True) -> Iterator[None]:
    """Let an encoder compute attention step by step, and as before afterwards.

    when : False leaves it as it is.
    """
    usual = encoder.config._attn_implementation  # noqa: SLF001 - transformers has no other way
    if when:
        encoder.set_attn_implementation("eager")
    try:
        yield
    finally:
        encoder.set_attn_implementation(usual)


def has_attention_dropout(encoder: Any) -> bool:
    """Whether attention drops out in training, for which torch's function is slow on a CPU."""
    return any(getattr(encoder.config, name, 0) for name in _DROPOUTS)
