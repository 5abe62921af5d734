"""What a card says in figures: how good a model is, by group, calibrated, changed, exported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from training.markdown import code, folded, table
from training.measured import Measured
from training.perturbations import COUNTRIES
from training.robustness import beside_linear

NOT_RECORDED = "Not recorded."
INTERVALS = (
    "In brackets: 95\xa0% intervals, by a bootstrap over whole articles, since the paragraphs of "
    "one article are alike; none where nearly all draws give the same."
)
_SYSTEMS = {
    "majority": "always says what is most common",
    "tfidf": "TF-IDF of words and pairs of words, logistic regression",
}
_STUDENTS = {
    "student": "this model",
    "teacher": "its teacher",
    "labelled_only": "a linear model of the labels alone",
}

Entries = Mapping[str, Any]


def figures(scores: Entries) -> Iterator[str]:
    """F1 and all that goes with it, of the held-out articles."""
    model = scores["model"]
    beside = [name for name in _SYSTEMS if "axes" in scores.get(name, {})]
    n = model["n_articles"]
    yield (
        f"On {model['n_paragraphs']} paragraphs of {n} held-out article{'s' if n > 1 else ''}, "
        f"which served neither fitting nor the choice of settings. {INTERVALS}"
    )
    columns = ("", "n", "F1", "precision", "recall", "PR-AUC", *(f"{name} F1" for name in beside))
    for axis, own in model["axes"].items():
        others = [scores[name]["axes"][axis] for name in beside]
        rows = [
            (
                code(name),
                str(label["support"]),
                *_rates(label["rates"]),
                _figure(label["average_precision"]),
                *(_figure(other["labels"][name]["rates"]["f1"]) for other in others),
            )
            for name, label in own["labels"].items()
        ]
        for mean in ("macro", "micro"):
            area = _figure(own["average_precision"]) if mean == "macro" else ""
            f1 = (_figure(other[mean]["f1"]) for other in others)
            rows.append((f"**{axis}, {mean}**", "", *_rates(own[mean]), area, *f1))
        yield table(columns, rows)
    yield table(
        ("", "all labels right", "Jaccard"),
        [
            (axis, _figure(own["exact_match"]), _figure(own["jaccard"]))
            for axis, own in model["axes"].items()
        ],
    )
    meanings = [
        (
            "n: paragraphs that carry the label. macro: mean over the labels. micro: all decisions "
            "counted together. PR-AUC: average precision."
        )
    ]
    meanings += [f"{code(name)}: {_SYSTEMS[name]}." for name in beside]
    yield " ".join(meanings)


def groups(manifest: Entries) -> Iterator[str]:
    """Scores by theatre, register or source; nothing where there are none."""
    found = manifest.get("groups", {})
    for column, values in found.items():
        axes = list(next(iter(values.values()))["micro_f1"])
        rows = [
            (
                value.replace("_", " ") or "none",
                str(own["n_articles"]),
                str(own["n_paragraphs"]),
                *(_figure(own["micro_f1"][axis]) for axis in axes),
            )
            for value, own in values.items()
        ]
        micro = (f"{axis}, micro-F1" for axis in axes)
        yield table((column, "articles", "paragraphs", *micro), rows)
    if found:
        yield "Groups of fewer than five held-out articles have no interval."


def calibration(axes: Entries) -> Iterator[str]:
    """Brier score, calibration error and reliability of each label."""
    yield (
        "Whether probabilities can be read as shares, on the held-out articles. Brier score: mean "
        "squared error. Calibration error: how far shares are from probabilities on average, with "
        "what chance adds taken off. 0 is best for both."
    )
    yield table(
        ("", "Brier score", "calibration error"),
        [
            (code(name), *(_figure(label["reliability"][key]) for key in ("brier", "error")))
            for own in axes.values()
            for name, label in own["labels"].items()
        ],
    )
    for axis, own in axes.items():
        rows = [
            (code(name), str(one["n"]), f"{one['probability']:.3f}", _figure(one["observed"]))
            for name, label in own["labels"].items()
            for one in label["reliability"]["bins"]
        ]
        columns = ("", "paragraphs", "mean probability", "share that carries the label")
        yield folded(f"Reliability of {axis}", table(columns, rows))


def robustness(manifest: Entries) -> Iterator[str]:
    """Labels that flip when texts are changed."""
    changes = manifest.get("robustness")
    if not changes:
        yield NOT_RECORDED
        return
    yield (
        "Share of held-out paragraphs whose labels are not all as before, when the text is changed "
        "in a way that should leave them alone (but for what the first sentence leaves out)."
    )
    axes = list(next(iter(changes.values()))["axes"])
    rows = []
    for change, found in changes.items():
        labels = {
            (axis, name): share
            for axis, own in found["labels"].items()
            for name, share in own.items()
        }
        worst = max(labels, key=lambda name: labels[name]["value"])
        most = f"{code(worst[1])} {_figure(labels[worst])}" if labels[worst]["value"] else "none"
        shares = (_figure(found["axes"][axis]) for axis in axes)
        rows.append((change, f"{found['changed']:.3f}", *shares, most))
    yield table(("change", "texts it changes", *axes, "most affected label"), rows)
    if COUNTRIES in changes:
        own = changes[COUNTRIES]["axes"]
        yield from filter(None, [beside_linear({a: Measured.from_dict(own[a]) for a in axes})])
    if len(changes) == 1:
        yield (
            "Nothing else was tried when the model was fitted; `posture-train evaluate` tries "
            "typing errors, missing accents and more."
        )


def distillation(manifest: Entries) -> Iterator[str]:
    """What a student gained by its teacher; nothing of other models."""
    found = manifest.get("scores", {}).get("distillation")
    if not found:
        return
    axes = list(found["gain"])
    rows = [
        (words, *(_figure(found["macro_f1"][name][axis]) for axis in axes))
        for name, words in _STUDENTS.items()
    ]
    rows.append(("gain over the labels alone", *(_figure(found["gain"][axis]) for axis in axes)))
    same = (_figure(found["agreement"][axis]) for axis in axes)
    rows.append(("paragraphs labelled as by the teacher", *same))
    yield "Macro-F1 on the held-out articles."
    yield table(("", *axes), rows)


def runtimes(manifest: Entries) -> Iterator[str]:
    """What each export changed; nothing where there is none."""
    found = manifest.get("runtimes")
    if not found:
        return
    yield table(
        ("runtime", "way", "paragraphs", "same labels as fp32", "macro-F1", "in fp32", "change"),
        [
            (
                code(name),
                own.get("way", "not recorded"),  # by an older version
                str(own["n_paragraphs"]),
                f"{own['agreement']:.2%}",
                f"{own['macro_f1']:.4f}",
                f"{own['macro_f1_fp32']:.4f}",
                f"{own['macro_f1'] - own['macro_f1_fp32']:+.4f}",
            )
            for name, own in found.items()
        ],
    )


def _rates(rates: Entries) -> tuple[str, ...]:
    return tuple(_figure(rates[name]) for name in ("f1", "precision", "recall"))


def _figure(found: Mapping[str, float | None]) -> str:
    return str(Measured.from_dict(found))


def alpha(found: Entries) -> str:
    """Krippendorff's α with its interval."""
    return _figure({"value": found["alpha"], "low": found["low"], "high": found["high"]})
