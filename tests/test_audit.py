"""What audit finds of what was planted, and that corrections change what was judged alone."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from inference import InputError
from inference.tables import read_rows
from training.adjudication import apply_verdicts, write_suspects
from training.audit import _odd_words, audit
from training.commands.audit import command
from training.corpus import LabelledCorpus
from training.linear import LinearRecipe, cross_validate
from training.relabelling import relabel

CONFIG = LinearRecipe(C=(30.0,), passage_weights=(1.0,), n_folds=3, min_examples=4, n_jobs=1)
RECIPE = (
    "Faites fondre le beurre dans une casserole, ajoutez la farine tamisée et le sucre vanillé, "
    "puis incorporez les œufs battus ; enfournez, laissez tiédir et saupoudrez de cannelle."
)


@pytest.fixture(scope="module")
def planted(small_corpus):
    """Twenty wrong labels in the small corpus, a copy labelled otherwise, and a recipe."""
    rng = np.random.default_rng(7)
    labels = small_corpus.labels.copy()
    wrong = rng.choice(len(small_corpus), 20, replace=False)
    for place, row in enumerate(wrong):
        if place % 2:
            labels[row, rng.integers(4)] ^= True
        else:
            labels[row, 4:] = np.roll(labels[row, 4:], 1 + rng.integers(2))
    table = small_corpus.table
    copied = int(np.setdiff1d(np.arange(len(small_corpus)), wrong)[50])
    extra = pd.DataFrame(
        {
            "id": ["copy", "recipe"],
            "article_id": ["elsewhere", "kitchen"],
            "text": [f"{table['text'].iloc[copied]} Fin.", RECIPE],
        }
    )
    table = pd.concat([table, extra], ignore_index=True).fillna("")
    table["passage"] = table["id"].isin(["copy", "recipe"])
    other = labels[copied].copy()
    other[:4] = ~other[:4]
    none = np.eye(7, dtype=np.bool_)[6]
    labels = np.vstack([labels, other, none])
    return LabelledCorpus(small_corpus.taxonomy, table, labels), wrong, copied


@pytest.fixture(scope="module")
def found(planted):
    return audit(planted[0], CONFIG)


def test_planted_errors_are_ranked_far_above_chance(found, planted):
    """By chance it would stand at 0.5 of the list on average, with a deviation of 0.29 / √20."""
    _, wrong, _ = planted
    rank = np.argsort(np.argsort(found.self_confidence)) / len(found.corpus)
    assert rank[wrong].mean() < 0.5 - 3 * 0.29 / len(wrong) ** 0.5
    assert (rank[wrong] < 0.25).mean() > 0.5
    caught = found.contradicted.any(axis=1)
    assert caught[wrong].mean() > caught.mean() + 0.1


def test_contradictions_say_what_stands_there_and_what_the_model_says(found, planted):
    _, wrong, _ = planted
    tones = [row for row in wrong if found.contradicted[row, 4:].any()]
    assert tones
    for row in tones:
        given = found.corpus.labels[row, 4:].argmax()
        better = found.probabilities[row, 4:].argmax()
        assert given != better
        assert set(np.flatnonzero(found.contradicted[row, 4:])) == {given, better}
        code = ("deterrence", "escalation", "neutral")[given]
        assert any(f"tone: labelled {code}, which the model gives" in x for x in found.reasons(row))


def test_the_planted_copy_is_found_with_its_original_and_no_other(found, planted):
    corpus, _, copied = planted
    n = len(corpus)
    assert [pair[:2] for pair in found.copies] == [(copied, n - 2)]
    for row, twin in ((copied, "copy"), (n - 2, corpus.table["id"].iloc[copied])):
        reason = next(x for x in found.reasons(row) if "near-duplicate" in x)
        assert reason.startswith(f"near-duplicate of {twin} (")
    same = replace(corpus, labels=np.vstack([corpus.labels[:-2], corpus.labels[[copied, -1]]]))
    assert audit(same, CONFIG).copies == ()


def test_the_recipe_is_out_of_the_domain_and_few_others_are(found):
    recipe = len(found.corpus) - 1
    assert {"beurre", "farine", "cannelle"} <= set(found.odd_words[recipe])
    assert any("words stand in no other article, where" in x for x in found.reasons(recipe))
    assert len(found.odd_words) < 0.05 * len(found.corpus)


def test_a_word_of_its_own_is_nothing_odd_where_half_the_texts_have_none():
    texts = ["le char avance vers la ville sous la pluie"] * 20
    texts[:3] = [
        f"{text} {word}" for text, word in zip(texts, ("un", "deux", "trois"), strict=False)
    ]
    assert _odd_words(texts, np.arange(20))[0] == {}


def test_every_text_is_held_out_with_its_article_and_its_copies(planted, monkeypatch):
    corpus, _, copied = planted
    seen = []

    def spy(counted, labelled, folds, *rest):
        seen.append(folds)
        return cross_validate(counted, labelled, folds, *rest)

    monkeypatch.setattr("training.audit.cross_validate", spy)
    audit(corpus, CONFIG)
    (folds,) = seen
    assert folds.min() == 0 and folds.max() == 2
    assert pd.Series(folds).groupby(corpus.article_ids.astype(str)).nunique().max() == 1
    assert folds[-2] == folds[copied]


def test_the_summary_counts_what_the_rows_say(found):
    counts = found.to_dict()
    assert json.loads(json.dumps(counts, allow_nan=False)) == counts
    assert counts["n_suspects"] == len(found.suspects())
    assert counts["n_unequal_copies"] == 2
    names = found.corpus.taxonomy.column_names
    for column, name in enumerate(names):
        axis, code = name.split(".")
        one = found.labels[axis][code]
        given, doubt = found.corpus.labels[:, column], found.contradicted[:, column]
        assert (one.n_with, one.n_doubted) == (given.sum(), (given & doubt).sum())
        assert one.n_missed == (~given & doubt).sum()
        assert 0 <= one.wrong_share <= 1 and 0 <= one.missed_share <= 1


def test_too_few_examples_are_named(small_corpus):
    few = small_corpus.where(np.arange(len(small_corpus)) < 6)
    with pytest.raises(InputError, match="too few examples to learn from among 6 training texts"):
        audit(few, CONFIG)


# The round trip.


@pytest.fixture
def folder(found, tmp_path):
    """The planted corpus as a folder, with columns and a file that audit knows nothing of."""
    path = tmp_path / "corpus"
    path.mkdir()
    corpus = found.corpus
    cells = labelled_cells(corpus)
    passage = corpus.table["passage"].to_numpy(bool)
    for name, rows in (("paragraphs", ~passage), ("passages", passage)):
        frame = corpus.table.loc[rows, ["id", "article_id", "heading", "text"]]
        frame = frame.assign(**{k: v[rows] for k, v in cells.items()}, note="à, « garder »")
        frame.to_csv(path / f"{name}.csv", index=False, lineterminator="\n")
    (path / "annotations.csv").write_text("id,annotator\n", encoding="utf-8")
    return path


def labelled_cells(corpus):
    names = np.array([name.split(".")[1] for name in corpus.taxonomy.column_names])
    joined = [["|".join(names[:4][row[:4]]), names[4:][row[4:]][0]] for row in corpus.labels]
    return dict(zip(("topics", "tone"), np.array(joined, object).T, strict=True))


def fill(path, **new):
    """Write verdicts into the audit's table: id → {column: cell}."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert set(new) <= {row["id"] for row in rows}
    for row in rows:
        row.update(new.get(row["id"], {}))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_the_table_to_fill_in(found, tmp_path):
    path = tmp_path / "audit.csv"
    write_suspects(found, path)
    table = pd.read_csv(path, keep_default_na=False)
    assert list(table) == [
        *("id", "article_id", "text", "heading", "topics", "tone", "model_topics", "model_tone"),
        *("self_confidence", "reasons", "new_topics", "new_tone"),
    ]
    assert list(table["id"]) == [found.corpus.table["id"].iloc[row] for row in found.suspects()]
    assert table["self_confidence"].is_monotonic_increasing
    assert (table["reasons"] != "").all()
    assert (table[["new_topics", "new_tone"]] == "").all(axis=None)


