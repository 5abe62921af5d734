"""The linear recipe: scikit-learn's estimator, fitted in folds, chosen, and fitted once more."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self, TypeVar

import joblib
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from inference.errors import InputError
from training.calibrate import calibrated
from training.corpus import LabelledCorpus
from training.folds import article_folds
from training.linear_table import linear_model
from training.metrics import macro_f1
from training.naive_bayes_logistic import NaiveBayesLogisticRegression
from training.recipe import Learned, Report, Track, untracked
from training.vectorizer import HashedNgramVectorizer, OccurrenceTfidf

S = TypeVar("S")

Setting = tuple[float, float]  # C, weight of a passage beside a paragraph's 1


@dataclass(frozen=True, slots=True)
class LinearRecipe:
    """Naive-Bayes log-count ratios × TF-IDF and logistic regression; a sequence is searched.

    C : inverse strengths of the regressions' penalty.
    passage_weights : weights of a passage beside a paragraph's 1.
    min_documents : training texts in which a column of words, of letters, of classes must stand.
    n_folds : of the cross-validation by article; fewer where there are fewer articles.
    n_jobs : processes; -1 for one a core. It changes no result.

    The rest is as in `training.recipe.Recipe`.
    """

    C: Sequence[float] = (10.0, 30.0, 100.0)
    passage_weights: Sequence[float] = (1.0, 2.0)
    min_documents: tuple[int, int, int] = (3, 5, 1)
    min_examples: int = 10
    n_folds: int = 5
    test_share: float = 0.2
    seed: int = 0
    n_jobs: int = -1

    @property
    def setting(self) -> Setting:
        """The first of the settings: the only one, where nothing is searched."""
        return self.C[0], self.passage_weights[0]

    @property
    def changes(self) -> None:
        """As in `Recipe`: all, since scoring takes a moment."""
        return

    def folds(self, train: LabelledCorpus) -> NDArray[np.int64]:
        """The fold of each row, as in `article_folds`.

        Raises InputError where a fold's other texts lack a label, or all carry it.
        """
        n_articles = train.table.loc[~train.table["passage"], "article_id"].nunique()
        folds = article_folds(train, min(self.n_folds, n_articles), self.seed)
        for fold in range(int(folds.max()) + 1):
            fitted = train.labels[folds != fold]
            carried = zip(train.taxonomy.column_names, fitted.sum(axis=0).tolist(), strict=True)
            if bad := [name for name, n in carried if n in (0, len(fitted))]:
                msg = (
                    f"without fold {fold + 1} of {int(folds.max()) + 1} none, or all, of "
                    f"{len(fitted)} training texts carry {', '.join(bad)}; expected both kinds in "
                    "several articles; label more articles"
                )
                raise InputError(msg)
        return folds

    def learn(self, train: LabelledCorpus, report: Report, track: Track) -> Learned:
        """Choose a setting by cross-validation, and fit it on all of `train`."""
        folds = self.folds(train)
        weights = self.passage_weights if train.table["passage"].any() else (1.0,)
        settings = list(itertools.product(self.C, weights))
        n_folds = int(folds.max()) + 1
        report(f"cross-validating {len(settings)} settings in {n_folds} folds by article")
        counted = Counted.of(train)
        out_of_fold = cross_validate(counted, train, folds, settings, self, track)

        unseen = folds >= 0
        found = {setting: own[unseen] for setting, own in out_of_fold.items()}
        names = {setting: f"C {setting[0]:g}, passages x {setting[1]:g}" for setting in settings}
        best = best_setting(found, names, train.where(unseen), report)
        searched = ("C", "passage_weights", "n_jobs")
        training = {
            "recipe": "naive-Bayes log-count ratios x TF-IDF, logistic regression",
            "C": best[0],
            "passage_weight": best[1],
            **{name: value for name, value in asdict(self).items() if name not in searched},
        }
        estimator = fit_estimator(counted, train, best, self)
        return learned(estimator, unseen, found[best], training)


def best_setting(
    out_of_fold: Mapping[S, NDArray[np.float64]],
    names: Mapping[S, str],
    paragraphs: LabelledCorpus,
    report: Report,
) -> S:
    """The setting whose unseen predictions have the best macro-F1, once calibrated.

    out_of_fold : setting → (n_paragraphs, n_columns). names : what to call each in the report.
    """
    macro = {
        setting: macro_f1(
            calibrated(found, paragraphs).predictions.applies,
            paragraphs.labels,
            paragraphs.taxonomy,
        )
        for setting, found in out_of_fold.items()
    }
    best = max(macro, key=lambda setting: np.mean(list(macro[setting].values())))
    for setting, own in macro.items():
        shown = "  ".join(f"{axis} {value:.3f}" for axis, value in own.items())
        mark = "  <- chosen" if setting == best else ""
        report(f"  {names[setting]}: macro-F1 {shown}{mark}")
    return best


def learned(
    estimator: Pipeline,
    unseen: NDArray[np.bool_],
    probabilities: NDArray[np.float64],
    training: Mapping[str, Any],
) -> Learned:
    """What a recipe gives back; the arguments after the first as in `Learned`."""
    stored = io.BytesIO()
    joblib.dump(estimator, stored)
    model = linear_model(estimator, estimator[-1].taxonomy)
    files = {"estimator.joblib": stored.getvalue()}
    return Learned(model, unseen, probabilities, training, files)


@dataclass(frozen=True, slots=True)
class Counted:
    """The hashed columns of texts, counted once for every fold and every setting.

    counts : (n_texts, n_features), rows in the texts' order.
    """

    ngrams: HashedNgramVectorizer
    counts: sp.csr_array

    @classmethod
    def of(cls, corpus: LabelledCorpus) -> Self:
        """Count the columns of a corpus's texts."""
        return cls.of_texts(corpus.texts)

    @classmethod
    def of_texts(cls, texts: Sequence[str]) -> Self:
        """Count the columns of all texts."""
        ngrams = HashedNgramVectorizer().fit(texts)
        return cls(ngrams, ngrams.transform(texts))

    def where(self, mask: NDArray[np.bool_]) -> Self:
        """The rows of a mask, in order."""
        return replace(self, counts=self.counts[np.flatnonzero(mask)])


