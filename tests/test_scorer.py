"""The scorer: a model of five lines is enough for it, and it adds nothing of its own."""

from dataclasses import dataclass

import numpy as np
import pytest

from inference import Article, Scorer, Taxonomy, load
from inference.calibration import Calibration
from inference.decision import DecisionRule


@dataclass
class WordCount:
    """A model: the more words, the surer."""

    taxonomy: Taxonomy
    at_once = 3

    def predict_proba(self, paragraphs):
        p = np.array([[1 - 1 / (1 + len(x.text.split()))] * 7 for x in paragraphs]).reshape(-1, 7)
        p[:, 4:] = [0.2, 0.3, 0.5]
        return p


@pytest.fixture
def counting(taxonomy):
    return Scorer(WordCount(taxonomy), Calibration.identity(taxonomy), DecisionRule((0.7,) * 7))


def test_a_score_is_the_models_probability_through_the_rule(counting):
    scored = counting.score("un\n\nun deux trois quatre\n")
    assert [p.labels["topic"] for p in scored.predictions] == [(), counting.taxonomy.axes[0].codes]
    assert [p.labels["tone"] for p in scored.predictions] == [("neutral",)] * 2
    assert scored.predictions[1].probabilities["topic"]["exercises"] == pytest.approx(0.8)
    assert scored.predictions[1].confidence == {"topic": pytest.approx(0.8), "tone": 0.5}
    summary = scored.summary
    assert summary.labels["topic"]["diplomacy"].count == 1
    assert summary.labels["topic"]["diplomacy"].share == 0.5
    assert summary.labels["topic"]["diplomacy"].expected_share == pytest.approx(0.65)
    assert summary.labels["topic"]["diplomacy"].strongest == 1


def test_abstention_takes_the_label_of_the_unsure_axis_only(counting):
    unsure = counting.abstaining_below(0.6).score("un deux trois quatre")
    (prediction,) = unsure.predictions
    assert prediction.abstained == ("tone",)
    assert prediction.labels == {"topic": counting.taxonomy.axes[0].codes, "tone": ()}
    assert unsure.summary.abstained == {"topic": 0, "tone": 1}
    assert counting.rule.min_confidence == 0


def test_a_stream_gives_what_single_articles_give(scorer, corpus):
    texts = ["\n\n".join(corpus.texts[i : i + 7]) for i in range(0, 700, 7)]
    articles = [Article.from_text(text) for text in [*texts, "", "\n\n"]]
    streamed = list(scorer.score_many(iter(articles)))
    assert [s.article for s in streamed] == articles
    for one in (0, 50, 99, 100, 101):
        alone = scorer.score(articles[one])
        assert alone.predictions == streamed[one].predictions
        assert alone.summary == streamed[one].summary


def test_a_stream_is_read_as_it_is_scored(counting):
    """Ten thousand articles wait for nobody: the first comes out before the last goes in."""
    taken = []

    def source():
        for i in range(10_000):
            taken.append(i)
            yield Article.from_text("un deux", id=str(i))

    first = next(counting.score_many(source()))
    assert first.article.id == "0"
    assert len(taken) <= 2_000


def test_an_article_without_paragraphs_is_an_ordinary_result(scorer):
    scored = scorer.score("")
    assert scored.predictions == ()
    assert scored.summary.n_paragraphs == 0
    assert scored.summary.labels["tone"]["neutral"].strongest is None


def test_probabilities_of_no_text_have_the_right_shape(scorer):
    assert scorer.predict_proba([]).shape == (0, 7)


def test_a_bare_string_is_refused(scorer):
    with pytest.raises(TypeError, match=r"expected a sequence of texts, found one text"):
        scorer.predict_proba("Le texte")


@pytest.mark.parametrize(
    "text",
    [
        "The navy sails at dawn.",
        "Москва и Пекин ведут переговоры.",
        "中国海军举行演习。",
        "x" * 200_000,
    ],
)
def test_any_text_is_labelled(text):
    (prediction,) = load().score(text).predictions
    assert sum(prediction.probabilities["tone"].values()) == pytest.approx(1)
