"""Labelled tables: what is read, what is refused, and splits that keep articles whole."""

import json

import numpy as np
import pandas as pd
import pytest

from inference import InputError, Taxonomy
from training.corpus import LabelledCorpus, hold_out
from training.folds import article_folds

ROWS = [
    {
        "article_id": "a",
        "text": "Un char.",
        "topics": "defence_industry|exercises",
        "tone": "neutral",
    },
    {"article_id": "a", "text": "Un sommet.", "topics": "", "tone": "escalation"},
]


def write(path, rows):
    frame = pd.DataFrame(rows)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        frame.to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_the_three_kinds_of_table_read_alike(tmp_path, taxonomy, suffix):
    corpus = LabelledCorpus.read(write(tmp_path / f"c{suffix}", ROWS), taxonomy)
    assert corpus.texts == ["Un char.", "Un sommet."]
    assert corpus.labels.tolist() == [
        [True, True, False, False, False, False, True],
        [False, False, False, False, False, True, False],
    ]
    assert list(corpus.table["preceding"]) == ["", "Un char."]


def test_labels_may_be_lists_or_columns_of_zeros_and_ones(tmp_path, taxonomy):
    lists = [{**row, "topics": row["topics"].split("|") if row["topics"] else []} for row in ROWS]
    columns = [
        {
            "article_id": r["article_id"],
            "text": r["text"],
            **{c: int(c in r["topics"]) for c in taxonomy.axes[0].codes},
            **{c: int(c == r["tone"]) for c in taxonomy.axes[1].codes},
        }
        for r in ROWS
    ]
    expected = LabelledCorpus.read(write(tmp_path / "c.csv", ROWS), taxonomy).labels
    for name, rows in (("l.jsonl", lists), ("l.parquet", lists), ("k.csv", columns)):
        found = LabelledCorpus.read(write(tmp_path / name, rows), taxonomy).labels
        assert np.array_equal(found, expected)


def test_all_bad_rows_are_reported_at_once_with_their_lines(tmp_path, taxonomy):
    path = tmp_path / "bad.csv"
    path.write_text(
        "article_id,text,topics,tone\n"
        'a,"Sur deux\nlignes.",exercises,neutral\n'
        "a,Un.,exercices,neutral\n"
        ",Deux.,,angry\n"
        "b,,diplomacy,neutral|escalation\n",
        encoding="utf-8",
    )
    with pytest.raises(InputError, match=r"bad.csv: 5 problem\(s\)") as caught:
        LabelledCorpus.read(path, taxonomy)
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        "line 4: topics: unknown label 'exercices'; expected defence_industry, exercises,",
        "line 5: tone: unknown label 'angry'",
        "line 5: article_id is empty",
        "line 6: tone: found neutral|escalation; expected exactly one of deterrence,",
        "line 6: text is empty",
    ):
        assert part in message


def test_spaces_around_a_name_make_no_other_article(tmp_path, taxonomy):
    rows = [
        {"id": " 1", "article_id": "a ", "text": " Un.", "split": "test "},
        {"id": "2 ", "article_id": "a", "text": "Deux.", "split": "test"},
    ]
    rows = [{**row, "topics": "", "tone": "neutral"} for row in rows]
    table = LabelledCorpus.read(write(tmp_path / "c.csv", rows), taxonomy).table
    folder = tmp_path / "corpus"
    folder.mkdir()
    articles = [{"article_id": "a  ", "split": " test", "theatre": "sahel"}]
    write(folder / "articles.csv", articles)
    without_split = [{k: v for k, v in row.items() if k != "split"} for row in rows]
    write(folder / "paragraphs.csv", without_split)
    for found in (table, LabelledCorpus.read(folder, taxonomy).table):
        assert list(found["id"]) == ["1", "2"]
        assert list(found["article_id"]) == ["a", "a"] and list(found["split"]) == ["test"] * 2
        assert list(found["text"]) == [" Un.", "Deux."]
        assert list(found["preceding"]) == ["", " Un."]


def test_half_a_surrogate_pair_becomes_a_question_mark(tmp_path, taxonomy):
    """JSON may hold one; it can be written to no file and has no fingerprint."""
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps({**ROWS[0], "text": "Un \ud83d char.", "source": "\udc00"}))
    corpus = LabelledCorpus.read(path, taxonomy)
    assert corpus.texts == ["Un ? char."] and list(corpus.table["source"]) == ["?"]
    assert len(corpus.fingerprint()) == 64


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": "a"}], r"column\(s\) missing: article_id; topics \(or one 0/1 column for each"),
        ([{**ROWS[0], "id": "x"}, {**ROWS[1], "id": "x"}], r"id 'x' stands a second time with an"),
        ([{**ROWS[0], "split": "dev"}], r"split 'dev'; expected train, test or nothing"),
        ([{**ROWS[0], "split": "test"}, {**ROWS[1], "split": "train"}], r"more than one split"),
    ],
)
def test_bad_tables_are_refused(tmp_path, taxonomy, rows, message):
    with pytest.raises(InputError, match=message):
        LabelledCorpus.read(write(tmp_path / "c.csv", rows), taxonomy)


