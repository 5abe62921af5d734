"""Samples to label: chances that are exact, files that come back, nothing overwritten."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner

from inference import InputError, Taxonomy
from inference.records import article_records, flat, paragraph_records
from inference.tables import Ids, articles_of_rows, read_rows
from inference.writers import WRITERS
from training.archive import ScoredArchive
from training.cli import posture_train
from training.corpus import LabelledCorpus
from training.labelled_sample import LabelledSample
from training.sample import DESIGNS, draw_sample, inclusion_by_doubt
from training.sample_files import companions, read_tasks, write_sample

EXAMPLES = Path(__file__).parents[1] / "data" / "articles"
N_DRAWS = 2_000


@pytest.fixture(scope="module")
def two_axes():
    content = {
        "axis": [
            {"name": "topic", "exclusive": False, "labels": ["arms", "talks"]},
            {"name": "tone", "exclusive": True, "labels": ["calm", "sharp"]},
        ]
    }
    return Taxonomy.from_dict(content, "test")


@pytest.fixture(scope="module")
def small_archive(two_axes):
    """36 paragraphs of 9 articles; "arms" and "sharp" are rare."""
    rng = np.random.default_rng(0)
    p = np.column_stack((rng.beta(1, 6, 36), rng.random(36), np.zeros(36), rng.beta(1, 4, 36)))
    p[:, 2] = 1 - p[:, 3]
    ids = pa.array([f"p{i}" for i in range(36)])
    return ScoredArchive(two_axes, ids, np.arange(36) // 4, p, p >= 0.5, {})


@pytest.mark.parametrize("by", DESIGNS)
def test_each_paragraph_is_drawn_as_often_as_its_probability_says(small_archive, by):
    drawn = np.zeros(36)
    chance = np.full(36, np.nan)
    for seed in range(N_DRAWS):
        sample = draw_sample(small_archive, 12, by, seed)
        assert len(set(sample.rows.tolist())) == len(sample) == 12
        drawn[sample.rows] += 1
        known = chance[sample.rows]
        # A paragraph's chance is the same in every draw.
        assert np.isnan(known).sum() + (known == sample.inclusion_probability).sum() == 12
        chance[sample.rows] = sample.inclusion_probability
    assert not np.isnan(chance).any()  # none is left out
    assert ((chance > 0) & (chance <= 1)).all()
    assert chance.sum() == pytest.approx(12)
    error = np.sqrt(np.maximum(chance * (1 - chance), 1e-9) / N_DRAWS)
    assert (np.abs(drawn / N_DRAWS - chance) < 4.5 * error).all()


def test_designs_prefer_the_rare_and_the_unsure(small_archive):
    doubt = (small_archive.probabilities * (1 - small_archive.probabilities)).sum(axis=1)
    rare = small_archive.applies[:, 0]
    for by in ("score", "uncertainty"):
        rows = np.concatenate([draw_sample(small_archive, 12, by, s).rows for s in range(200)])
        assert doubt[rows].mean() > 1.05 * doubt.mean()
    rows = np.concatenate([draw_sample(small_archive, 16, "score", s).rows for s in range(200)])
    assert rare[rows].mean() > 1.3 * rare.mean()


def test_of_what_the_model_is_sure_of_two_are_drawn_at_least(two_axes):
    p = np.tile([1e-6, 1e-6, 1, 1e-6], (36, 1))
    p[30:, 0] = 0.6
    archive = ScoredArchive(two_axes, pa.array(map(str, range(36))), np.arange(36), p, p >= 0.5, {})
    assert (draw_sample(archive, 6, "score").rows < 30).sum() == 2


def test_doubt_draws_articles_apart(small_archive):
    def distinct(by):
        return np.mean(
            [len(set(draw_sample(small_archive, 9, by, s).rows // 4)) for s in range(300)]
        )

    assert distinct("uncertainty") > distinct("random")


def test_chances_stay_within_one_and_add_up():
    doubt = np.array([0.0] * 50 + [1.0] * 3)
    chance = inclusion_by_doubt(doubt, 20)
    assert chance.sum() == pytest.approx(20)
    assert chance[:50].min() > 0 and chance[50:] == pytest.approx(1)
    assert inclusion_by_doubt(np.zeros(8), 2) == pytest.approx(0.25)


def test_the_order_is_random_so_that_one_may_stop_early(small_archive):
    first = np.zeros(36)
    for seed in range(2_000):
        first[draw_sample(small_archive, 12, "random", seed).rows[0]] += 1
    assert (np.abs(first / 2_000 - 1 / 36) < 5 * np.sqrt(1 / 36 / 2_000)).all()


def test_more_than_there_are_and_unknown_designs_are_refused(small_archive):
    with pytest.raises(InputError, match="cannot draw 37 of 36 paragraph"):
        draw_sample(small_archive, 37)
    with pytest.raises(InputError, match="from . strata of scores; expected at least one of each"):
        draw_sample(small_archive, 2, "score")
    with pytest.raises(InputError, match="design 'lucky'; expected one of random"):
        draw_sample(small_archive, 2, "lucky")
    assert sorted(draw_sample(small_archive, 36, "score").rows) == list(range(36))
    assert draw_sample(small_archive, 36, "uncertainty").inclusion_probability == pytest.approx(1)


@pytest.fixture(scope="module")
def scored(scorer, tmp_path_factory):
    """The example archive, scored, as a file of each format."""
    folder = tmp_path_factory.mktemp("scored")
    source = EXAMPLES / "archive.jsonl"
    records = list(
        article_records(scorer.score_many(articles_of_rows(read_rows(source), "article", Ids())))
    )
    paths = {}
    for suffix in ("jsonl", "csv", "parquet"):
        paths[suffix] = folder / f"scored.{suffix}"
        with paths[suffix].open("wb") as file:
            WRITERS[suffix](records, file, scorer.taxonomy)
    return paths


def test_an_archive_reads_the_same_from_every_format(scored, scorer, tmp_path):
    archives = [ScoredArchive.read(path, scorer.taxonomy, ["date"]) for path in scored.values()]
    frames = (pd.read_parquet(scored["parquet"]), pd.read_csv(scored["csv"]))
    archives += [ScoredArchive.of_frame(frame, scorer.taxonomy, ["date"]) for frame in frames]
    excel = tmp_path / "excel.csv"  # what Arrow does not read is read row by row
    excel.write_text(scored["csv"].read_text(encoding="utf-8"), encoding="utf-16")
    archives.append(ScoredArchive.read(excel, scorer.taxonomy, ["date"]))
    one = archives[0]
    assert len(one) == 107 and one.n_articles == 24
    assert one.ids[3].as_py() == "merene-2024-01#3"
    for other in archives[1:]:
        assert other.ids.to_pylist() == one.ids.to_pylist()
        assert np.array_equal(other.article, one.article)
        assert other.probabilities == pytest.approx(one.probabilities)
        assert np.array_equal(other.applies, one.applies)
        assert list(other.columns["date"]) == list(one.columns["date"])


def test_numbers_that_pandas_reads_beside_empty_cells_stay_whole(scored, scorer):
    """As floats, which would be written as 2.0240118001e+10."""
    frame = pd.read_parquet(scored["parquet"]).query("record == 'paragraph'")
    numbers = np.where(np.arange(len(frame)) % 2, np.nan, 20240118001)
    archive = ScoredArchive.of_frame(frame.assign(page=numbers), scorer.taxonomy, ["page"])
    assert list(archive.columns["page"].categories) == ["20240118001"]
    assert archive.columns["page"].codes[:2].tolist() == [0, -1]


def test_paragraphs_of_a_table_keep_their_own_ids_and_dates(scorer, tmp_path):
    table = tmp_path / "rows.csv"
    table.write_text(
        "id,article_id,date,text\np1,a,2024-01-02,Le char.\np2,a,2024-01-02,Le sommet.\n"
        "p3,,2024-02-03,La frégate.\n"
    )
    path = tmp_path / "scored.jsonl"
    with path.open("wb") as file:
        articles = articles_of_rows(read_rows(table), "paragraph", Ids())
        WRITERS["jsonl"](paragraph_records(scorer.score_many(articles)), file, scorer.taxonomy)
    archive = ScoredArchive.read(path, scorer.taxonomy, ["date"])
    assert archive.ids.to_pylist() == ["p1", "p2", "p3"]
    assert archive.article.tolist() == [0, 0, 1]
    assert list(archive.columns["date"]) == ["2024-01-02", "2024-01-02", "2024-02-03"]
    tasks = read_tasks(path, archive, draw_sample(archive, 3))
    assert {task["id"]: task["preceding"] for task in tasks} == {
        "p1": "",
        "p2": "Le char.",
        "p3": "",
    }
    assert {task["date"] for task in tasks} == {"2024-01-02", "2024-02-03"}


def test_a_key_that_stands_in_some_records_only_is_a_column_with_empty_cells(scorer, tmp_path):
    """Whichever record comes first, nested or flat, and by Arrow's reader or row by row."""
    table = tmp_path / "rows.jsonl"
    rows = [
        {"id": "p1", "text": "Le char."},
        {"id": "p2", "text": "Le sommet.", "article_id": "a", "theatre": "sahel"},
        {"id": "p3", "text": "La frégate.", "article_id": "a", "date": "2024-01-02"},
    ]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    records = list(
        paragraph_records(
            scorer.score_many(articles_of_rows(read_rows(table), "paragraph", Ids())),
        )
    )
    del records[0]["record"], records[0]["index"]
    paths = [tmp_path / f"scored.{suffix}" for suffix in ("jsonl", "csv", "parquet")]
    for path in paths:
        with path.open("wb") as file:
            WRITERS[path.suffix[1:]](records, file, scorer.taxonomy)
    paths.append(tmp_path / "flat.jsonl")
    paths[-1].write_text("".join(json.dumps(flat(record)) + "\n" for record in records))
    paths.append(tmp_path / "numbers.jsonl")  # Arrow reads no number where a text is expected
    content = paths[0].read_text(encoding="utf-8")
    paths[-1].write_text(content.replace('"theatre": "sahel"', '"theatre": 7'), encoding="utf-8")
    for path in paths:
        archive = ScoredArchive.read(path, scorer.taxonomy, ["theatre", "date"])
        assert archive.article.tolist() == [0, 1, 1]
        assert list(archive.columns["theatre"].codes) == [-1, 0, -1]
        assert list(archive.columns["date"].codes) == [-1, -1, 0]
        tasks = read_tasks(path, archive, draw_sample(archive, 3))
        assert {task["id"]: task["text"] for task in tasks} == {r["id"]: r["text"] for r in rows}
        with pytest.raises(InputError, match=r"no column 'source'; found .*article_id, theatre"):
            ScoredArchive.read(path, scorer.taxonomy, ["source"])


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_scores_are_no_column_to_group_by(scored, scorer, suffix):
    for name in ("p.tone.neutral", "confidence.tone"):
        with pytest.raises(InputError, match=f"no column '{name}'; found record, id, .*; choose"):
            ScoredArchive.read(scored[suffix], scorer.taxonomy, [name])


