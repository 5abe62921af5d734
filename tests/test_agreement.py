"""Krippendorff's alpha: his own examples, the definition pair by pair, and invariants."""

import json
from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from inference import InputError, Taxonomy
from training.agreement import agreement
from training.annotations import Annotations, read_annotations

HEADER = "id,annotator,topics,tone\n"


def axis(exclusive, *codes):
    content = {"axis": [{"name": "value", "exclusive": exclusive, "labels": list(codes)}]}
    return Taxonomy.from_dict(content, "test")


def annotations(taxonomy, judgements):
    """From (unit, annotator, set of codes), or with the article as a fourth; else one a unit."""
    columns = ["id", "annotator", "codes", "article_id"]
    table = pd.DataFrame([(*j, j[0])[:4] for j in judgements], columns=columns)
    codes = [label.code for own in taxonomy.axes for label in own.labels]
    labels = np.array([[code in given for code in codes] for given in table.pop("codes")])
    return Annotations(taxonomy, table, labels)


def rows_of(*rows):
    """Judgements of a published table: a row an annotator, a letter a unit, a dot where none."""
    return [
        (f"u{unit:02}", f"annotator {i}", {value})
        for i, row in enumerate(rows)
        for unit, value in enumerate(row.replace(" ", ""))
        if value != "."
    ]


def whole(judgements, taxonomy=None, **options):
    taxonomy = taxonomy or axis(True, *"abcde")
    return agreement(annotations(taxonomy, judgements), **{"n_draws": 0, **options}).axes["value"]


def by_definition(judgements, distance):
    """Alpha from all pairs, without coincidence matrices: within units, then among all values."""
    units = {}
    for unit, _, value in judgements:
        units.setdefault(unit, []).append(value)
    units = [values for values in units.values() if len(values) > 1]
    within = [
        sum(distance(a, b) for a, b in permutations(values, 2)) / (len(values) - 1)
        for values in units
    ]
    values = [value for values in units for value in values]
    among = np.mean([distance(a, b) for a, b in permutations(values, 2)])
    return 1 - sum(within) / len(values) / among


def nominal(a, b):
    return float(a != b)


def masi(a, b):
    if a == b:
        return 0.0
    monotonicity = 2 / 3 if a <= b or b <= a else 1 / 3
    return 1 - len(a & b) / len(a | b) * monotonicity


@pytest.mark.parametrize(
    ("rows", "alpha"),
    [
        (("babbbbbbab", "aaabbabbbb"), 0.095),
        (("aabbdcccedda", "babbbccceddd"), 0.692),
        (("abccbadab...", "abccbbdabe.c", ".cccbcdbbea.", "abccbddabea."), 0.743),
    ],
    ids=["A: binary, two observers", "B: nominal, two observers", "C: four observers, gaps"],
)
def test_krippendorffs_own_examples(rows, alpha):
    """Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, sections A to C."""
    assert round(whole(rows_of(*rows)).alpha, 3) == alpha


def test_units_with_one_judgement_are_left_out():
    """The unit that one observer of four judged is in his table, and not in his count of 40."""
    rows = ("abccbadab...", "abccbbdabe.c", ".cccbcdbbea.", "abccbddabea.")
    report = agreement(annotations(axis(True, *"abcde"), rows_of(*rows)), n_draws=0)
    assert (report.n_units, report.n_pairable, report.n_annotators) == (12, 11, 4)
    assert report.annotators == {
        "annotator 0": 9,
        "annotator 1": 10,
        "annotator 2": 10,
        "annotator 3": 11,
    }
    without = [j for j in rows_of(*rows) if j[0] != "u11"]
    assert str(whole(without)) == str(whole(rows_of(*rows)))


@pytest.mark.parametrize("exclusive", [True, False])
def test_alpha_is_that_of_the_definition_by_pairs(exclusive):
    """On random judgements with gaps, of the axis as a whole and of each label."""
    rng = np.random.default_rng(5)
    codes = "abc"
    taxonomy = axis(exclusive, *codes)
    made = []
    for unit in range(40):
        truth = rng.integers(3) if exclusive else rng.random(3) < 0.4
        for annotator in np.flatnonzero(rng.random(4) < 0.6):
            if exclusive:
                given = {codes[truth if rng.random() < 0.7 else rng.integers(3)]}
            else:
                flip = rng.random(3) < 0.15
                given = {c for c, yes in zip(codes, truth ^ flip, strict=True) if yes}
            made.append((f"u{unit}", f"n{annotator}", frozenset(given)))
    report = agreement(annotations(taxonomy, made), n_draws=0)
    expected = by_definition(made, nominal if exclusive else masi)
    assert 0.2 < expected < 0.9
    assert report.axes["value"].alpha == pytest.approx(expected)
    for code in codes:
        binary = [(unit, name, code in given) for unit, name, given in made]
        expected = by_definition(binary, nominal)
        assert report.labels["value"][code].alpha == pytest.approx(expected)


