"""A model's card: what its manifest knows, in Markdown, for whoever is to use its labels.

Mitchell et al. (2019), Model Cards for Model Reporting, FAT* '19, whose sections it follows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inference.sealed_folder import MANIFEST
from inference.taxonomy import Taxonomy
from training.card_limits import limits
from training.markdown import bullets, code, folded, table, words_table
from training.measured import Measured
from training.perturbations import COUNTRIES
from training.robustness import beside_linear

_NOT_RECORDED = "Not recorded."
_INTERVALS = (
    "In brackets: 95\xa0% intervals, by a bootstrap over whole articles, since the paragraphs of "
    "one article are alike."
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
_MOST_VALUES = 30

_Entries = Mapping[str, Any]


def card(manifest: _Entries) -> str:
    """The card of a model folder's manifest; what it does not hold is said to be not recorded.

    Nothing is said that does not follow from the manifest. Raises InputError for a manifest
    without a taxonomy.
    """
    taxonomy = Taxonomy.from_dict(manifest.get("taxonomy", {}), MANIFEST)
    axes = manifest.get("scores", {}).get("model", {}).get("axes")
    sections = (
        ("Model", _model(manifest, taxonomy)),
        ("Intended use", _intended(taxonomy)),
        ("Not for", _not_for(manifest)),
        ("Limits", [bullets(*limits(manifest))]),
        ("How good it is", _figures(manifest["scores"]) if axes else [_unmeasured(manifest)]),
        ("Groups", _groups(manifest)),
        ("Calibration", _calibration(axes) if axes else [_NOT_RECORDED]),
        ("Robustness", _robustness(manifest)),
        ("Teacher", _distillation(manifest)),
        ("Exported runtimes", _runtimes(manifest)),
        ("Data", _data(manifest.get("corpus", {}))),
        ("Agreement of the annotators", _agreement(manifest.get("corpus", {}))),
        ("Training", _training(manifest)),
        ("How to fit it again", _again(manifest)),
    )
    parts = ["# Model card"]
    for title, content in sections:
        if paragraphs := list(content):
            parts += [f"## {title}", *paragraphs]
    parts.append(
        "---\n\nWritten by `posture-train card` from the model's manifest, after Mitchell et al. "
        "(2019), [Model Cards for Model Reporting](https://doi.org/10.1145/3287560.3287596)."
    )
    return "\n\n".join(parts) + "\n"


def _model(manifest: _Entries, taxonomy: Taxonomy) -> Iterator[str]:
    training = manifest.get("training", {})
    versions = {**training.get("versions", {}), **manifest.get("versions", {})}
    axes = " and ".join(code(axis.name) for axis in taxonomy.axes)
    yield (
        f"Gives each paragraph of a French text its labels for {axes}, with calibrated "
        "probabilities."
    )
    yield bullets(
        f"Kind: {manifest.get('kind', 'not recorded')}",
        f"Recipe: {training.get('recipe', 'not recorded')}",
        "Versions: " + (", ".join(f"{k} {v}" for k, v in versions.items()) or "not recorded"),
    )
    thresholds = manifest.get("rule", {}).get("thresholds", [None] * taxonomy.n_columns)
    rows = []
    for axis, span in taxonomy.spans():
        for label, cut in zip(axis.labels, thresholds[span], strict=True):
            given = "highest of all" if axis.exclusive else "not recorded"
            if cut is not None and not axis.exclusive:
                given = f"at least {cut}"
            name = " / ".join(dict.fromkeys((label.en, label.fr)))
            rows.append((axis.name, code(label.code), name, label.definition or "–", given))
    yield words_table(
        ("axis", "label", "name", "definition", "given where its probability is"), rows
    )
    kinds = {True: "exactly one label", False: "any number of labels, or none"}
    yield bullets(*(f"{code(axis.name)}: {kinds[axis.exclusive]}" for axis in taxonomy.axes))


def _intended(taxonomy: Taxonomy) -> Iterator[str]:
    axes = " and ".join(code(axis.name) for axis in taxonomy.axes)
    yield bullets(
        "Labelling paragraphs of French articles of the kinds that the corpus below holds, and "
        "summing an article up (`posture score`).",
        "Finding the paragraphs worth reading, by label or by probability.",
        f"Shares of {axes} over an archive and over time, corrected by a labelled sample of it "
        "(`posture-train sample`, then `posture-train estimate`).",
    )


def _not_for(manifest: _Entries) -> Iterator[str]:
    by = manifest.get("corpus", {}).get("articles_by") or {}
    kinds = "; ".join(
        f"{column}: {_listed([value.replace('_', ' ') for value in values])}"
        for column, values in by.items()
    )
    yield bullets(
        "Publishing its counts as they are. They are wrong by as much as the model is: correct "
        "them with `posture-train estimate`.",
        "Decisions about persons, or as the only ground of any decision. A label says how a "
        "paragraph is written, not whether what it says is true nor what its author intends.",
        "Texts in other languages. Posture reads French and labels anything else as if it were.",
        "Kinds of text that the corpus lacks. "
        + (f"Those that it has: {kinds}." if kinds else "Which it has is not recorded."),
    )


def _unmeasured(manifest: _Entries) -> str:
    macro = manifest.get("scores", {}).get("model", {}).get("macro_f1") or {}
    known = ", ".join(f"{axis} {value}" for axis, value in macro.items())
    return (f"Macro-F1: {known}. " if known else "") + (
        "The figures of each label with their intervals are not recorded; fit the model again, or "
        "measure it: `posture-train evaluate MODEL CORPUS`."
    )


def _figures(scores: _Entries) -> Iterator[str]:
    model = scores["model"]
    beside = [name for name in _SYSTEMS if "axes" in scores.get(name, {})]
    n = model["n_articles"]
    yield (
        f"On {model['n_paragraphs']} paragraphs of {n} held-out article{'s' if n > 1 else ''}, "
        f"looked at once, after all choices. {_INTERVALS}"
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


def _groups(manifest: _Entries) -> Iterator[str]:
    groups = manifest.get("groups", {})
    for column, values in groups.items():
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
    if groups:
        yield "Groups of fewer than five held-out articles have no interval."


def _calibration(axes: _Entries) -> Iterator[str]:
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


def _robustness(manifest: _Entries) -> Iterator[str]:
    robustness = manifest.get("robustness")
    if not robustness:
        yield _NOT_RECORDED
        return
    yield (
        "Share of held-out paragraphs whose labels are not all as before, when the text is changed "
        "in a way that should leave them alone (but for what the first sentence leaves out)."
    )
    axes = list(next(iter(robustness.values()))["axes"])
    rows = []
    for change, found in robustness.items():
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
    if COUNTRIES in robustness:
        own = robustness[COUNTRIES]["axes"]
        yield from filter(None, [beside_linear({a: Measured.from_dict(own[a]) for a in axes})])
    if len(robustness) == 1:
        yield (
            "Nothing else was tried when the model was fitted; `posture-train evaluate` tries "
            "typing errors, missing accents and more."
        )


def _distillation(manifest: _Entries) -> Iterator[str]:
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


def _runtimes(manifest: _Entries) -> Iterator[str]:
    runtimes = manifest.get("runtimes")
    if not runtimes:
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
            for name, own in runtimes.items()
        ],
    )


def _data(corpus: _Entries) -> Iterator[str]:
    if "n_train_paragraphs" not in corpus:
        yield _NOT_RECORDED
        return
    train, test = corpus["n_train_paragraphs"], corpus["n_test_paragraphs"]
    passages = corpus["n_train_passages"]
    if origin := corpus.get("origin"):
        yield f"Where its texts and labels come from, in the words of those who made it: {origin}"
    else:
        yield "Who wrote the texts and who labelled them is not recorded."
    facts = [
        f"Trained on {_of_articles(train, corpus.get('n_train_articles'))}"
        + (f" and {passages} short passages" if passages else ""),
        (
            f"Held out: {_of_articles(test, corpus.get('n_test_articles'))}; no article is on both "
            "sides"
        ),
    ]
    if dates := corpus.get("dates"):
        facts.append(f"Dates: {dates['first']} to {dates['last']}")
    if words := corpus.get("words"):
        facts.append(
            f"Words of a paragraph: {words['p50']} in the median, {words['p10']} to "
            f"{words['p90']} from the 10th to the 90th percentile"
        )
    for column, values in (corpus.get("articles_by") or {}).items():
        counted = [f"{value.replace('_', ' ')} {n}" for value, n in values.items()]
        facts.append(f"Articles by {column}: {_listed(counted)}")
    facts.append(f"Fingerprint (SHA-256 of texts, labels and split): `{corpus.get('fingerprint')}`")
    yield bullets(*facts)
    if labels := corpus.get("labels"):
        yield table(
            ("texts with the label", "training paragraphs", "passages", "held-out paragraphs"),
            [
                (code(name), *(str(own[side]) for side in ("train", "passages", "test")))
                for axis in labels.values()
                for name, own in axis.items()
            ],
        )


def _agreement(corpus: _Entries) -> Iterator[str]:
    found = corpus.get("agreement")
    if not found:
        yield _NOT_RECORDED
        return
    who = ", ".join(f"{name} {n}" for name, n in found["annotators"].items())
    yield (
        f"{found['n_pairable']} of {found['n_units']} units were judged by two annotators or more "
        f"(judgements: {who}). Krippendorff's α: 1 is perfect, 0 is chance. Same: how often two "
        f"judgements of one unit are equal. {_INTERVALS}"
    )
    rows = [
        (code(name), _alpha(one), f"{one['observed']:.1%}")
        for own in found["labels"].values()
        for name, one in own.items()
    ]
    rows += [
        (f"**{axis}, as a whole**", _alpha(one), f"{one['observed']:.1%}")
        for axis, one in found["axes"].items()
    ]
    yield table(("", "α", "same"), rows)


def _training(manifest: _Entries) -> Iterator[str]:
    training = manifest.get("training", {})
    rows = [
        (code(name), json.dumps(value, ensure_ascii=False).strip('"'))
        for name, value in training.items()
        if name not in ("versions", "command")
    ]
    yield words_table(("setting", "value"), rows) if rows else _NOT_RECORDED


def _again(manifest: _Entries) -> Iterator[str]:
    if command := manifest.get("training", {}).get("command"):
        yield f"```\n{command}\n```"
        yield (
            "with the corpus of the fingerprint and the versions above; words in capitals stand "
            "for paths."
        )
    else:
        yield f"{_NOT_RECORDED} It was fitted from Python or by an older version."


def _rates(rates: _Entries) -> tuple[str, ...]:
    return tuple(_figure(rates[name]) for name in ("f1", "precision", "recall"))


def _figure(found: Mapping[str, float | None]) -> str:
    return str(Measured.from_dict(found))


def _alpha(found: _Entries) -> str:
    return _figure({"value": found["alpha"], "low": found["low"], "high": found["high"]})


def _of_articles(n_paragraphs: int, n_articles: int | None) -> str:
    of = f" of {n_articles} article{'s' if n_articles > 1 else ''}" if n_articles else ""
    return f"{n_paragraphs} paragraphs{of}"


def _listed(values: Sequence[str]) -> str:
    rest = len(values) - _MOST_VALUES
    return ", ".join(values[:_MOST_VALUES]) + (f" and {rest} more" if rest > 0 else "")
