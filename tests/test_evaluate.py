"""The report of an evaluation: its designs, its tables, its page and its figures."""

import html
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from inference.calibration import Calibration
from inference.decision import DecisionRule
from inference.errors import InputError
from inference.scorer import Scorer
from inference.taxonomy import Taxonomy
from tests.conftest import ROOT
from training.annotations import read_annotations
from training.corpus import LabelledCorpus
from training.designs import cross_validation, fixed_split
from training.evaluate import evaluate
from training.figure_style import image
from training.learning_check import NothingLearnedError
from training.learning_curve import Point, learning_curve
from training.measured import Measured
from training.refit import recipe_of
from training.report_figures import draw, write
from training.report_page import page
from training.report_sections import preface, sections


@pytest.fixture(scope="module")
def few(corpus):
    """Ten test articles and forty training ones, no passages, so that baselines are quick."""
    own = corpus.table[~corpus.table["passage"]]
    chosen = set()
    for split, n in (("test", 10), ("train", 40)):
        chosen |= set(own.loc[own["split"] == split, "article_id"].unique()[:n])
    return corpus.where(corpus.table["article_id"].isin(chosen))


@pytest.fixture(scope="module")
def report(scorer, few):
    judged = read_annotations(ROOT / "data" / "corpus" / "annotations.csv", few.taxonomy)
    return evaluate(scorer, few, annotations=judged)


@pytest.fixture(scope="module")
def recipe(small_model):
    return replace(recipe_of(small_model.provenance.training), n_jobs=1)


def test_a_report_has_the_model_beside_simple_systems_and_annotators(report):
    content = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert list(content["systems"]) == ["model", "majority", "tfidf"]
    f1 = {name: own["macro_f1"]["topic"] for name, own in content["systems"].items()}
    assert f1["model"] > f1["tfidf"] > f1["majority"] == 0
    pooled = content["annotators"]["pooled"]["macro_f1"]["topic"]
    assert pooled["value"] > f1["model"] and pooled["low"] < pooled["high"]
    assert set(content["groups"]) == {"theatre", "register"}
    assert content["robustness"]["countries exchanged"]["axes"]["topic"]["value"] == 0


def test_a_frame_has_a_row_a_label_and_two_an_axis(report):
    frame = report.to_frame()
    assert len(frame) == 7 + 4
    row = frame.loc[("topic", "macro")]
    assert row["f1"] == report.model.macro_f1["topic"]
    assert row["f1_low"] < row["f1"] < row["f1_high"]
    assert frame.loc[("tone", "neutral"), "support"] > 0
    assert {"majority", "tfidf", "annotators"} <= set(frame.columns)


def test_groups_hold_every_paragraph_once_and_small_ones_have_no_interval(report):
    for groups in report.groups.values():
        assert sum(own.n_paragraphs for own in groups.values()) == report.model.n_paragraphs
        for own in groups.values():
            assert np.isnan(own.micro_f1["topic"].low) == (own.n_articles < 5)


def test_every_cell_of_every_table_is_filled_as_its_columns(report):
    shown = list(sections(report))
    assert shown[0].title.startswith("How good")
    for section in shown:
        assert section.legend
        assert {len(row) for row in section.rows if row} == {len(section.columns)}
    told = " ".join(preface(report, "m"))
    assert "10 articles; the articles that the corpus marks test" in told


def test_one_article_is_said_to_have_no_interval(scorer, few):
    one = few.where(few.article_ids == few.article_ids[0])
    report = evaluate(scorer, one, perturbed=False)
    assert "One article only: no interval can be given" in " ".join(preface(report, "m"))
    assert np.isnan(report.model.axes["topic"].macro.f1.low)
    assert list(report.systems) == ["model"]
    assert list(sections(report))
    json.dumps(report.to_dict(), allow_nan=False)


def test_training_texts_without_a_word_leave_the_model_alone(scorer, few):
    bare = few.table["text"].where(few.table["split"] == "test", "🛳 a")
    report = evaluate(scorer, replace(few, table=few.table.assign(text=bare)), perturbed=False)
    assert set(report.systems) == {"model"}


