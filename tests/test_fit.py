"""Fitting: the whole road on small corpora, its refusals, and that it repeats itself."""

import json
import re
from dataclasses import replace

import joblib
import numpy as np
import pandas as pd
import pytest

from inference import InputError, Taxonomy, load
from inference.article import Paragraph
from training.corpus import LabelledCorpus, hold_out
from training.designs import fixed_split
from training.evaluate import evaluate
from training.fit import fit
from training.train import check_examples


def test_two_fits_give_the_same_folder_byte_for_byte(small_corpus, small_model, tmp_path, quick):
    fit(small_corpus, replace(quick, n_jobs=2)).write(tmp_path / "a")
    small_model.write(tmp_path / "b")
    a, b = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in "ab")
    assert a == b


def test_another_seed_holds_out_other_articles(small_corpus, small_model, quick):
    other = fit(small_corpus, replace(quick, seed=1))
    assert other.provenance.corpus["fingerprint"] != small_model.provenance.corpus["fingerprint"]


def test_the_model_beats_the_majority_on_articles_it_has_not_seen(small_model):
    scores = small_model.held_out
    for axis in ("topic", "tone"):
        assert scores["model"].macro_f1[axis] > scores["majority"].macro_f1[axis]


def test_held_out_articles_are_not_in_the_training_counts(small_corpus, small_model):
    corpus = small_model.provenance.corpus
    assert corpus["n_train_paragraphs"] + corpus["n_test_paragraphs"] == len(small_corpus)
    assert small_model.held_out["model"].n_articles == 8


def test_the_estimator_in_the_folder_opens_and_predicts(small_model, small_corpus, tmp_path):
    small_model.write(tmp_path / "m")
    estimator = joblib.load(tmp_path / "m" / "estimator.joblib")
    texts = small_corpus.texts[:20]
    expected = small_model.scorer.model.predict_proba([Paragraph(t, 0, len(t)) for t in texts])
    assert np.abs(estimator.predict_proba(texts) - expected).max() < 1e-5


def test_the_search_keeps_the_best_setting(small_corpus, quick):
    told = []
    fit(small_corpus, replace(quick, C=(0.001, 10.0)), report=told.append)
    lines = [line for line in told if line.startswith("  C ")]
    assert len(lines) == 2
    macro = [
        float(a) + float(b) for a, b in (re.findall(r"(?:topic|tone) ([\d.]+)", x) for x in lines)
    ]
    assert "<- chosen" in lines[int(np.argmax(macro))]


def test_near_duplicates_of_training_texts_are_held_out_and_not_measured(small_corpus, quick):
    """Each article twice, under another name: fit and `evaluate` of its model say the same."""
    again = small_corpus.table.assign(
        id="bis " + small_corpus.table["id"], article_id="bis " + small_corpus.table["article_id"]
    )
    twice = replace(
        small_corpus,
        table=pd.concat([small_corpus.table, again], ignore_index=True),
        labels=np.tile(small_corpus.labels, (2, 1)),
    )
    told = []
    fitted = fit(twice, quick, report=told.append)
    design = fixed_split(twice, fitted.provenance)
    seen, measured = twice.where(design.parts[0].train), design.measured
    assert design.n_dropped > 0 and not set(seen.texts) & set(measured.texts)
    found = evaluate(fitted.scorer, twice, design=design, perturbed=False)
    systems = {name: scores.to_dict() for name, scores in found.systems.items()}
    assert systems == fitted.provenance.scores
    record = fitted.provenance.corpus
    assert record["n_near_duplicates_dropped"] == design.n_dropped
    assert record["n_test_paragraphs"] == len(measured)
    assert record["n_train_paragraphs"] == len(seen)
    left_out = f"{design.n_dropped} left out: near-duplicates of training texts"
    assert any(left_out in sentence for sentence in told)
    sides = ["train"] * len(again) + ["test"] * len(again)
    alone = replace(twice, table=twice.table.assign(split=sides))
    with pytest.raises(InputError, match="every paragraph is a near-duplicate of a training text"):
        fit(alone, quick)


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_taxonomy_of_ones_own_with_one_axis_of_two_labels(
    small_corpus, tmp_path, exclusive, quick
):
    """Own axis, own labels with awkward order, through fit, folder, load and score."""
    taxonomy = Taxonomy.from_dict(
        {
            "axis": [
                {"name": "presence", "exclusive": exclusive, "labels": ["zzz_sea", "aaa_other"]}
            ]
        },
        "t",
    )
    sea = small_corpus.table["text"].str.contains("mer|naval|marine|frégate", case=False)
    frame = pd.DataFrame(
        {
            "article_id": small_corpus.article_ids,
            "text": small_corpus.texts,
            taxonomy.axes[0].field: np.where(sea, "zzz_sea", "aaa_other"),
        }
    )
    frame.to_csv(tmp_path / "own.csv", index=False)
    corpus = LabelledCorpus.read(tmp_path / "own.csv", taxonomy)
    fit(corpus, quick).write(tmp_path / "m")
    scorer = load(tmp_path / "m")
    probabilities = scorer.predict_proba(["La frégate reprend la mer.", "Le budget est voté."])
    assert probabilities[0, 0] > probabilities[1, 0]
    assert probabilities[0, 1] < probabilities[1, 1]
    prediction = scorer.score("La marine déploie une frégate en mer.").predictions[0]
    assert set(prediction.probabilities["presence"]) == {"zzz_sea", "aaa_other"}


