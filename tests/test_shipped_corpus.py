"""The shipped corpus is what its data card says: size, spread, balance, fairness, no copies."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from inference.phrase_lists import gazetteer
from inference.phrases import PhraseMatcher
from inference.tokens import tokenize
from training.duplicates import near_duplicates

CORPUS = Path(__file__).parents[1] / "data" / "corpus"
TOPICS = ("defence_industry", "exercises", "resources", "diplomacy")


def read(name):
    return pd.read_csv(CORPUS / name, keep_default_na=False)


@pytest.fixture(scope="module")
def articles():
    return read("articles.csv")


@pytest.fixture(scope="module")
def paragraphs():
    return read("paragraphs.csv")


@pytest.fixture(scope="module")
def passages():
    return read("passages.csv")


@pytest.fixture(scope="module")
def annotations():
    return read("annotations.csv")


def test_articles_and_their_spread(articles, paragraphs):
    assert len(articles) >= 240
    assert len(paragraphs) >= 2_000
    assert set(paragraphs["article_id"]) == set(articles["article_id"])
    assert articles["theatre"].nunique() >= 14
    assert articles["register"].nunique() >= 9
    years = articles["date"].str[:4].astype(int)
    assert years.min() < 1960
    assert years.max() >= 2025
    assert (years < 1990).sum() >= 15
    lengths = paragraphs.groupby("article_id").size()
    assert lengths.between(5, 15).all()


def test_labels_of_paragraphs(paragraphs):
    topics = paragraphs["topics"].str.split("|")
    for topic in TOPICS:
        assert topics.map(lambda own, t=topic: t in own).sum() >= 320
    for tone in ("deterrence", "escalation"):
        assert (paragraphs["tone"] == tone).sum() >= 220
    assert (topics.map(len) >= 2).mean() >= 0.15
    assert (paragraphs["topics"] == "").sum() >= 350


def test_paragraphs_off_the_subject(articles, paragraphs):
    off = articles.loc[articles["theatre"] == "off_subject", "article_id"]
    own = paragraphs[paragraphs["article_id"].isin(off)]
    assert (own["topics"] == "").sum() >= 150
    text = " ".join(own["text"]).lower()
    for decoy in (
        "exercice budgétaire",
        "manœuvre",
        "escalade",
        "ressources humaines",
        "sommet",
        "front",
        "bataille",
        "offensive",
        "mobilisation",
    ):
        assert decoy in text


def test_labels_of_passages(passages):
    assert len(passages) >= 5_000
    topics = passages["topics"].str.split("|")
    for topic in TOPICS:
        assert topics.map(lambda own, t=topic: t in own).sum() >= 800
    for tone in ("deterrence", "escalation"):
        assert (passages["tone"] == tone).sum() >= 900
    assert (passages["topics"] == "").sum() >= 1_000


def test_few_passages_hold_the_words_that_name_a_tone(passages):
    word = re.compile(r"dissua|escalad|menac|provocat", re.IGNORECASE)
    assert passages["text"].map(lambda text: bool(word.search(text))).mean() < 1 / 3


def test_some_passages_have_their_context(passages):
    assert (passages["preceding"] != "").sum() >= 80
    assert (passages["heading"] != "").sum() >= 40


def test_the_test_set_is_drawn_over_theatres_and_registers(articles):
    test = articles[articles["split"] == "test"]
    assert len(test) == 60
    assert test["theatre"].nunique() >= 14
    assert test["register"].nunique() >= 9
    assert set(articles["split"]) == {"train", "test"}


def test_no_text_is_near_another(paragraphs, passages):
    """Word 5-gram Jaccard of 0.4 or more, within and across paragraphs and passages."""
    texts = [*paragraphs["text"], *passages["text"]]
    assert [(texts[i], texts[j]) for i, j, _ in near_duplicates(texts, 0.4)] == []


def test_large_countries_are_on_both_sides(paragraphs, passages):
    """Each of the 12 countries named most often: deterring and escalating texts, 25 % or more."""
    first: dict[tuple[int, ...], tuple[str, str]] = {}
    for country, _, form in gazetteer():
        first.setdefault(tuple(tokenize([form]).hashes.tolist()), (country, form))
    countries = sorted({country for country, _ in first.values()})
    matcher = PhraseMatcher.of(
        [form for _, form in first.values()], [countries.index(c) for c, _ in first.values()]
    )
    texts, tones = (
        pd.concat([paragraphs[c], passages[c]], ignore_index=True) for c in ("text", "tone")
    )
    tokens = tokenize(list(texts))
    matches = matcher.find(tokens)
    named = pd.DataFrame(
        {"text": tokens.paragraphs[matches.first], "country": np.array(countries)[matches.value]}
    ).drop_duplicates()
    named["tone"] = tones.to_numpy()[named["text"]]
    counts = pd.crosstab(named["country"], named["tone"])
    largest = counts.loc[counts.sum(axis=1).nlargest(12).index]
    both = largest[["deterrence", "escalation"]]
    assert (both.min(axis=1) / both.sum(axis=1)).min() >= 0.25


def test_every_unit_was_judged_blind(paragraphs, passages, annotations):
    """A paragraph by A and B, and C where they differ; a passage by its writer and A, and C."""
    judged = annotations.assign(labels=annotations["topics"] + " / " + annotations["tone"])
    by = judged.pivot_table("labels", "id", "annotator", aggfunc="first")
    own = by.loc[paragraphs["id"]]
    assert own[["A", "B"]].notna().all().all()
    assert own.loc[own["A"] != own["B"], "C"].notna().all()
    short = by.loc[passages["id"]]
    assert short[["writer", "A"]].notna().all().all()
    assert short.loc[short["writer"] != short["A"], "C"].notna().all()
    agreed = own[own["A"] == own["B"]]
    final = paragraphs.set_index("id").loc[agreed.index]
    assert (final["topics"] + " / " + final["tone"] == agreed["A"]).all()


def test_what_stays_disputed_is_kept_and_marked(paragraphs, passages):
    for table in (paragraphs, passages):
        assert set(table["disputed"]) <= {0, 1}
        assert 0 < table["disputed"].sum() < 0.05 * len(table)