@pytest.mark.parametrize("carried", [True, False])
def test_beside_training_texts_that_all_have_a_label_or_lack_it_the_model_stands_alone(
    scorer, few, carried
):
    labels = few.labels.copy()
    labels[few.table["split"] == "train", 0] = carried
    report = evaluate(scorer, replace(few, labels=labels), perturbed=False)
    assert list(report.systems) == ["model"]


def test_another_taxonomy_is_refused(scorer, few):
    other = Taxonomy.from_dict(
        {"axis": [{"name": "mood", "exclusive": True, "labels": ["good", "bad"]}]}, "t"
    )
    with pytest.raises(InputError, match=r"the model's labels are topic .*mood \(exactly one of"):
        evaluate(scorer, LabelledCorpus(other, few.table, few.labels[:, :2]))


def test_a_recipe_is_refitted_without_the_measured_articles(small_corpus, scorer, recipe):
    """Were calibration or thresholds to see the fold, labels turned round there would show."""
    design = cross_validation(small_corpus, 2)
    report = evaluate(scorer, design.corpus, design=design, recipe=recipe)
    assert report.robustness == {}
    assert len(report.predictions["model"]) == len(small_corpus)
    assert "What is measured is the recipe" in " ".join(preface(report, "m"))
    first = design.parts[0]
    labels = small_corpus.labels.copy()
    labels[first.test, :4] ^= True
    turned = replace(small_corpus, labels=labels)
    again = evaluate(
        scorer,
        turned,
        design=replace(design, corpus=turned, parts=(first,)),
        recipe=recipe,
    )
    n = int(first.test.sum())
    own = report.predictions["model"]
    assert np.array_equal(own.probabilities[:n], again.predictions["model"].probabilities)
    assert np.array_equal(own.applies[:n], again.predictions["model"].applies)


def test_a_model_without_a_linear_recipe_is_measured_by_split_only(scorer, small_corpus):
    with pytest.raises(InputError, match="no recipe that could be fitted anew.*'C'.*--split test"):
        recipe_of({"epochs": 3})
    with pytest.raises(InputError, match="cv fits the recipe anew"):
        evaluate(scorer, small_corpus, design=cross_validation(small_corpus, 2))


def test_a_linear_recipe_comes_back_with_what_was_chosen_and_three_folds(small_model):
    training = small_model.provenance.training
    found = recipe_of(training)
    assert (found.C, found.passage_weights) == ((training["C"],), (training["passage_weight"],))
    assert list(found.min_documents) == list(training["min_documents"])
    assert found.n_folds == 3


def test_a_part_without_a_label_is_named(small_corpus, scorer, recipe):
    labels = small_corpus.labels.copy()
    labels[:, 2] = False
    labels[0, 2] = True
    bare = replace(small_corpus, labels=labels)
    with pytest.raises(
        InputError, match=r"fold \d: label\(s\) with too few .*topic.resources has [01]"
    ):
        evaluate(scorer, bare, design=cross_validation(bare, 2), recipe=recipe)


def test_the_learning_curve_grows_to_all_training_articles(few, recipe):
    said = []
    curve = learning_curve(recipe, fixed_split(few), said.append)
    assert [point.n_articles for point in curve] == [20, 30, 40]
    assert "25% of the articles left out: label(s) with too few" in " ".join(said)
    assert curve[-1].n_texts == (few.table["split"] == "train").sum()
    assert all(0 < point.macro_f1["topic"].value < 1 for point in curve)


def test_a_curve_of_which_nothing_is_left_says_why(few):
    class Stuck:
        def learn(self, corpus, report, track):
            raise NothingLearnedError("it guesses", "more epochs")

    with pytest.raises(InputError, match="100% of the articles left out: it guesses"):
        learning_curve(Stuck(), fixed_split(few))


