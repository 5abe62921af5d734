"""Which articles train and which are measured: nothing crosses, and bad columns are named."""

from dataclasses import replace

import numpy as np
import pytest

from inference.errors import InputError
from training.corpus import hold_out
from training.designs import cross_validation, fixed_split, leave_out, past_and_later


def sides(design):
    for part in design.parts:
        yield design.corpus.where(part.train), design.corpus.where(part.test)


def with_column(corpus, **columns):
    return replace(corpus, table=corpus.table.assign(**columns))


@pytest.mark.parametrize(
    "build",
    [
        fixed_split,
        lambda corpus: cross_validation(corpus, 5),
        past_and_later,
        lambda corpus: leave_out(corpus, "theatre"),
        lambda corpus: leave_out(corpus, "register"),
    ],
    ids=["split", "cv", "time", "theatre", "register"],
)
def test_no_article_is_on_both_sides_and_passages_only_train(corpus, build):
    design = build(corpus)
    for train, test in sides(design):
        assert not set(train.article_ids) & set(test.article_ids)
        assert not test.table["passage"].any() and train.table["passage"].any()
    measured = design.measured
    assert not measured.table["id"].duplicated().any()
    if len(design.parts) > 1:  # every paragraph is measured once
        assert len(measured) == (~corpus.table["passage"]).sum()


def test_the_later_fifth_is_measured_on_a_model_of_the_past(corpus):
    ((train, test),) = sides(past_and_later(corpus))
    own = train.table[~train.table["passage"]]
    assert own["date"].max() < test.table["date"].min()
    share = (
        test.table["article_id"].nunique()
        / corpus.table.loc[~corpus.table["passage"], "article_id"].nunique()
    )
    assert 0.2 <= share < 0.23


def test_each_value_left_out_is_wholly_out(corpus):
    design = leave_out(corpus, "register")
    assert design.sentence.endswith("by a model that saw no article of its register")
    for part, (train, test) in zip(design.parts, sides(design), strict=True):
        assert set(test.table["register"]) == {part.name}
        assert part.name not in set(train.table.loc[~train.table["passage"], "register"])


def test_folds_share_out_every_label(corpus):
    shares = [test.labels.mean(axis=0) for _, test in sides(cross_validation(corpus, 5))]
    assert np.ptp(shares, axis=0).max() < 0.06


def copied(corpus, source, target):
    """The text of one row put in the place of another."""
    texts = corpus.table["text"].copy()
    texts[target] = texts[source] + " Fin."
    return with_column(corpus, text=texts)


def test_near_duplicates_never_cross(corpus):
    """A copied training text: out of training where it is refitted, else out of the measure."""
    test = np.flatnonzero(corpus.table["split"] == "test")
    own = np.flatnonzero((corpus.table["split"] == "train") & ~corpus.table["passage"])
    assert fixed_split(corpus).n_dropped == 0
    with_copy = copied(corpus, test[0], own[0])
    design = fixed_split(with_copy)
    assert design.n_dropped == 1
    assert not design.parts[0].test[test[0]] and design.parts[0].train[own[0]]
    values = np.where(np.arange(len(corpus)) == own[0], "x", "y")
    values = np.where(corpus.article_ids == corpus.article_ids[own[0]], "x", values)
    refitted = leave_out(with_column(with_copy, half=values), "half")
    assert refitted.n_dropped == 2  # once in each of the two parts
    for part in refitted.parts:
        assert (part.test | part.train)[[test[0], own[0]]].sum() == 1


def test_without_a_split_all_is_measured_and_said(small_corpus):
    design = fixed_split(small_corpus)
    assert len(design.measured) == len(small_corpus)
    assert "figures flatter" in design.caveat
    with pytest.raises(InputError, match="no row marked test; expected a column split"):
        fixed_split(small_corpus, required=True)


def test_the_articles_that_fit_held_out_are_found_again(small_corpus, small_model):
    design = fixed_split(small_corpus, small_model.provenance)
    held_out = small_model.held_out["model"]
    assert len(design.measured) == held_out.n_paragraphs
    assert "fit held out" in design.sentence
    other = with_column(small_corpus, text=small_corpus.table["text"] + " Fin.")
    assert "flatter" in fixed_split(other, small_model.provenance).caveat
    assert design.caveat == ""


def test_a_model_that_does_not_say_what_it_held_out_is_measured_on_all(small_corpus, small_model):
    silent = replace(small_model.provenance, training={})
    design = fixed_split(small_corpus, silent)
    assert len(design.measured) == len(small_corpus) and "flatter" in design.caveat


def test_models_that_held_out_others_are_not_compared(small_corpus, small_model):
    """Whichever comes first; a model of another corpus says nothing of what to measure."""
    own = small_model.provenance
    drawn = hold_out(small_corpus, 0.2, 5).fingerprint()
    other = replace(own, training={"test_share": 0.2, "seed": 5}, corpus={"fingerprint": drawn})
    elsewhere = replace(own, corpus={"fingerprint": "another"})
    for pair in ((own, other), (other, own)):
        with pytest.raises(InputError, match=r"other articles held out.*with the same --seed"):
            fixed_split(small_corpus, *pair)
    expected = fixed_split(small_corpus, own).measured.article_ids.tolist()
    for pair in ((own, own), (own, elsewhere), (elsewhere, own)):
        assert fixed_split(small_corpus, *pair).measured.article_ids.tolist() == expected


def test_bad_columns_are_named(small_corpus):
    with pytest.raises(InputError, match=r"no column 'source'; found id, article_id.*theatre"):
        leave_out(small_corpus, "source")
    holes = np.where(np.arange(len(small_corpus)) < 3, "", "x")
    with pytest.raises(InputError, match=r"source: 3 of \d+ paragraphs have none; expected one"):
        leave_out(with_column(small_corpus, source=holes), "source")
    with pytest.raises(InputError, match=r"source: found 1 value\(s\); expected 2 to 50"):
        leave_out(with_column(small_corpus, source="x"), "source")
    many = (np.arange(len(small_corpus)) % 51).astype(str)
    with pytest.raises(InputError, match=r"source: found 51 value\(s\); expected 2 to 50"):
        leave_out(with_column(small_corpus, source=many), "source")
    torn = np.where(np.arange(len(small_corpus)) < 1, "x", "y")
    with pytest.raises(InputError, match=r"source: article\(s\) g01-01 have more than one"):
        leave_out(with_column(small_corpus, source=torn), "source")


def test_bad_dates_are_named(small_corpus):
    without = replace(small_corpus, table=small_corpus.table.drop(columns="date"))
    with pytest.raises(InputError, match="no column date or year; expected one with dates"):
        past_and_later(without)
    years = without.table["article_id"].map(lambda name: f"20{int(name[1:3]):02d}")
    assert len(past_and_later(with_column(without, year=years)).measured) > 0
    with pytest.raises(
        InputError, match=r"date: \d+ of \d+ paragraphs have no date such as .*the first is 'hier'"
    ):
        past_and_later(with_column(without, date="hier"))
    with pytest.raises(InputError, match="date: no article is before 2024-05-31"):
        past_and_later(with_column(without, date="2024-05-31"))


def test_more_folds_than_articles_are_refused(small_corpus):
    with pytest.raises(InputError, match=r"found 40 article\(s\) for 41 folds"):
        cross_validation(small_corpus, 41)
