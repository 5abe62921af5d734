"""Tables on a terminal, readable at 80 columns."""

from __future__ import annotations

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from training.report_sections import Section


def print_sections(preface: Iterable[str], shown: Iterable[Section]) -> None:
    """Print sentences, then each table with its legend underneath."""
    console = Console(highlight=False)
    for sentence in preface:
        console.print(sentence, markup=False)
    for section in shown:
        console.print()
        console.print(f"[bold]{section.title}[/bold]")
        console.print(_table(section))
        if section.legend:
            console.print(section.legend, style="dim", markup=False)


def _table(section: Section) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for i, name in enumerate(section.columns):
        # Where it gets narrow the words fold; figures are never cut.
        table.add_column(name, justify="right" if i else "left", no_wrap=i > 0, overflow="fold")
    for row in section.rows:
        if row:
            table.add_row(*row)
        else:
            table.add_row()
    return table
