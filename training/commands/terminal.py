"""What commands say while they work; it goes to standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.progress import track


def say(sentence: str) -> None:
    """Tell the person at the terminal what is being done."""
    print(sentence, file=sys.stderr, flush=True)


def progress(steps: Iterable[Any], total: int, name: str = "fits") -> Iterable[Any]:
    """Pass steps through under a progress bar, where standard error is a terminal."""
    console = Console(stderr=True)
    return track(steps, name, total=total, console=console, disable=not console.is_terminal)
