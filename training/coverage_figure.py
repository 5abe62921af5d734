"""The figure of an estimate made many times over, where the truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import TYPE_CHECKING

from training.estimate import Estimates
from training.figure_style import drawing, page_figure
from training.palette import label_colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 4


def draw_trials(trials: Sequence[Estimates], truth: Estimates) -> Figure:
    """One panel a label: the corrected share of each sample with its interval, and the truth.

    trials : estimates of one archive from different samples.
    truth : see `training.coverage.true_shares`. An open square marks an interval that misses it.
    """
    taxonomy = trials[0].taxonomy
    colours = label_colours(taxonomy)
    n_rows = -(-(taxonomy.n_columns + 1) // _COLUMNS)  # one panel is the key's
    with drawing():
        figure, panels = page_figure(
            1.9 * n_rows + 0.4, nrows=n_rows, ncols=_COLUMNS, sharex=True, squeeze=False
        )
        for column, name in enumerate(taxonomy.column_names):
            ax = panels.flat[column]
            known = truth.overall[column].classical
            true = 100 * known.share if known else nan
            for x, trial in enumerate(trials, start=1):
                found = trial.overall[column].corrected
                if found is None:
                    continue
                low, share, high = (100 * v for v in (found.low, found.share, found.high))
                hit = low <= true <= high
                ax.errorbar(
                    x,
                    share,
                    yerr=[[share - low], [high - share]],
                    color=colours[name],
                    fmt="o" if hit else "s",
                    mfc=colours[name] if hit else "white",
                    ms=3 if hit else 5,
                    lw=1,
                )
            ax.axhline(true, color="black", lw=1.2, label="the truth")
            counted = 100 * trials[0].overall[column].counted.share
            ax.axhline(counted, color="#666666", lw=1.3, ls="--", label="counted by the model")
            ax.set_title(name.split(".")[1].replace("_", " "), fontsize=9)
            ax.set_ylim(bottom=0)
            ax.yaxis.set_major_formatter("{x:.0f} %")
            ax.set_xticks([1, len(trials)])
        handles = panels.flat[0].get_legend_handles_labels()
        for ax in panels.flat[taxonomy.n_columns :]:
            ax.set_axis_off()
        panels.flat[-1].legend(*handles, loc="center left", fontsize=8)
        figure.supxlabel("sample (its seed differs, nothing else)")
        figure.suptitle("Corrected shares with 95\xa0% intervals, from one sample after another")
    return figure
