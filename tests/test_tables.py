"""Tables in and records out."""

import csv
import io
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inference import Article, InputError, load
from inference.records import article_records, flat, paragraph_records
from inference.tables import Ids, Row, articles_of_rows, read_rows
from inference.writers import WRITERS

TEXT = "Le sommet s'est tenu.\n\nLa frégate a été livrée."


def articles(path, unit="article"):
    return list(articles_of_rows(read_rows(path), unit, Ids()))


def test_a_row_is_an_article_with_its_fields_and_the_rest_in_extra(tmp_path):
    path = tmp_path / "t.jsonl"
    row = {
        "id": 7,
        "text": TEXT,
        "title": "T",
        "date": "2024-01-02",
        "source": "S",
        "url": "https://example.org",
        "author": "A",
        "rank": 3,
    }
    path.write_text(json.dumps(row) + "\n\n", encoding="utf-8")
    (article,) = articles(path)
    assert (article.id, article.title, article.date) == ("7", "T", "2024-01-02")
    assert [p.text for p in article.paragraphs] == TEXT.split("\n\n")
    assert article.extra == {"author": "A", "rank": 3}


def test_a_row_is_a_paragraph_with_its_context(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f'id,text,heading,preceding,n\np,"{TEXT}",H,B,1\n', encoding="utf-8")
    (article,) = articles(path, "paragraph")
    (paragraph,) = article.paragraphs
    assert (paragraph.text, paragraph.heading, paragraph.preceding) == (TEXT, "H", "B")
    assert article.extra == {"n": "1"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_csv_encodings(tmp_path, encoding):
    path = tmp_path / "t.csv"
    path.write_bytes("text,lieu\nL’été à Orléans a été très chaud,là\n".encode(encoding))
    (article,) = articles(path)
    assert article.text == "L’été à Orléans a été très chaud"
    assert article.extra == {"lieu": "là"}


def test_mojibake_in_a_cell_is_mended(tmp_path):
    path = tmp_path / "t.jsonl"
    broken = "L’armée a été déployée à l’étranger".encode().decode("cp1252")
    path.write_text(json.dumps({"text": broken}), encoding="utf-8")
    assert articles(path)[0].text == "L’armée a été déployée à l’étranger"


def test_a_row_without_an_id_is_named_by_its_place(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('text\n"un\ndeux"\ntrois\n', encoding="utf-8")
    assert [a.id for a in articles(path)] == [f"{path}, line 2", f"{path}, line 4"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "id,title\n1,x\n",
            r"line 2: expected a column 'text' with a text; found the columns 'id'",
        ),
        ("id,text\n1,a\n1,b\n", r"line 3: id '1' stands a second time with another text"),
        ("id,text,,\n1,a,,b\n", r"line 2: 4 cells; expected 2 as in the header; .* name every"),
        ("id,id,text\n1,2,a\n", r"line 1: column\(s\) \['id'\] stand twice"),
        ('id,text\n1,"a\n', r"not CSV \(unexpected end of data\)"),
        ("", r"the file is empty"),
    ],
)
def test_bad_tables_are_refused_with_their_place(tmp_path, content, message):
    path = tmp_path / "t.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        articles(path)


def test_the_same_id_with_the_same_text_is_no_error(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,text\n1,a\n1,a\n", encoding="utf-8")
    assert len(articles(path)) == 2


@pytest.mark.parametrize("value", [None, 3, ["a"]])
def test_a_text_that_is_none_is_refused(tmp_path, value):
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"text": value}), encoding="utf-8")
    with pytest.raises(
        InputError, match=r"line 1: expected a column 'text' with a text; found .* in it; leave"
    ):
        articles(path)


def records(rows, unit="article"):
    made = [
        Article.from_text(r.pop("text"), id=r.pop("id", "a"), extra=r)
        if unit == "article"
        else None
        for r in rows
    ]
    return list(article_records(load().score_many(made)))


def test_records_carry_what_the_readme_says():
    *paragraphs, article = records([{"text": TEXT, "author": "A", "tone": "mine"}])
    assert [p["text"] for p in paragraphs] == TEXT.split("\n\n")
    first = paragraphs[0]
    assert {
        "id",
        "index",
        "start",
        "end",
        "heading",
        "topics",
        "tone",
        "abstained",
        "probabilities",
    } <= set(first)
    assert TEXT[first["start"] : first["end"]] == first["text"]
    assert isinstance(first["topics"], list)
    assert first["tone"] in first["probabilities"]["tone"]
    assert first["author"] == article["author"] == "A"
    assert first["input.tone"] == "mine"
    assert article["summary"]["n_paragraphs"] == 2
    assert sum(x["count"] for x in article["summary"]["tone"].values()) == 2


def test_rows_of_one_article_are_summed_up(tmp_path):
    path = tmp_path / "t.jsonl"
    rows = [("x", "a"), ("y", "a"), ("z", "b")]
    path.write_text(
        "".join(json.dumps({"id": i, "text": "Le char.", "article_id": a}) + "\n" for i, a in rows),
        encoding="utf-8",
    )
    found = list(paragraph_records(load().score_many(articles(path, "paragraph"))))
    assert [(r["record"], r["id"]) for r in found] == [
        ("paragraph", "x"),
        ("paragraph", "y"),
        ("article", "a"),
        ("paragraph", "z"),
        ("article", "b"),
    ]
    assert found[2]["summary"]["n_paragraphs"] == 2