class Tags(HTMLParser):
    """Collects the tags of a page, and fails where one is closed that is not open."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in ("meta", "br", "path", "use", "rect", "line", "image"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag in ("path", "use", "rect", "line", "image"):
            return
        assert self.open.pop() == tag


def test_the_page_is_whole_escaped_and_loads_nothing(report):
    name = "<script>alert('é & co')</script>"
    text = page(report, name)
    assert "<script" not in text and html.escape(name) in text
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert len([1 for tag, _ in tags.seen if tag == "svg"]) == 7
    ids = [attributes["id"] for _, attributes in tags.seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = set(re.findall(r'xlink:href="([^"]+)"', text)) | set(
        re.findall(r"url\((.+?)\)", text)
    )
    assert {target.removeprefix("#") for target in targets} <= set(ids)
    for section in sections(report):
        assert html.escape(section.title) in text


def test_an_axis_whose_labels_nobody_gave_is_drawn_without_a_warning(scorer, few, recwarn):
    labels = few.labels.copy()
    labels[:, scorer.taxonomy.spans()[0][1]] = False
    draw(evaluate(scorer, replace(few, labels=labels), perturbed=False))
    assert not [one for one in recwarn if "No artists" in str(one.message)]


def test_figures_are_written_whole_and_the_same_each_time(report, tmp_path):
    one = Measured(0.5, 0.4, 0.6)
    curve = [Point(n, 10 * n, {"topic": one, "tone": one}) for n in (10, 20)]
    figures = draw(report, curve)
    assert set(figures) == {
        *("f1", "precision-recall", "reliability", "abstention", "confusion-tone"),
        *("by-theatre", "by-register", "learning-curve"),
    }
    write({"f1": figures["f1"], "by-a/b c": figures["f1"]}, tmp_path / "new")
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {"f1.svg", "f1.png", "by-a-b-c.svg", "by-a-b-c.png"}
    assert (tmp_path / "new" / "f1.png").read_bytes().startswith(b"\x89PNG")
    svg = image(draw(report)["f1"], "svg")
    assert svg == (tmp_path / "new" / "f1.svg").read_bytes()
    assert ET.fromstring(svg).tag.endswith("svg")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be made"):
        write(figures, tmp_path / "file" / "below")


def test_every_axis_of_many_has_its_panel_and_its_line(few):
    names = ("a", "b", "c", "d", "e", "f")
    axes = [{"name": name, "exclusive": False, "labels": [f"{name}x"]} for name in names]
    taxonomy = Taxonomy.from_dict({"axis": axes}, "t")
    labels = few.labels[:, [0, 1, 2, 3, 0, 1]]
    own = LabelledCorpus(taxonomy, few.table, labels)

    class Halves:
        def __init__(self):
            self.taxonomy = taxonomy

        def predict_proba(self, paragraphs):
            return np.array([[len(p.text) % 10 / 10] * len(names) for p in paragraphs])

    scorer = Scorer(Halves(), Calibration.identity(taxonomy), DecisionRule((0.5,) * len(names)))
    report = evaluate(scorer, own, perturbed=False)
    macro = dict.fromkeys(names, Measured(0.5, 0.4, 0.6))
    figures = draw(report, [Point(n, 10 * n, macro) for n in (10, 20)])
    for name in ("abstention", "by-theatre"):
        panels = figures[name].axes
        assert [ax.get_title("left") for ax in panels] == [name.capitalize() for name in names]
        assert all(ax.lines for ax in panels), name
    (curve,) = figures["learning-curve"].axes
    assert len(curve.containers) == len(names)


def test_a_taxonomy_of_ones_own_is_reported(few):
    """One axis of two labels, one of them never there; a model of two lines."""
    taxonomy = Taxonomy.from_dict(
        {"axis": [{"name": "presence", "exclusive": False, "labels": ["zzz", "aaa"]}]}, "t"
    )

    class Coin:
        def __init__(self):
            self.taxonomy = taxonomy

        def predict_proba(self, paragraphs):
            return np.array([[len(p.text) % 10 / 10, 0.1] for p in paragraphs])

    labels = np.column_stack((few.labels[:, 0], np.zeros(len(few), np.bool_)))
    scorer = Scorer(Coin(), Calibration.identity(taxonomy), DecisionRule((0.5, 0.5)))
    report = evaluate(scorer, LabelledCorpus(taxonomy, few.table, labels))
    assert report.model.axes["presence"].confusion is None
    assert np.isnan(report.model.axes["presence"].average_precision.value)
    json.dumps(report.to_dict(), allow_nan=False)
    assert "confusion" not in "".join(draw(report))
    assert "presence, macro" in page(report, "coin")