def run(*arguments):
    return CliRunner().invoke(posture_train, ["sample", *map(str, arguments)])


def test_a_csv_to_label_comes_back(scored, scorer, tmp_path):
    output = tmp_path / "label.csv"
    assert run(scored["csv"], "--n", 30, "--by", "uncertainty", "--output", output).exit_code == 0
    table = pd.read_csv(output, keep_default_na=False, dtype=str, encoding="utf-8-sig")
    assert list(table.columns[:8]) == [
        *("id", "article_id", "index", "heading", "preceding", "text", "topics", "tone")
    ]
    assert {"date", "source", "title"} <= set(table.columns)
    assert not [name for name in table.columns if name.startswith(("p.", "confidence"))]
    assert (table[["topics", "tone"]] == "").all(axis=None)
    archive = ScoredArchive.read(scored["csv"], scorer.taxonomy)
    drawn = draw_sample(archive, 30, "uncertainty")
    assert table["inclusion_probability"].astype(float).tolist() == (
        drawn.inclusion_probability.tolist()
    )
    assert archive.rows_of(table["id"].tolist()).tolist() == drawn.rows.tolist()
    records = [json.loads(line) for line in scored["jsonl"].read_bytes().splitlines()]
    texts = {f"{r['id']}#{r['index']}": r["text"] for r in records if r["record"] == "paragraph"}
    for row in table.to_dict("records"):
        assert row["text"] == texts[row["id"]]
        before = f"{row['article_id']}#{int(row['index']) - 1}"
        assert row["preceding"] == texts.get(before, "")
    table[["topics", "tone"]] = "exercises|diplomacy", "neutral"
    table.to_csv(output, index=False)
    sample = LabelledSample.read(output, scorer.taxonomy)
    assert (sample.labels == [0, 1, 0, 1, 0, 0, 1]).all()
    assert sample.inclusion_probability.tolist() == drawn.inclusion_probability.tolist()
    # Labelled, it is a corpus to train on.
    assert len(LabelledCorpus.read(output, scorer.taxonomy)) == 30
    codebook = (tmp_path / "label-codebook.md").read_text(encoding="utf-8")
    for axis in scorer.taxonomy.axes:
        assert all(x.code in codebook and x.definition in codebook for x in axis.labels)