def test_nobodys_verdicts_or_corpus_are_overwritten(found, folder, tmp_path):
    """Not by the function, nor by the command, which refuses before it begins."""
    verdicts = tmp_path / "audit.csv"
    write_suspects(found, verdicts)
    message = "exists already and may hold somebody's labels; expected a new name"
    for path in (verdicts, folder / "paragraphs.csv"):
        before = path.read_bytes()
        with pytest.raises(InputError, match=message):
            write_suspects(found, path)
        done = CliRunner().invoke(command, [str(folder), "--output", str(path)])
        assert isinstance(done.exception, InputError)
        assert message in str(done.exception) and done.stderr == ""
        assert path.read_bytes() == before


def test_a_folder_comes_back_with_the_judged_cells_and_no_other(found, folder, tmp_path):
    verdicts, corrected = tmp_path / "audit.csv", tmp_path / "corrected"
    write_suspects(found, verdicts)
    corpus = found.corpus
    topic, tone = (
        next(
            corpus.table["id"].iloc[row]
            for row in found.suspects()
            if found.contradicted[row, columns].any() and not corpus.table["passage"].iloc[row]
        )
        for columns in (slice(4), slice(4, 7))
    )
    before = {name: (folder / name).read_bytes() for name in ("paragraphs.csv", "passages.csv")}
    new = {topic: {"new_topics": "-"}, "copy": {"new_topics": "diplomacy|exercises"}}
    new.setdefault(tone, {})["new_tone"] = "escalation"
    fill(verdicts, **new)
    counts = apply_verdicts(verdicts, folder, corrected, corpus.taxonomy)
    assert {p.name for p in corrected.iterdir()} == {p.name for p in folder.iterdir()}
    n_changed = 0
    for name, content in before.items():
        frame = pd.read_csv(folder / name, keep_default_na=False)
        for identifier, cells in new.items():
            row = frame["id"] == identifier
            for column, cell in cells.items():
                value = {"-": "", "diplomacy|exercises": "exercises|diplomacy"}.get(cell, cell)
                n_changed += int((frame.loc[row, column[4:]] != value).sum())
                frame.loc[row, column[4:]] = value
        read = pd.read_csv(corrected / name, keep_default_na=False)
        pd.testing.assert_frame_equal(read, frame)
        assert (folder / name).read_bytes() == content
    assert n_changed >= 2
    assert counts["texts"] <= len(new)
    # A second time nothing is left to change.
    again = apply_verdicts(verdicts, corrected, tmp_path / "again", corpus.taxonomy)
    assert again == {"texts": 0}
    assert (tmp_path / "again/paragraphs.csv").read_bytes() == (
        corrected / "paragraphs.csv"
    ).read_bytes()


