"""The figures of one scored article: its labels along the text, and the words behind a label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inference.explanation import Explanation
from inference.scorer import ScoredArticle
from inference.taxonomy import Axis
from training.figure_style import drawing, page_figure
from training.palette import label_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx")
_LARGEST = 220.0  # points squared: the area of a dot at probability 1


def draw_along(scored: ScoredArticle) -> Figure:
    """The probabilities of each paragraph's labels, in the order of the text.

    An exclusive axis is a stack of bars that fill up to 1. Of another axis each label has a row of
    dots, whose area is the probability; a filled dot is a label that was given.
    """
    colours = label_colours(scored.taxonomy)
    axes = sorted(scored.taxonomy.axes, key=lambda axis: not axis.exclusive)
    heights = [1.9 if axis.exclusive else 0.32 * len(axis.labels) + 0.3 for axis in axes]
    with drawing():
        figure, panels = page_figure(
            sum(heights) + 0.6, nrows=len(axes), sharex=True, squeeze=False, height_ratios=heights
        )
        for ax, axis in zip(panels[:, 0], axes, strict=True):
            own = [colours[f"{axis.name}.{code}"] for code in axis.codes]
            shares = np.array(
                [list(one.probabilities[axis.name].values()) for one in scored.predictions]
            ).reshape(-1, len(axis.codes))
            if axis.exclusive:
                _draw_stack(ax, axis, shares, own)
            else:
                given = [set(one.labels[axis.name]) for one in scored.predictions]
                _draw_dots(ax, axis, shares, given, own)
            ax.set_title(axis.name.capitalize())
        numbers = np.arange(len(scored.predictions)) + 1
        panels[-1, 0].set_xticks(numbers)
        panels[-1, 0].set_xlabel("paragraph")
    return figure


def draw_words(explanation: Explanation, labels: Sequence[str], n: int = 12) -> Figure:
    """The `n` words that move each label most; to the right they speak for it.

    labels : as in `Explanation.column`, which raises InputError.
    """
    colour_of = list(label_colours(explanation.taxonomy).values())
    colours = [colour_of[explanation.column(label)] for label in labels]
    with drawing():
        figure, panels = page_figure(0.22 * n + 1.0, ncols=len(labels), squeeze=False)
        for ax, label, colour in zip(panels[0], labels, colours, strict=True):
            words = explanation.top(label, n)
            for y, word in enumerate(words):
                speaks = word.contribution > 0
                ax.barh(
                    y,
                    word.contribution,
                    0.75,
                    color=colour if speaks else "white",
                    edgecolor=colour,
                    hatch="" if speaks else "////",
                )
            ax.axvline(0, color="#444444", lw=0.8)
            ax.set_yticks(range(len(words)), [word.word for word in words])
            ax.invert_yaxis()
            ax.grid(visible=False, axis="y")
            ax.set_title(label)
        figure.supxlabel("what the word adds to the label's log-odds (0.7 doubles the odds)")
    return figure


def _draw_stack(ax: Axes, axis: Axis, shares: NDArray[np.float64], colours: list[str]) -> None:
    place, below = np.arange(len(shares)) + 1, np.zeros(len(shares))
    for i, (label, colour) in enumerate(zip(axis.labels, colours, strict=True)):
        ax.bar(
            place,
            shares[:, i],
            0.85,
            below,
            color=colour,
            edgecolor="white",
            hatch=_HATCHES[i % len(_HATCHES)],
            lw=0.5,
            label=label.en,
        )
        below += shares[:, i]
    ax.set_ylim(0, 1)
    ax.set_ylabel("probability")
    ax.grid(visible=False, axis="x")
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0, ncols=len(axis.labels))


def _draw_dots(
    ax: Axes, axis: Axis, shares: NDArray[np.float64], given: list[set[str]], colours: list[str]
) -> None:
    place = np.arange(len(shares)) + 1
    for i, (code, colour) in enumerate(zip(axis.codes, colours, strict=True)):
        applies = np.array([code in own for own in given], np.bool_)
        for mask, face in ((applies, colour), (~applies, "white")):
            ax.scatter(
                place[mask],
                np.full(int(mask.sum()), i),
                _LARGEST * shares[mask, i],
                color=face,
                edgecolor=colour,
                lw=1.2,
            )
    ax.set_yticks(range(len(axis.labels)), [label.en for label in axis.labels])
    ax.set_ylim(len(axis.labels) - 0.4, -0.6)
    ax.grid(visible=False, axis="x")
