"""`posture` and `posture-train` as a person runs them: real processes, files and pipes."""

import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from inference.inputs import read_articles
from training.cli import posture_train

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
ARTICLES = ROOT / "data" / "articles"
CORPUS = ROOT / "data" / "corpus"


def run(*arguments, data=None, command="posture"):
    return subprocess.run(
        [BIN / command, *map(str, arguments)],
        input=data,
        capture_output=True,
        check=False,
        env={**os.environ, "COLUMNS": "120"},
    )


def score(*arguments, data=None):
    done = run("score", *arguments, data=data)
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def refused(*arguments, data=None, command="posture"):
    """The one line on standard error of a refusal: exit code 2, nothing on standard output."""
    done = run(*arguments, data=data, command=command)
    assert done.returncode == 2
    assert done.stdout == b""
    message = done.stderr.decode()
    assert message.count("\n") == 1
    return message


@pytest.mark.parametrize(
    ("name", "n_paragraphs"), [("detroit.txt", 12), ("munitions.html", 9), ("conseil.md", 7)]
)
def test_each_kind_of_article_is_scored(name, n_paragraphs):
    *paragraphs, article = score(ARTICLES / name)
    assert [p["record"] for p in paragraphs] == ["paragraph"] * n_paragraphs
    assert [p["index"] for p in paragraphs] == list(range(n_paragraphs))
    assert article["record"] == "article" and article["id"] == Path(name).stem
    assert article["title"] and article["summary"]["n_paragraphs"] == n_paragraphs


def test_a_page_gives_its_title_date_and_source():
    article = score(ARTICLES / "munitions.html")[-1]
    assert re.fullmatch(r"2025-\d\d-\d\d", article["date"][:10])
    assert article["source"]


def test_a_folder_and_a_table_are_scored():
    records = score(ARTICLES)
    assert {r["id"] for r in records} == {"detroit", "munitions", "conseil"}
    records = score(ARTICLES / "archive.jsonl")
    assert sum(r["record"] == "article" for r in records) == 24


def test_standard_input_is_text_jsonl_or_csv():
    text = (ARTICLES / "detroit.txt").read_bytes()
    assert len(score("-", data=text)) == 13
    rows = (ARTICLES / "archive.jsonl").read_bytes()
    assert sum(r["record"] == "article" for r in score("-", data=rows)) == 24
    table = b'id,"text"\n1,Le char.\n2,Le sommet.\n'
    assert [r["id"] for r in score("-", "--unit", "paragraph", data=table)] == ["1", "2"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"ID;Text\n1;T\n", "line 2: expected a column 'text' with a text; found the columns 'ID'"),
        (b'[\n{"id":1,"text":"T"}\n]\n', "expected one JSON object a line, as jq -c '.[]' makes"),
        (b'[{"id":1,"text":"T"}]', "found list; expected one JSON object a line, as jq -c '.[]'"),
        ('{"text":"T"}\n'.encode("utf-16"), "line 1: not JSON in UTF-8"),
    ],
)
def test_a_table_on_standard_input_is_never_taken_for_a_text(data, message):
    assert message in refused("score", "-", data=data)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_a_table_on_standard_input_may_have_any_encoding_that_a_file_may_have(encoding):
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    data = f"{mark}id;text\r\n1;Le char é.\r\n".encode(encoding)
    assert [r["text"] for r in score("-", "--unit", "paragraph", data=data)] == ["Le char é."]