@dataclass(frozen=True, slots=True)
class SoftTexts:
    """Texts with probabilities in the place of labels.

    counts : (n_texts, n_features), as in `Counted`.
    probabilities : (n_texts, n_columns), of the labels.
    weight : of each text beside a labelled paragraph's 1.
    """

    counts: sp.csr_array
    probabilities: NDArray[np.float64]
    weight: float


def fit_estimator(
    counted: Counted,
    corpus: LabelledCorpus,
    setting: Setting,
    recipe: LinearRecipe,
    soft: SoftTexts | None = None,
) -> Pipeline:
    """The pipeline from raw texts to uncalibrated probabilities, fitted on `corpus` and `soft`."""
    counts, targets = counted.counts, corpus.labels.astype(np.float64)
    weight = np.where(corpus.table["passage"], setting[1], 1.0)
    if soft is not None:
        counts = sp.vstack((counts, soft.counts), format="csr")
        targets = np.concatenate((targets, soft.probabilities))
        weight = np.concatenate((weight, np.full(len(soft.probabilities), soft.weight)))
    tfidf = OccurrenceTfidf(counted.ngrams.fields_, recipe.min_documents)
    classifier = NaiveBayesLogisticRegression(corpus.taxonomy, C=setting[0])
    classifier.fit(tfidf.fit(counts).transform(counts), targets, sample_weight=weight)
    return Pipeline([("ngrams", counted.ngrams), ("tfidf", tfidf), ("classifier", classifier)])


def cross_validate(
    counted: Counted,
    corpus: LabelledCorpus,
    folds: NDArray[np.int64],
    settings: Sequence[Setting],
    recipe: LinearRecipe,
    track: Track = untracked,
    soft: SoftTexts | None = None,
) -> dict[Setting, NDArray[np.float64]]:
    """For each setting the uncalibrated out-of-fold probabilities, (n_texts, n_columns).

    folds : (n_texts,), the fold in which a row is predicted; -1 trains in all and stays 0.
    soft : further texts that train in every fold.
    """
    jobs = list(itertools.product(settings, range(int(folds.max()) + 1)))
    predictions = joblib.Parallel(n_jobs=recipe.n_jobs, return_as="generator")(
        joblib.delayed(fit_and_predict)(
            counted, corpus, folds != fold, folds == fold, setting, recipe, soft
        )
        for setting, fold in jobs
    )
    out_of_fold = {setting: np.zeros(corpus.labels.shape) for setting in settings}
    for (setting, fold), probabilities in zip(jobs, track(predictions, len(jobs)), strict=True):
        out_of_fold[setting][folds == fold] = probabilities
    return out_of_fold


def fit_and_predict(
    counted: Counted,
    corpus: LabelledCorpus,
    fitted: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    setting: Setting,
    recipe: LinearRecipe,
    soft: SoftTexts | None = None,
) -> NDArray[np.float64]:
    """Fit on some rows, and predict others: uncalibrated, (n_predicted, n_columns)."""
    estimator = fit_estimator(counted.where(fitted), corpus.where(fitted), setting, recipe, soft)
    probabilities: NDArray[np.float64] = estimator[1:].predict_proba(
        counted.where(predicted).counts
    )
    return probabilities
