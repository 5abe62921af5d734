"""`posture-train compare`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from training.commands.options import PATH, format_option, in_words, stored_model, wants_json
from training.commands.terminal import standard_output
from training.compare import LEVEL, Comparison, Difference, compare
from training.corpus import LabelledCorpus
from training.designs import fixed_split
from training.predictions import predict
from training.report_sections import Section, caveats, measured_in_words
from training.report_terminal import print_sections


@click.command("compare")
@click.argument("a", type=PATH)
@click.argument("b", type=PATH)
@click.argument("corpus", type=PATH)
@format_option
def command(a: Path, b: Path, corpus: Path, format_: str | None) -> None:
    """Say whether model A or model B (folders, or `default`) is better on CORPUS, if either is.

    Both are measured on the same articles: those that CORPUS marks test, else those that the fits
    held out of it (which must be the same ones: give both fits the same --seed), else all.
    """
    one, other = stored_model(a), stored_model(b)
    one.scorer.taxonomy.check_same(other.scorer.taxonomy, "A", "B")
    labelled = LabelledCorpus.read(corpus, one.scorer.taxonomy)
    design = fixed_split(labelled, one.provenance, other.provenance)
    found = compare(*(predict(own.scorer, design.measured) for own in (one, other)))
    if wants_json(format_):
        runtimes = {"A": one.runtime, "B": other.runtime}
        content = {"design": design.to_dict(), "runtimes": runtimes, **found.to_dict()}
        with standard_output():
            print(json.dumps(content, ensure_ascii=False))
        return
    told = [
        f"A is {in_words(a, one)}; B is {in_words(b, other)}: {measured_in_words(found, design)}",
        *caveats(found, design),
        *(f"{axis}, macro-F1: {_sentence(own)}" for axis, own in found.macro_f1.items()),
    ]
    with standard_output():
        print_sections(told, [_section(found)])


def _sentence(one: Difference) -> str:
    size = f"{abs(one.difference.value):.3f}"
    p = f"p = {one.p_holm:.4f}"
    if one.better is None:
        return f"no difference shown; B minus A is {one.difference}, {p}."
    return f"{one.better} is better by {size}; B minus A is {one.difference}, {p}."


def _section(found: Comparison) -> Section:
    rows: list[tuple[str, ...]] = []
    for axis, own in found.labels.items():
        named = [*own.items(), (f"{axis}, macro", found.macro_f1[axis])]
        rows += [
            (
                name,
                f"{one.a.value:.3f}",
                f"{one.b.value:.3f}",
                str(one.difference),
                f"{one.p_holm:.4f}",
                f"{one.better} better" if one.better else "none shown",
            )
            for name, one in named
        ]
        rows.append(())
    legend = (
        "B - A: difference of F1, with the 95 % interval of a paired bootstrap over articles. p: "
        "how often chance alone would part two equal models as far (permutation by article, "
        "after Holm for all labels at once, and for all axes). none shown: no difference shown, "
        f"p is {LEVEL:g} or more; these articles do not tell A from B, which does not prove them "
        "equal. An interval is of one difference alone; p, which decides, is of all."
    )
    columns = ("F1", "A", "B", "B - A (95 % interval)", "p", "difference")
    return Section("Difference by label", legend, columns, tuple(rows[:-1]))