def test_label_studio_gets_tasks_and_an_interface(scored, scorer, tmp_path):
    output = tmp_path / "tasks.json"
    assert run(scored["parquet"], "--n", 10, "--output", output).exit_code == 0
    tasks = json.loads(output.read_text(encoding="utf-8"))
    assert len(tasks) == 10
    assert {"id", "article_id", "text", "inclusion_probability"} <= set(tasks[0]["data"])
    view = ET.parse(tmp_path / "tasks-interface.xml").getroot()
    shown = {node.get("value")[1:] for node in view.iter() if node.get("value", "")[:1] == "$"}
    assert shown <= set(tasks[0]["data"])
    for axis in scorer.taxonomy.axes:
        choices = view.find(f"Choices[@name='{axis.field}']")
        assert choices.get("choice") == ("single" if axis.exclusive else "multiple")
        assert [(c.get("value"), c.get("hint")) for c in choices] == [
            (label.code, label.definition) for label in axis.labels
        ]


def test_doccano_gets_lines_and_labels(scored, scorer, tmp_path):
    output = tmp_path / "lines.jsonl"
    assert run(scored["jsonl"], "--n", 20, "--by", "score", "--output", output).exit_code == 0
    lines = [json.loads(line) for line in output.read_bytes().splitlines()]
    assert len(lines) == 20 and all(line["label"] == [] and line["text"] for line in lines)
    labels = json.loads((tmp_path / "lines-labels.json").read_text(encoding="utf-8"))
    assert [label["text"] for label in labels] == [
        code for axis in scorer.taxonomy.axes for code in axis.codes
    ]


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl"])
def test_a_sample_of_which_labelled_rows_were_taken_out_is_refused(
    scored, scorer, tmp_path, suffix
):
    """In each format that `sample` writes, as it comes back from whoever labelled it."""
    output = tmp_path / f"drawn.{suffix}"
    assert run(scored["csv"], "--n", 30, "--output", output).exit_code == 0
    if suffix == "csv":
        rows = pd.read_csv(output, keep_default_na=False, dtype=str).to_dict("records")
        rows = [{**row, "topics": "exercises", "tone": "neutral"} for row in rows]
    elif suffix == "json":
        choice = {"type": "choices", "to_name": "text"}
        result = [
            {**choice, "from_name": axis, "value": {"choices": [code]}}
            for axis, code in (("topics", "exercises"), ("tone", "neutral"))
        ]
        tasks = json.loads(output.read_text(encoding="utf-8"))
        rows = [{**task, "annotations": [{"completed_by": 1, "result": result}]} for task in tasks]
    else:
        lines = map(json.loads, output.read_text(encoding="utf-8").splitlines())
        rows = [{**line, "label": ["exercises", "neutral"]} for line in lines]

    def read(rows):
        if suffix == "csv":
            pd.DataFrame(rows).to_csv(output, index=False)
        else:
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            output.write_text(json.dumps(rows) if suffix == "json" else lines)
        return LabelledSample.read(output, scorer.taxonomy)

    assert len(read(rows)) == 30
    with pytest.raises(InputError, match=r"5 of the draws 1 to 30 have no label.*draw 11, its row"):
        read(rows[:10] + rows[15:])