def test_the_first_line_of_standard_input_is_waited_for(monkeypatch):
    class Pieces(io.RawIOBase):
        """A pipe that brings three bytes at a time."""

        def __init__(self, data):
            self.data = io.BytesIO(data)

        def readable(self):
            return True

        def readinto(self, buffer):
            piece = self.data.read(min(3, len(buffer)))
            buffer[: len(piece)] = piece
            return len(piece)

    def read(data, unit):
        piped = io.TextIOWrapper(io.BufferedReader(Pieces(data)))
        monkeypatch.setattr(sys, "stdin", piped)
        return [a.text for a in read_articles([Path("-")], unit)]

    assert read(b'\n\ntext\n"T"\nU\n', "article") == ["T", "U"]
    assert read(b'\xef\xbb\xbf  {"text": "T"}\n{"text": "U"}\n', "paragraph") == ["T", "U"]
    assert read(b"\n[Archives] Un texte, deux lignes.\nLa fin.", "article") == [
        "\n[Archives] Un texte, deux lignes.\nLa fin."
    ]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_output_files_by_their_suffix(tmp_path, suffix):
    output = tmp_path / f"scored.{suffix}"
    done = run("score", ARTICLES / "archive.jsonl", "--output", output)
    assert (done.returncode, done.stdout) == (0, b"")
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet}.get(
        suffix, lambda p: pd.read_json(p, lines=True)
    )
    assert (read(output)["record"] == "article").sum() == 24
    assert [p.name for p in tmp_path.iterdir()] == [output.name]


def test_the_table_for_people_shows_labels_confidence_and_summary():
    done = run("score", "--format", "table", ARTICLES / "detroit.txt")
    text = done.stdout.decode()
    assert "Summary of 12 paragraphs" in text
    for word in ("topics", "tone", "%", "neutral", "Defence industry"):
        assert word in text


def test_min_confidence_makes_the_model_abstain():
    records = score("--min-confidence", "1", ARTICLES / "detroit.txt")
    assert records[0]["abstained"] == ["topic", "tone"]
    assert records[0]["topics"] == [] and records[0]["tone"] is None
    assert records[-1]["summary"]["abstained"] == {"topic": 12, "tone": 12}


