"""Cuts a long list into blocks that fit into memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def blocks(sizes: Iterable[int], most: int, most_items: int | None = None) -> Iterator[slice]:
    """Slices of a list, in order, each of items whose `sizes` sum to `most` or less, or of one.

    most_items : in a slice; None means any number.
    """
    start = end = total = 0
    for size in sizes:
        if end > start and (total + size > most or end - start == most_items):
            yield slice(start, end)
            start, total = end, 0
        end += 1
        total += size
    if end > start:
        yield slice(start, end)
