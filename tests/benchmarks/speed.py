"""Raw text to probabilities, paragraphs a second: Posture, scikit-learn and fastText in one run."""

from __future__ import annotations

import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline, make_union

from inference.decision import DecisionRule
from inference.scorer import load
from training.corpus import LabelledCorpus
from training.metrics import macro_f1

_N_PARAGRAPHS = 4_000
_LEAST_WORDS = 40
_ROUNDS = 5

Predict = Callable[[Sequence[str]], np.ndarray]


def table(corpus: LabelledCorpus) -> list[str]:
    """One line a system: median paragraphs/s over rounds taken in turn, ratio, macro-F1."""
    train, test = corpus.split("train"), corpus.split("test")
    # Distinct paragraphs of real length: no text comes twice.
    long = [text for text in corpus.texts if len(text.split()) >= _LEAST_WORDS]
    texts = sorted(long, key=hash_of)[:_N_PARAGRAPHS]
    systems: dict[str, Callable[[], Predict]] = {
        "scikit-learn word(1,2) + char_wb(2,5)": always(_scikit_learn(train)),
        "fastText word 2-grams, char 2-5, dim 10": always(_fasttext(train)),
        "Posture, just loaded": lambda: load().predict_proba,
        "Posture, words remembered": always(_warmed(texts)),
    }
    f1 = {name: _macro_f1(make(), test) for name, make in systems.items()}
    speeds: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(_ROUNDS):  # in turn, so that a slow minute of the machine hits all
        for name, make in systems.items():
            predict = make()
            start = time.perf_counter()
            predict(texts)
            speeds[name].append(len(texts) / (time.perf_counter() - start))
    base, fast = (statistics.median(speeds[name]) for name in list(systems)[:2])
    words = statistics.mean(len(text.split()) for text in texts)
    lines = [
        f"{len(texts)} paragraphs of {words:.0f} words, one process, median of {_ROUNDS} rounds",
        f"{'':42}{'par/s':>10}{'x sklearn':>11}{'x fastText':>11}  macro-F1 topic, tone, all",
    ]
    for name, rounds in speeds.items():
        speed = statistics.median(rounds)
        topic, tone, all_labels = f1[name]
        lines.append(
            f"{name:42}{speed:10,.0f}{speed / base:11.1f}{speed / fast:11.2f}  "
            f"{topic:.3f}, {tone:.3f}, {all_labels:.3f}"
        )
    return lines


def hash_of(text: str) -> str:
    """An order that has nothing to do with where a text stands in the corpus."""
    return hashlib.sha256(text.encode()).hexdigest()


def always(predict: Predict) -> Callable[[], Predict]:
    """A maker that gives the same fitted system every time."""
    return lambda: predict


def _warmed(texts: Sequence[str]) -> Predict:
    predict = load().predict_proba
    predict(texts)
    return predict


def _scikit_learn(train: LabelledCorpus) -> Predict:
    vectorizer = make_union(
        TfidfVectorizer(ngram_range=(1, 2)), TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5))
    )
    model = make_pipeline(vectorizer, OneVsRestClassifier(LogisticRegression(C=10.0)))
    model.fit(train.texts, train.labels.astype(int))
    return lambda texts: np.asarray(model.predict_proba(list(texts)))


def _fasttext(train: LabelledCorpus) -> Predict:
    import fasttext

    names = train.taxonomy.column_names
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "train.txt")
        path.write_text(
            "\n".join(
                " ".join(f"__label__{names[k]}" for k in np.flatnonzero(labels))
                + " "
                + " ".join(text.lower().split())
                for text, labels in zip(train.texts, train.labels, strict=True)
            ),
            encoding="utf-8",
        )
        model = fasttext.train_supervised(
            str(path),
            wordNgrams=2,
            minn=2,
            maxn=5,
            dim=10,
            loss="ova",
            epoch=50,
            lr=0.5,
            thread=1,
            verbose=0,
        )
    column = {f"__label__{name}": k for k, name in enumerate(names)}

    def predict(texts: Sequence[str]) -> np.ndarray:
        result = np.zeros((len(texts), len(names)))
        found, probabilities = model.predict([" ".join(t.lower().split()) for t in texts], k=-1)
        for row, (labels, values) in enumerate(zip(found, probabilities, strict=True)):
            result[row, [column[label] for label in labels]] = values
        return result

    return predict


def _macro_f1(predict: Predict, test: LabelledCorpus) -> tuple[float, float, float]:
    """Of topic, of tone, and of all labels of both."""
    rule = DecisionRule((0.5,) * test.taxonomy.n_columns)
    applies, _ = rule.decide(predict(test.texts), test.taxonomy)
    scores = macro_f1(applies, test.labels, test.taxonomy)
    whole = sum(scores[axis.name] * len(axis.labels) for axis in test.taxonomy.axes)
    return scores["topic"], scores["tone"], whole / test.taxonomy.n_columns
