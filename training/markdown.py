"""Tables and code of Markdown, as code hosts show it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the first column is words, the others stand to the right."""
    lines = [_row(columns), "|---|" + "---:|" * (len(columns) - 1)]
    return "\n".join([*lines, *map(_row, rows)])


def words_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of words in every column."""
    return "\n".join([_row(columns), "|" + "---|" * len(columns), *map(_row, rows)])


def bullets(*items: str) -> str:
    """A list; an item's line breaks become spaces."""
    return "\n".join(f"- {' '.join(item.split())}" for item in items)


def code(name: str) -> str:
    """A name as it stands in code; its back quotes, which would end it, are left out."""
    return f"`{name.replace('`', '')}`"


def folded(summary: str, content: str) -> str:
    """Content that a click unfolds."""
    return f"<details>\n<summary>{summary}</summary>\n\n{content}\n\n</details>"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