@pytest.mark.parametrize("name", [None, ""])
def test_rows_of_no_article_are_not_summed_up(tmp_path, name):
    path = tmp_path / "t.jsonl"
    row = json.dumps({"text": "Le char.", "article_id": name}) + "\n"
    path.write_text(row * 2, encoding="utf-8")
    found = list(paragraph_records(load().score_many(articles(path, "paragraph"))))
    assert [(r["record"], r["index"]) for r in found] == [("paragraph", 0)] * 2


def test_csv_and_parquet_hold_what_jsonl_holds(taxonomy):
    """Rows with different columns keep all of them, in every format."""
    made = records([{"text": TEXT, "rank": 1}, {"text": "Un char.", "id": "b", "author": 'Ü, "x"'}])
    streams = {name: io.BytesIO() for name in ("jsonl", "csv", "parquet")}
    for name, stream in streams.items():
        WRITERS[name](iter(made), stream, taxonomy)
    lines = [json.loads(x) for x in streams["jsonl"].getvalue().splitlines()]
    assert lines == made
    rows = list(csv.DictReader(io.StringIO(streams["csv"].getvalue().decode())))
    frame = pd.read_parquet(io.BytesIO(streams["parquet"].getvalue()))
    assert list(frame.columns) == list(rows[0])
    for record, row, (_, cells) in zip(made, rows, frame.iterrows(), strict=True):
        for key, value in flat(record).items():
            if isinstance(value, list):
                assert row[key] == "|".join(value)
                assert list(cells[key]) == value
            else:
                assert row[key] == str(value)
                assert cells[key] == value
    assert rows[0]["rank"] == "1" and rows[-1]["author"] == 'Ü, "x"'


def test_an_empty_input_gives_an_empty_output(taxonomy):
    for name in ("jsonl", "csv", "table"):
        stream = io.BytesIO()
        WRITERS[name](iter([]), stream, taxonomy)
        assert stream.getvalue().strip() == b""


def test_frames_in_and_out(scorer):
    frame = pd.DataFrame({"id": ["a", "b"], "text": [TEXT, "Un char."], "year": [2024, 2025]})
    scored = scorer.score_frame(frame)
    assert list(scored["id"]) == ["a", "a", "b"]
    assert list(scored["year"]) == [2024, 2024, 2025]
    assert scored["p.tone.neutral"].between(0, 1).all()
    rows = scorer.score_frame(frame, unit="paragraph")
    assert list(rows["text"]) == [TEXT, "Un char."]
    assert len(scorer.score(TEXT).to_frame()) == 2
    with pytest.raises(InputError, match=r"row 0: expected a column 'text'"):
        scorer.score_frame(pd.DataFrame({"body": ["x"]}))
    with pytest.raises(
        InputError, match=r"unit 'page'; expected one of \('article', 'paragraph'\)"
    ):
        scorer.score_frame(frame, unit="page")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_header_shows_the_separator(tmp_path, separator):
    path = tmp_path / "t.CSV"
    row = separator.join(("1", '"Un char, puis deux ; trois."', "2024"))
    path.write_text(f"id{separator}text{separator}annee\n{row}\n", encoding="utf-8")
    (article,) = articles(path, "paragraph")
    assert (article.id, article.text) == ("1", "Un char, puis deux ; trois.")
    assert article.extra == {"annee": "2024"}


