"""What a model says of a paragraph: axes, each with its labels, read from TOML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from inference.errors import InputError

_CODE = re.compile(r"[a-z][a-z0-9_]*")
# Columns of tables and fields of records that stand beside those of an axis: what `posture score`
# and `explain` write, a corpus, judgements, a sample to label, an audit's suspects.
_BESIDE_AXES = frozenset(
    """
    record id index start end title date source url heading preceding text article_id
    abstained confidence probabilities summary n_paragraphs method base words
    split passage annotator draw inclusion_probability self_confidence reasons
    """.split()  # noqa: SIM905
)
# Columns that stand beside a 0/1 column for each label; rows and cells beside a label's own.
_BESIDE_LABELS = frozenset(
    """
    id index title date source url heading preceding text article_id
    split annotator draw inclusion_probability
    macro micro whole abstained
    """.split()  # noqa: SIM905
)
_AXIS_KEYS = {"name", "exclusive", "labels"}
_LABEL_KEYS = {"code", "en", "fr", "definition"}


@dataclass(frozen=True, slots=True)
class Label:
    """One answer on an axis: its code, its English and French names, one line of definition."""

    code: str
    en: str
    fr: str
    definition: str


@dataclass(frozen=True, slots=True)
class Axis:
    """A question put to each paragraph.

    exclusive : exactly one label applies; otherwise any number of them, or none.
    """

    name: str
    labels: tuple[Label, ...]
    exclusive: bool

    @property
    def codes(self) -> tuple[str, ...]:
        """Label codes in column order."""
        return tuple(label.code for label in self.labels)

    @property
    def field(self) -> str:
        """Name of the axis in tables and records: `tone`, but `topics` where several may apply."""
        return self.name if self.exclusive else f"{self.name}s"


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """Axes in order; the columns of a model are all labels of all axes, side by side, for ever."""

    axes: tuple[Axis, ...]

    @property
    def n_columns(self) -> int:
        """How many labels there are on all axes together."""
        return sum(len(axis.labels) for axis in self.axes)

    @property
    def column_names(self) -> tuple[str, ...]:
        """`axis.code` of each column."""
        return tuple(f"{axis.name}.{code}" for axis in self.axes for code in axis.codes)

    def spans(self) -> tuple[tuple[Axis, slice], ...]:
        """Each axis with the columns that are its own."""
        bounds = accumulate((len(axis.labels) for axis in self.axes), initial=0)
        return tuple(
            (axis, slice(a, b)) for axis, (a, b) in zip(self.axes, pairwise(bounds), strict=True)
        )

    def check_same(self, other: Taxonomy, own: str, others: str) -> None:
        """Refuse labels of another taxonomy: codes, order and what excludes what must be the same.

        own, others : whose labels this taxonomy's and the other's are, as the message calls them.

        Raises InputError.
        """
        first, second = _described(self), _described(other)
        if first != second:
            msg = (
                f"{own}'s labels are {first}; {others}'s are {second}; expected the same axes and "
                "labels in the same order; use one taxonomy for both"
            )
            raise InputError(msg)

    def to_dict(self) -> dict[str, Any]:
        """The content of the TOML file, as a model's manifest keeps it."""
        return {
            "axis": [
                {
                    "name": axis.name,
                    "exclusive": axis.exclusive,
                    "labels": [
                        {"code": x.code, "en": x.en, "fr": x.fr, "definition": x.definition}
                        for x in axis.labels
                    ],
                }
                for axis in self.axes
            ]
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], where: str) -> Taxonomy:
        """Build from `to_dict`'s form. Raises InputError, which begins with `where`."""
        try:
            entries = content["axis"]
            if not isinstance(entries, list) or not all(isinstance(x, Mapping) for x in entries):
                raise TypeError("axis, which is no such list: [[axis]] begins each, not [axis]")
            axes = tuple(_axis(entry, where) for entry in entries)
        except (KeyError, TypeError) as error:
            msg = (
                f"{where}: a taxonomy is a list of [[axis]] tables, each with name, exclusive and "
                f"labels (found a problem at {error}); see data/taxonomy.toml for an example"
            )
            raise InputError(msg) from error
        names = [axis.name for axis in axes]
        fields = [field for axis in axes for field in {axis.name, axis.field}]
        if not axes or len(set(fields)) < len(fields):
            msg = f"{where}: expected at least one axis, each with a name of its own; found {names}"
            raise InputError(msg)
        if unknown := set(content) - {"axis"}:
            msg = f"{where}: unknown key(s) {sorted(unknown)}; expected [[axis]] tables only"
            raise InputError(msg)
        return cls(axes)

    @classmethod
    def read(cls, path: Path) -> Taxonomy:
        """Read a taxonomy's TOML file."""
        import tomllib  # here only: scoring never reads TOML, and its start-up is counted

        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            msg = f"{path}: cannot be read as TOML ({error}); expected [[axis]] tables"
            raise InputError(msg) from error
        return cls.from_dict(content, str(path))


def _described(taxonomy: Taxonomy) -> str:
    """What of a taxonomy decides; names and definitions are for readers."""
    return " and ".join(
        f"{axis.name} ({'exactly one' if axis.exclusive else 'any number'} of "
        f"{', '.join(axis.codes)})"
        for axis in taxonomy.axes
    )


def _axis(entry: Mapping[str, Any], where: str) -> Axis:
    if unknown := set(entry) - _AXIS_KEYS:
        msg = (
            f"{where}: unknown key(s) {sorted(unknown)} in an axis; known are {sorted(_AXIS_KEYS)}"
        )
        raise InputError(msg)
    if not isinstance(entry["labels"], list):
        msg = f"{where}: labels = {entry['labels']!r}; expected a list of codes or of tables"
        raise InputError(msg)
    labels = tuple(_label(label, where) for label in entry["labels"])
    name, exclusive = entry["name"], entry["exclusive"]
    codes = [label.code for label in labels]
    if not isinstance(exclusive, bool):
        msg = f"{where}: axis {name!r} has exclusive = {exclusive!r}; expected true or false"
        raise InputError(msg)
    for code in (name, *codes):
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            msg = (
                f"{where}: {code!r} is no code; expected lower-case letters, digits and _, "
                "beginning with a letter"
            )
            raise InputError(msg)
    axis = Axis(name, labels, exclusive)
    if taken := _BESIDE_AXES & {name, axis.field} | _BESIDE_LABELS & set(codes):
        msg = f"{where}: {sorted(taken)} in axis {name!r} already name something else; rename them"
        raise InputError(msg)
    if len(set(codes)) < len(codes):
        msg = f"{where}: axis {name!r} has a label twice: {codes}; each code may stand once"
        raise InputError(msg)
    if len(codes) < (2 if exclusive else 1):
        msg = f"{where}: axis {name!r} has {len(codes)} label(s); an exclusive axis needs two"
        raise InputError(msg)
    return axis


def _label(entry: Mapping[str, str] | str, where: str) -> Label:
    if isinstance(entry, str):  # a bare code is a label without names
        return Label(entry, entry, entry, "")
    if unknown := set(entry) - _LABEL_KEYS:
        msg = f"{where}: unknown key(s) {sorted(unknown)} in a label; known: {sorted(_LABEL_KEYS)}"
        raise InputError(msg)
    code = entry["code"]
    for name in ("en", "fr", "definition"):
        if not isinstance(entry.get(name, ""), str):
            msg = f"{where}: label {code!r} has {name} = {entry[name]!r}; expected a text"
            raise InputError(msg)
    return Label(code, entry.get("en", code), entry.get("fr", code), entry.get("definition", ""))
