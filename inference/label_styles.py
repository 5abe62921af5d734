"""The colour of each label at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference.taxonomy import Axis

# Of the eight colours that every terminal has. Axes of the two kinds share as few as may be.
_EXCLUSIVE = ("cyan", "red", "white", "magenta", "green", "yellow")
_ANY_NUMBER = ("yellow", "green", "magenta", "blue", "cyan", "red")


def label_style(axis: Axis, code: str) -> str:
    """Name of the colour, as rich knows it; an axis of more labels begins again at the first."""
    colours = _EXCLUSIVE if axis.exclusive else _ANY_NUMBER
    return colours[axis.codes.index(code) % len(colours)]
