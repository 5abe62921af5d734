"""The figures of an evaluation, legible in print and to the colour-blind."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from inference.destination import destination
from inference.errors import InputError
from training.evaluate import Report
from training.figure_style import AXIS_COLOURS, DASHES, MARKERS, drawing, image, page_figure
from training.group_scores import GroupScores
from training.learning_curve import Point
from training.measured import Measured
from training.palette import label_colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GREYS = {"majority": ("x", "#8a8a8a"), "tfidf": ("s", "#8a8a8a"), "annotators": ("|", "#222222")}


def draw(report: Report, curve: Sequence[Point] = ()) -> dict[str, Figure]:
    """Name → figure; those that the report has the figures for.

    Raises InputError where matplotlib is not installed.
    """
    with drawing():
        figures = {
            "f1": _f1(report),
            "precision-recall": _precision_recall(report),
            "reliability": _reliability(report),
            "abstention": _abstention(report),
        }
        for axis, own in report.model.axes.items():
            if own.confusion is not None:
                figures[f"confusion-{axis}"] = _confusion(report, axis)
        for column, groups in report.groups.items():
            figures[f"by-{column}"] = _by_group(column, groups, list(report.model.axes))
        if curve:
            figures["learning-curve"] = _learning_curve(curve)
    return figures


def write(figures: Mapping[str, Figure], folder: Path) -> None:
    """Write each figure as SVG and as PNG. Raises InputError where the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder}: cannot be made ({error.strerror}); choose another folder for figures"
        raise InputError(msg) from error
    for title, figure in figures.items():
        name = re.sub(r"\W+", "-", title)  # a column's name may hold anything
        for suffix in ("svg", "png"):
            with destination(folder / f"{name}.{suffix}") as file:
                file.write(image(figure, suffix))


def _named(report: Report) -> dict[str, str]:
    """`axis.code` → the label's English name."""
    axes = report.taxonomy.axes
    return {f"{axis.name}.{label.code}": label.en for axis in axes for label in axis.labels}


def _bars(one: Measured) -> list[list[float]]:
    """Lengths of the interval's arms below and above; none where there is no interval."""
    if np.isnan(one.low):
        return [[0.0], [0.0]]
    return [[max(0.0, one.value - one.low)], [max(0.0, one.high - one.value)]]


def _f1(report: Report) -> Figure:
    """Each label's F1 with its interval, beside the other systems'."""
    colours, names = label_colours(report.taxonomy), _named(report)
    rows: list[tuple[str, str, Measured, dict[str, float]]] = []
    for axis, own in report.model.axes.items():
        beside = {n: s.axes[axis] for n, s in report.systems.items() if n != "model"}
        for code, label in own.labels.items():
            others = {name: s.labels[code].rates.f1.value for name, s in beside.items()}
            if report.annotators:
                others["annotators"] = report.annotators.pooled.f1[axis][code].value
            key = f"{axis}.{code}"
            rows.append((names[key], colours[key], label.rates.f1, others))
        others = {name: s.macro.f1.value for name, s in beside.items()}
        if report.annotators:
            others["annotators"] = report.annotators.pooled.macro_f1[axis].value
        rows.append((f"{axis.capitalize()}, macro", "#000000", own.macro.f1, others))
    figure, ax = page_figure(0.34 * len(rows) + 1.1)
    seen = {}
    for y, (name, colour, f1, others) in enumerate(rows):
        macro = name.endswith(", macro")
        for other, value in others.items():
            marker, grey = _GREYS[other]
            size = 11 if marker == "|" else 5
            (seen[other],) = ax.plot(
                value, y, marker, color=grey, ms=size, mew=1.8, ls="", label=other
            )
        ax.errorbar(
            f1.value,
            y,
            xerr=_bars(f1),
            fmt="D" if macro else "o",
            color=colour,
            ms=6.5,
            capsize=3,
            lw=1.8,
            mec="black",
            mew=0.5,
        )
        if macro and y < len(rows) - 1:
            ax.axhline(y + 0.5, color="#999999", lw=0.7)
    ax.set_yticks(range(len(rows)), [name for name, *_ in rows])
    ax.invert_yaxis()
    ax.set_xlim(-0.02, 1.02)
    ax.set_xlabel("F1")
    ax.grid(visible=False, axis="y")
    figure.suptitle("F1 of the model with its 95\xa0% interval, and of others beside it")
    if seen:
        figure.legend(list(seen.values()), list(seen), loc="outside lower center", ncols=len(seen))
    return figure