def test_masi_by_hand():
    """Six sets. Within: one pair at 2/3, so 2·(2/3)/6 = 2/9. Among: 20/30. 1 - (2/9)/(2/3)."""
    made = [
        ("1", "x", {"a", "b"}),
        ("1", "y", {"a"}),
        ("2", "x", set()),
        ("2", "y", set()),
        ("3", "x", {"a"}),
        ("3", "y", {"a"}),
    ]
    found = whole(made, axis(False, "a", "b"))
    assert found.alpha == pytest.approx(2 / 3)
    assert found.observed == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ("ab", "ab", 0),
        ("", "", 0),
        ("a", "ab", 1 - 1 / 2 * 2 / 3),
        ("abc", "a", 1 - 1 / 3 * 2 / 3),
        ("ab", "bc", 1 - 1 / 3 * 1 / 3),
        ("ab", "cd", 1),
        ("", "a", 1),
    ],
)
def test_masi_of_two_sets(one, other, distance):
    """Beside a unit {d, e} twice: alpha is 1 - 3·2δ / (2δ + 8), as all else is at distance 1."""
    made = [("1", "x", set(one)), ("1", "y", set(other))]
    made += [("2", name, {"e", "f"}) for name in "xy"]
    alpha = whole(made, axis(False, *"abcdef")).alpha
    assert alpha == pytest.approx(1 - 3 * 2 * distance / (2 * distance + 8))


def test_percent_agreement_by_hand():
    """Two of three agree in unit 1: a third of its pairs; all in unit 2: (3·1/3 + 2) / 5."""
    found = whole(rows_of("ab", "ab", "b."))
    assert found.observed == pytest.approx(3 / 5)


@pytest.mark.parametrize("exclusive", [True, False])
def test_perfect_agreement_is_1_and_has_no_interval(exclusive):
    """All draws are alike: they cannot say how much another sample would differ."""
    found = whole(rows_of("abcab", "abcab", "a.c.b"), axis(exclusive, *"abc"), n_draws=50)
    assert (found.alpha, found.observed) == (1, 1)
    assert np.isnan(found.low) and np.isnan(found.high)


def test_independent_labels_are_near_0():
    rng = np.random.default_rng(0)
    rows = ["".join(rng.choice(list("abc"), 2_000, p=[0.6, 0.3, 0.1])) for _ in range(3)]
    assert abs(whole(rows_of(*rows)).alpha) < 0.03
    assert whole(rows_of(*rows)).observed == pytest.approx(0.46, abs=0.02)


def test_the_order_of_judgements_and_the_names_of_annotators_change_nothing():
    """Not even the interval: articles are drawn by name."""
    made = rows_of("abccbadab...", "abccbbdabe.c", ".cccbcdbbea.", "abccbddabea.")
    first = whole(made, n_draws=100)
    mixed = [made[i] for i in np.random.default_rng(1).permutation(len(made))]
    renamed = [(unit, f"{9 - int(name[-1])}", value) for unit, name, value in made]
    for other in (mixed, renamed):
        found = whole(other, n_draws=100)
        assert [found.alpha, found.low, found.high] == pytest.approx(
            [first.alpha, first.low, first.high]
        )


def test_alpha_is_undefined_where_one_value_occurs_and_the_report_says_so():
    report = agreement(annotations(axis(True, "a", "b"), rows_of("aaa", "aaa")), n_draws=20)
    found = report.axes["value"]
    assert np.isnan([found.alpha, found.low, found.high]).all()
    assert (found.observed, found.n_undefined) == (1, 20)
    shown = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert shown["axes"]["value"] == {
        "alpha": None,
        "low": None,
        "high": None,
        "observed": 1.0,
        "n_undefined": 20,
    }
    assert shown["n_pairable"] == 3


