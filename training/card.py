"""A model's card: what its manifest knows, in Markdown, for whoever is to use its labels.

Mitchell et al. (2019), Model Cards for Model Reporting, FAT* '19, whose sections it follows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from inference.sealed_folder import MANIFEST
from inference.taxonomy import Taxonomy
from training.card_figures import (
    INTERVALS,
    NOT_RECORDED,
    Entries,
    alpha,
    calibration,
    distillation,
    figures,
    groups,
    robustness,
    runtimes,
)
from training.card_limits import limits
from training.markdown import bullets, code, table, words_table

_MOST_VALUES = 30


def card(manifest: Entries) -> str:
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
        ("How good it is", figures(manifest["scores"]) if axes else [_unmeasured(manifest)]),
        ("Groups", groups(manifest)),
        ("Calibration", calibration(axes) if axes else [NOT_RECORDED]),
        ("Robustness", robustness(manifest)),
        ("Teacher", distillation(manifest)),
        ("Exported runtimes", runtimes(manifest)),
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


def _model(manifest: Entries, taxonomy: Taxonomy) -> Iterator[str]:
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


def _not_for(manifest: Entries) -> Iterator[str]:
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


def _unmeasured(manifest: Entries) -> str:
    macro = manifest.get("scores", {}).get("model", {}).get("macro_f1") or {}
    known = ", ".join(f"{axis} {value}" for axis, value in macro.items())
    return (f"Macro-F1: {known}. " if known else "") + (
        "The figures of each label with their intervals are not recorded; fit the model again, or "
        "measure it: `posture-train evaluate MODEL CORPUS`."
    )


def _data(corpus: Entries) -> Iterator[str]:
    if "n_train_paragraphs" not in corpus:
        yield NOT_RECORDED
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
            + (
                f"; {dropped} more left out: near-duplicates of training texts"
                if (dropped := corpus.get("n_near_duplicates_dropped"))
                else ""
            )
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


def _agreement(corpus: Entries) -> Iterator[str]:
    found = corpus.get("agreement")
    if not found:
        yield NOT_RECORDED
        return
    who = ", ".join(f"{name} {n}" for name, n in found["annotators"].items())
    yield (
        f"{found['n_pairable']} of {found['n_units']} units were judged by two annotators or more "
        f"(judgements: {who}). Krippendorff's α: 1 is perfect, 0 is chance. Same: how often two "
        f"judgements of one unit are equal. {INTERVALS}"
    )
    rows = [
        (code(name), alpha(one), f"{one['observed']:.1%}")
        for own in found["labels"].values()
        for name, one in own.items()
    ]
    rows += [
        (f"**{axis}, as a whole**", alpha(one), f"{one['observed']:.1%}")
        for axis, one in found["axes"].items()
    ]
    yield table(("", "α", "same"), rows)


def _training(manifest: Entries) -> Iterator[str]:
    training = manifest.get("training", {})
    rows = [
        (code(name), json.dumps(value, ensure_ascii=False).strip('"'))
        for name, value in training.items()
        if name not in ("versions", "command")
    ]
    yield words_table(("setting", "value"), rows) if rows else NOT_RECORDED


def _again(manifest: Entries) -> Iterator[str]:
    if command := manifest.get("training", {}).get("command"):
        yield f"```\n{command}\n```"
        yield (
            "with the corpus of the fingerprint and the versions above; words in capitals stand "
            "for paths."
        )
    else:
        yield f"{NOT_RECORDED} It was fitted from Python or by an older version."


def _of_articles(n_paragraphs: int, n_articles: int | None) -> str:
    of = f" of {n_articles} article{'s' if n_articles > 1 else ''}" if n_articles else ""
    return f"{n_paragraphs} paragraphs{of}"


def _listed(values: Sequence[str]) -> str:
    rest = len(values) - _MOST_VALUES
    return ", ".join(values[:_MOST_VALUES]) + (f" and {rest} more" if rest > 0 else "")