@pytest.mark.parametrize("format_", ["csv", "label-studio", "doccano"])
def test_nobodys_labels_are_overwritten(two_axes, small_archive, tmp_path, format_):
    output = tmp_path / "mine.txt"
    for path in companions(output, format_):
        path.write_text("precious")
        with pytest.raises(InputError, match="exists already and may hold somebody's labels"):
            write_sample([], output, two_axes, format_)
        assert path.read_text() == "precious"
        path.unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.rename(columns={"p.tone.neutral": "p.tone.plain"}), "missing: p.tone.neutral"),
        (lambda t: t.assign(**{"p.topic.sport": 0.1}), "scores of another taxonomy .p.topic.sport"),
        (lambda t: t.assign(tone="calm"), "tone: found the label 'calm'; expected deterrence"),
        (lambda t: t.assign(**{"p.tone.neutral": 1.5}), "has p.tone.neutral = 1.5; expected 0 to"),
        (lambda t: t.assign(**{"p.tone.neutral": None}), "has p.tone.neutral = nan; expected 0"),
        (lambda t: pd.concat([t, t.head(2)]), "2 paragraph.s. stand a second time .the first: 'm"),
        (lambda t: t[t["record"] == "article"], "found no scored paragraph"),
    ],
)
def test_a_bad_archive_is_refused(scored, scorer, tmp_path, change, message):
    path = tmp_path / "bad.parquet"
    change(pd.read_parquet(scored["parquet"])).to_parquet(path)
    with pytest.raises(InputError, match=message):
        ScoredArchive.read(path, scorer.taxonomy)