def test_a_text_that_is_not_french_is_scored_with_a_warning(tmp_path):
    path = tmp_path / "english.txt"
    path.write_text("The ministers met on Tuesday to discuss the fleet and its new ships in port.")
    done = run("score", path)
    assert done.returncode == 0
    assert (
        "1 of 1 text(s) do not look French (1 en; the first is 'english')" in done.stderr.decode()
    )
    assert b"do not look French" not in run("score", ARTICLES / "conseil.md").stderr


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.txt", None, "none.txt"),
        ("empty.txt", b"", "found no text, expected an article"),
        ("blank.txt", b" \n\t\n", "found no text, expected an article"),
        ("binary.txt", bytes(range(256)) * 9, "binary data"),
        ("koi8.txt", "Это не французский текст".encode("koi8-r") * 9, "unknown encoding"),
        ("a.docx", b"PK\x03\x04", "a.docx"),
        ("bad.jsonl", b'{"text": ', "bad.jsonl, line 1: not JSON in UTF-8"),
        ("no.csv", b"id,body\n1,x\n", "expected a column 'text'"),
        ("twice.csv", b"id,text\n1,x\n1,y\n", "id '1' stands a second time"),
        ("bad.parquet", b"nonsense", "not a Parquet table"),
        ("nothing.html", b"<html><body></body></html>", "nothing.html"),
    ],
)
def test_bad_input_ends_with_one_clear_line(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    found = refused("score", path)
    assert found.startswith("posture: ")
    assert message in found and name in found


def test_a_folder_without_articles_is_refused(tmp_path):
    (tmp_path / "notes.odt").write_bytes(b"x")
    assert str(tmp_path) in refused("score", tmp_path)


def test_a_bad_row_late_in_a_table_leaves_no_half_written_file(tmp_path):
    path, output = tmp_path / "t.jsonl", tmp_path / "out.csv"
    path.write_text('{"text": "Un char."}\n' * 3_000 + "oops\n", encoding="utf-8")
    output.write_text("precious")
    assert "line 3001: not JSON" in refused("score", path, "--output", output)
    assert output.read_text() == "precious"
    assert {p.name for p in tmp_path.iterdir()} == {"t.jsonl", "out.csv"}


def test_output_that_cannot_be_written_is_refused(tmp_path):
    message = refused("score", ARTICLES / "conseil.md", "--output", tmp_path / "no" / "x.csv")
    assert "cannot be written (No such file or directory); nothing was changed" in message
    assert "names no format" in refused("score", ARTICLES / "conseil.md", "--output", "x.xml")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the always full device")
def test_a_full_disk_ends_with_one_clear_line():
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [BIN / "posture", "score", ARTICLES / "archive.jsonl"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 2
    assert b"standard output: cannot be written (No space left on device)" in done.stderr


@pytest.fixture
def findings(small_csv, tmp_path):
    """Commands of `posture-train` that print what they find, each with all that it needs."""
    judged = tmp_path / "judged.csv"
    rows = [
        f"a:{i},{who},,{'neutral' if i % 3 else 'escalation'}" for i in range(9) for who in "AB"
    ]
    judged.write_text("\n".join(["id,annotator,topics,tone", *rows]))
    rows = [f"{i},a{i},Un char numéro {i}." for i in range(9)]
    (tmp_path / "rows.csv").write_text("\n".join(["id,article_id,text", *rows]))
    scored, labelled = tmp_path / "scored.csv", tmp_path / "drawn.csv"
    run("score", tmp_path / "rows.csv", "--unit", "paragraph", "--output", scored)
    rows = [f"{i},,neutral,1" for i in range(9)]
    labelled.write_text("\n".join(["id,topics,tone,inclusion_probability", *rows]))
    evaluate = ("evaluate", "default", small_csv, "--no-robustness", "--format")
    return [
        ("agreement", judged, "--format", "json"),
        ("agreement", judged, "--format", "table"),
        ("compare", "default", "default", small_csv, "--format", "json"),
        ("compare", "default", "default", small_csv, "--format", "table"),
        *(("estimate", scored, labelled, "--format", name) for name in ("json", "csv", "table")),
        *((*evaluate, name) for name in ("json", "html", "table")),
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the always full device")
def test_what_is_found_and_cannot_be_printed_ends_with_one_clear_line(findings):
    """On a full disk, or on a standard output that is closed."""
    for redirection, message in (
        (">/dev/full", "standard output: cannot be written (No space left on device)"),
        (">&-", "standard output: is closed"),
    ):
        for arguments in findings:
            command = shlex.join([str(BIN / "posture-train"), *map(str, arguments)])
            done = subprocess.run(
                f"{command} {redirection}", shell=True, capture_output=True, check=False
            )
            assert done.returncode == 2, arguments
            *_, last = done.stderr.decode().splitlines()
            assert last.startswith(f"posture-train: {message}") and b"Traceback" not in done.stderr


def test_a_command_that_is_told_to_stop_cleans_up(tmp_path):
    """By SIGTERM, as a scheduler does it."""
    code = (
        "import click, os, signal, sys, time\n"
        "from inference.cli import run\n"
        "@click.command()\n"
        "def command():\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        time.sleep(60)\n"
        "    finally:\n"
        "        print('cleaned up')\n"
        "run(command, 'posture')\n"
    )
    done = subprocess.run([BIN / "python", "-c", code], capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stdout == b"cleaned up\n" and done.stderr.strip() == b"Aborted!"


def test_standard_output_that_is_closed_is_refused():
    done = subprocess.run(
        f"'{BIN / 'posture'}' score '{ARTICLES / 'conseil.md'}' >&-",
        shell=True,
        stderr=subprocess.PIPE,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"posture: standard output: is closed; expected")


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="needs standard output's own name")
def test_an_output_may_be_a_pipe_by_the_name_of_standard_output():
    records = score(ARTICLES / "conseil.md", "--output", "/dev/stdout", "--format", "jsonl")
    assert len(records) == 8


def test_an_output_that_is_a_link_to_itself_is_refused(tmp_path):
    link = tmp_path / "link.csv"
    link.symlink_to("link.csv")
    message = refused("score", ARTICLES / "conseil.md", "--output", link)
    assert "link.csv: cannot be written (Too many levels of symbolic links)" in message
    assert link.is_symlink()


@pytest.mark.parametrize("to", ["", "--output /dev/stdout --format jsonl"])
def test_a_reader_that_stops_early_is_no_error(to):
    done = subprocess.run(
        f"'{BIN / 'posture'}' score '{ARTICLES / 'archive.jsonl'}' {to} | head -n 1",
        shell=True,
        capture_output=True,
        check=False,
    )
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


def test_fit_then_score_on_ones_own_csv(small_csv, tmp_path):
    """The five-minute road: a CSV, a folder, a scored article."""
    folder = tmp_path / "model"
    done = run("fit", small_csv, "--output", folder, "--format", "table", command="posture-train")
    assert done.returncode == 0, done.stderr.decode()
    told = done.stderr.decode()
    assert "holding out" in told and "cross-validating" in told and "<- chosen" in told
    table = done.stdout.decode()
    for word in ("F1", "95\xa0% interval", "majority", "tfidf", "topic, macro", "neutral"):
        assert word in table
    # A measured zero: the linear model does not see which state is named.
    assert "with the countries exchanged: topic 0.000, tone 0.000" in table
    *paragraphs, _ = score("--model", folder, ARTICLES / "conseil.md")
    assert len(paragraphs) == 7
    evaluated = run("evaluate", folder, small_csv, command="posture-train")
    assert evaluated.returncode == 0, evaluated.stderr.decode()
    report = json.loads(evaluated.stdout)
    # The table has no split: those that fit held out are measured, and no other.
    assert report["design"]["sentence"] == "the articles that fit held out of this corpus"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert report["systems"] == manifest["scores"]


def test_fit_says_scores_and_flips_as_json(small_csv, small_model, tmp_path, monkeypatch):
    monkeypatch.setattr("training.commands.fit.fit", lambda *_, **__: small_model)
    done = CliRunner().invoke(
        posture_train, ["fit", str(small_csv), "--output", str(tmp_path / "m")]
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert list(found["systems"]) == ["model", "majority", "tfidf"]
    assert found["robustness"]["countries exchanged"]["axes"]["tone"]["value"] == 0


def test_bad_corpora_and_models_are_refused(tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("article_id,text,topics,tone\na,x,sport,calm\n")
    output = tmp_path / "model"
    message = refused("fit", bad, "--output", output, command="posture-train")
    assert "unknown label 'sport'" in message and "unknown label 'calm'" in message
    assert not output.exists()
    few = tmp_path / "few.csv"
    few.write_text("article_id,text,topics,tone\n" + "a,Un char.,exercises,neutral\n" * 20)
    assert "found 1 article(s)" in refused("fit", few, "--output", output, command="posture-train")
    assert "no model here" in refused("score", "--model", tmp_path, ARTICLES / "conseil.md")


def test_evaluate_refuses_what_it_cannot_measure(small_csv, tmp_path):
    def told(*arguments):
        return refused("evaluate", "default", small_csv, *arguments, command="posture-train")

    assert "--cv and --time: expected one design at a time" in told("--cv", "3", "--time")
    assert "no row marked test" in told("--split", "test")
    assert "--encoder is for a refit" in told("--encoder", "almanach/camembert-base")
    assert "no column date or year" in told("--time")
    assert "no column 'source'" in told("--leave-out", "source")
    assert "no column ''; found id, article_id" in told("--leave-out", "")
    assert "--cv and --leave-out: expected one design" in told("--cv", "3", "--leave-out", "")
    (tmp_path / "taken").write_text("x")
    assert "is a file; expected a folder" in told("--figures", tmp_path / "taken")
    assert "column(s) missing: annotator, id" in told("--annotations", small_csv)


def test_compare_says_that_a_model_is_not_better_than_itself(small_csv):
    arguments = ("compare", "default", "default", small_csv)
    done = run(*arguments, command="posture-train")
    assert json.loads(done.stdout)["macro_f1"]["topic"]["better"] is None
    table = run(*arguments, "--format", "table", command="posture-train").stdout.decode()
    assert "topic, macro-F1: no difference shown" in table
    # Nothing is marked test, and the default model was not fitted on this table.
    assert "If the model was fitted on these articles, its figures flatter" in table


def test_evaluate_writes_a_page(small_csv):
    done = run("evaluate", "default", small_csv, "--format", "html", command="posture-train")
    assert done.stdout.startswith(b"<!doctype html>") and done.stdout.endswith(b"</html>\n")


def test_help_names_every_option():
    text = run("score", "--help").stdout.decode()
    for option in ("--model", "--unit", "--format", "--output", "--min-confidence"):
        assert option in text


def test_files_of_one_name_in_two_folders_keep_apart(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.txt").write_text(f"Le char {name} avance vers la ville.\n")
    assert [r["id"] for r in score(tmp_path) if r["record"] == "article"] == ["a/x", "b/x"]
    found = refused("score", tmp_path / "a" / "x.txt", tmp_path / "b" / "x.txt")
    assert "id 'x' stands a second time with another text" in found
    assert "rename one of the files, or give the folder above both" in found


def test_paragraph_unit_is_for_tables():
    found = refused("score", "--unit", "paragraph", ARTICLES / "detroit.txt")
    assert "is an article; --unit paragraph is for tables" in found


def test_a_page_on_standard_input_is_read_as_a_page():
    page = (ARTICLES / "munitions.html").read_bytes()
    assert len(score("-", data=page)) == 10


def test_an_output_keeps_its_mode_and_its_link(tmp_path):
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to(real)
    assert run("score", ARTICLES / "conseil.md", "--output", link).returncode == 0
    assert link.is_symlink()
    assert real.read_text().startswith("record,")
    assert real.stat().st_mode & 0o777 == 0o600


def test_rows_of_one_article_that_stand_apart_are_told(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("id,article_id,text\n1,a,Un char.\n2,b,Un sommet.\n3,a,Un obus.\n")
    done = run("score", "--unit", "paragraph", path)
    assert done.returncode == 0
    assert "stand apart in 1 place(s)" in done.stderr.decode()


def test_an_article_id_of_any_kind_names_its_article(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text":"Un char.","article_id":["x"]}\n' * 2)
    records = score("--unit", "paragraph", path)
    assert [r["id"] for r in records if r["record"] == "article"] == [["x"]]


@pytest.mark.parametrize("format_", ["table", "jsonl", "csv", "parquet"])
def test_what_is_no_unicode_is_written_as_a_question_mark(tmp_path, format_):
    path = tmp_path / os.fsdecode(b"caf\xe9.txt")
    path.write_text("Un char avance.", encoding="utf-8")
    table = tmp_path / "t.jsonl"
    table.write_text('{"text": "Un char.", "title": "Un \\ud800", "c\\ud800": 1}')
    for one, title in ((path, b"caf?"), (table, b"Un ?")):
        done = run("score", one, "--format", format_)
        assert done.returncode == 0, done.stderr.decode()
        assert title in done.stdout
    assert run("explain", path, "--format", "text").stdout.startswith(b"caf?")


def test_every_figure_can_be_read_on_a_narrow_terminal():
    done = subprocess.run(
        [BIN / "posture-train", "evaluate", "default", CORPUS, "--format", "table"],
        capture_output=True,
        check=True,
        env={**os.environ, "COLUMNS": "80"},
    )
    text = done.stdout.decode()
    for word in ("defence_industry", "deterrence", "topic, macro", "annotators", "PR-AUC", "AURC"):
        assert word in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_name_that_is_too_long_for_a_file_is_refused():
    assert "cannot be read (File name too long)" in refused("score", "a" * 300)


def test_an_output_never_replaces_an_input(tmp_path):
    table, text, link = (tmp_path / name for name in ("t.jsonl", "a.txt", "link.jsonl"))
    table.write_text('{"text": "Un char."}\n')
    text.write_text("Un char avance vers la ville.\n")
    link.symlink_to(table)
    before = table.read_text(), text.read_text()
    for arguments in (
        (table, "--output", table),
        (table, "--output", link),
        (link, "--output", table),
        (tmp_path, "--output", text, "--format", "jsonl"),
    ):
        assert "is a file that is read, and the results would" in refused("score", *arguments)
    with table.open("rb") as stdin:
        done = subprocess.run(
            [BIN / "posture", "score", "-", "--output", table], stdin=stdin, check=False
        )
    assert done.returncode == 2
    assert (table.read_text(), text.read_text()) == before
    # A table in the folder is none of the articles that are read.
    assert run("score", tmp_path, "--output", table).returncode == 0