def test_a_separator_inside_a_quoted_name_is_none(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('"a,b,c";text\n1;Un char.\n', encoding="utf-8")
    assert articles(path)[0].extra == {"a,b,c": "1"}


def test_empty_columns_at_the_end_are_dropped(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id;text;note;;\n1;Un char.;;;\n2;Un obus.;n\n", encoding="utf-8")
    assert [a.extra for a in articles(path)] == [{"note": ""}, {"note": "n"}]


def test_columns_named_as_ours_are_kept_under_another_name(taxonomy):
    extra = {"summary": "s", "confidence": 1, "p.tone.neutral": 2, "input.x": 3, "tags": [1, 2]}
    made = records([{"text": TEXT, "large": 1 << 80, **extra}])
    for record in made:
        assert record["input.summary"] == "s"
        assert record["input.confidence"] == 1
        assert record["input.p.tone.neutral"] == 2
        assert record["input.input.x"] == 3
    for name in ("jsonl", "csv", "parquet", "table"):
        stream = io.BytesIO()
        WRITERS[name](iter(made), stream, taxonomy)
        assert stream.getvalue()


def test_large_integers_beside_fractions_are_text_in_parquet(taxonomy):
    rows = [{"text": TEXT, "doc": 12345678901234567}, {"text": TEXT, "doc": 1.5}]
    stream = io.BytesIO()
    WRITERS["parquet"](iter(records(rows)), stream, taxonomy)
    assert set(pd.read_parquet(stream)["doc"]) == {"12345678901234567", "1.5"}
    for exact in ([12345678901234567, 2], [1 << 53, 1.5]):
        stream = io.BytesIO()
        WRITERS["parquet"](
            iter(records([{"text": TEXT, "doc": x} for x in exact])), stream, taxonomy
        )
        assert set(pd.read_parquet(stream)["doc"]) == set(exact)


def test_half_a_surrogate_and_a_nan_leave_as_valid_text(tmp_path, taxonomy):
    path = tmp_path / "t.jsonl"
    path.write_text(
        '{"text": "Un \\ud83d char.", "note": NaN, "odd": "\\ud83d"}\n', encoding="utf-8"
    )
    made = list(article_records(load().score_many(articles(path))))
    assert made[0]["text"] == "Un ? char."
    assert made[0]["note"] is None
    for name in ("jsonl", "csv", "parquet", "table"):
        stream = io.BytesIO()
        WRITERS[name](iter(made), stream, taxonomy)
        if name != "parquet":
            stream.getvalue().decode()


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ('{"id": 1, "id": 2, "text": "a"}', r"\['id'\]"),
        ('{"text": "a", "meta": {"x": 1, "x": 2}}', r"\['x'\]"),
        ('{"text": "a", "\\ud800": 1, "\\ud801": 2}', r"\['\?'\]"),
    ],
)
def test_a_key_that_stands_twice_in_an_object_is_refused(tmp_path, line, names):
    path = tmp_path / "t.jsonl"
    path.write_text(f'{{"text": "b"}}\n{line}\n', encoding="utf-8")
    with pytest.raises(InputError, match=rf"line 2: column\(s\) {names} stand twice; name each"):
        articles(path)


def parquet(path, columns):
    table = pa.Table.from_arrays([column for _, column in columns], [name for name, _ in columns])
    pq.write_table(table, path)
    return path


def test_a_column_that_stands_twice_in_parquet_is_refused(tmp_path):
    twice = [("id", pa.array(["1"])), ("id", pa.array(["2"])), ("text", pa.array(["a"]))]
    with pytest.raises(InputError, match=r"t\.parquet: column\(s\) \['id'\] stand twice"):
        articles(parquet(tmp_path / "t.parquet", twice))


def test_a_parquet_table_without_rows_is_refused_as_a_csv_is(tmp_path):
    path = parquet(tmp_path / "t.parquet", [("text", pa.array([], pa.string()))])
    with pytest.raises(
        InputError, match=r"t\.parquet: found columns and no row; expected at least"
    ):
        articles(path)


def test_parquet_values_that_python_cannot_hold_are_refused_with_their_column(tmp_path):
    one = pa.array([4], pa.int64())
    not_utf_8 = [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"T\xff")]
    for column, message in (
        (pa.Array.from_buffers(pa.string(), 1, not_utf_8), "UnicodeDecodeError"),
        (pa.array([1 << 58], pa.int64()).view(pa.timestamp("us")), "OverflowError"),
        (one.view(pa.timestamp("us", "Mars/Olympus")), "UnknownTimeZone|NotFound"),
    ):
        path = parquet(tmp_path / "t.parquet", [("text", pa.array(["T"])), ("odd", column)])
        with pytest.raises(
            InputError, match=rf"column 'odd': found a value that cannot be read \(.*({message})"
        ):
            articles(path)


def test_a_damaged_parquet_table_is_refused_in_one_line(tmp_path):
    path = parquet(tmp_path / "t.parquet", [("text", pa.array(["T"]))])
    data = path.read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    path.write_bytes(data[:footer] + b"\xff" * 9 + data[footer + 9 :])
    with pytest.raises(InputError) as refusal:
        articles(path)
    assert "\n" not in str(refusal.value)


def test_what_json_cannot_hold_is_null_in_every_column(tmp_path):
    path = tmp_path / "t.jsonl"
    row = {"text": "Un char.", "a": float("inf"), "b": [1.0, {"c": float("nan")}], "id": 1e999}
    path.write_text(json.dumps(row), encoding="utf-8")
    (article,) = articles(path)
    assert article.extra == {"a": None, "b": [1.0, {"c": None}]}
    assert article.id == f"{path}, line 1"
    entries = pa.array([[("k", float("nan"))]], pa.map_(pa.string(), pa.float64()))
    path = parquet(tmp_path / "t.parquet", [("text", pa.array(["T"])), ("map", entries)])
    assert articles(path)[0].extra == {"map": [["k", None]]}


def test_values_nested_too_deep_are_refused(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(f'{{"text": "T", "a": {"[" * 100_000}{"]" * 100_000}}}', encoding="utf-8")
    with pytest.raises(InputError, match=r"line 1: found values nested too deep to be read"):
        articles(path)
    nested = []
    for _ in range(5_000):
        nested = [nested]
    with pytest.raises(InputError, match=r"row 1: found values nested too deep to be read"):
        list(articles_of_rows([Row("row 1", {"text": "T", "a": nested})], "article", Ids()))