def test_a_broken_line_is_named(scored, scorer, tmp_path):
    path = tmp_path / "broken.jsonl"
    path.write_bytes(scored["jsonl"].read_bytes() + b'{"record": "paragr')
    with pytest.raises(InputError, match=r"broken.jsonl, line 132: not JSON"):
        ScoredArchive.read(path, scorer.taxonomy)
    with pytest.raises(InputError, match="found nothing; expected what posture score wrote"):
        ScoredArchive.read(tmp_path / "none.csv", scorer.taxonomy)
    with pytest.raises(InputError, match="no column 'theatre'; found record, id"):
        ScoredArchive.read(scored["csv"], scorer.taxonomy, ["theatre"])


def test_a_spreadsheets_decimal_commas_are_refused_with_what_to_do(scored, scorer, tmp_path):
    path = tmp_path / "excel.csv"
    table = pd.read_csv(scored["csv"])
    table.to_csv(path, index=False, sep=";", decimal=",")
    with pytest.raises(InputError, match=r"'0,\d+'; expected .* a decimal point; score .* again"):
        ScoredArchive.read(path, scorer.taxonomy)


def test_a_suffix_that_is_no_format_is_refused(scored, tmp_path):
    done = run(scored["csv"], "--output", tmp_path / "x.xml")
    assert "its suffix names no format; expected .csv, .json" in str(done.exception)