def test_draws_that_miss_a_rare_label_are_counted_and_left_out():
    """Two articles of nine have the label: both are missed by (7/9)**9 = 10 % of the draws."""
    found = whole(rows_of("aaaaaaabb", "aaaaaaaab"), n_draws=1_000)
    assert 0.07 < found.n_undefined / 1_000 < 0.14
    assert found.low < found.alpha < found.high


def test_one_article_gives_no_interval():
    made = [(*j, "the only") for j in rows_of("abab", "abaa")]
    found = whole(made, n_draws=20)
    assert 0 < found.alpha < 1
    assert np.isnan(found.low) and np.isnan(found.high)


@pytest.fixture(scope="module")
def uneven():
    """60 articles of ten units: in every second one the two annotators guess, else they agree."""
    rng = np.random.default_rng(2)
    made = []
    for article in range(60):
        for unit in range(10):
            one, other = rng.choice(["a", "b"], 2)
            for name, value in (("x", one), ("y", other if article % 2 else one)):
                made.append((f"{article}:{unit}", name, {value}, f"{article}"))
    return made


def test_the_interval_holds_the_estimate_and_is_wider_by_article(uneven):
    clustered = whole(uneven, n_draws=500)
    alone = whole([j[:3] for j in uneven], n_draws=500)
    assert clustered.alpha == alone.alpha == pytest.approx(0.5, abs=0.1)
    for found in (clustered, alone):
        assert found.low < found.alpha < found.high
    assert clustered.high - clustered.low > 1.25 * (alone.high - alone.low)


def test_the_interval_is_as_wide_as_the_spread_of_alpha():
    """For two annotators who differ in a tenth of 400 even units: 1.96 · 2 · √(0.09 / 400)."""
    rng = np.random.default_rng(8)
    one = rng.random(400) < 0.5
    other = one ^ (np.arange(400) < 40)
    rows = ["".join(np.where(row, "a", "b")) for row in (one, other)]
    found = whole(rows_of(*rows), n_draws=1_000)
    assert found.alpha == pytest.approx(0.8, abs=0.01)
    assert found.high - found.low == pytest.approx(2 * 1.96 * 2 * (0.09 / 400) ** 0.5, rel=0.1)


def test_the_same_seed_gives_the_same_interval(uneven):
    first, again, other = (whole(uneven, n_draws=50, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.low != other.low


def test_only_the_named_annotators_count():
    made = rows_of("aabb", "aabb", "bbaa")
    report = agreement(
        annotations(axis(True, "a", "b"), made),
        annotators=["annotator 1", "annotator 0"],
        n_draws=0,
    )
    assert report.axes["value"].alpha == 1
    assert report.annotators == {"annotator 0": 4, "annotator 1": 4}
    assert whole(made).alpha < 0


def test_rows_may_be_chosen_before(uneven):
    """A filtered table keeps pandas' old row numbers; the labels go by position."""
    read = annotations(axis(True, "a", "b"), uneven)
    odd = (read.table["article_id"].astype(int) % 2 == 1).to_numpy()
    chosen = Annotations(read.taxonomy, read.table[odd], read.labels[odd])
    expected = whole([j for j, yes in zip(uneven, odd, strict=True) if yes])
    assert agreement(chosen, n_draws=0).axes["value"].alpha == expected.alpha


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["x"], r"\['x'\]: expected at least two of x, y, z"),
        (["x", "nobody"], "'nobody'.*expected at least two of x, y, z"),
        ("xy", "annotators 'xy': expected at least two of"),
        (["x", "z"], "no unit is judged by two of x, z"),
    ],
)
def test_names_that_cannot_be_compared_are_refused(names, message):
    made = [("1", "x", {"a"}), ("1", "y", {"b"}), ("2", "y", {"a"}), ("2", "z", {"a"})]
    with pytest.raises(InputError, match=message):
        agreement(annotations(axis(True, "a", "b"), made), annotators=names)


@pytest.fixture
def table(tmp_path):
    def write(content, name="annotations.csv"):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        return path

    return write


