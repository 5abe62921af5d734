"""Labels as they stand in a table's cells, and what is said of the rows that are wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inference.errors import InputError
from inference.taxonomy import Axis

_SHOWN_PROBLEMS = 20
_NOTHING = "-"
_TRUE, _FALSE = {"1", "true", "1.0"}, {"0", "false", "0.0", ""}


def bad_rows(where: str, problems: Sequence[str]) -> InputError:
    """One error for all problems of a table's rows, each beginning with its place."""
    rest = len(problems) - _SHOWN_PROBLEMS
    more = f"; and {rest} more" if rest > 0 else ""
    return InputError(
        f"{where}: {len(problems)} problem(s): " + "; ".join(problems[:_SHOWN_PROBLEMS]) + more
    )


def cell_text(value: object) -> str:
    """The cell as text; nothing and NaN are "" there."""
    return "" if value is None or value != value else str(value)  # noqa: PLR0124 - NaN


def other_text(unit: str, values: Mapping[str, Any], text_of: dict[str, str]) -> list[str]:
    """What is wrong where the id of a row has stood for another text; texts are kept by id.

    A row without text says nothing of it.
    """
    text = cell_text(values.get("text"))
    if not text or text_of.setdefault(unit, text) == text:
        return []
    return [f"id {unit!r} stands a second time with another text; give each text its own id"]


def axis_labels(axis: Axis, values: Mapping[str, Any]) -> tuple[list[bool], list[str]]:
    """Which of the axis's labels a row gives, in column order, and what is wrong with its cells.

    The cell is the axis's field (`a|b`, a list, or `-` where none applies), or else one 0/1 column
    for each label.
    """
    if axis.field in values:
        cell = values[axis.field]
        given = (
            [str(code) for code in cell]
            if isinstance(cell, list)
            else [code.strip() for code in cell_text(cell).split("|") if code.strip()]
        )
        given = [] if given == [_NOTHING] else given
    elif missing := [code for code in axis.codes if code not in values]:
        return [False] * len(axis.codes), [
            f"{axis.field} is missing, and so is the 0/1 column {missing[0]}; expected either"
        ]
    else:
        cells = {code: cell_text(values[code]).strip().lower() for code in axis.codes}
        if bad := [
            f"{code} = {cell!r}" for code, cell in cells.items() if cell not in _TRUE | _FALSE
        ]:
            return [False] * len(axis.codes), [f"{', '.join(bad)}; expected 0 or 1"]
        given = [code for code, cell in cells.items() if cell in _TRUE]
    wrong = [
        f"{axis.field}: unknown label {code!r}; expected {', '.join(axis.codes)}"
        + (", several separated by |" if "," in code or ";" in code else "")
        for code in given
        if code not in axis.codes
    ]
    if axis.exclusive and len(given) != 1 and not wrong:
        found = "none" if not given else "|".join(given)
        wrong = [f"{axis.field}: found {found}; expected exactly one of {', '.join(axis.codes)}"]
    return [code in given for code in axis.codes], wrong