VERDICTS = (
    "id,text,topics,tone,new_topics,new_tone\n"
    "row 1,un,resources,neutral,,\n"
    "row 2,deux,,neutral,exercises|resources,deterrence\n"
)


def table_of(kind, path):
    texts, topics, tones = ["un", "deux"], [["resources"], []], ["neutral", "neutral"]
    if kind == "0/1":
        codes = ("defence_industry", "exercises", "resources", "diplomacy")
        wide = [[int(code in own) for code in codes] for own in topics]
        frame = pd.DataFrame(wide, columns=codes).assign(article_id="a", text=texts, tone=tones)
        frame.to_csv(path, index=False)
        return
    frame = pd.DataFrame({"article_id": "a", "text": texts, "topics": topics, "tone": tones})
    frame["n"] = [1, 2]
    if kind == "jsonl":
        lines = [json.dumps(row, ensure_ascii=False) for row in frame.to_dict("records")]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    elif kind == "parquet":
        frame.to_parquet(path)
    else:
        frame["topics"] = frame["topics"].map("|".join)
        frame.to_csv(path, index=False, sep=";", lineterminator="\r\n", encoding="utf-8-sig")


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "excel", "0/1"])
def test_each_kind_of_table_keeps_its_form(kind, taxonomy, tmp_path):
    suffix = {"excel": "csv", "0/1": "csv"}.get(kind, kind)
    path, output = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    table_of(kind, path)
    (tmp_path / "audit.csv").write_text(VERDICTS, encoding="utf-8")
    counts = apply_verdicts(tmp_path / "audit.csv", path, output, taxonomy)
    assert counts == {
        "texts": 1,
        "+topic.exercises": 1,
        "+topic.resources": 1,
        "-tone.neutral": 1,
        "+tone.deterrence": 1,
    }
    old, new = path.read_bytes(), output.read_bytes()
    assert LabelledCorpus.read(output, taxonomy).labels.sum(axis=0).tolist() == [
        *(0, 1, 2, 0),
        *(1, 0, 1),
    ]
    if kind == "parquet":
        before, after = pd.read_parquet(path), pd.read_parquet(output)
        assert before.dtypes.equals(after.dtypes)
        assert after["topics"].iloc[1].tolist() == ["exercises", "resources"]
        assert after.drop(columns=["topics", "tone"]).equals(
            before.drop(columns=["topics", "tone"])
        )
    elif kind == "jsonl":
        assert new.splitlines()[0] == old.splitlines()[0]
        assert json.loads(new.splitlines()[1])["topics"] == ["exercises", "resources"]
    elif kind == "excel":
        assert new == old.replace(b"deux;;neutral", b"deux;exercises|resources;deterrence")
        assert new.startswith(b"\xef\xbb\xbf") and new.count(b"\r\n") == 3
    else:
        assert new == old.replace(b"0,0,0,0,a,deux,neutral", b"0,1,1,0,a,deux,deterrence")


