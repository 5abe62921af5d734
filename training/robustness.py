"""How many labels flip when a text is changed in ways that leave its meaning alone.

Behavioural tests of invariance: Ribeiro et al. (2020), Beyond Accuracy (CheckList), section 2.2.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from inference.scorer import Scorer
from training.corpus import LabelledCorpus
from training.measured import Measured, sample_and_draws
from training.perturbations import perturbations
from training.predictions import Predictions, predict


@dataclass(frozen=True, slots=True)
class Flips:
    """What one change does.

    changed : share of the texts that it changes at all.
    axes : axis → share of paragraphs whose labels are not all as before.
    labels : axis → label → share of paragraphs that gain or lose it.
    """

    changed: float
    axes: dict[str, Measured]
    labels: dict[str, dict[str, Measured]]


def beside_linear(flips: Mapping[str, Measured]) -> str:
    """What stands beside flips under exchanged countries: the embedded model's 0, which tests hold.

    flips : axis → share. Empty where they are none either.
    """
    if all(not share.value for share in flips.values()):
        return ""
    return (
        "With the countries exchanged the embedded linear model changes no label of its test "
        "articles: it reads every state's name as one and the same word."
    )


def robustness(
    scorer: Scorer,
    corpus: LabelledCorpus,
    before: Predictions,
    names: Collection[str] | None = None,
) -> dict[str, Flips]:
    """Change → what flips on the rows of `corpus`; see `training.perturbations`.

    The heading and the paragraph before are changed too, but never cut.

    Parameters
    ----------
    before : what the scorer says of the rows as they are.
    names : of the changes; each takes as long as scoring the rows. None means all.
    """
    bootstrap = sample_and_draws(corpus.article_ids)
    n = bootstrap.sums(np.ones(len(corpus)))
    found = {}
    for name, change in perturbations().items():
        if names is not None and name not in names:
            continue
        changed = _changed(corpus, change, context=name != "first sentence only")
        flipped = predict(scorer, changed).applies != before.applies
        spans = corpus.taxonomy.spans()
        shares = bootstrap.sums(flipped) / n[:, None]
        found[name] = Flips(
            float(np.mean(changed.table["text"].to_numpy() != corpus.table["text"].to_numpy())),
            {
                axis.name: Measured.of(bootstrap.sums(flipped[:, span].any(axis=1)) / n)
                for axis, span in spans
            },
            {
                axis.name: dict(zip(axis.codes, map(Measured.of, shares[:, span].T), strict=True))
                for axis, span in spans
            },
        )
    return found


def _changed(
    corpus: LabelledCorpus, change: Callable[[str], str], *, context: bool
) -> LabelledCorpus:
    columns = ("text", "heading", "preceding") if context else ("text",)
    changed = {name: [change(text) for text in corpus.table[name]] for name in columns}
    return replace(corpus, table=corpus.table.assign(**changed))
