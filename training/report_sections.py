"""An evaluation as tables of words and figures, the same on a terminal and on a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from training.annotator_scores import AgainstOthers
from training.compare import Comparison
from training.designs import Design
from training.evaluate import Report
from training.measured import Measured
from training.metrics import Scores
from training.perturbations import COUNTRIES
from training.robustness import beside_linear

_SHOWN_COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.5)


@dataclass(frozen=True, slots=True)
class Section:
    """One table.

    legend : what its columns mean, for a reader who has never seen them.
    rows : cells as they are shown; an empty row is a rule. The first column is words.
    """

    title: str
    legend: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def preface(report: Report, model: str) -> list[str]:
    """What was measured, in sentences, with every caveat that the figures need."""
    scores, design = report.model, report.design
    told = [f"{model}: {measured_in_words(scores, design)}", *caveats(scores, design)]
    if design.refits:
        told.append(
            "What is measured is the recipe of the model (its setting, fitted anew, with "
            "calibration and thresholds from inside each training part), not the folder itself. "
            "Passages, where the corpus has some, train in every part."
        )
    if design.n_dropped:
        side = "training texts" if design.refits else "measured paragraphs"
        told.append(f"{design.n_dropped} {side} left out: near-duplicates of the other side.")
    return told


def caveats(found: Scores | Comparison, design: Design) -> Iterator[str]:
    """What to think of figures on these articles; nothing where there is nothing to say."""
    if design.caveat:
        yield design.caveat
    if found.n_articles == 1:
        yield "One article only: no interval can be given; label several articles."
    elif found.n_articles < 20:
        yield "With fewer than twenty articles the intervals are narrower than they should be."


def measured_in_words(found: Scores | Comparison, design: Design) -> str:
    """How much was measured, and which articles."""
    n, articles = found.n_paragraphs, found.n_articles
    counted = f"{n} paragraphs of {articles} article{'s' if articles > 1 else ''}"
    return f"{counted}; {design.sentence}."


def sections(report: Report) -> Iterator[Section]:
    """The tables that a terminal shows, the most important first."""
    yield main_section(report.systems, report.annotators)
    yield _rates_section(report.model)
    yield _probabilities_section(report.model)
    yield _paragraphs_section(report.model)
    yield from _confusion_sections(report.model)
    yield _abstention_section(report.model)
    if report.robustness:
        yield _robustness_section(report)
    if report.annotators:
        yield _annotators_section(report.annotators)
    if report.design.column:
        begin = f"By {report.design.column}:"
        yield from (s for s in group_sections(report) if s.title.startswith(begin))


def main_section(systems: Mapping[str, Scores], annotators: AgainstOthers | None = None) -> Section:
    """F1 of each label and of each axis, beside the other systems."""
    model = systems["model"]
    others = [name for name in systems if name != "model"]
    rows: list[tuple[str, ...]] = []
    for axis, own in model.axes.items():
        beside = [systems[name].axes[axis] for name in others]
        for code, label in own.labels.items():
            cells = [_value(other.labels[code].rates.f1) for other in beside]
            cells += [_value(annotators.pooled.f1[axis][code])] if annotators else []
            rows.append((code, *_split(label.rates.f1), *cells, str(label.support)))
        cells = [_value(other.macro.f1) for other in beside]
        cells += [_value(annotators.pooled.macro_f1[axis])] if annotators else []
        rows.append((f"{axis}, macro", *_split(own.macro.f1), *cells, ""))
        cells = [_value(other.micro.f1) for other in beside] + ([""] if annotators else [])
        rows += [(f"{axis}, micro", *_split(own.micro.f1), *cells, ""), ()]
    legend = (
        "F1: one figure for precision (how many of the labels given are right) and recall (how "
        "many of the labels that are there are given); 1 is best. macro: mean over the labels; "
        "micro: all decisions counted together. Intervals, here and below, are of 95\xa0%, from a "
        "bootstrap over whole articles; none where nearly all draws give the same. n: paragraphs "
        "with the label."
    )
    if any(not label.support for own in model.axes.values() for label in own.labels.values()):
        legend += " A label that no paragraph carries scores 0, and counts in macro."
    if others:
        legend += (
            " majority, tfidf: F1 of two simple systems, one that always says what is most "
            "common, one of word counts and logistic regression."
        )
    if annotators:
        legend += " annotators: each against the majority of the others, pooled."
    beside_names = [*others, *(["annotators"] if annotators else [])]
    columns = ("", "F1", "95\xa0% interval", *beside_names, "n")
    return Section("How good: F1", legend, columns, _without_last_rule(rows))


def _rates_section(model: Scores) -> Section:
    rows: list[tuple[str, ...]] = []
    for axis, own in model.axes.items():
        named = [(code, label.rates) for code, label in own.labels.items()]
        named += [(f"{axis}, macro", own.macro), (f"{axis}, micro", own.micro)]
        rows += [(name, str(rates.precision), str(rates.recall)) for name, rates in named]
        rows.append(())
    return Section(
        "Which errors: precision and recall",
        "Low precision: labels are given that are not there. Low recall: labels are missed.",
        ("", "precision", "recall"),
        _without_last_rule(rows),
    )


def _probabilities_section(model: Scores) -> Section:
    rows: list[tuple[str, ...]] = []
    for axis, own in model.axes.items():
        rows += [
            (
                code,
                _short(label.average_precision),
                _short(label.reliability.brier),
                _short(label.reliability.error),
            )
            for code, label in own.labels.items()
        ]
        rows += [(f"{axis}, mean", _short(own.average_precision), "", ""), ()]
    return Section(
        "Probabilities: ranking and calibration",
        "PR-AUC: average precision, how well the probabilities rank, whatever the threshold; 1 is "
        "best, by chance it is the label's share. Brier: mean squared error of the probability; 0 "
        "is best. ECE: how far probabilities are from observed shares on average, debiased; 0 is "
        "best, and at 0.03 a probability of 60 % means about 57 to 63 %.",
        ("", "PR-AUC", "Brier", "ECE"),
        _without_last_rule(rows),
    )


def _paragraphs_section(model: Scores) -> Section:
    return Section(
        "Whole paragraphs",
        "exact: paragraphs whose labels are all right. Jaccard: labels in common by labels in "
        "either, mean over paragraphs, 1 where both have none. AURC: mean share of wrong "
        "paragraphs when only the surest are decided, over all such shares; 0 is best.",
        ("", "exact", "Jaccard", "AURC"),
        tuple(
            (axis, _short(own.exact_match), _short(own.jaccard), _short(own.abstention.area))
            for axis, own in model.axes.items()
        ),
    )


def _confusion_sections(model: Scores) -> Iterator[Section]:
    for axis, own in model.axes.items():
        if own.confusion is None:
            continue
        yield Section(
            f"Confusion: {axis}",
            "Each row: of the paragraphs with this label, the share that the model calls so.",
            (f"{axis} is", *own.confusion),
            tuple(
                (code, *(_short(share) for share in shares.values()))
                for code, shares in own.confusion.items()
            ),
        )


def _abstention_section(model: Scores) -> Section:
    rows = []
    for coverage in _SHOWN_COVERAGES:
        cells = [f"{coverage:.0%}"]
        for own in model.axes.values():
            point = next(p for p in own.abstention.curve if p.coverage == coverage)
            cells += [f"{point.min_confidence:.2f}", str(point.risk)]
        rows.append(tuple(cells))
    columns = ["decided"]
    for axis in model.axes:
        columns += ["from", f"{axis} wrong"]
    return Section(
        "If it may abstain: wrong paragraphs among those decided",
        "decided: share of the paragraphs that are sure enough. from: the confidence that this "
        "takes, which `posture score --min-confidence` sets. wrong: any label of the axis is "
        "wrong.",
        tuple(columns),
        tuple(rows),
    )


def _robustness_section(report: Report) -> Section:
    axes = list(report.model.axes)
    legend = (
        "0 is best: by the codebook none of these changes should alter a label, except the first "
        "sentence alone, which shows how much rests on the others. texts: share that the change "
        "touches. "
    )
    return Section(
        "Robustness: paragraphs whose labels flip when the text is changed",
        (legend + beside_linear(report.robustness[COUNTRIES].axes)).strip(),
        ("", "texts", *(f"{axis} flips" for axis in axes)),
        tuple(
            (name, f"{flips.changed:.0%}", *(str(flips.axes[axis]) for axis in axes))
            for name, flips in report.robustness.items()
        ),
    )


def _annotators_section(found: AgainstOthers) -> Section:
    named = {**found.annotators, "all, pooled": found.pooled}
    axes = list(found.pooled.macro_f1)
    return Section(
        "Annotators: each against the majority of the others, macro-F1",
        "How far they agree, by the measure of a model. It is no limit: what a model is measured "
        "on, several annotators made together. An annotator who judged only disputed paragraphs "
        "scores low for that reason. n: judgements.",
        ("", *axes, "n"),
        tuple(
            (name, *(str(own.macro_f1[axis]) for axis in axes), str(own.n_judgements))
            for name, own in named.items()
        ),
    )


def group_sections(report: Report) -> Iterator[Section]:
    """F1 by theatre, register, source, or by what was left out."""
    for column, groups in report.groups.items():
        axes = list(report.model.axes)
        yield Section(
            f"By {column}: micro-F1",
            "All decisions of an axis counted together, because a group may lack a label. "
            "Intervals over the group's own articles, from five articles on.",
            (column, *axes, "articles"),
            tuple(
                (
                    value or "(none)",
                    *(str(own.micro_f1[axis]) for axis in axes),
                    str(own.n_articles),
                )
                for value, own in groups.items()
            ),
        )


def reliability_sections(report: Report) -> Iterator[Section]:
    """The reliability table of each label."""
    for axis, own in report.model.axes.items():
        for code, label in own.labels.items():
            yield Section(
                f"Reliability: {axis}, {code}",
                "",
                ("paragraphs", "mean probability", "observed share"),
                tuple(
                    (str(b.n), f"{b.probability:.3f}", str(b.observed))
                    for b in label.reliability.bins
                ),
            )


def _value(figure: Measured) -> str:
    return str(figure).split(" ", 1)[0]


def _split(figure: Measured) -> tuple[str, str]:
    return _value(figure), figure.bounds


def _short(figure: Measured) -> str:
    """`0.812 (.74 to .87)`: three such figures stand beside a label in 80 columns."""
    if np.isnan(figure.low):
        return _value(figure)
    low, high = (f"{bound:.2f}".replace("0.", ".", 1) for bound in (figure.low, figure.high))
    return f"{_value(figure)} ({low} to {high})"


def _without_last_rule(rows: list[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    return tuple(rows[:-1] if rows and not rows[-1] else rows)