def test_a_table_is_read(table, taxonomy):
    """Articles from the id or from their own column; the same judgement twice counts once."""
    path = table(
        HEADER
        + "a:1:00,A,exercises | diplomacy,neutral\n"
        + "a:1:00,B,,escalation\n"
        + "p7,A,resources,deterrence\n"
        + "p7,A,resources,deterrence\n"
    )
    read = read_annotations(path, taxonomy)
    assert read.table.to_dict("list") == {
        "id": ["a:1:00", "a:1:00", "p7"],
        "article_id": ["a:1", "a:1", "p7"],
        "annotator": ["A", "B", "A"],
    }
    assert read.labels.astype(int).tolist() == [
        [0, 1, 0, 1, 0, 0, 1],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 1, 0, 1, 0, 0],
    ]
    path = table("article_id," + HEADER + "z,a:0,A,,neutral\n,a:1,A,,neutral\nz,a:0,B,,neutral\n")
    assert list(read_annotations(path, taxonomy).table["article_id"]) == ["z", "a", "z"]


def test_the_three_kinds_of_table_read_alike(table, tmp_path, taxonomy):
    rows = [
        {"id": "a:0", "annotator": "A", "topics": ["exercises", "resources"], "tone": "neutral"},
        {"id": "a:0", "annotator": "B", "topics": [], "tone": "neutral"},
    ]
    path = table("".join(json.dumps(row) + "\n" for row in rows), "a.jsonl")
    pd.DataFrame(rows).to_parquet(tmp_path / "a.parquet")
    flat = [{**row, "topics": "|".join(row["topics"])} for row in rows]
    pd.DataFrame(flat).to_csv(tmp_path / "a.csv", index=False)
    expected = read_annotations(tmp_path / "a.csv", taxonomy)
    for other in (path, tmp_path / "a.parquet"):
        found = read_annotations(other, taxonomy)
        assert found.table.equals(expected.table)
        assert np.array_equal(found.labels, expected.labels)


def test_all_bad_rows_are_named_at_once(table, taxonomy):
    path = table(
        "article_id," + HEADER + "a,1,A,exercices,neutral\n"
        "a,2,,,neutral\n"
        "a,,A,,\n"
        "a,3,A,,neutral\n"
        "a,3,A,,escalation\n"
        "b,3,B,,neutral\n"
        "a,4,A,,neutral|escalation\n"
    )
    with pytest.raises(InputError, match=r"annotations.csv: 7 problem\(s\)") as caught:
        read_annotations(path, taxonomy)
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        "line 2: topics: unknown label 'exercices'; expected defence_industry, exercises,",
        "line 3: annotator is empty",
        "line 4: id is empty",
        "line 4: tone: found none; expected exactly one of deterrence, escalation, neutral",
        "line 6: 'A' judges '3' a second time with other labels",
        "line 7: '3' is in article 'b', above in 'a'",
        "line 8: tone: found neutral|escalation; expected exactly one of",
    ):
        assert part in message


def test_judgements_of_two_texts_are_not_those_of_one_unit(table, taxonomy):
    paths = [
        table(f"text,{HEADER}{text},x,{name},,neutral\n", f"{name}.csv")
        for name, text in (("anne", "Un."), ("bob", "Deux."))
    ]
    with pytest.raises(InputError, match=r"bob.csv, line 2: id 'x' stands a second time with an"):
        read_annotations(paths, taxonomy)
    without = table(f"{HEADER}x,bob,,neutral\n", "bob.csv")
    assert len(read_annotations([paths[0], without], taxonomy).table) == 2


def test_of_many_bad_rows_twenty_are_shown(table, taxonomy):
    path = table(HEADER + "x,A,,angry\n" * 25)
    with pytest.raises(InputError, match=r"25 problem\(s\): .*line 21: .*; and 5 more$"):
        read_annotations(path, taxonomy)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            "id,topics\nx,\n",
            r"line 2: column\(s\) missing: annotator; found: id, topics; expected one",
        ),
        ("a.csv", HEADER, r"a.csv: found a header and no row"),
        ("a.csv", HEADER + "x,A,,neutral\n", r"found the annotator\(s\) A; expected at least"),
        (
            "a.xlsx",
            "",
            r"a.xlsx: expected a table of single judgements or an export \(.csv, .jsonl, ",
        ),
        (
            "a.jsonl",
            '{"id": "x", "annotator": "A", "topics": [], "tone": "neutral"}\n{"id": "y"}\n',
            r"line 2: topics is missing, and so is the 0/1 column defence_industry",
        ),
    ],
)
def test_bad_tables_are_refused(table, taxonomy, name, content, message):
    with pytest.raises(InputError, match=message):
        read_annotations(table(content, name), taxonomy)