def _precision_recall(report: Report) -> Figure:
    """Curves by label, with the point at which the model decides."""
    from sklearn.metrics import precision_recall_curve

    colours, names = label_colours(report.taxonomy), _named(report)
    spans = report.taxonomy.spans()
    predictions = report.predictions["model"]
    figure, axes = page_figure(3.9, ncols=len(spans), sharey=True, squeeze=False)
    for ax, (axis, span) in zip(axes[0], spans, strict=True):
        for i, (code, column) in enumerate(
            zip(axis.codes, range(span.start, span.stop), strict=True)
        ):
            scores = report.model.axes[axis.name].labels[code]
            if not scores.support:
                continue
            precision, recall, _ = precision_recall_curve(
                predictions.labels[:, column], predictions.probabilities[:, column]
            )
            key = f"{axis.name}.{code}"
            ax.step(
                recall,
                precision,
                where="post",
                color=colours[key],
                ls=DASHES[i % len(DASHES)],
                lw=1.7,
                label=f"{names[key]} {scores.average_precision.value:.2f}",
            )
            ax.plot(
                scores.rates.recall.value,
                scores.rates.precision.value,
                MARKERS[i % len(MARKERS)],
                color=colours[key],
                ms=7,
                mec="black",
                mew=0.8,
            )
        ax.set_title(axis.name.capitalize())
        ax.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="recall")
        if ax.lines:  # of an axis whose labels nobody gave there is no curve
            ax.legend(loc="lower left", title="average precision", alignment="left", fontsize=8)
    axes[0][0].set_ylabel("precision")
    figure.suptitle("Precision and recall at every threshold; marks: where the model decides")
    return figure


