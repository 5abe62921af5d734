"""What a model's own figures say against it, in sentences.

Every sentence follows from the manifest by a fixed rule, so that it is true of any model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from training.markdown import code
from training.measured import Measured

LOW_F1 = 0.7
LOW_RATE = 0.6  # of precision and of recall
WIDE = 0.2  # of an interval, between its bounds
FEW_ARTICLES = 30
FEW_PARAGRAPHS = 30  # held out, with a label
FEW_EXAMPLES = 50  # training texts with a label
HIGH_ERROR = 0.05  # of calibration
MANY_FLIPS = 0.05
# Below it conclusions are tentative at best: Krippendorff (2004), Content Analysis, p. 241.
LOW_ALPHA = 0.8

_BY_CHANCE = "about one in thirty would seem so by chance."
_BASELINES = {"majority": "always saying what is most common", "tfidf": "TF-IDF and regression"}


def limits(manifest: Mapping[str, Any]) -> list[str]:
    """One sentence or more a limit, the gravest first."""
    return [
        *_measured(manifest),
        *_labels(manifest),
        *_baselines(manifest),
        *_calibration(manifest),
        *_flips(manifest),
        *_groups(manifest),
        *_corpus(manifest.get("corpus", {})),
        *_agreement(manifest.get("corpus", {})),
        *_distillation(manifest),
    ]


def _measured(manifest: Mapping[str, Any]) -> Iterator[str]:
    scores = manifest.get("scores", {}).get("model", {})
    if "axes" not in scores:
        yield "How good the model is on each label is not recorded; measure it before you use it."
    n = scores.get("n_articles")
    if n == 1:
        yield "One article was held out: no figure here has an interval, and none can be trusted."
    elif n is not None and n < FEW_ARTICLES:
        yield f"Only {n} articles were held out: every figure here is rough" + (
            ", and with fewer than twenty the intervals are narrower than they should be."
            if n < 20
            else "."
        )


def _labels(manifest: Mapping[str, Any]) -> Iterator[str]:
    trained = manifest.get("corpus", {}).get("labels", {})
    for axis, own in _axes(manifest):
        for name, scores in own["labels"].items():
            counts = trained.get(axis, {}).get(name)
            said = [*_found(scores), *(_learned(counts) if counts else ())]
            if said:
                yield f"{code(name)} ({axis}): {'; '.join(said)}."


def _found(scores: Mapping[str, Any]) -> Iterator[str]:
    n = scores["support"]
    if n == 0:
        yield "no held-out paragraph carries it, so that nobody knows how well it is found"
        return
    f1, precision, recall = (
        Measured.from_dict(scores["rates"][rate]) for rate in ("f1", "precision", "recall")
    )
    if f1.value < LOW_F1:
        yield f"F1 is low, {f1}"
    if recall.value < LOW_RATE:
        yield f"{1 - recall.value:.0%} of it is missed (recall {recall})"
    # Where nothing is found nothing may have been given either, and precision says nothing.
    if precision.value < LOW_RATE and recall.value > 0:
        yield f"{1 - precision.value:.0%} of what gets it should not (precision {precision})"
    if f1.high - f1.low > WIDE:
        yield f"F1 is known roughly only, {f1.bounds}"
    if n < FEW_PARAGRAPHS:
        yield f"measured on {n} paragraphs only"


def _learned(counts: Mapping[str, int]) -> Iterator[str]:
    n = counts["train"] + counts["passages"]
    if n < FEW_EXAMPLES:
        yield f"learned from {n} texts only"


def _baselines(manifest: Mapping[str, Any]) -> Iterator[str]:
    systems = manifest.get("scores", {})
    for axis, own in _axes(manifest):
        macro = Measured.from_dict(own["macro"]["f1"])
        for name, words in _BASELINES.items():
            if axis not in systems.get(name, {}).get("axes", {}):
                continue
            other = Measured.from_dict(systems[name]["axes"][axis]["macro"]["f1"])
            if not (macro.low if np.isfinite(macro.low) else macro.value) > other.value:
                yield (
                    f"On {axis} it is not shown to be better than {words} ({code(name)}): macro-F1 "
                    f"{macro} beside {other.value:.3f}."
                )


def _calibration(manifest: Mapping[str, Any]) -> Iterator[str]:
    errors = [
        (name, Measured.from_dict(scores["reliability"]["error"]))
        for _, own in _axes(manifest)
        for name, scores in own["labels"].items()
    ]
    high = [f"{code(name)} by {error}" for name, error in errors if error.value > HIGH_ERROR]
    if high:
        yield f"Do not read probabilities as shares. They are off, on average: {', '.join(high)}."


def _flips(manifest: Mapping[str, Any]) -> Iterator[str]:
    robustness = manifest.get("robustness", {})
    if not robustness:
        yield "Whether its labels hold when a text is changed in passing is not recorded."
    many = []
    for change, found in robustness.items():
        altered = {axis: share["value"] for axis, share in found["axes"].items()}
        shares = [f"{axis} {value:.1%}" for axis, value in altered.items() if value > MANY_FLIPS]
        many += [f"{change} ({', '.join(shares)})"] if shares else []
    if many:
        yield (
            f"It is fragile: these changes of a text alter the labels of more than "
            f"{MANY_FLIPS:.0%} of the paragraphs: {'; '.join(many)}."
        )


def _groups(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Groups whose whole interval lies below the figure of all paragraphs."""
    whole = {axis: Measured.from_dict(own["micro"]["f1"]) for axis, own in _axes(manifest)}
    for column, groups in manifest.get("groups", {}).items():
        for axis, all_ in whole.items():
            worse = []
            for value, own in groups.items():
                f1 = Measured.from_dict(own["micro_f1"][axis])
                if f1.high < all_.value:
                    worse.append(f"{value.replace('_', ' ') or 'none'} ({f1})")
            # Fewer than five articles have no interval, and say nothing either way.
            n = sum(own["micro_f1"][axis]["high"] is not None for own in groups.values())
            if worse:
                yield (
                    f"On {axis} it does worse than overall (micro-F1 {all_.value:.3f}) where "
                    f"{column} is {', '.join(worse)}."
                    + (f" Of {n} groups, {_BY_CHANCE}" if n > 1 else "")
                )