def test_bad_zeros_and_ones_are_named(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("article_id,text,pro,contra\na,x,1,maybe\n", encoding="utf-8")
    taxonomy = Taxonomy.from_dict(
        {"axis": [{"name": "stance", "exclusive": True, "labels": ["pro", "contra"]}]}, "t"
    )
    with pytest.raises(InputError, match=r"line 2: contra = 'maybe'; expected 0 or 1"):
        LabelledCorpus.read(path, taxonomy)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, r"none.csv: cannot be read \(No such file or directory\)"),
        ("x.xlsx", b"PK", r"x.xlsx: found a .xlsx file; expected a labelled table"),
        ("empty.csv", b"", r"empty.csv: the file is empty; expected a header"),
        ("head.csv", b"article_id,text,topics,tone\n", r"found a header and no row"),
        ("none.jsonl", b"\n\n", r"none.jsonl: found no row"),
        ("bad.jsonl", b"{\n", r"bad.jsonl, line 1: not JSON in UTF-8"),
        ("bad.parquet", b"PAR0", r"bad.parquet: not a Parquet table"),
        ("wide.csv", b"article_id,text,topics,tone\na,b,c\n", r"line 2: 3 cells; expected 4"),
    ],
)
def test_unreadable_files_are_refused(tmp_path, taxonomy, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        LabelledCorpus.read(path, taxonomy)


def test_a_folder_without_paragraphs_is_refused(tmp_path, taxonomy):
    with pytest.raises(InputError, match="found no paragraphs.csv in the folder"):
        LabelledCorpus.read(tmp_path, taxonomy)


def test_the_fingerprint_sees_texts_labels_and_order(tmp_path, taxonomy):
    path = tmp_path / "c.csv"
    prints = [
        LabelledCorpus.read(write(path, rows), taxonomy).fingerprint()
        for rows in (
            ROWS,
            ROWS,
            ROWS[::-1],
            [ROWS[0], {**ROWS[1], "tone": "neutral"}],
            [ROWS[0], {**ROWS[1], "text": "Un sommet !"}],
        )
    ]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 4


def test_no_article_is_on_both_sides(small_corpus):
    held = hold_out(small_corpus, 0.25, seed=1)
    sides = held.table.groupby("article_id")["split"].nunique()
    assert (sides == 1).all()
    assert held.split("test").table["article_id"].nunique() == 10
    again = hold_out(small_corpus, 0.25, seed=1)
    assert held.table.equals(again.table)
    assert not held.table.equals(hold_out(small_corpus, 0.25, seed=2).table)


def test_a_given_split_is_kept(corpus):
    assert hold_out(corpus, 0.5, seed=0).table["split"].equals(corpus.table["split"])


def test_too_few_articles_to_hold_any_out(small_corpus):
    few = small_corpus.where(small_corpus.table["article_id"].isin(small_corpus.article_ids[:1]))
    with pytest.raises(InputError, match=r"found 1 article\(s\); expected at least 10"):
        hold_out(few, 0.2, 0)


def test_folds_keep_articles_whole_and_labels_even(corpus):
    train = corpus.split("train")
    folds = article_folds(train, 5, seed=0)
    passages = train.table["passage"].to_numpy(bool)
    assert (folds[passages] == -1).all() and (folds[~passages] >= 0).all()
    own = train.where(~passages)
    per_article = pd.Series(folds[~passages]).groupby(own.article_ids).nunique()
    assert (per_article == 1).all()
    shares = np.array([own.labels[folds[~passages] == f].sum(axis=0) for f in range(5)])
    shares = shares / own.labels.sum(axis=0)
    assert shares.min() > 0.12 and shares.max() < 0.3


def test_many_short_articles_even_a_long_one_out(taxonomy):
    article = ["long"] * 10 + [f"short {i}" for i in range(10)]
    table = pd.DataFrame({"article_id": article, "passage": False})
    corpus = LabelledCorpus(taxonomy, table, np.zeros((20, 7), np.bool_))
    for seed in range(5):
        assert np.bincount(article_folds(corpus, 2, seed)).tolist() == [10, 10]


def test_passages_count_as_labels_to_expect_only_where_there_is_nothing_else(corpus):
    passages = corpus.table["passage"].to_numpy(bool)
    paragraphs = corpus.labels[~passages].mean(axis=0)
    assert corpus.label_shares() == pytest.approx(paragraphs)
    alone = corpus.where(passages)
    assert alone.label_shares() == pytest.approx(alone.labels.mean(axis=0))


def test_a_corpus_of_another_taxonomy_is_refused_in_one_sentence(tmp_path, taxonomy):
    """Not row by row: it is the whole table that is another's."""
    path = tmp_path / "other.csv"
    path.write_text("article_id,text,topics,tone\n" + "a,Un char.,sport,calme\n" * 30)
    with pytest.raises(InputError, match="not one row has the labels of this taxonomy") as refused:
        LabelledCorpus.read(path, taxonomy)
    assert str(refused.value).count("unknown label") == 2
