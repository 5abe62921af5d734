"""Cohen's and Fleiss' kappa: the literature's tables, other implementations, unequal numbers."""

import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from inference import Taxonomy
from training.agreement import agreement
from training.annotations import Annotations

# Fleiss (1971), table 1: which of five diagnoses six psychiatrists gave each of 30 patients.
FLEISS = """
    444444 222555 233335 555555 222444 113333 333355 113334 114444 555555
    144444 124444 222333 144444 224445 333335 111455 111112 224444 133555
    555555 244444 224555 114444 144445 222224 111155 224444 133333 555555
""".split()  # noqa: SIM905


def report(rows, codes, exclusive=True, articles=None, **options):
    """From rows of values, a row a unit and a column an annotator; None where there is none."""
    content = {"axis": [{"name": "value", "exclusive": exclusive, "labels": list(codes)}]}
    made = [
        (f"u{i:03}", articles[i] if articles else f"u{i:03}", f"n{j}", value)
        for i, row in enumerate(rows)
        for j, value in enumerate(row)
        if value is not None
    ]
    table = pd.DataFrame([m[:3] for m in made], columns=["id", "article_id", "annotator"])
    labels = np.array([[code in m[3] for code in codes] for m in made])
    taxonomy = Taxonomy.from_dict(content, "test")
    return agreement(Annotations(taxonomy, table, labels), **{"n_draws": 0, **options})


def of_table(cells):
    """Rows of two annotators whose table of one by the other is `cells`."""
    return [("abc"[i], "abc"[j]) for (i, j), n in np.ndenumerate(np.array(cells)) for _ in range(n)]


def test_cohens_own_example():
    """Cohen (1968), table 1: 200 cases in three diagnoses, p_o 0.70 and p_c 0.41."""
    found = report(of_table([[88, 14, 18], [10, 40, 10], [2, 6, 12]]), "abc").cohen["n0, n1"]
    assert found.n_units == 200
    assert found.axes["value"].kappa == pytest.approx((0.70 - 0.41) / (1 - 0.41))


def test_fleiss_own_example():
    """Fleiss (1971): 0.430 over all, and by category as irr's kappam.fleiss prints them."""
    rows = [["abcde"[int(value) - 1] for value in row] for row in FLEISS]
    found = report(rows, "abcde").fleiss
    assert (len(rows), found.n_units) == (30, 30)
    assert found.axes["value"].kappa == pytest.approx(0.4302445, abs=1e-7)
    by_category = [round(one.kappa, 3) for one in found.labels["value"].values()]
    assert by_category == [0.245, 0.245, 0.520, 0.471, 0.566]


@pytest.fixture(scope="module")
def guesses():
    """Three annotators of 300 units, each right two times in three."""
    rng = np.random.default_rng(3)
    truth = rng.choice(list("abc"), (300, 1), p=[0.6, 0.3, 0.1])
    return np.where(rng.random((300, 3)) < 0.67, truth, rng.choice(list("abc"), (300, 3))).tolist()


def test_every_pair_is_as_scikit_learn_has_it(guesses):
    found = report(guesses, "abc").cohen
    assert list(found) == ["n0, n1", "n0, n2", "n1, n2"]
    for one, other in itertools.combinations(range(3), 2):
        a, b = ([row[k] for row in guesses] for k in (one, other))
        kappas = found[f"n{one}, n{other}"]
        assert kappas.axes["value"].kappa == pytest.approx(cohen_kappa_score(a, b))
        for code in "abc":
            expected = cohen_kappa_score([x == code for x in a], [x == code for x in b])
            assert kappas.labels["value"][code].kappa == pytest.approx(expected)


def test_fleiss_is_as_statsmodels_has_it(guesses):
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    counts, _ = inter_rater.aggregate_raters(np.array(guesses))
    found = report(guesses, "abc").fleiss
    assert found.axes["value"].kappa == pytest.approx(inter_rater.fleiss_kappa(counts))


