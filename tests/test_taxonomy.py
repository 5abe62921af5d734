"""Taxonomies: the shipped one, and how a bad one is refused."""

from dataclasses import replace

import pytest

from inference import InputError, Taxonomy
from inference.records import article_records, explained_record, flat
from training.commands.options import taxonomy_of

GOOD = """
[[axis]]
name = "stance"
exclusive = true
labels = ["pro", "contra"]
"""


def test_the_shipped_taxonomy(taxonomy):
    topic, tone = taxonomy.axes
    assert (topic.name, topic.field, topic.exclusive) == ("topic", "topics", False)
    assert topic.codes == ("defence_industry", "exercises", "resources", "diplomacy")
    assert (tone.name, tone.field, tone.exclusive) == ("tone", "tone", True)
    assert tone.codes == ("deterrence", "escalation", "neutral")
    for axis in taxonomy.axes:
        for label in axis.labels:
            assert label.en and label.fr and label.definition.endswith(".")
    assert [s for _, s in taxonomy.spans()] == [slice(0, 4), slice(4, 7)]


def test_the_shipped_model_carries_the_shipped_taxonomy(scorer, taxonomy):
    assert scorer.taxonomy == taxonomy


def test_commands_take_the_shipped_taxonomy_without_opening_its_model(taxonomy, monkeypatch):
    monkeypatch.setattr("inference.linear.LinearModel.__init__", None)
    assert taxonomy_of(None) == taxonomy


def test_a_taxonomy_survives_the_manifest(taxonomy):
    assert Taxonomy.from_dict(taxonomy.to_dict(), "here") == taxonomy


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("axis = 3", r"t.toml: a taxonomy is a list of \[\[axis\]\] tables"),
        (GOOD.replace("[[axis]]", "[axis]"), r"no such list: \[\[axis\]\] begins each"),
        ('axis = ["stance"]', r"found a problem at axis, which is no such list"),
        (GOOD.replace('"pro"', '{code = "pro", en = 5}'), r"'pro' has en = 5; expected a text"),
        (GOOD.replace('"pro"', '{code = "pro", definition = ["a"]}'), r"definition = \['a'\]; exp"),
        ("", r"found a problem at 'axis'"),
        ("= broken", r"cannot be read as TOML"),
        (GOOD.replace("true", '"yes"'), r"axis 'stance' has exclusive = 'yes'; expected true or"),
        (GOOD.replace('"pro"', '"Pro-EU"'), r"'Pro-EU' is no code; expected lower-case letters"),
        (GOOD.replace('"pro"', '"contra"'), r"axis 'stance' has a label twice"),
        (GOOD.replace('"pro", ', ""), r"axis 'stance' has 1 label\(s\); an exclusive axis needs"),
        (GOOD + GOOD, r"each with a name of its own; found \['stance', 'stance'\]"),
        (GOOD + "weight = 2\n", r"unknown key\(s\) \['weight'\] in an axis"),
        ("weight = 2\n" + GOOD, r"unknown key\(s\) \['weight'\]; expected \[\[axis\]\] tables"),
        (GOOD.replace('"stance"', '"abstained"'), r"\['abstained'\] in axis 'abstained' already"),
        (GOOD.replace('"pro"', '"text"'), r"\['text'\] in axis 'stance' already name something"),
        (GOOD.replace('["pro", "contra"]', '"ab"'), r"labels = 'ab'; expected a list of codes"),
        (
            GOOD.replace("true", "false") + GOOD.replace('"stance"', '"stances"'),
            r"a name of its own",
        ),
    ],
)
def test_a_bad_taxonomy_is_refused(tmp_path, content, message):
    path = tmp_path / "t.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        Taxonomy.read(path)


def test_a_missing_taxonomy_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none.toml: cannot be read"):
        Taxonomy.read(tmp_path / "none.toml")


def refused(axis="stance", label="pro", exclusive=True):
    entry = {"name": axis, "exclusive": exclusive, "labels": [label, "contra"]}
    try:
        Taxonomy.from_dict({"axis": [entry]}, "here")
    except InputError as error:
        return "already name something else" in str(error)
    return False


def test_no_axis_takes_a_field_of_a_record(scorer):
    """All that stands there but the axes' own, so that a field that is added is reserved too."""
    scored = scorer.score("La frégate est livrée.")
    article = scored.article
    records = [
        *article_records([scored]),
        explained_record(scored, 0, scorer.explain(article.paragraphs[0])),
    ]
    own = {axis.field for axis in scorer.taxonomy.axes}
    own |= {axis.name for axis in scorer.taxonomy.axes}
    beside = set(scored.summary.to_dict())
    for record in records:
        beside |= {*record, *(name for name in flat(record) if "." not in name)}
    assert {"words", "base", "method", "abstained"} <= beside
    assert {name for name in beside - own if not refused(axis=name)} == set()


@pytest.mark.parametrize(
    "name",
    [
        *("article_id", "preceding", "split", "passage", "annotator"),
        *("draw", "inclusion_probability", "self_confidence", "reasons"),
    ],
)
def test_no_axis_takes_a_column_of_a_corpus_of_judgements_of_a_sample_or_of_suspects(name):
    assert refused(axis=name)


def test_an_axis_is_refused_for_the_name_that_it_has_in_tables():
    assert refused(axis="word", exclusive=False)  # its field is `words`
    assert not refused(axis="word")


@pytest.mark.parametrize(
    "name", ["macro", "micro", "whole", "abstained", "draw", "inclusion_probability", "split"]
)
def test_no_label_takes_a_row_of_its_axis_or_a_column_beside_its_own(name):
    assert refused(label=name)
    assert not refused(label=f"{name}_1")


@pytest.mark.parametrize("name", ["base", "method", "words", "record", "summary"])
def test_a_label_may_have_a_name_that_only_an_axis_may_not(name):
    assert refused(axis=name)
    assert not refused(label=name)


def test_taxonomies_that_differ_only_in_what_excludes_what_are_not_the_same(taxonomy):
    topic, tone = taxonomy.axes
    other = Taxonomy((topic, replace(tone, exclusive=False)))
    assert other.column_names == taxonomy.column_names
    with pytest.raises(InputError, match=r"A's .*exactly one of det.*; B's .*any number of det"):
        taxonomy.check_same(other, "A", "B")
    with pytest.raises(InputError, match="in the same order"):
        taxonomy.check_same(Taxonomy((tone, topic)), "A", "B")


def test_names_and_definitions_do_not_tell_taxonomies_apart(taxonomy):
    topic, tone = taxonomy.axes
    labels = tuple(replace(label, en="other", definition="") for label in tone.labels)
    taxonomy.check_same(Taxonomy((topic, replace(tone, labels=labels))), "A", "B")
