"""Figures show the figures: bars, dots and intervals are what they stand for."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex

from inference.errors import InputError
from tests.conftest import ROOT
from training.agreement import agreement
from training.annotations import read_annotations
from training.archive import ScoredArchive
from training.article_figures import draw_along, draw_words
from training.corpus_figures import draw_agreement, draw_labels, draw_mix
from training.coverage import coverage, looked_up, true_shares
from training.coverage_figure import draw_trials
from training.estimate import estimate
from training.figure_style import shown
from training.palette import label_colours
from training.predictions import Predictions
from training.sample import draw_sample
from training.wrong_decisions import wrong_decisions


@pytest.fixture(scope="module")
def scored(scorer):
    return scorer.score((ROOT / "data" / "articles" / "detroit.txt").read_text(encoding="utf-8"))


def test_labels_are_counted_and_passages_stand_apart(corpus):
    passage = corpus.table["passage"].to_numpy(bool)
    expected = [*corpus.labels[~passage].sum(axis=0), *corpus.labels[passage].sum(axis=0)]
    drawn = [bar for bar in draw_labels(corpus).axes[0].patches if bar.get_width()]
    assert [bar.get_width() for bar in drawn] == expected
    assert [bool(bar.get_hatch()) for bar in drawn] == [False] * 7 + [True] * 7
    edges = [to_hex(bar.get_edgecolor()).upper() for bar in drawn[:7]]
    assert edges == list(label_colours(corpus.taxonomy).values())


def test_a_corpus_without_passages_has_one_bar_a_label(small_corpus):
    drawn = [bar for bar in draw_labels(small_corpus).axes[0].patches if bar.get_width()]
    assert len(drawn) == 7


def test_the_mix_has_a_row_a_value_and_leaves_passages_out(corpus):
    ax = draw_mix(corpus, "theatre").axes[0]
    own = ~corpus.table["passage"]
    theatres = corpus.table.loc[own, "theatre"]
    assert len(ax.texts) == theatres.nunique() * 7
    first = ((corpus.table["theatre"] == "arctic") & own).to_numpy()
    assert ax.texts[0].get_text() == f"{corpus.labels[first, 0].mean():.0%}"
    n_articles = corpus.table.loc[first, "article_id"].nunique()
    assert ax.get_yticklabels()[0].get_text() == f"arctic ({n_articles}, {first.sum()})"


def test_a_mix_of_an_unknown_column_is_refused(small_corpus):
    with pytest.raises(InputError, match="no column 'weather'; found id, "):
        draw_mix(small_corpus, "weather")


def test_agreement_has_a_dot_a_row_of_its_frame(taxonomy):
    judged = read_annotations(ROOT / "data" / "corpus" / "annotations.csv", taxonomy)
    report = agreement(judged, annotators=("A", "B"), n_draws=50)
    frame = report.to_frame()
    assert list(frame.index) == [
        (axis.name, name) for axis in taxonomy.axes for name in (*axis.codes, "whole")
    ]
    assert frame.loc[("tone", "whole"), "alpha"] == report.axes["tone"].alpha
    assert np.isnan(frame.loc[("topic", "whole"), "fleiss"])  # kappa is not for sets
    ax = draw_agreement(report).axes[0]
    dots = [line.get_xdata()[0] for line in ax.lines if line.get_marker() in ("o", "D")]
    assert dots == pytest.approx(frame["alpha"].tolist())


def test_along_the_article_bars_fill_up_to_1_and_given_topics_are_filled(scored):
    tones, topics = draw_along(scored).axes
    n = len(scored.predictions)
    tops = [bar.get_y() + bar.get_height() for bar in tones.patches[-n:]]
    assert tops == pytest.approx([1] * n)
    first = [bar.get_height() for bar in tones.patches[:n]]
    assert first == [one.probabilities["tone"]["deterrence"] for one in scored.predictions]
    assert len({bar.get_hatch() for bar in tones.patches}) == 3  # told apart without colours
    filled, empty = topics.collections[::2], topics.collections[1::2]
    for code, given, other in zip(scored.taxonomy.axes[0].codes, filled, empty, strict=True):
        places = [i for i, one in enumerate(scored.predictions, 1) if code in one.labels["topic"]]
        assert [x for x, _ in given.get_offsets()] == places
        assert len(other.get_offsets()) == n - len(places)


def test_words_are_the_strongest_and_those_against_are_hatched(scorer, scored):
    explained = scorer.explain(scored.article.paragraphs[2])
    for ax, label in zip(
        draw_words(explained, ["escalation", "topic.diplomacy"], 5).axes,
        ("escalation", "topic.diplomacy"),
        strict=True,
    ):
        words = explained.top(label, 5)
        assert [tick.get_text() for tick in ax.get_yticklabels()] == [one.word for one in words]
        assert [bar.get_width() for bar in ax.patches] == [one.contribution for one in words]
        assert [bool(bar.get_hatch()) for bar in ax.patches] == [
            one.contribution < 0 for one in words
        ]


def test_words_of_an_unknown_label_are_refused_and_those_known_named(scorer, scored):
    explained = scorer.explain(scored.article.paragraphs[2])
    with pytest.raises(InputError, match=r"label 'ton' names 0 columns; expected one of topic.def"):
        draw_words(explained, ["escalation", "ton"])


def test_what_a_notebook_shows_is_small_and_the_same_each_time(scored):
    one, other = (shown(draw_along(scored), "Tone along the text") for _ in range(2))
    assert one.data == other.data and one.data.startswith(b"\x89PNG")
    assert one.alt == "Tone along the text" and one.width == 700
    assert len(one.data) < 80_000


def test_without_matplotlib_the_extra_is_named(monkeypatch, small_corpus):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"pip install 'posture\[figures\]'"):
        draw_labels(small_corpus)


# Estimates from sample after sample.


@pytest.fixture(scope="module")
def archive(scorer, small_corpus):
    columns = ["id", "article_id", "text", "date", "theatre"]
    frame = scorer.score_frame(small_corpus.table[columns], unit="paragraph")
    return ScoredArchive.of_frame(frame, small_corpus.taxonomy, ["theatre"])


@pytest.fixture(scope="module")
def truth(archive, small_corpus):
    return true_shares(archive, small_corpus, "theatre")


@pytest.fixture(scope="module")
def trials(archive, small_corpus):
    return [
        estimate(archive, looked_up(small_corpus, draw_sample(archive, 80, seed=seed)), "theatre")
        for seed in range(4)
    ]


def test_a_sample_that_is_looked_up_has_the_corpus_labels(archive, small_corpus):
    drawn = draw_sample(archive, 30, "uncertainty", 1)
    sample = looked_up(small_corpus, drawn)
    assert np.array_equal(archive.rows_of(sample.ids), drawn.rows)
    assert np.array_equal(sample.labels, small_corpus.labels[drawn.rows])
    assert np.array_equal(sample.inclusion_probability, drawn.inclusion_probability)


def test_the_true_shares_are_those_of_all_labels(truth, small_corpus):
    found = [row.classical.share for row in truth.overall]
    assert found == pytest.approx(small_corpus.labels.mean(axis=0))
    for group, rows in truth.groups.items():
        own = (small_corpus.table["theatre"] == group).to_numpy()
        if rows[0].classical:
            assert rows[2].classical.share == pytest.approx(small_corpus.labels[own, 2].mean())
        else:
            assert small_corpus.table.loc[own, "article_id"].nunique() < 5


def test_coverage_of_the_truth_by_itself_is_whole(truth):
    found = coverage([truth, truth], truth)
    assert found.loc[("archive", "classical"), ["covered", "error"]].tolist() == [1, 0]


def test_coverage_counts_hits_over_labels_and_samples(trials, truth):
    found = coverage(trials, truth)
    pairs = [
        (own.corrected, true.classical.share)
        for trial in trials
        for own, true in zip(trial.overall, truth.overall, strict=True)
    ]
    hits = [one.low <= true <= one.high for one, true in pairs]
    row = found.loc[("archive", "corrected")]
    assert row["covered"] == pytest.approx(np.mean(hits))
    assert row["error"] == pytest.approx(np.sqrt(np.mean([(o.share - t) ** 2 for o, t in pairs])))
    assert row["width"] == pytest.approx(np.mean([o.high - o.low for o, _ in pairs]))
    assert set(found.index.get_level_values("unit")) == {"archive", "single theatre"}


def test_trials_without_groups_have_rows_of_the_archive_alone(archive, small_corpus):
    truth = true_shares(archive, small_corpus)
    assert set(coverage([truth], truth).index.get_level_values("unit")) == {"archive"}


def test_groups_in_which_nothing_could_be_estimated_do_not_count(trials, truth):
    rows = [replace(row, corrected=None) if row.group else row for row in trials[0].rows]
    with_none = [*trials, replace(trials[0], rows=tuple(rows))]
    found, expected = (coverage(own, truth).loc["single theatre"] for own in (with_none, trials))
    assert found["covered"].tolist() == expected["covered"].tolist()


def test_labels_of_two_axes_with_one_code_are_kept_apart(truth):
    first, *_, last = (replace(row, label="high") for row in truth.overall)
    both = replace(truth, rows=(first, last))
    assert first.axis != last.axis
    found = coverage([both], both)
    assert found.loc[("archive", "classical"), ["covered", "error"]].tolist() == [1, 0]


def test_an_interval_that_misses_is_marked(trials, truth):
    # A truth far from every interval of the first label: all of its marks must be open squares.
    first, *others = truth.overall
    far = replace(first, classical=replace(first.classical, share=0.99))
    moved = replace(truth, rows=(far, *others))
    for known, expected in ((truth, None), (moved, "s")):
        ax = draw_trials(trials, known).axes[0]
        marks = [line.get_marker() for line in ax.lines if line.get_marker() in ("o", "s")]
        hits = [
            t.overall[0].corrected.low <= known.overall[0].classical.share
            and known.overall[0].classical.share <= t.overall[0].corrected.high
            for t in trials
        ]
        assert marks == ["o" if hit else "s" for hit in hits]
        assert expected is None or set(marks) == {expected}


# Wrong decisions.


def test_wrong_decisions_by_hand(small_corpus):
    two = small_corpus.rows(np.array([0, 1]))
    labels = np.array([[1, 0, 0, 0, 0, 0, 1], [0, 0, 1, 0, 1, 0, 0]], bool)
    said = np.array([[0, 1, 0, 0, 0, 0, 1], [0, 0, 1, 0, 0, 0, 1]], bool)
    p = np.array([[0.2, 0.9, 0.1, 0.1, 0.1, 0.1, 0.8], [0.1, 0.1, 0.7, 0.1, 0.3, 0.1, 0.6]])
    predictions = Predictions(two.taxonomy, labels, said, p, np.ones((2, 2)), two.article_ids)
    found = wrong_decisions(predictions, replace(two, labels=labels))
    # The surest first: false at 0.9, missed at 0.2 and at 0.3, false at 0.6.
    assert found[["row", "label", "error", "probability"]].to_numpy().tolist() == [
        [0, "exercises", "false", 0.9],
        [0, "defence_industry", "missed", 0.2],
        [1, "deterrence", "missed", 0.3],
        [1, "neutral", "false", 0.6],
    ]
    assert found["id"].tolist() == [two.table["id"][row] for row in (0, 0, 1, 1)]
    right = wrong_decisions(replace(predictions, applies=labels), two)
    assert right.empty and list(right.columns) == list(found.columns)