def test_a_pair_rests_on_the_units_that_both_judged():
    rows = [("a", "a", None), ("b", "b", "a"), ("a", None, "a"), ("b", "a", "b"), ("c", None, None)]
    found = report(rows, "abc")
    assert {pair: kappas.n_units for pair, kappas in found.cohen.items()} == {
        "n0, n1": 3,
        "n0, n2": 3,
        "n1, n2": 2,
    }
    assert found.fleiss.n_units == 4
    never_both = report([("a", "a", None), ("b", "b", None), ("a", None, "a")], "ab")
    assert set(never_both.cohen) == {"n0, n1", "n0, n2"}


def test_fleiss_of_unequal_numbers_by_hand():
    """P: 1, 1/3, 1, so 7/9. Shares of a: 1, 2/3, 0, so 5/9 and P_e = 25/81 + 16/81."""
    rows = [("a", "a", None), ("a", "a", "b"), ("b", "b", None)]
    kappa = report(rows, "ab").fleiss.axes["value"].kappa
    assert kappa == pytest.approx((7 / 9 - 41 / 81) / (1 - 41 / 81))


def test_a_third_called_in_when_two_differ_does_not_hide_that_they_did():
    """Of 100 units two annotators differ on ten, and those alone have a third judgement."""
    rows = [("a", "a", None)] * 45 + [("b", "b", None)] * 45 + [("a", "b", "a")] * 10
    assert 0.8 < report(rows, "ab").fleiss.axes["value"].kappa < 0.9


def test_label_sets_have_kappas_by_label_only():
    found = report([({"a"}, {"a", "b"}), ({"b"}, {"b"}), (set(), set())], "ab", exclusive=False)
    assert found.fleiss.axes == {} == found.cohen["n0, n1"].axes
    assert found.cohen["n0, n1"].labels["value"]["a"].kappa == 1
    assert found.cohen["n0, n1"].labels["value"]["b"].kappa == pytest.approx(0.4)


def test_intervals_hold_the_estimate_and_are_wider_by_article(guesses):
    """Each unit ten times: as an article it is one observation, alone it seems to be ten."""
    tenfold = [row for row in guesses[:60] for _ in range(10)]
    names = [f"article {i}" for i in range(60) for _ in range(10)]
    clustered = report(tenfold, "abc", articles=names, n_draws=300)
    alone = report(tenfold, "abc", n_draws=300)
    for narrow, wide in (
        (alone.fleiss, clustered.fleiss),
        (alone.cohen["n0, n1"], clustered.cohen["n0, n1"]),
    ):
        one, other = narrow.axes["value"], wide.axes["value"]
        assert other.low < other.kappa < other.high
        assert one.kappa == pytest.approx(other.kappa)
        assert other.high - other.low > 2 * (one.high - one.low)


def test_a_pair_that_shares_units_of_one_article_has_no_interval():
    """However many articles the others judged; from two on it has one."""
    rows = [("a", "a", "a"), ("b", "a", "a"), ("b", "b", "a"), ("b", "b", "b")]
    rows += [("a", "b", None), *((one, other, None) for one, other, _ in rows[1:])] * 2
    for articles, is_given in (([0] * 4 + [1] * 4 + [2] * 4, False), ([0, 0, 3, 3] * 3, True)):
        found = report(rows, "ab", articles=[f"article {i}" for i in articles], n_draws=50)
        for pair, whole in (("n0, n1", True), ("n0, n2", is_given), ("n1, n2", is_given)):
            for one in (found.cohen[pair].axes["value"], found.cohen[pair].labels["value"]["a"]):
                assert not np.isnan(one.kappa)
                assert np.isfinite([one.low, one.high]).all() == whole
        assert np.isfinite(found.fleiss.axes["value"].low)


def test_kappa_is_undefined_where_one_value_occurs():
    found = report([("a", "a")] * 5, "ab", n_draws=20)
    for one in (found.fleiss.axes["value"], found.cohen["n0, n1"].axes["value"]):
        assert np.isnan([one.kappa, one.low, one.high]).all()
        assert one.n_undefined == 20
    assert found.to_dict()["cohen"]["n0, n1"]["axes"]["value"]["kappa"] is None