def test_labels_with_too_few_examples_are_named_with_their_counts(small_corpus, quick):
    labels = small_corpus.labels.copy()
    labels[:, 2] = False
    labels[0, 2] = True
    labels[:, 0] = True
    bad = replace(small_corpus, labels=labels)
    with pytest.raises(
        InputError,
        match=r"topic.defence_industry has all but 0, topic.resources has [01]; expected",
    ):
        fit(bad, quick)


def test_texts_without_a_word_are_refused(small_corpus, quick):
    texts = [f"🛳 {chr(97 + i // 26)} {chr(97 + i % 26)}" for i in range(len(small_corpus))]
    bare = replace(small_corpus, table=small_corpus.table.assign(text=texts))
    with pytest.raises(
        InputError, match=r"none of the \d+ training texts has a word .the first is"
    ):
        fit(bare, quick)


def test_scores_in_the_manifest_are_those_reported(small_model, tmp_path):
    small_model.write(tmp_path / "m")
    manifest = json.loads((tmp_path / "m" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["scores"]["model"] == small_model.held_out["model"].to_dict()
    assert set(manifest["scores"]) == {"model", "majority", "tfidf"}


def test_a_label_in_one_article_only_is_refused(small_corpus, quick):
    labels = small_corpus.labels.copy()
    labels[:, 1] = small_corpus.article_ids == small_corpus.article_ids[0]
    seed = next(
        s
        for s in range(50)
        if small_corpus.article_ids[0]
        in set(hold_out(small_corpus, 0.2, s).split("train").article_ids)
    )
    with pytest.raises(InputError, match="topic.exercises has all its examples in one article"):
        fit(replace(small_corpus, labels=labels), replace(quick, seed=seed))


def test_a_label_in_passages_alone_can_be_learned(corpus):
    """They are of no article, so that each counts as one."""
    passages = corpus.table["passage"].to_numpy(bool)
    labels = corpus.labels.copy()
    labels[:, 1] &= passages
    of_none = corpus.table.assign(article_id=corpus.table["article_id"].mask(passages, ""))
    check_examples(replace(corpus, table=of_none, labels=labels), 4)


@pytest.mark.parametrize(("side", "other"), [("train", "test"), ("test", "training")])
def test_a_split_of_one_side_is_refused(small_corpus, quick, side, other):
    one_sided = replace(small_corpus, table=small_corpus.table.assign(split=side))
    with pytest.raises(InputError, match=f"the split column has no {other} row"):
        fit(one_sided, quick)


def test_the_fingerprint_does_not_depend_on_where_the_file_lies(small_csv, tmp_path, taxonomy):
    moved = tmp_path / "elsewhere" / "other.csv"
    moved.parent.mkdir()
    moved.write_bytes(small_csv.read_bytes())
    prints = {LabelledCorpus.read(p, taxonomy).fingerprint() for p in (small_csv, moved)}
    assert len(prints) == 1


def test_a_fold_without_a_label_in_its_training_texts_is_refused(small_corpus, quick):
    labels = small_corpus.labels.copy()
    labels[:, 1] = small_corpus.article_ids == small_corpus.article_ids[0]
    with pytest.raises(InputError, match=r"without fold \d of 2 none, or all, .*topic.exercises"):
        quick.folds(replace(small_corpus, labels=labels))
