"""A plot over time: corrected shares with their intervals, and events."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import nan
from pathlib import Path
from textwrap import shorten, wrap
from typing import TYPE_CHECKING, Any

from inference.destination import destination
from inference.errors import InputError
from inference.tables import read_rows
from training.corrected_share import TOO_FEW_ARTICLES, Share
from training.estimate import (
    PERIODS,
    WITHOUT_GROUP,
    Estimates,
    LabelEstimate,
)
from training.label_cells import cell_text
from training.palette import label_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SUFFIXES = (".svg", ".png", ".pdf")
_DOTS_PER_INCH = 200
_PANELS_IN_A_ROW = 2
_WIDTH, _PANEL_HEIGHT = 7.2, 1.75  # inches
_INK = "#333333"
_FAINT = "#999999"
_TITLE, _TICKS, _NOTES = 9.5, 8.5, 7.5  # points
_TITLE_WIDTH, _NOTE_WIDTH = 48, 52  # characters
_LINE = 0.14  # inches, of a note
_COUNTED: dict[str, Any] = {
    "color": _FAINT,
    "linewidth": 0.7,
    "label": "counted by the model",
}
_CORRECTED: dict[str, Any] = {
    "linestyle": "none",
    "marker": "o",
    "markersize": 3,
    "elinewidth": 1,
    "label": "corrected, 95 % interval",
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened on a day, and its name on the plot."""

    day: date
    label: str


def check_figure(path: Path) -> None:
    """Raise InputError where the suffix names no format, or matplotlib is not there."""
    if path.suffix.lower() not in _SUFFIXES:
        msg = f"{path}: its suffix names no format; expected {', '.join(_SUFFIXES)}"
        raise InputError(msg)
    try:
        import matplotlib as mpl  # noqa: F401 - whether it is there
    except ModuleNotFoundError as error:
        msg = "figures need matplotlib, which is not installed; pip install 'posture[figures]'"
        raise InputError(msg) from error


def read_events(path: Path) -> tuple[Event, ...]:
    """Events of a table with the columns date (ISO) and label, in order of time."""
    events = []
    for row in read_rows(path):
        if not {"date", "label"} <= set(row.values):
            found = ", ".join(map(str, row.values))
            msg = f"{row.where}: found the columns {found}; expected date and label"
            raise InputError(msg)
        cell = cell_text(row.values["date"])
        try:
            day = date.fromisoformat(cell[:10])
        except ValueError as error:
            msg = f"{row.where}: date {cell!r}; expected an ISO date like 2024-01-18"
            raise InputError(msg) from error
        events.append(Event(day, cell_text(row.values["label"])))
    return tuple(sorted(events, key=lambda event: event.day))


def write_series(estimates: Estimates, output: Path, events: Sequence[Event] = ()) -> None:
    """Write the plot of `draw_series`, whole or not at all. Raises InputError, see there."""
    check_figure(output)
    figure = draw_series(estimates, events)
    with destination(output) as file:
        figure.savefig(file, format=output.suffix.lower()[1:], dpi=_DOTS_PER_INCH)


