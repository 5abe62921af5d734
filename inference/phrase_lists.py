"""The two phrase lists shipped in the package: the gazetteer of states and the lexicon of classes.

Models are fitted with them and carry them compiled in their folder; scoring reads neither file.
"""

from __future__ import annotations

import csv
from importlib import resources

from inference.phrases import PhraseMatcher


def _rows(name: str) -> list[dict[str, str]]:
    with resources.files("inference").joinpath(name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def gazetteer() -> list[tuple[str, str, str]]:
    """Rows (country, kind, form): an ISO alpha-3 code; name, people, capital, seat or leader."""
    return [(row["country"], row["kind"], row["form"]) for row in _rows("gazetteer.tsv")]


def lexicon() -> list[tuple[str, str]]:
    """Rows (class, term); each term belongs to one class."""
    return [(row["class"], row["term"]) for row in _rows("lexicon.tsv")]


def lexicon_classes() -> tuple[str, ...]:
    """The classes in the order of their numbers."""
    return tuple(sorted({name for name, _ in lexicon()}))


def state_names() -> PhraseMatcher:
    """A matcher of every form in the gazetteer."""
    forms = [form for _, _, form in gazetteer()]
    return PhraseMatcher.of(forms, [0] * len(forms))


def lexicon_terms() -> PhraseMatcher:
    """A matcher of every term; its values number `lexicon_classes`."""
    number = {name: i for i, name in enumerate(lexicon_classes())}
    rows = lexicon()
    return PhraseMatcher.of([term for _, term in rows], [number[name] for name, _ in rows])