def _reliability(report: Report) -> Figure:
    """Observed shares against probabilities, ten bins of equal mass a label."""
    colours, names = label_colours(report.taxonomy), _named(report)
    labels = [
        (f"{axis}.{code}", label)
        for axis, own in report.model.axes.items()
        for code, label in own.labels.items()
    ]
    n_columns = min(4, len(labels))
    n_rows = -(-len(labels) // n_columns)
    figure, axes = page_figure(
        1.95 * n_rows + 0.6, nrows=n_rows, ncols=n_columns, sharex=True, sharey=True, squeeze=False
    )
    for ax, (key, label) in zip(axes.flat, labels, strict=False):
        ax.plot([0, 1], [0, 1], color="#888888", lw=0.9, ls="--")
        for b in label.reliability.bins:
            ax.errorbar(
                b.probability,
                b.observed.value,
                yerr=_bars(b.observed),
                fmt="o",
                color=colours[key],
                ms=4.5,
                lw=1.2,
                mec="black",
                mew=0.4,
            )
        ax.set_title(fill(names[key], 20), fontsize=9)
        ax.text(
            0.04,
            0.96,
            f"ECE {label.reliability.error.value:.3f}",
            transform=ax.transAxes,
            va="top",
            fontsize=8,
        )
        ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        ax.set_aspect("equal")
    for ax in axes.flat[len(labels) :]:
        ax.set_visible(False)
    figure.supxlabel("probability that the model gives (mean of a tenth of the paragraphs)")
    figure.supylabel("observed share")
    figure.suptitle("Can probabilities be read as shares? On the dashed line they can")
    return figure


def _abstention(report: Report) -> Figure:
    """Share of wrong paragraphs among those decided, against how many are decided."""
    figure, axes = page_figure(3.0, ncols=len(report.model.axes), sharey=True, squeeze=False)
    for ax, colour, (axis, own) in zip(
        axes[0], cycle(AXIS_COLOURS), report.model.axes.items(), strict=False
    ):
        share = [100 * point.coverage for point in own.abstention.curve]
        risk = [point.risk for point in own.abstention.curve]
        ax.fill_between(
            share, [r.low for r in risk], [r.high for r in risk], color=colour, alpha=0.2, lw=0
        )
        ax.plot(share, [r.value for r in risk], "o-", color=colour, ms=4)
        ax.set_title(axis.capitalize())
        ax.text(
            0.04,
            0.96,
            f"area under the curve {own.abstention.area.value:.3f}",
            transform=ax.transAxes,
            va="top",
            fontsize=8,
        )
        ax.set(xlim=(5, 102), xlabel="paragraphs decided, the surest first (%)")
    axes[0][0].set_ylim(bottom=0)
    axes[0][0].set_ylabel("share of them that is wrong")
    figure.suptitle("What abstention brings, with 95\xa0% intervals")
    return figure


def _confusion(report: Report, axis: str) -> Figure:
    confusion = report.model.axes[axis].confusion or {}
    names = _named(report)
    shown = [names[f"{axis}.{code}"] for code in confusion]
    cells = [list(row.values()) for row in confusion.values()]
    shares = np.array([[cell.value for cell in row] for row in cells])
    side = 1.35 * len(shown)
    figure, ax = page_figure(0.8 * len(shown) + 1.4)
    at = np.arange(len(shown) + 1) - 0.5  # a mesh, as an image in an SVG would be one of dots
    ax.pcolormesh(at, at, shares, cmap="Greys", vmin=0, vmax=1, edgecolors="white", lw=1)
    ax.invert_yaxis()
    for i, row in enumerate(cells):
        for j, cell in enumerate(row):
            dark = cell.value > 0.55
            ax.text(
                j,
                i,
                f"{cell.value:.0%}\n({cell.low:.0%} to {cell.high:.0%})"
                if np.isfinite(cell.low)
                else ("–" if np.isnan(cell.value) else f"{cell.value:.0%}"),
                ha="center",
                va="center",
                color="white" if dark else "black",
                fontsize=min(9.0, 2 + side * 2),
            )
    support = [label.support for label in report.model.axes[axis].labels.values()]
    ax.set_xticks(range(len(shown)), shown)
    ax.set_yticks(
        range(len(shown)), [f"{name}\nn = {n}" for name, n in zip(shown, support, strict=True)]
    )
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set_xlabel("the model says")
    ax.set_ylabel("the label is")
    ax.set_title(f"{axis.capitalize()}: of the paragraphs with a label, what the model calls them")
    return figure


def _by_group(column: str, groups: Mapping[str, GroupScores], axes: Sequence[str]) -> Figure:
    """Micro-F1 of each value with its interval, the best above."""
    rising = sorted(groups.items(), key=lambda item: item[1].micro_f1[axes[0]].value)
    figure, panels = page_figure(
        0.24 * len(groups) + 1.1, ncols=len(axes), sharey=True, sharex=True, squeeze=False
    )
    for ax, axis, colour, marker in zip(
        panels[0], axes, cycle(AXIS_COLOURS), cycle(MARKERS), strict=False
    ):
        for y, (_, own) in enumerate(rising):
            one = own.micro_f1[axis]
            ax.errorbar(
                one.value,
                y,
                xerr=_bars(one),
                fmt=marker,
                color=colour,
                ms=5,
                lw=1.4,
                capsize=2,
                # An open mark says: too few articles for an interval.
                mfc=colour if np.isfinite(one.low) else "white",
            )
        ax.set_title(axis.capitalize())
        ax.set(xlim=(-0.03, 1.03), xlabel="micro-F1")
    names = [f"{(value or '(none)').replace('_', ' ')} ({own.n_articles})" for value, own in rising]
    panels[0][0].set_yticks(range(len(rising)), names)
    panels[0][0].set_ylim(-0.7, len(rising) - 0.3)
    note = (
        "; open: no interval"
        if any(np.isnan(own.micro_f1[axes[0]].low) for own in groups.values())
        else ""
    )
    figure.suptitle(f"By {column} (number of articles{note})")
    return figure


def _learning_curve(curve: Sequence[Point]) -> Figure:
    figure, ax = page_figure(3.4)
    n = np.array([point.n_articles for point in curve])
    for i, (axis, colour, marker, dash) in enumerate(
        zip(curve[0].macro_f1, cycle(AXIS_COLOURS), cycle(MARKERS), cycle(DASHES), strict=False)
    ):
        figures = [point.macro_f1[axis] for point in curve]
        ax.errorbar(
            n + i * 0.012 * n[-1],  # beside each other, so that no interval hides another
            [one.value for one in figures],
            yerr=np.hstack([np.array(_bars(one)) for one in figures]),
            fmt=marker,
            ls=dash,
            color=colour,
            ms=6,
            capsize=3,
            lw=1.6,
            label=axis,
        )
    ax.set_xticks(n, [f"{p.n_articles}\n{p.n_texts} texts" for p in curve])
    ax.margins(x=0.06)
    ax.set_xlabel("training articles, and texts with their passages")
    ax.set_ylabel("macro-F1 on the measured articles")
    ax.legend(loc="lower right", ncols=len(curve[0].macro_f1))
    figure.suptitle("What more labels bring: the recipe fitted on ever more articles")
    return figure