def draw_series(estimates: Estimates, events: Sequence[Event] = ()) -> Figure:
    """One panel a label: corrected shares with their intervals, and the counted share as a line.

    Periods with too few labels have a gap. Events outside the series are left out.

    Raises InputError for estimates that are not by month or year.
    """
    import matplotlib.dates as mdates
    from matplotlib.figure import Figure

    groups = {name: rows for name, rows in estimates.groups.items() if name != WITHOUT_GROUP}
    if estimates.by not in PERIODS or not groups:
        msg = f"a series runs over months or years; found groups by {estimates.by}, {len(groups)}"
        raise InputError(msg)
    x = [_middle(name) for name in groups]
    start, end = _start(min(groups)), _end(max(groups))
    shown = [event for event in events if start <= event.day <= end]
    names = estimates.taxonomy.column_names
    labels = [label for axis in estimates.taxonomy.axes for label in axis.labels]
    n_rows = -(-(len(labels) + 1) // _PANELS_IN_A_ROW)  # one panel is the key's
    notes = _notes(shown)
    heights = [_PANEL_HEIGHT] * n_rows
    heights[-1] = max(_PANEL_HEIGHT, 0.7 + _LINE * len(notes))
    figure = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained")
    *panels, key = figure.subplots(
        n_rows, _PANELS_IN_A_ROW, squeeze=False, height_ratios=heights
    ).flat
    colours = label_colours(estimates.taxonomy)
    for column, (panel, label) in enumerate(zip(panels, labels, strict=False)):
        rows = [rows[column] for rows in groups.values()]
        _draw_shares(panel, x, rows, colours[names[column]])
        title = shorten(label.en, _TITLE_WIDTH)
        panel.set_title(title, loc="left", fontsize=_TITLE, parse_math=False)
        panel.tick_params(labelsize=_TICKS)
        for number, event in enumerate(shown, start=1):
            day: Any = event.day
            panel.axvline(day, color=_INK, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
            panel.annotate(
                str(number),
                (day, 1),
                xycoords=("data", "axes fraction"),
                xytext=(2, -1),
                textcoords="offset points",
                va="top",
                fontsize=7,
            )
        panel.set_xlim(*mdates.date2num([start, end]))
        locator = mdates.AutoDateLocator(minticks=3, maxticks=7)
        panel.xaxis.set_major_locator(locator)
        panel.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))
    for panel in panels[len(labels) :]:
        panel.set_axis_off()
    _write_key(key, notes)
    return figure


def _draw_shares(panel: Axes, x: Sequence[Any], rows: Sequence[LabelEstimate], colour: str) -> None:
    unknown = Share(nan, nan, nan, nan)  # a gap in the line
    shares = [row.corrected or unknown for row in rows]
    middle = [100 * one.share for one in shares]
    below = [100 * (one.share - one.low) for one in shares]
    above = [100 * (one.high - one.share) for one in shares]
    panel.plot(x, [100 * row.counted.share for row in rows], zorder=2, **_COUNTED)
    panel.plot(x, middle, color=colour, linewidth=0.9, alpha=0.6, zorder=3)
    panel.errorbar(
        x, middle, yerr=(below, above), color=colour, zorder=4, clip_on=False, **_CORRECTED
    )
    highest = max(
        100 * max(row.counted.share, row.corrected.high if row.corrected else 0) for row in rows
    )
    panel.set_ylim(0, min(100, 1.1 * max(highest, 10)))
    panel.yaxis.set_major_formatter("{x:.0f} %")
    panel.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def _notes(events: Sequence[Event]) -> list[str]:
    """The events by their numbers, then what a missing point means."""
    lines = [
        line
        for i, event in enumerate(events, start=1)
        for line in wrap(
            f"{i}  {event.day.isoformat()}  {event.label}", _NOTE_WIDTH, subsequent_indent="    "
        )
    ]
    return [*lines, f"No point: fewer than {TOO_FEW_ARTICLES} labelled articles."]


def _write_key(key: Axes, notes: Sequence[str]) -> None:
    """What the marks mean, in a panel of its own."""
    key.set_axis_off()
    marks = [
        key.errorbar([nan], [nan], [nan], color=_INK, **_CORRECTED),
        *key.plot([nan], [nan], **_COUNTED),
    ]
    key.legend(handles=marks, loc="upper left", frameon=False, fontsize=_NOTES, borderaxespad=0)
    key.annotate(
        "\n".join(notes),
        (0, 1),
        parse_math=False,  # 50 M$ and 30 M$ are money
        xycoords="axes fraction",
        xytext=(4, -34),
        textcoords="offset points",
        va="top",
        fontsize=_NOTES,
        linespacing=1.3,
    )


def _start(period: str) -> date:
    year, month = (*map(int, period.split("-")), 1)[:2]
    return date(year, month, 1)


def _end(period: str) -> date:
    start = _start(period)
    if "-" not in period:
        return date(start.year, 12, 31)
    return date(start.year, start.month, monthrange(start.year, start.month)[1])


def _middle(period: str) -> date:
    start = _start(period)
    return start + (_end(period) - start) / 2
