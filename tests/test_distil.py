"""Self-training: soft targets, kept off the labelled texts, and students of fake teachers."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from click.testing import CliRunner

from inference import InputError, Taxonomy, load
from inference.artefact import DEFAULT_MODEL, Provenance, read_model
from inference.article import Article, Paragraph
from inference.calibration import Calibration
from inference.decision import DecisionRule
from inference.scorer import Scorer
from training.commands.distil import command, show
from training.distil import Teacher, compare, distil
from training.duplicates import near_any, near_duplicates
from training.linear import Counted, LinearRecipe, SoftTexts, fit_estimator
from training.naive_bayes_logistic import NaiveBayesLogisticRegression
from training.unlabelled import UnlabelledTexts

SETTING = (10.0, 1.0)


@dataclass(frozen=True)
class Oracle:
    """Knows the labels of texts, and says 0.5 of any other."""

    taxonomy: Taxonomy
    labels: dict
    at_once = 100

    def predict_proba(self, paragraphs):
        unknown = np.full(self.taxonomy.n_columns, 0.5)
        found = np.array([self.labels.get(p.text, unknown) for p in paragraphs], float)
        for axis, span in self.taxonomy.spans():
            if axis.exclusive:
                found[:, span] /= found[:, span].sum(axis=1, keepdims=True)
        return found


def one_paragraph_articles(texts):
    return [Article(text, (Paragraph(text, 0, len(text)),), id=text[:20]) for text in texts]


def oracle_of(*corpora):
    taxonomy = corpora[0].taxonomy
    labels = {t: row for c in corpora for t, row in zip(c.texts, c.labels, strict=True)}
    rule = DecisionRule((0.5,) * taxonomy.n_columns)
    scorer = Scorer(Oracle(taxonomy, labels), Calibration.identity(taxonomy), rule)
    return Teacher(scorer, Provenance({"recipe": "oracle"}), "0" * 64)


@pytest.fixture(scope="module")
def parts(corpus):
    """Labelled: 20 articles to train on and 40 to test on. Unlabelled: 100 others."""
    own = corpus.where(~corpus.table["passage"])
    articles = own.table["article_id"].unique()[:160]
    labelled = own.where(own.table["article_id"].isin(articles[:60]))
    trains = labelled.table["article_id"].isin(articles[:20])
    labelled.table["split"] = np.where(trains, "train", "test")
    return labelled, own.where(own.table["article_id"].isin(articles[60:]))


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def taught(parts, quick, told):
    """A student of the truth on the unlabelled texts, which stand beside labelled ones."""
    labelled, rest = parts
    articles = one_paragraph_articles([*labelled.texts, *rest.texts])
    teacher = oracle_of(labelled, rest)
    return distil(teacher, articles, labelled, quick, weights=(1.0,), report=told.append)


# Soft targets.


def test_probabilities_of_0_and_1_are_labels(small_corpus):
    """Half of the texts given as soft ones with their labels: the same numbers, bit for bit."""
    first = np.arange(len(small_corpus)) < len(small_corpus) // 2
    counted = Counted.of(small_corpus)
    expected = fit_estimator(counted, small_corpus, SETTING, LinearRecipe())
    half, other = small_corpus.where(first), small_corpus.where(~first)
    soft = SoftTexts(counted.where(~first).counts, other.labels.astype(float), 1.0)
    found = fit_estimator(counted.where(first), half, SETTING, LinearRecipe(), soft)
    for name in ("ratios_", "coef_", "intercept_"):
        assert np.array_equal(getattr(found[2], name), getattr(expected[2], name))


def test_a_probability_is_two_texts_that_share_its_weight(taxonomy):
    """With 0.25: a text that has the label, weighing 0.25, and one that has not, weighing 0.75."""
    rng = np.random.default_rng(0)
    counts = np.asarray(rng.poisson(1.0, (30, 12)), float)
    sparse = Counted.of_texts(["a"]).counts[:0]  # csr with 32-bit indices, as liblinear wants
    matrix = type(sparse)(counts)
    labels = rng.random((30, taxonomy.n_columns)) < 0.5
    labels[:2] = [[True] * taxonomy.n_columns, [False] * taxonomy.n_columns]
    soft = labels.astype(float)
    soft[5] = 0.25
    rows = [*range(6), *range(5, 30)]
    hard = labels[rows]
    hard[5], hard[6] = True, False
    weight = np.ones(31)
    weight[5:7] = 0.25, 0.75
    found = NaiveBayesLogisticRegression(taxonomy).fit(matrix, soft)
    expected = NaiveBayesLogisticRegression(taxonomy).fit(matrix[rows], hard, weight)
    assert np.allclose(found.ratios_, expected.ratios_, rtol=1e-12)
    assert np.allclose(found.coef_, expected.coef_, rtol=1e-12)


def test_an_undecided_teacher_leaves_the_ratio_at_nothing(taxonomy):
    """Texts at 0.5 stand as much with a label as without."""
    counts = type(Counted.of_texts(["a"]).counts)(np.eye(6))
    half = np.full((6, taxonomy.n_columns), 0.5)
    assert np.abs(NaiveBayesLogisticRegression(taxonomy).fit(counts, half).ratios_).max() < 1e-12


def test_soft_targets_are_the_calibrated_probabilities(small_model, small_corpus):
    teacher = Teacher(small_model.scorer, small_model.provenance, "")
    paragraphs = tuple(small_corpus.paragraphs)
    expected = small_model.scorer.predict_proba(small_corpus.texts)
    assert np.array_equal(teacher.probabilities(paragraphs), expected)
    raw = small_model.scorer.model.predict_proba(paragraphs)
    assert np.abs(raw - expected).max() > 0.01


# Which texts.


@pytest.mark.parametrize("threshold", [0.3, 0.4, 1.0])
def test_near_any_finds_what_near_duplicates_finds(small_corpus, threshold):
    texts = small_corpus.texts[:40]
    known = [" ".join(text.split()[:-8]) for text in small_corpus.texts[20:60]] + ["", texts[0]]
    pairs = near_duplicates([*texts, *known], threshold)
    expected = {i for i, j, _ in pairs if i < len(texts) <= j}
    assert set(np.flatnonzero(near_any(texts, known, threshold))) == expected
    assert 0 in expected and (len(expected) > 1) == (threshold < 1)


def test_labelled_texts_and_their_reprints_are_left_out(parts):
    labelled, rest = parts
    test = labelled.split("test").texts
    reprint = f"PARIS - {test[3]} (AFP)".upper()
    articles = one_paragraph_articles(
        [*labelled.texts, reprint, *rest.texts[:10], " ", *rest.texts[:2]]
    )
    drawn = UnlabelledTexts.draw(articles, labelled.texts, 10_000, 0)
    assert drawn.texts == rest.texts[:10]
    assert drawn.n_near_labelled == len(labelled) + 1
    assert (drawn.n_repeated, drawn.n_not_drawn) == (3, 0)
    assert drawn.n_read == len(articles)


def test_of_more_than_the_limit_a_random_part_is_drawn(parts):
    _, rest = parts
    articles = one_paragraph_articles(rest.texts)
    drawn = [UnlabelledTexts.draw(iter(articles), [], 50, seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1]
    assert drawn[0].texts != drawn[2].texts
    assert len(drawn[0]) == 50 and drawn[0].n_not_drawn == len(set(rest.texts)) - 50
    place = {text: i for i, text in enumerate(rest.texts)}
    places = [place[text] for text in drawn[0].texts]
    assert places == sorted(places)


def test_every_text_is_as_likely_to_be_drawn(parts):
    """The mean place of 200 × 5 uniform draws has a deviation of 0.29 / √1000 of the archive."""
    texts = parts[1].texts[:60]
    place = {text: i / (len(texts) - 1) for i, text in enumerate(texts)}
    articles = one_paragraph_articles(texts)
    drawn = [UnlabelledTexts.draw(articles, [], 5, seed).texts for seed in range(200)]
    mean = np.mean([place[text] for own in drawn for text in own])
    assert abs(mean - 0.5) < 4 * 0.29 / 1000**0.5


def test_an_archive_of_labelled_texts_only_is_refused(parts):
    labelled, _ = parts
    articles = one_paragraph_articles(labelled.texts)
    with pytest.raises(InputError, match="none is left to learn from"):
        UnlabelledTexts.draw(articles, labelled.texts, 10, 0)


# Students.


def test_a_teacher_that_knows_the_truth_lifts_the_student(taught):
    macro = taught.comparison.macro_f1
    for axis in ("topic", "tone"):
        assert macro["teacher"][axis].value == 1
        assert macro["student"][axis].value > macro["labelled_only"][axis].value
    assert taught.comparison.gain["topic"].low > 0
    assert "topic" not in taught.comparison.no_gain_shown


def test_no_labelled_text_is_learned_from_as_unlabelled(taught, parts):
    labelled, rest = parts
    assert taught.texts.texts == rest.texts
    assert taught.texts.n_near_labelled == len(labelled)
    corpus = taught.student.provenance.corpus
    assert corpus["n_train_paragraphs"] == len(labelled.split("train"))
    assert corpus["n_test_paragraphs"] == taught.comparison.n_paragraphs


def test_student_and_labels_alone_share_their_setting(taught):
    student, alone = (m.provenance.training for m in (taught.student, taught.labelled_only))
    for name in ("C", "passage_weight", "min_documents", "seed"):
        assert student[name] == alone[name]


def test_the_report_is_that_of_the_models(taught, parts):
    """Macro-F1 as fit reports it; agreement and gain counted anew."""
    labelled, _ = parts
    test = labelled.split("test")
    found = taught.comparison
    for name, fitted in (("student", taught.student), ("labelled_only", taught.labelled_only)):
        for axis, value in fitted.held_out["model"].macro_f1.items():
            assert found.macro_f1[name][axis].value == pytest.approx(value)
    scored = [taught.student.scorer.score(a) for a in one_paragraph_articles(test.texts)]
    names = test.taxonomy.column_names
    for axis in ("topic", "tone"):
        gold = [
            tuple(n.split(".")[1] for n, on in zip(names, row, strict=True) if on and axis in n)
            for row in test.labels
        ]
        same = [s.predictions[0].labels[axis] == g for s, g in zip(scored, gold, strict=True)]
        assert found.agreement[axis].value == pytest.approx(np.mean(same))  # the teacher is right
        gain = found.gain[axis]
        assert gain.low <= gain.value <= gain.high


def test_the_folder_scores_and_says_where_it_comes_from(taught, parts, tmp_path):
    taught.student.write(tmp_path / "m")
    stored = read_model(tmp_path / "m")
    training = stored.provenance.training
    assert training["teacher"] == {"digest": "0" * 64, "recipe": "oracle", "fingerprint": None}
    assert training["unlabelled"]["n_paragraphs"] == len(parts[1])
    assert training["unlabelled_weight"] == 1.0
    assert stored.provenance.scores["distillation"] == taught.comparison.to_dict()
    assert load(tmp_path / "m").score("La frégate est livrée.").predictions


def test_a_student_of_the_model_of_its_labels_shows_no_gain(taught, parts):
    """Compared with itself, the model of the labels alone gains exactly nothing."""
    alone = taught.labelled_only.scorer
    systems = dict.fromkeys(("student", "teacher", "labelled_only"), alone)
    found = compare(systems, parts[0].split("test"))
    assert found.no_gain_shown == ["topic", "tone"]
    assert [g.value for g in found.gain.values()] == [0, 0]
    assert [a.value for a in found.agreement.values()] == [1, 1]


def test_a_single_held_out_article_has_no_interval_and_no_gain(taught, parts):
    test = parts[0].split("test")
    one = test.where(test.article_ids == test.article_ids[0])
    systems = {"student": taught.student.scorer, "teacher": taught.teacher.scorer}
    found = compare({**systems, "labelled_only": taught.labelled_only.scorer}, one)
    assert found.no_gain_shown == ["topic", "tone"]
    assert found.to_dict()["gain"]["topic"]["low"] is None


def test_a_teacher_of_another_split_is_said_to_be_one(taught, told):
    assert not taught.same_split
    assert "the teacher was not fitted on this corpus with this split" in told[0]


def test_labels_of_another_taxonomy_are_refused(parts, scorer):
    taxonomy = Taxonomy.from_dict(
        {"axis": [{"name": "presence", "exclusive": False, "labels": ["sea"]}]}, "t"
    )
    other = replace(parts[0], taxonomy=taxonomy, labels=parts[0].labels[:, :1])
    with pytest.raises(InputError, match="the teacher's labels are topic "):
        distil(Teacher(scorer, Provenance(), ""), [], other)


# The command.


@pytest.mark.parametrize("columns", ["40", "120"])
def test_the_table_shows_every_figure_at_any_width(taught, capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    show(taught, "table")
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= int(columns)
    found = taught.comparison
    for figures in (*found.macro_f1.values(), found.agreement):
        for axis in ("topic", "tone"):
            own = figures[axis]
            assert f"{own.value:.3f}" in shown
            assert f"{own.high:.3f}" in shown or (own.value == 1 and np.isnan(own.high))
    assert "nan" not in shown


@pytest.fixture
def archive(parts, tmp_path):
    path = tmp_path / "archive.jsonl"
    rows = [{"text": text, "article_id": "x"} for text in parts[1].texts]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def run(*arguments):
    return CliRunner().invoke(command, [str(one) for one in arguments])


def test_the_command_writes_a_student_and_its_report(
    small_model, small_csv, archive, tmp_path, quick, monkeypatch
):
    """The teacher was fitted on the same corpus and split; 40 of the texts are drawn."""
    monkeypatch.setattr(
        "training.commands.distil.LinearRecipe", lambda seed: replace(quick, seed=seed)
    )
    small_model.write(tmp_path / "t")
    options = ("--texts", archive, "--unit", "paragraph", "--limit", 40, "--format", "json")
    done = run(small_csv, "--teacher", tmp_path / "t", "--output", tmp_path / "m", *options)
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["macro_f1"]) == {"student", "teacher", "labelled_only"}
    assert found["unlabelled"]["n_paragraphs"] + found["unlabelled"]["n_near_labelled"] == 40
    assert "not drawn, as the limit is 40" in done.stderr
    for axis in found["no_gain_shown"]:
        assert f"{axis}: no gain shown over the labels alone" in done.stderr
    manifest = json.loads((tmp_path / "m" / "manifest.json").read_text(encoding="utf-8"))
    teacher = json.loads((tmp_path / "t" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["training"]["teacher"]["digest"] == teacher["digest"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"--teacher": "nowhere"}, "no model here"),
        ({"--texts": "nowhere.jsonl"}, "nowhere.jsonl: does not exist"),
        ({"--texts": "nowhere"}, "nowhere: does not exist"),
        ({"--output": DEFAULT_MODEL}, "is the teacher"),
        ({"--output": "archive.jsonl"}, "is a file; expected a folder"),
        ({"corpus": "archive.jsonl"}, "column.s. missing"),
    ],
)
def test_what_is_wrong_is_said_before_any_work(
    changed, message, small_csv, archive, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    given = {"--teacher": DEFAULT_MODEL, "--texts": archive, "--output": "m", "corpus": small_csv}
    given |= changed
    corpus = given.pop("corpus")
    done = run(corpus, *[part for option in given.items() for part in option])
    assert isinstance(done.exception, InputError)
    assert not list(tmp_path.glob("m*"))
    with pytest.raises(InputError, match=message):
        raise done.exception
