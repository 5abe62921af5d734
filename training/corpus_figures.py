"""The figures of a corpus: what it holds, how it is balanced, how far its annotators agree."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from inference.errors import InputError
from training.agreement import AgreementReport
from training.corpus import LabelledCorpus
from training.figure_style import drawing, page_figure
from training.palette import label_colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RELIABLE, TENTATIVE = 0.8, 0.667  # alpha: Krippendorff (2004), Content Analysis, section 11.4.2

_NARROW = 11  # characters of a column's name


def draw_labels(corpus: LabelledCorpus) -> Figure:
    """How many paragraphs carry each label, and how many passages."""
    colours = list(label_colours(corpus.taxonomy).values())
    names = [label.en for axis in corpus.taxonomy.axes for label in axis.labels]
    passage = corpus.table["passage"].to_numpy(np.bool_)
    kinds = [("paragraphs of articles", ~passage, ""), ("short passages", passage, "////")]
    kinds = [kind for kind in kinds if kind[1].any()]
    with drawing():
        figure, ax = page_figure(0.42 * len(names) + 0.9)
        height = 0.8 / len(kinds)
        for i, (_, mask, hatch) in enumerate(kinds):
            counts = corpus.labels[mask].sum(axis=0)
            places = np.arange(len(names)) + (i - (len(kinds) - 1) / 2) * height
            for y, n, colour in zip(places, counts, colours, strict=True):
                face = "white" if hatch else colour
                ax.barh(y, n, height * 0.9, color=face, edgecolor=colour, hatch=hatch)
                ax.annotate(
                    f"{n:,}", (n, y), (3, 0), textcoords="offset points", va="center", fontsize=8
                )
        for kind, _, hatch in kinds:
            face = "white" if hatch else "#555555"
            ax.barh(np.nan, 0, color=face, edgecolor="#555555", hatch=hatch, label=kind)
        ax.set_yticks(range(len(names)), names)
        ax.invert_yaxis()
        ax.margins(x=0.1)
        ax.grid(visible=False, axis="y")
        ax.set_xlabel("texts that carry the label")
        ax.legend(loc="best")
        figure.suptitle("How often each label stands in the corpus")
    return figure


def draw_mix(corpus: LabelledCorpus, column: str) -> Figure:
    """Of the paragraphs with each value of a column, the share that carries each label.

    Raises InputError for a column that the corpus does not have.
    """
    table = corpus.table[~corpus.table["passage"]]
    if column not in table:
        msg = f"the corpus has no column {column!r}; found {', '.join(table.columns)}"
        raise InputError(msg)
    labels = corpus.labels[table.index]
    groups = list(table.reset_index(drop=True).groupby(column, sort=True))
    shares = np.array([labels[own.index].mean(axis=0) for _, own in groups])
    rows = [
        f"{str(value).replace('_', ' ')} ({own['article_id'].nunique()}, {len(own)})"
        for value, own in groups
    ]
    names = [code.replace("_", " ") for axis in corpus.taxonomy.axes for code in axis.codes]
    with drawing():
        figure, ax = page_figure(0.25 * len(rows) + 1.5)
        columns, edges = np.arange(len(names) + 1) - 0.5, np.arange(len(rows) + 1) - 0.5
        ax.pcolormesh(columns, edges, shares, cmap="Greys", vmin=0, vmax=1, edgecolors="white")
        for (y, x), share in np.ndenumerate(shares):
            ink = "white" if share > 0.55 else "black"
            ax.text(x, y, f"{share:.0%}", ha="center", va="center", color=ink, fontsize=8)
        for _, span in corpus.taxonomy.spans()[1:]:
            ax.axvline(span.start - 0.5, color="black", lw=1.2)
        ax.set_xticks(range(len(names)), [fill(name, _NARROW) for name in names], fontsize=8)
        ax.xaxis.tick_top()
        ax.set_yticks(range(len(rows)), rows)
        ax.invert_yaxis()
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
        figure.suptitle(f"Share of paragraphs with each label, by {column} (articles, paragraphs)")
    return figure


def draw_agreement(report: AgreementReport) -> Figure:
    """Krippendorff's alpha of each label and each axis, with intervals and the usual bounds."""
    rows = [
        (name, one, whole)
        for axis, labels in report.labels.items()
        for name, one, whole in [
            *((f"{axis}: {code}", one, False) for code, one in labels.items()),
            (f"{axis}, as a whole", report.axes[axis], True),
        ]
    ]
    with drawing():
        figure, ax = page_figure(0.3 * len(rows) + 1.0)
        for bound, dash, meaning in (
            (RELIABLE, "--", "from here labels may be relied on"),
            (TENTATIVE, ":", "from here tentatively"),
        ):
            ax.axvline(bound, color="#444444", lw=1.1, ls=dash, label=meaning)
        for y, (_, one, whole) in enumerate(rows):
            arms = np.nan_to_num([[one.alpha - one.low], [one.high - one.alpha]])
            marker = "D" if whole else "o"
            ax.errorbar(
                one.alpha, y, xerr=np.maximum(arms, 0), fmt=marker, color="black", ms=5, capsize=3
            )
        ax.set_yticks(range(len(rows)), [name for name, *_ in rows])
        ax.invert_yaxis()
        lowest = np.nanmin([TENTATIVE, *(one.low for _, one, _ in rows)])
        ax.set_xlim(lowest - 0.04, 1.01)
        ax.grid(visible=False, axis="y")
        ax.set_xlabel("Krippendorff's alpha: 1 is perfect, 0 is chance")
        figure.legend(loc="outside lower center", ncols=2)
        figure.suptitle("How far the annotators agree, with 95\xa0% intervals by article")
    return figure
