"""What commands say while they work, on standard error, and what they found, on standard output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from inference.destination import destination


@contextmanager
def standard_output() -> Iterator[IO[bytes]]:
    """Around what a command prints. Raises InputError where it cannot be written."""
    with destination(None) as file:
        yield file
        sys.stdout.flush()  # what is printed waits here for more


def say(sentence: str) -> None:
    """Tell the person at the terminal what is being done."""
    print(sentence, file=sys.stderr, flush=True)


def progress(
    steps: Iterable[Any], total: int, status: Callable[[], str] = lambda: ""
) -> Iterable[Any]:
    """Pass steps through under a progress bar, where standard error is a terminal."""
    console = Console(stderr=True)
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[status]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total, status="")
        for step in steps:
            yield step
            bar.update(task, advance=1, status=status())