def corrected_cells(column, cells, kind, suffix, taxonomy, tmp_path):
    """The two cells of a column of labels once « exercises » is filled in in the second row."""
    columns = {"article_id": ["a", "a"], "text": ["un", "deux"], "tone": ["neutral"] * 2}
    if column == "exercises":
        columns |= {code: [0, 0] for code in ("defence_industry", "resources", "diplomacy")}
    path, output = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    table = pa.table({**columns, column: pa.array(cells, kind)})
    if suffix == "parquet":
        pq.write_table(table, path)
    elif suffix == "csv":
        table.to_pandas().to_csv(path, index=False)
    else:
        path.write_text("\n".join(map(json.dumps, table.to_pylist())) + "\n", encoding="utf-8")
    verdicts = tmp_path / "audit.csv"
    verdicts.write_text(f"{VERDICTS.splitlines()[0]}\nrow 2,deux,,neutral,exercises,\n")
    counts = apply_verdicts(verdicts, path, output, taxonomy)
    assert counts == {"texts": 1, "+topic.exercises": 1}
    labels = LabelledCorpus.read(output, taxonomy).labels
    assert labels[1].tolist() == [False, True, False, False, False, False, True]
    return [row.values[column] for row in read_rows(output)]


@pytest.mark.parametrize(
    ("column", "cells", "kind", "filled"),
    [
        ("topics", [["resources"], None], pa.list_(pa.string()), ["exercises"]),
        ("topics", [None, None], pa.list_(pa.string()), ["exercises"]),
        ("topics", [None, None], pa.null(), "exercises"),
        ("exercises", [0, None], pa.int8(), 1),
        ("exercises", [0.0, np.nan], pa.float32(), 1.0),
        ("exercises", [None, None], pa.float64(), 1.0),
        ("exercises", [False, None], pa.bool_(), True),
        ("exercises", [None, None], pa.bool_(), True),
        ("exercises", ["false", ""], pa.string(), "true"),
        ("exercises", [None, None], pa.string(), "1"),
        ("exercises", [None, None], pa.null(), 1),
    ],
)
@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_an_empty_cell_is_filled_in_as_its_column_is_written(
    column, cells, kind, filled, suffix, taxonomy, tmp_path
):
    """JSON Lines has no types: where nothing else is in the column, it is a|b, or a number."""
    first, second = corrected_cells(column, cells, kind, suffix, taxonomy, tmp_path)
    assert first == cells[0]
    if suffix == "jsonl" and cells == [None, None]:
        filled = {"topics": "exercises", "exercises": 1}[column]
    assert (second, type(second)) == (filled, type(filled))