def _corpus(corpus: Mapping[str, Any]) -> Iterator[str]:
    if corpus:
        yield (
            "The held-out articles are of the same corpus as those that it was trained on; "
            "articles from elsewhere may be harder. Label some of yours and measure there."
        )
    if dates := corpus.get("dates"):
        yield (
            f"The corpus ends on {dates['last']}; nothing here says how well later articles "
            "are labelled."
        )
    if words := corpus.get("words"):
        yield (
            f"Eight paragraphs in ten of the corpus have {words['p10']} to {words['p90']} words; "
            "much shorter or longer ones are hardly measured."
        )


def _agreement(corpus: Mapping[str, Any]) -> Iterator[str]:
    found = corpus.get("agreement")
    if not corpus.get("origin"):
        yield "Who wrote the texts of its corpus and who labelled them is not recorded."
    if not found:
        yield (
            "How far annotators agree on the labels is not recorded, so that nobody can say which "
            "errors are the model's and which the labels'."
        )
        return
    low = [
        f"{code(name)} (α {one['alpha']:.3f})"
        for own in found["labels"].values()
        for name, one in own.items()
        if one["alpha"] is not None and one["alpha"] < LOW_ALPHA
    ]
    if low:
        yield (
            f"Annotators agree too little (α below {LOW_ALPHA}) for firm conclusions on "
            f"{', '.join(low)}."
        )


def _distillation(manifest: Mapping[str, Any]) -> Iterator[str]:
    found = manifest.get("scores", {}).get("distillation")
    if not found:
        return
    if found["no_gain_shown"]:
        axes = ", ".join(found["no_gain_shown"])
        yield f"Its teacher is not shown to have helped on {axes}: the labels alone do as well."
    teacher = manifest.get("training", {}).get("teacher", {}).get("fingerprint")
    if teacher != manifest.get("corpus", {}).get("fingerprint"):
        yield (
            "Its teacher was not fitted on this corpus with this split. If the teacher has seen "
            "held-out articles, the figures flatter."
        )


def _axes(manifest: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Axes of the model's scores; none where an older version fitted it."""
    return list(manifest.get("scores", {}).get("model", {}).get("axes", {}).items())
