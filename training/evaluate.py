"""How good a model is: its scores beside simple systems and annotators, by group, and changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.errors import InputError
from inference.scorer import Scorer
from inference.taxonomy import Taxonomy
from training.annotations import Annotations
from training.annotator_scores import AgainstOthers, annotator_scores
from training.baselines import baselines, have_words
from training.corpus import LabelledCorpus
from training.designs import Design, fixed_split
from training.group_scores import GroupScores, group_scores
from training.measured import plain
from training.metrics import Scores, score
from training.predictions import Predictions, predict
from training.recipe import Recipe, Track, untracked
from training.refit import refit
from training.robustness import Flips, robustness

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Report:
    """An evaluation; `to_dict` for JSON, `to_frame` for notebooks.

    systems : "model", and where there are training articles "majority" and "tfidf".
    predictions : of the same systems, on the rows of `design.measured`.
    annotators : None where there are no single judgements of the measured paragraphs.
    groups : column → value → scores of the model.
    robustness : change → flips; empty where the recipe is measured and not the model.
    """

    design: Design
    systems: dict[str, Scores]
    predictions: dict[str, Predictions]
    annotators: AgainstOthers | None
    groups: dict[str, dict[str, GroupScores]]
    robustness: dict[str, Flips]

    @property
    def taxonomy(self) -> Taxonomy:
        """The labels' meaning."""
        return self.design.corpus.taxonomy

    @property
    def model(self) -> Scores:
        """Scores of the model itself."""
        return self.systems["model"]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON: every figure with value, low and high; what is not defined is None."""
        return {
            "design": self.design.to_dict(),
            "systems": {name: scores.to_dict() for name, scores in self.systems.items()},
            "annotators": plain(self.annotators),
            "groups": plain(self.groups),
            "robustness": plain(self.robustness),
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a label, then macro and micro of each axis; the F1 of others beside."""
        import pandas as pd

        rows = []
        for axis, own in self.model.axes.items():
            others = {n: s.axes[axis] for n, s in self.systems.items() if n != "model"}
            for code, label in own.labels.items():
                row = {"axis": axis, "label": code, "support": label.support}
                row |= _rates(label.rates) | {
                    "average_precision": label.average_precision.value,
                    "brier": label.reliability.brier.value,
                    "calibration_error": label.reliability.error.value,
                }
                row |= {name: scores.labels[code].rates.f1.value for name, scores in others.items()}
                if self.annotators:
                    row["annotators"] = self.annotators.pooled.f1[axis][code].value
                rows.append(row)
            macro = {"axis": axis, "label": "macro", **_rates(own.macro)}
            macro["average_precision"] = own.average_precision.value
            macro |= {name: scores.macro.f1.value for name, scores in others.items()}
            if self.annotators:
                macro["annotators"] = self.annotators.pooled.macro_f1[axis].value
            micro = {"axis": axis, "label": "micro", **_rates(own.micro)}
            micro |= {name: scores.micro.f1.value for name, scores in others.items()}
            rows += [macro, micro]
        return pd.DataFrame(rows).set_index(["axis", "label"])


def _rates(rates: Any) -> dict[str, Any]:
    f1 = rates.f1
    shown = {"f1": f1.value, "f1_low": f1.low, "f1_high": f1.high}
    return {**shown, "precision": rates.precision.value, "recall": rates.recall.value}


def evaluate(
    scorer: Scorer,
    corpus: LabelledCorpus,
    *,
    design: Design | None = None,
    recipe: Recipe | None = None,
    annotations: Annotations | None = None,
    perturbed: bool = True,
    report: Callable[[str], None] = lambda _: None,
    track: Track = untracked,
) -> Report:
    """Measure a scorer, or its recipe, on a corpus; abstention is left aside but for its curve.

    Parameters
    ----------
    design : which articles train and which are measured; None means the corpus's own split.
    recipe : what is fitted anew where the design asks for it.
    annotations : single judgements, for the annotators' own scores.
    perturbed : whether to look how many labels flip when texts are changed.
    report : is told in a sentence what is being fitted.
    track : passes the steps of refitting through, given how many there are.

    Raises InputError for a corpus of another taxonomy, and for a design that refits without a
    recipe.
    """
    scorer.taxonomy.check_same(corpus.taxonomy, "the model", "the corpus")
    design = design or fixed_split(corpus)
    measured = design.measured
    predictions = _predictions(scorer, design, recipe, report, track)
    return Report(
        design,
        {name: score(own) for name, own in predictions.items()},
        predictions,
        annotator_scores(annotations, set(measured.table["id"])) if annotations else None,
        group_scores(predictions["model"], measured, first=design.column),
        robustness(scorer, measured, predictions["model"])
        if perturbed and not design.refits
        else {},
    )


def _predictions(
    scorer: Scorer,
    design: Design,
    recipe: Recipe | None,
    report: Callable[[str], None],
    track: Track,
) -> dict[str, Predictions]:
    if design.refits:
        if recipe is None:
            msg = f"{design.name} fits the recipe anew; expected a recipe"
            raise InputError(msg)
        parts = refit(recipe, design.corpus, design.parts, report, track)
        return {name: Predictions.pooled([part[name] for part in parts]) for name in parts[0]}
    found = {"model": predict(scorer, design.measured)}
    train = design.corpus.where(design.parts[0].train)
    n_with = train.labels.sum(axis=0)
    if have_words(train.texts) and (n_with > 0).all() and (n_with < len(train)).all():
        found |= baselines(train, design.measured)
    return found
