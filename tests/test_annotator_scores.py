"""Annotators measured as if they were models."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from tests.conftest import ROOT
from training.annotations import Annotations, read_annotations
from training.annotator_scores import annotator_scores

TONES = ("deterrence", "escalation", "neutral")


def judgements(taxonomy, rows):
    """Rows of unit, annotator, whether the first topic applies, tone; two units an article."""
    labels = np.zeros((len(rows), 7), np.bool_)
    for i, (_, _, topic, tone) in enumerate(rows):
        labels[i, 0] = topic
        labels[i, 4 + TONES.index(tone)] = True
    entries = [(unit, unit[0], annotator) for unit, annotator, _, _ in rows]
    table = pd.DataFrame(entries, columns=["id", "article_id", "annotator"])
    return Annotations(taxonomy, table, labels)


def test_a_table_made_by_hand(taxonomy):
    """B errs once against A and C; alone against one other, that one is the majority."""
    found = annotator_scores(
        judgements(
            taxonomy,
            [
                ("a1", "A", True, "neutral"),
                ("a1", "B", False, "escalation"),
                ("a1", "C", True, "neutral"),
                ("b1", "A", True, "deterrence"),
                ("b1", "B", True, "deterrence"),
                ("b2", "A", True, "neutral"),
            ],
        ),
        {"a1", "b1", "b2"},
    )
    # Of a1 the others of A are split, so that A is measured on b1 alone; b2 has no other.
    assert found.annotators["A"].n_judgements == 2
    assert found.annotators["A"].f1["topic"]["defence_industry"].value == 1
    assert found.annotators["B"].f1["topic"]["defence_industry"].value == pytest.approx(2 / 3)
    assert found.annotators["B"].f1["tone"]["neutral"].value == 0
    assert found.annotators["B"].f1["tone"]["deterrence"].value == 1
    assert found.pooled.n_judgements == 5
    assert annotator_scores(judgements(taxonomy, [("a1", "A", True, "neutral")]), {"a1"}) is None


def test_where_the_others_are_split_over_the_tone_the_judgement_does_not_count(taxonomy):
    whole = [("b1", "A", True, "deterrence"), ("b1", "B", True, "deterrence")]
    split = [("a1", name, True, tone) for name, tone in zip("ABC", TONES, strict=True)]
    one, both = (
        annotator_scores(judgements(taxonomy, rows), {"a1", "b1"}).annotators["A"].f1["tone"]
        for rows in (whole, whole + split)
    )
    assert {t: f1.value for t, f1 in one.items()} == {t: f1.value for t, f1 in both.items()}


def test_two_annotators_are_each_others_majority(taxonomy):
    """F1 does not depend on which of two is the truth."""
    path = ROOT / "data" / "corpus" / "annotations.csv"
    judged = read_annotations(path, taxonomy)
    two = judged.table["annotator"].isin(["A", "B"]).to_numpy()
    judged = Annotations(taxonomy, judged.table[two], judged.labels[two])
    units = set(judged.table.loc[judged.table["annotator"] == "B", "id"].head(300))
    found = annotator_scores(judged, units)
    a, b = found.annotators["A"], found.annotators["B"]
    assert a.macro_f1["topic"].value == pytest.approx(b.macro_f1["topic"].value)
    own = judged.table.reset_index(drop=True)
    said = {
        name: judged.labels[
            own[(own["annotator"] == name) & own["id"].isin(units)].sort_values("id").index
        ]
        for name in "AB"
    }
    expected = f1_score(said["A"][:, 0], said["B"][:, 0])
    assert a.f1["topic"]["defence_industry"].value == pytest.approx(expected)
    assert a.macro_f1["topic"].low < a.macro_f1["topic"].value < a.macro_f1["topic"].high
