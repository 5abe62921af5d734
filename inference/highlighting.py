"""Explained paragraphs at a terminal: words in the colour of the label they speak for."""

from __future__ import annotations

import io
import re
import textwrap
from collections import Counter
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING

from inference.label_styles import label_style

if TYPE_CHECKING:
    from rich.text import Text

    from inference.records import Record
    from inference.taxonomy import Axis, Taxonomy

_STRONG, _NOTABLE = 0.6, 0.3  # of the strongest word for any label of the paragraph
_FOR, _AGAINST = 5, 3  # words listed for a label
_NARROWEST = 20  # characters for the list, however narrow the terminal
_LEAST = 0.05  # log-odds; less is not worth a reader's time
_LEGEND = (
    "Words are in the colour of the label that they speak for most, the strong ones reversed. "
    "Numbers are what a word, in all its places, adds to the label's log-odds: +0.7 doubles the "
    "odds, −0.7 halves them. Below them the words against the label, and the sum of all words on "
)
_BASE = {
    "exact sum": "what the label has without any.",
    "occlusion": "the rest. This model is no sum of words: a number is what leaving the word out "
    "costs, and the rest is what words do only together.",
}


def write_highlighted(records: Iterable[Record], file: IO[bytes], taxonomy: Taxonomy) -> None:
    """For people at a terminal: each paragraph with its words coloured, the strongest listed."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", write_through=True)
    console = Console(file=text, highlight=False)
    record: Record | None = None
    article = None
    for record in records:
        if record["id"] != article:
            if article is not None:
                console.print()
            article = record["id"]
            console.print(article, style="bold underline", markup=False)
        console.print()
        decided = [(axis, code) for axis in taxonomy.axes for code in _codes(record[axis.field])]
        console.print(_heading(record, decided))
        console.print(Padding(_coloured(record, decided), (0, 0, 0, 2)))
        grid = Table.grid(padding=(0, 2))
        indent = max((len(code) for _, code in decided), default=0) + 4
        for axis, code in decided:
            words, against = (
                _wrapped(pieces, max(console.width - indent, _NARROWEST))
                for pieces in _strongest(record, axis, code)
            )
            against.stylize("dim")
            grid.add_row(Text(code, style=label_style(axis, code)), words)
            grid.add_row("", against)
        console.print(Padding(grid, (1, 0, 0, 2), expand=False))
    if record is not None:
        console.print(f"\n{_LEGEND}{_BASE[record['method']]}", style="dim")
    text.detach()


def _codes(value: str | list[str] | None) -> list[str]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _heading(record: Record, decided: list[tuple[Axis, str]]) -> Text:
    from rich.text import Text

    line = Text(f"¶ {record['index'] + 1}", style="bold")
    for axis, code in decided:
        probability = record["probabilities"][axis.name][code]
        line.append("  ").append(f"{code} {probability:.0%}", style=label_style(axis, code))
    return line


def _coloured(record: Record, decided: list[tuple[Axis, str]]) -> Text:
    """The paragraph; a word is coloured for the decided label to which it adds most."""
    from rich.text import Text

    text = record["text"]
    result = Text()
    place = 0
    strongest = max(
        (w["contributions"][axis.name][code] for w in record["words"] for axis, code in decided),
        default=0.0,
    )
    for word in record["words"]:
        result.append(_on_one_line(text[place : word["start"]]))
        place = word["end"]
        style = ""
        if decided:
            axis, code = max(decided, key=lambda one: word["contributions"][one[0].name][one[1]])
            contribution = word["contributions"][axis.name][code]
            if contribution >= max(_NOTABLE * strongest, _LEAST):
                strong = contribution >= _STRONG * strongest
                style = f"{'bold reverse ' if strong else ''}{label_style(axis, code)}"
        result.append(text[word["start"] : place], style=style)
    result.append(_on_one_line(text[place:]))
    return result


def _strongest(record: Record, axis: Axis, code: str) -> tuple[list[str], list[str]]:
    """The words for one label and those against it, each with its sum over the paragraph."""
    sums: dict[str, float] = {}
    times: Counter[str] = Counter()
    for word in record["words"]:
        folded = word["text"].lower()
        times[folded] += 1
        sums[folded] = sums.get(folded, 0.0) + word["contributions"][axis.name][code]
    ascending = sorted(sums, key=sums.__getitem__)
    speaking_for = [word for word in ascending[::-1][:_FOR] if sums[word] >= _LEAST]
    against = [word for word in ascending[:_AGAINST] if sums[word] <= -_LEAST]

    def shown(word: str) -> str:
        repeated = f"\u00a0×{times[word]}" if times[word] > 1 else ""
        return f"{word}{repeated}\u00a0{_signed(sums[word])}"

    base = record["base"][axis.name][code]
    total = f"(sum\u00a0{_signed(sum(sums.values()))} on\u00a0{_signed(base)})"
    return [shown(word) for word in speaking_for] or ["–"], [*map(shown, against), total]


def _wrapped(pieces: list[str], width: int) -> Text:
    """Pieces side by side, none of them broken: rich would break at a no-break space."""
    from rich.text import Text

    lines = textwrap.wrap("  ".join(pieces), width, break_long_words=False, break_on_hyphens=False)
    return Text("\n".join(lines), no_wrap=True)


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _on_one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)
