"""The whole story of a linear model: labelled paragraphs in, a model folder out."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from inference.artefact import Provenance, write_linear
from inference.calibration import Calibration
from inference.decision import DecisionRule
from inference.errors import InputError
from inference.scorer import Scorer
from training.baselines import baselines
from training.calibrate import fit_calibration, fit_rule
from training.config import DEFAULT_CONFIG, FitConfig
from training.corpus import LabelledCorpus, hold_out
from training.export import linear_model
from training.folds import article_folds
from training.linear import Counted, Setting, cross_validate, fit_estimator
from training.metrics import Scores, macro_f1, score
from training.predictions import Predictions, predict


@dataclass(frozen=True, slots=True)
class FittedModel:
    """What `fit` returns: the scorer, the estimator it was exported from, and its scores.

    held_out : system → scores on the held-out articles: "model", "majority", "tfidf".
    cross_validated : scores of the out-of-fold predictions that chose the rule (optimistic).
    """

    scorer: Scorer
    estimator: Pipeline
    provenance: Provenance
    held_out: Mapping[str, Scores]
    cross_validated: Scores

    def write(self, folder: Path, *, with_estimator: bool = True) -> None:
        """Write the model folder, with the scikit-learn estimator beside the weights."""
        extra_files = {}
        if with_estimator:
            buffer = io.BytesIO()
            joblib.dump(self.estimator, buffer)
            extra_files["estimator.joblib"] = buffer.getvalue()
        write_linear(folder, self.scorer, self.provenance, extra_files=extra_files)


def fit(
    corpus: LabelledCorpus,
    config: FitConfig = DEFAULT_CONFIG,
    report: Callable[[str], None] = lambda _: None,
    track: Callable[[Iterable[Any], int], Iterable[Any]] = lambda steps, _: steps,
) -> FittedModel:
    """Fit, calibrate and evaluate a linear model.

    Parameters
    ----------
    corpus : with a split of its own, or one is drawn by article.
    report : is told in a sentence what is being done.
    track : passes the long loop's steps through, given how many there are; for a progress bar.

    Raises InputError for a label with too few examples and for too few articles.
    """
    # 1) Hold out articles; they are looked at once, at the end.
    corpus = hold_out(corpus, config.test_share, config.seed)
    train, test = corpus.split("train"), corpus.split("test")
    _check_examples(train, config)
    report(_described(train, test))

    # 2) Predict every training paragraph with a model that has not seen its article.
    n_articles = train.table.loc[~train.table["passage"], "article_id"].nunique()
    folds = article_folds(train, min(config.n_folds, n_articles), config.seed)
    is_paragraph = folds >= 0
    settings = _settings(train, config)
    report(f"cross-validating {len(settings)} settings in {config.n_folds} folds by article")
    counted = Counted.of(train)
    out_of_fold = cross_validate(counted, train, folds, settings, config, track)

    # 3) Choose the setting, and on its predictions the calibration and the thresholds.
    labels = train.labels[is_paragraph]
    chosen = {
        setting: _calibrated(probabilities[is_paragraph], labels, train)
        for setting, probabilities in out_of_fold.items()
    }
    macro_of = {
        setting: macro_f1(own.applies, labels, train.taxonomy)
        for setting, (_, _, own) in chosen.items()
    }
    best = max(settings, key=lambda setting: np.mean(list(macro_of[setting].values())))
    calibration, rule, predictions = chosen[best]
    for setting in settings:
        macro = "  ".join(f"{k} {v:.3f}" for k, v in macro_of[setting].items())
        mark = "  <- chosen" if setting == best else ""
        report(f"  C {setting[0]:g}, passages x {setting[1]:g}: macro-F1 {macro}{mark}")

    # 4) Fit on all training texts and fold everything into one table.
    estimator = fit_estimator(counted, train, best, config)
    scorer = Scorer(linear_model(estimator, corpus.taxonomy), calibration, rule)

    # 5) Look at the held-out articles.
    report("scoring the held-out articles, with two baselines")
    predicted = {"model": predict(scorer, test), **baselines(train, test)}
    held_out = {name: score(own) for name, own in predicted.items()}
    provenance = Provenance(
        training={
            "recipe": "naive-Bayes log-count ratios x TF-IDF, logistic regression",
            "C": best[0],
            "passage_weight": best[1],
            **{
                k: v
                for k, v in asdict(config).items()
                if k not in ("C", "passage_weights", "n_jobs")
            },
        },
        corpus={
            "fingerprint": corpus.fingerprint(),
            "n_train_paragraphs": int(is_paragraph.sum()),
            "n_train_passages": int((~is_paragraph).sum()),
            "n_test_paragraphs": len(test),
        },
        scores={name: scores.to_dict() for name, scores in held_out.items()},
    )
    return FittedModel(scorer, estimator, provenance, held_out, score(predictions))


def _calibrated(
    probabilities: NDArray[np.float64], labels: NDArray[np.bool_], train: LabelledCorpus
) -> tuple[Calibration, DecisionRule, Predictions]:
    own = train.where(~train.table["passage"])
    calibration = fit_calibration(probabilities, labels, train.taxonomy)
    calibrated = calibration.apply(probabilities, train.taxonomy)
    rule = fit_rule(calibrated, labels, own.article_ids, train.taxonomy)
    return calibration, rule, Predictions.decided(calibrated, rule, own)


def _settings(train: LabelledCorpus, config: FitConfig) -> list[Setting]:
    weights = config.passage_weights if train.table["passage"].any() else (1.0,)
    return list(itertools.product(config.C, weights))


def _check_examples(train: LabelledCorpus, config: FitConfig) -> None:
    # Passages train in every fold, so each counts as an article of its own here.
    sources = np.where(
        train.table["passage"], train.table["id"].astype(str), train.article_ids.astype(str)
    )
    n_with = train.labels.sum(axis=0)
    few = [
        f"{name} has {n if n < config.min_examples else f'all but {len(train) - n}'}"
        for name, n in zip(train.taxonomy.column_names, n_with.tolist(), strict=True)
        if min(n, len(train) - n) < config.min_examples
    ]
    if not few:
        few = [
            f"{name} has all its examples in one article, or in all but one"
            for name, own in zip(train.taxonomy.column_names, train.labels.T, strict=True)
            if min(len(set(sources[own])), len(set(sources[~own]))) < 2
        ]
    if few:
        msg = (
            f"label(s) with too few examples to learn from among {len(train)} training texts: "
            f"{', '.join(few)}; expected at least {config.min_examples} texts with and as many "
            "without each, in two articles or more; label more, or drop the label from the taxonomy"
        )
        raise InputError(msg)


def _described(train: LabelledCorpus, test: LabelledCorpus) -> str:
    passages = int(train.table["passage"].sum())
    counts: dict[str, Any] = dict(
        zip(train.taxonomy.column_names, train.labels.sum(axis=0).tolist(), strict=True)
    )
    return (
        f"training on {len(train) - passages} paragraphs and {passages} passages, holding out "
        f"{len(test)} paragraphs of {len(set(test.article_ids))} articles; training texts a label: "
        + ", ".join(f"{name} {n}" for name, n in counts.items())
    )
