"""The linear model: its contract, and that it is the estimator it was exported from."""

import io
import re
import threading
from dataclasses import replace

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from inference.article import Paragraph
from inference.linear import LinearModel
from inference.tokens import tokenize
from training.naive_bayes_logistic import NaiveBayesLogisticRegression
from training.recipe import untracked
from training.vectorizer import HashedNgramVectorizer, OccurrenceTfidf

ODD = ["", "…", "a", "mot " * 3_000, "ÇÀ ET LÀ", "Привет мир", "中国", "\ud800 seul", "le la les"]


def paragraphs(texts):
    return [Paragraph(text, 0, len(text)) for text in texts]


def test_the_run_time_gives_the_estimators_probabilities(small_model, corpus):
    """One table of float32 sums against scikit-learn's sparse float64 pipeline."""
    texts = corpus.texts[:600] + ODD
    estimator = joblib.load(io.BytesIO(small_model.extra_files["estimator.joblib"]))
    expected = estimator.predict_proba(texts)
    found = small_model.scorer.model.predict_proba(paragraphs(texts))
    assert np.abs(found - expected).max() < 1e-5


def test_an_exclusive_axis_sums_to_one(small_model, small_corpus):
    probabilities = small_model.scorer.model.predict_proba(small_corpus.paragraphs)
    for axis, span in small_corpus.taxonomy.spans():
        if axis.exclusive:
            assert np.allclose(probabilities[:, span].sum(axis=1), 1)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_a_row_depends_on_its_text_alone(small_model, small_corpus):
    """Same bits alone, in reverse order, beside odd texts, and with a cold memory of words."""
    model = small_model.scorer.model
    texts = small_corpus.texts[:60]
    together = model.logits(texts)
    fresh = LinearModel(model.taxonomy, model.config, model.weights)
    assert np.array_equal(fresh.logits(texts[::-1])[::-1], together)
    assert np.array_equal(np.vstack([model.logits([t]) for t in texts]), together)
    assert np.array_equal(model.logits(ODD + texts)[len(ODD) :], together)


def test_words_that_share_a_slot_of_the_memory_do_not_disturb_each_other(small_model):
    model = small_model.scorer.model
    words = [
        f"mot{'abcdefghij'[i % 10]}{'klmnopqrst'[i // 10 % 10]}x{'uvwxyzabcd'[i // 100 % 10]}"
        f"{'efghijklmn'[i // 1000 % 10]}{'abcdefghij'[i // 10000]}"
        for i in range(100_000)
    ]
    slots = tokenize([" ".join(words)]).hashes & np.uint64(0xFFFF)
    assert len(np.unique(slots)) < len(words)
    text = " ".join(words)
    fresh = LinearModel(model.taxonomy, model.config, model.weights)
    assert np.array_equal(fresh.logits([text, text]), model.logits([text, text]))
    assert np.allclose(fresh.logits([text])[0], fresh.logits([text, text])[1])


@pytest.fixture
def neighbours(small_model, small_corpus):
    """A model with a cold memory, and two known words that want the same slot of it."""
    model = small_model.scorer.model
    words = sorted(set(re.findall(r"[a-zé]+", " ".join(small_corpus.texts).lower())))
    slots = (tokenize([" ".join(words)]).hashes & np.uint64(0xFFFF)).tolist()
    of_slot = dict(zip(slots, words, strict=True))
    one, other = next(
        (word, of_slot[slot])
        for slot, word in zip(slots, words, strict=True)
        if of_slot[slot] != word and (model.logits([word]) != model.logits([of_slot[slot]])).any()
    )
    return LinearModel(model.taxonomy, model.config, model.weights), one, other


def test_two_threads_with_one_model_get_what_one_thread_gets(neighbours):
    """The other starts when the first has found its word and has not taken the row yet."""
    model, one, other = neighbours
    expected = model.logits([one])
    thread = threading.Thread(target=model.logits, args=([other],))

    class Crossed(np.ndarray):
        def take(self, *given, **named):
            if thread.ident is None:
                thread.start()
                thread.join(0.5)  # in vain where it has to wait for us
            return np.asarray(self).take(*given, **named)

    model._memory = model._memory.view(Crossed)
    assert np.array_equal(model.logits([one]), expected)
    thread.join()


def test_an_interrupt_leaves_no_word_with_the_row_of_another(neighbours):
    model, one, other = neighbours
    expected = model.logits([one])
    memory = model._memory

    class Interrupted(np.ndarray):
        def __setitem__(self, *given):
            memory.__setitem__(*given)
            raise KeyboardInterrupt

    model._memory = memory.view(Interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.logits([other])
    model._memory = memory
    assert np.array_equal(model.logits([one]), expected)


def test_no_paragraph_gives_an_empty_matrix(small_model):
    assert small_model.scorer.model.predict_proba([]).shape == (0, 7)


def test_the_vectoriser_serves_in_anyones_pipeline(small_corpus):
    """Cloned, fitted and used with an ordinary classifier on raw strings."""
    vectorizer = clone(HashedNgramVectorizer(letters_max=4))
    tfidf = OccurrenceTfidf(vectorizer.fit([]).fields_, (1, 1, 1))
    pipeline = make_pipeline(vectorizer, tfidf, LogisticRegression())
    target = small_corpus.labels[:, 0]
    pipeline.fit(small_corpus.texts, target)
    assert pipeline.score(small_corpus.texts, target) > 0.9


def test_the_vectoriser_refuses_a_single_string():
    with pytest.raises(TypeError, match=r"found one text \('Le texte'…\); pass \[text\]"):
        HashedNgramVectorizer().fit([]).transform("Le texte")


def test_the_occurrence_norm_is_the_l2_norm_where_no_column_repeats():
    """On texts without repeated columns the field's length is scikit-learn's."""
    vectorizer = HashedNgramVectorizer().fit([])
    words = vectorizer.fields_[0]
    counts = vectorizer.transform(["banane pomme", "banane cerise prune"])[:, words]
    assert counts.max() == 1
    weighted = OccurrenceTfidf([words], [1]).fit(counts).transform(counts)
    assert weighted.nnz == 8
    assert np.allclose(np.sqrt(weighted.multiply(weighted).sum(axis=1)), 1)


def test_a_column_that_marks_a_label_gets_a_positive_ratio(taxonomy):
    texts = ["frégate livrée", "sommet conclu"] * 6
    vectorizer = HashedNgramVectorizer().fit([])
    tfidf = OccurrenceTfidf(vectorizer.fields_, (1, 1, 1))
    counts = tfidf.fit(vectorizer.transform(texts)).transform(vectorizer.transform(texts))
    labels = np.tile([[True, False], [False, True]], (6, 1))
    two = type(taxonomy)((taxonomy.axes[0].__class__("a", taxonomy.axes[0].labels[:2], False),))
    fitted = NaiveBayesLogisticRegression(two).fit(counts, labels)
    row = counts[[0]]
    assert (fitted.ratios_[0, row.indices] > 0).all()
    assert (fitted.ratios_[1, row.indices] < 0).all()
    assert fitted.predict_proba(row)[0].argmax() == 0


def test_the_folds_that_are_told_are_those_that_run(small_corpus, quick):
    """Three articles give three folds, however many are asked for."""
    three = (np.arange(len(small_corpus)) % 3).astype(str)
    few = replace(small_corpus, table=small_corpus.table.assign(article_id=three))
    said = []
    replace(quick, n_folds=5).learn(few, said.append, untracked)
    assert said[0] == "cross-validating 1 settings in 3 folds by article"