def test_zeros_and_ones_in_csv_keep_the_spelling_of_their_column(taxonomy, tmp_path):
    for cells, filled in (
        (["FALSE", ""], ["FALSE", "TRUE"]),
        (["False", "fAlse"], ["False", "1"]),
        ([0.0, None], ["0.0", "1.0"]),
        ([None, None], ["", "1"]),
    ):
        found = corrected_cells("exercises", cells, None, "csv", taxonomy, tmp_path)
        assert found == filled


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("deterrence", "angry"), r"line 3: new_tone: unknown label 'angry'; expected deterrence"),
        (("deterrence", "-"), r"line 3: new_tone: found none; expected exactly one of"),
        (("row 2", "row 9"), r"line 3: id 'row 9' is not in the corpus"),
        (("deux", "trois"), r"line 3: id 'row 2' has another text in the corpus"),
        (
            ("deux,,neutral", "deux,diplomacy,neutral"),
            r"line 3: id 'row 2' has the topic none in the corpus, and diplomacy here; audit",
        ),
        (("new_topics", "topics_new"), r"line 2: column\(s\) missing: new_topics; found: id, text"),
    ],
)
def test_verdicts_that_do_not_fit_are_named(change, message, taxonomy, tmp_path):
    table_of("jsonl", tmp_path / "a.jsonl")
    (tmp_path / "audit.csv").write_text(VERDICTS.replace(*change), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        apply_verdicts(tmp_path / "audit.csv", tmp_path / "a.jsonl", tmp_path / "b.jsonl", taxonomy)
    assert not (tmp_path / "b.jsonl").exists()


def test_nothing_is_written_over_what_is_read(folder, taxonomy, tmp_path):
    table_of("jsonl", tmp_path / "a.jsonl")
    verdicts = tmp_path / "audit.csv"
    verdicts.write_text(VERDICTS, encoding="utf-8")
    for corpus, output, message in (
        ("a.jsonl", "a.jsonl", r"a.jsonl: is what is read; expected a new name"),
        ("a.jsonl", "b.csv", r"b.csv: expected a .jsonl file, as the corpus is one"),
        ("corpus", "corpus", r"corpus: is what is read"),
        ("corpus", "full", r"full: already exists; expected a new folder"),
        ("full", "new", r"full: found no paragraphs.csv"),
        ("export.json", "new.json", r"export.json: expected a table \(.csv, .jsonl, .parquet\)"),
    ):
        (tmp_path / "full").mkdir(exist_ok=True)
        with pytest.raises(InputError, match=message):
            apply_verdicts(verdicts, tmp_path / corpus, tmp_path / output, taxonomy)


def test_the_command_applies_and_says_what_changed(tmp_path):
    table_of("jsonl", tmp_path / "a.jsonl")
    (tmp_path / "audit.csv").write_text(VERDICTS, encoding="utf-8")
    paths = [str(tmp_path / name) for name in ("a.jsonl", "audit.csv", "b.jsonl")]
    done = CliRunner().invoke(command, [paths[0], "--apply", paths[1], "--output", paths[2]])
    assert done.exit_code == 0
    assert done.stdout == ""
    assert "1 text(s) with other labels than before (+tone.deterrence 1, +topic.ex" in done.stderr


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_a_corpus_in_another_encoding_is_written_as_utf_8_as_the_help_says(encoding, tmp_path):
    path, output, verdicts = (tmp_path / name for name in ("a.csv", "b.csv", "audit.csv"))
    header, _, second = VERDICTS.splitlines()
    verdicts.write_text(f"{header}\n{second.replace('deux', 'été « deux »')}\n", encoding="utf-8")
    table = "article_id;text;topics;tone\na;un;;neutral\na;été « deux »;{};{}\n"
    path.write_text(table.format("", "neutral"), encoding=encoding)
    arguments = [str(path), "--apply", str(verdicts), "--output", str(output)]
    assert CliRunner().invoke(command, arguments).exit_code == 0
    assert output.read_bytes().decode() == table.format("exercises|resources", "deterrence")
    shown = " ".join(CliRunner().invoke(command, ["--help"]).stdout.split())
    assert "a CSV in another encoding is written as UTF-8" in shown


def test_the_command_refuses_at_once_what_it_could_not_write(tmp_path):
    table_of("jsonl", tmp_path / "a.jsonl")
    for output, message in (
        ("a.txt", "expected a new .csv file for the suspects"),
        ("none/audit.csv", "its folder does not exist"),
    ):
        arguments = [str(tmp_path / "a.jsonl"), "--output", str(tmp_path / output)]
        done = CliRunner().invoke(command, arguments)
        assert isinstance(done.exception, InputError)
        assert message in str(done.exception)


def test_a_corrected_table_keeps_its_separator_whatever_its_names_hold(taxonomy, tmp_path):
    path = tmp_path / "labelled.csv"
    path.write_text('"a,b,c";text;topics;tone\n1;Un texte.;;neutral\n', encoding="utf-8")
    written = io.BytesIO()
    relabel(path, {0: {"topic": ["exercises"]}}, taxonomy, written)
    assert written.getvalue().decode() == "a,b,c;text;topics;tone\n1;Un texte.;exercises;neutral\n"
