"""Corrected shares: coverage by simulation, PPI as a second opinion, groups, and bad input."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import ppi_py
import pyarrow as pa
import pytest
from click.testing import CliRunner
from scipy.special import expit

from inference import InputError, Taxonomy
from inference.records import paragraph_records
from inference.tables import Ids, articles_of_rows, read_rows
from inference.writers import WRITERS
from training.archive import ScoredArchive
from training.cli import posture_train
from training.corrected_share import FEW_ARTICLES, TOO_FEW_ARTICLES
from training.cross_fit import archive_texts, cross_fit
from training.estimate import estimate
from training.labelled_sample import LabelledSample
from training.sample import draw_sample, inclusion_by_doubt
from training.series_figure import Event, draw_series, read_events, write_series

N_REPLICATIONS = 2_000


def taxonomy_of(*codes):
    content = {"axis": [{"name": "topic", "exclusive": False, "labels": list(codes)}]}
    return Taxonomy.from_dict(content, "test")


def archive_of(taxonomy, article, probabilities, columns=None):
    """An archive with ids "0", "1", … whose decisions are at 0.5."""
    n = len(article)
    return ScoredArchive(
        taxonomy,
        pa.array([str(i) for i in range(n)]),
        np.asarray(article),
        probabilities,
        probabilities >= 0.5,
        {name: pd.Categorical(values) for name, values in (columns or {}).items()},
    )


def sample_of(archive, rows, labels, chance):
    """The labels (n_paragraphs, n_columns) of these rows of the archive."""
    return LabelledSample(
        archive.taxonomy,
        tuple(map(str, rows.tolist())),
        ("",) * len(rows),
        labels[rows],
        np.broadcast_to(chance, len(rows)).astype(float),
        len(rows),
    )


class Stream:
    """Articles of 6 paragraphs that are alike, and a model that overrates every label.

    Three labels, of about 40, 16 and 6 % of paragraphs.
    """

    taxonomy = taxonomy_of("common", "usual", "rare")
    n_articles, per_article = 200, 6
    level = np.array([-0.6, -2.4, -3.8])

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.article = np.repeat(np.arange(self.n_articles), self.per_article)
        self.ids = pa.array([str(i) for i in range(len(self.article))])

    def logits(self, n_articles):
        of_article = self.rng.normal(0, 1.2, (n_articles, 1, 3))
        own = self.rng.normal(0, 1, (n_articles, self.per_article, 3))
        return (self.level + of_article + own).reshape(-1, 3)

    def truth(self):
        return np.mean([expit(self.logits(50_000)).mean(axis=0) for _ in range(4)], axis=0)

    def archive_and_sample(self):
        """An archive, and about 150 labels of it, with more of what truly has labels."""
        logits = self.logits(self.n_articles)
        labels = self.rng.random(logits.shape) < expit(logits)
        scores = expit(0.8 * logits + 1 + self.rng.normal(0, 0.8, logits.shape))
        decided = scores >= 0.5
        archive = ScoredArchive(self.taxonomy, self.ids, self.article, scores, decided, {})
        chance = inclusion_by_doubt(expit(logits).sum(axis=1), 150)
        rows = np.flatnonzero(self.rng.random(len(chance)) < chance)
        return archive, sample_of(archive, rows, labels, chance[rows])


@pytest.fixture(scope="module")
def simulated():
    """Coverage of each interval and its mean width, by label, over archives with 150 labels."""
    stream = Stream(0)
    truth = stream.truth()
    names = ("corrected", "classical", "counted", "expected")
    covered, width = np.zeros((2, len(names), 3))
    for _ in range(N_REPLICATIONS):
        archive, sample = stream.archive_and_sample()
        for column, row in enumerate(estimate(archive, sample).rows):
            for i, name in enumerate(names):
                share = getattr(row, name)
                covered[i, column] += share.low <= truth[column] <= share.high
                width[i, column] += share.high - share.low
    return {
        name: (covered[i] / N_REPLICATIONS, width[i] / N_REPLICATIONS)
        for i, name in enumerate(names)
    }


def test_the_corrected_interval_covers_and_the_naive_one_does_not(simulated):
    coverage = {name: found[0] for name, found in simulated.items()}
    for name in ("corrected", "classical"):
        assert (coverage[name] > 0.93).all() and (coverage[name] < 0.97).all()
    assert (coverage["counted"] < 0.2).all() and (coverage["expected"] < 0.01).all()


def test_the_corrected_interval_is_narrower_than_that_of_the_labels_alone(simulated):
    assert (simulated["corrected"][1] < 0.98 * simulated["classical"][1]).all()


@pytest.mark.parametrize(
    ("share", "wrong", "n"), [(0.3, 0.03, 25), (0.3, 0.03, 60), (0.1, 0.01, 100)]
)
def test_the_interval_covers_when_a_model_is_sure_of_itself_and_seldom_wrong(share, wrong, n):
    """A sample may miss what errors there are; without a remedy half of the intervals do too."""
    rng = np.random.default_rng(0)
    article = np.arange(8_000) // 4
    covered = 0
    for _ in range(300):
        labels = rng.random(len(article)) < share
        said = labels | (rng.random(len(article)) < wrong)
        archive = archive_of(taxonomy_of("one"), article, np.where(said, 0.99, 0.01)[:, None])
        rows = rng.choice(len(article), n, replace=False)
        sample = sample_of(archive, rows, labels[:, None], n / len(article))
        (row,) = estimate(archive, sample).rows
        covered += row.corrected.low <= labels.mean() <= row.corrected.high
        assert row.corrected.standard_error <= row.classical.standard_error
    assert covered >= 0.95 * 300


def test_a_share_that_is_the_same_in_every_article_is_known_as_well_as_the_archive_is_large():
    article = np.repeat(np.arange(6), 2)
    labels = np.tile([[True], [False]], (6, 1))
    archive = archive_of(taxonomy_of("one"), article, np.full((12, 1), 0.5))
    (row,) = estimate(archive, sample_of(archive, np.arange(12), labels, 1.0)).rows
    assert row.corrected == row.classical
    assert row.corrected.standard_error == pytest.approx((0.25 / 12) ** 0.5)
    assert row.corrected.low < 0.35 and row.corrected.high > 0.65


def test_few_labels_that_were_sure_to_be_drawn_leave_the_doubt_about_the_others():
    """Of 2,000 others 20 were drawn, none with the label: up to a seventh of them may have it."""
    archive = archive_of(taxonomy_of("one"), np.arange(2_002), np.full((2_002, 1), 0.1))
    labels = np.arange(2_002)[:, None] < 2
    sample = sample_of(archive, np.arange(22), labels, np.where(labels[:22, 0], 1, 0.01))
    (row,) = estimate(archive, sample).rows
    assert row.corrected.share == pytest.approx(2 / 2_002)
    assert row.corrected.high > 1 / 7


def uniform_case(seed, noise=1.0, n=400, n_archive=40_000):
    """Articles of one paragraph, equal chances, one label: what PPI speaks of."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-0.5, 1.2, n_archive)
    labels = (rng.random(n_archive) < expit(logits))[:, None]
    scores = expit(logits + noise * rng.normal(0.5, 1, n_archive))[:, None]
    archive = archive_of(taxonomy_of("one"), np.arange(n_archive), scores)
    rows = rng.choice(n_archive, n, replace=False)
    return archive, sample_of(archive, rows, labels, n / n_archive), labels[rows, 0], rows


@pytest.mark.parametrize("seed", range(4))
def test_with_equal_chances_it_is_ppi(seed):
    archive, sample, y, rows = uniform_case(seed)
    (row,) = estimate(archive, sample).rows
    f = archive.probabilities[:, 0]
    y, f_sample = y.astype(float), f[rows]
    given = {"lam": row.power}
    assert row.corrected.share == pytest.approx(
        float(ppi_py.ppi_mean_pointestimate(y, f_sample, f, **given)[0]), abs=1e-9
    )
    low, high = (float(bound[0]) for bound in ppi_py.ppi_mean_ci(y, f_sample, f, 0.05, **given))
    assert 3.92 * row.corrected.standard_error == pytest.approx(high - low, rel=0.01)
    assert row.corrected.high - row.corrected.low == pytest.approx(high - low, rel=0.02)
    # Its own tuning finds nearly our λ, and its classical interval is ours.
    tuned = float(ppi_py.ppi_mean_pointestimate(y, f_sample, f)[0])
    assert row.corrected.share == pytest.approx(tuned, abs=0.1 * row.corrected.standard_error)
    low, high = (
        float(bound) for bound in ppi_py.classical_mean_ci(y, w=np.ones(len(y)), alpha=0.05)
    )
    assert 3.92 * row.classical.standard_error == pytest.approx(high - low, rel=0.01)
    assert row.classical.share == pytest.approx(y.mean())


def test_it_is_the_formula_where_every_score_counts_in_full():
    """θ = 1/N [Σ f + Σ (y - f)/π], for chances whose inverses add up to N."""
    archive, sample, _, rows = uniform_case(0, noise=0.0)
    f = archive.probabilities[:, 0]
    # A model that is right on average, but less sure than it might be: λ would be more than 1.
    shy = archive_of(archive.taxonomy, archive.article, 0.35 + 0.1 * f[:, None])
    (row,) = estimate(shy, sample).rows
    assert row.power == 1
    n, shy_f = len(archive), shy.probabilities[:, 0]
    total = shy_f.sum() + ((sample.labels[:, 0] - shy_f[rows]) / (400 / n)).sum()
    assert row.corrected.share == pytest.approx(total / n)


def test_a_useless_model_costs_nothing_and_a_perfect_one_leaves_nothing_to_correct():
    archive, sample, *_ = uniform_case(1)
    rng = np.random.default_rng(0)
    noise = archive_of(archive.taxonomy, archive.article, rng.random((len(archive), 1)))
    (row,) = estimate(noise, sample).rows
    assert row.corrected.standard_error <= row.classical.standard_error
    assert row.corrected.share == pytest.approx(row.classical.share, abs=0.01)
    truth = (rng.random((len(archive), 1)) < 0.3).astype(float)
    rows = archive.rows_of(sample.ids)
    perfect = archive_of(archive.taxonomy, archive.article, truth)
    (row,) = estimate(perfect, sample_of(perfect, rows, truth > 0, 0.01)).rows
    assert row.power == pytest.approx(1, abs=0.01)
    assert row.corrected.share == pytest.approx(truth.mean(), abs=1e-3)
    # Not less: 400 labels may miss what a model is seldom wrong about.
    assert row.corrected.standard_error < 0.3 * row.classical.standard_error


def test_paragraphs_of_an_article_that_are_copies_count_once():
    archive, sample, *_ = uniform_case(2, n=200, n_archive=4_000)
    (alone,) = estimate(archive, sample).rows
    rows = archive.rows_of(sample.ids)
    copied = archive_of(
        archive.taxonomy, np.repeat(archive.article, 5), np.repeat(archive.probabilities, 5, axis=0)
    )
    labels = np.repeat(sample.labels, 5, axis=0)
    of_copies = replace(
        sample_of(copied, (5 * rows[:, None] + np.arange(5)).ravel(), np.zeros((20_000, 1)), 0.05),
        labels=labels,
    )
    (together,) = estimate(copied, of_copies).rows
    for name in ("corrected", "classical", "counted", "expected"):
        assert vars_of(getattr(together, name)) == pytest.approx(vars_of(getattr(alone, name)))


def vars_of(share):
    return [share.share, share.standard_error, share.low, share.high]


@pytest.fixture(scope="module")
def grouped():
    """Two years of two sources; few labels in the last month, no date on some."""
    rng = np.random.default_rng(3)
    n = 6_000
    article = np.arange(n) // 4
    months = np.array([f"{y}-{m:02}-15" for y in (2023, 2024) for m in range(1, 13)], object)
    when = months[rng.integers(24, size=n // 4)][article]
    when[article >= n // 4 - 10] = ""
    labels = rng.random((n, 2)) < [0.3, 0.02]
    scores = np.clip(labels * 0.5 + rng.random((n, 2)) * 0.5, 0, 1)
    columns = {"date": when, "source": np.array(["A", "B"], object)[article % 2]}
    archive = archive_of(taxonomy_of("often", "seldom"), article, scores, columns)
    rows = rng.choice(n, 400, replace=False)
    rows = rows[(when[rows] != "2024-12-15") | (np.cumsum(when[rows] == "2024-12-15") <= 3)]
    return archive, sample_of(archive, rows, labels, 400 / n)


def test_groups_are_estimated_from_their_own_paragraphs(grouped):
    archive, sample = grouped
    rows = archive.rows_of(sample.ids)
    for by, column, width in (("source", "source", 1), ("year", "date", 4)):
        found = estimate(archive, sample, by)
        for row, alone in zip(found.overall, estimate(archive, sample).rows, strict=True):
            assert vars_of(row.corrected) == pytest.approx(vars_of(alone.corrected))
        group_of = np.array([str(cell)[:width] for cell in archive.columns[column]], object)
        for group, own in found.groups.items():
            inside = group_of == (group if group != "(none)" else "")
            part = replace(
                archive,
                ids=archive.ids.filter(pa.array(inside)),
                article=np.unique(archive.article[inside], return_inverse=True)[1],
                probabilities=archive.probabilities[inside],
                applies=archive.applies[inside],
            )
            among = inside[rows]
            alone = replace(
                sample,
                ids=tuple(np.array(sample.ids)[among]),
                texts=("",) * int(among.sum()),
                labels=sample.labels[among],
                inclusion_probability=sample.inclusion_probability[among],
            )
            if group != "(none)":
                expected = estimate(part, alone).overall
                assert [replace(row, group=None) for row in own] == list(expected)


def test_an_article_that_lies_in_two_groups_is_one_article_of_the_archive(grouped):
    archive, sample = grouped
    halves = pd.Categorical(np.where(np.arange(len(archive)) % 2, "first", "second"))
    found = estimate(replace(archive, columns={"half": halves}), sample, "half")
    for row, alone in zip(found.overall, estimate(archive, sample).rows, strict=True):
        assert row.n_labelled_articles == alone.n_labelled_articles
        for name in ("corrected", "classical", "counted", "expected"):
            assert vars_of(getattr(row, name)) == pytest.approx(vars_of(getattr(alone, name)))


def test_months_are_in_order_and_few_labels_give_no_false_number(grouped):
    found = estimate(*grouped, "month")
    names = list(found.groups)
    assert names[:-1] == sorted(names[:-1]) and names[0] == "2023-01" and names[-1] == "(none)"
    assert sum(rows[0].n_paragraphs for rows in found.groups.values()) == 6_000
    often, seldom = found.groups["2024-12"]
    assert often.n_labelled_articles < TOO_FEW_ARTICLES
    assert often.corrected is None and often.classical is None and often.counted.share > 0
    frame = found.to_frame()
    assert frame.loc[frame["group"] == "2024-12", "corrected"].isna().all()
    for often, seldom in list(found.groups.values())[:-2]:
        # No example seen is not the certainty that there is none.
        assert seldom.n_with_label < FEW_ARTICLES and seldom.power == 0
        assert seldom.corrected == seldom.classical
        assert seldom.corrected.high > 0.1
        assert 0 <= often.corrected.low < often.corrected.share < often.corrected.high <= 1


def test_estimates_as_json_and_frame_say_the_same(grouped):
    found = estimate(*grouped, "source")
    content = json.loads(json.dumps(found.to_dict()))
    assert content["by"] == "source" and len(content["estimates"]) == len(found.to_frame()) == 6
    for nested, flat in zip(content["estimates"], found.to_frame().to_dict("records"), strict=True):
        assert flat["corrected"] == nested["corrected"]["share"]
        assert flat["counted_high"] == nested["counted"]["high"]


def test_a_group_of_one_article_has_no_false_certainty(grouped):
    archive, sample = grouped
    sites = pd.Categorical(np.where(archive.article == 7, "one", "others"))
    found = estimate(replace(archive, columns={"site": sites}), sample, "site")
    json.dumps(found.to_dict(), allow_nan=False)
    row = found.groups["one"][0]
    assert row.corrected is None
    assert (row.counted.standard_error, row.counted.low, row.counted.high) == (None, 0, 1)


def test_bad_samples_are_refused(grouped):
    archive, sample = grouped
    with pytest.raises(InputError, match="2 of 2 labelled paragraphs are not in the archive .*'x'"):
        estimate(archive, replace(sample, ids=("x", "y"), labels=sample.labels[:2], texts=("", "")))
    twice = sample_of(archive, np.array([0, 1]), np.ones((6_000, 2)) > 0, 1 / 3_000)
    with pytest.raises(InputError, match="all labelled paragraphs are of one article"):
        estimate(archive, twice)
    with pytest.raises(InputError, match="the sample's labels are topic .any number of other"):
        estimate(archive, replace(sample, taxonomy=taxonomy_of("other")))
    smaller = replace(sample, inclusion_probability=sample.inclusion_probability * 3)
    with pytest.raises(
        InputError, match=r"an archive of about 1,950 paragraphs; this one has 6,000"
    ):
        estimate(archive, smaller)
    for date_, by in (("18/01/2024", "month"), ("0000-01-00", "month"), ("0000-01-00", "year")):
        dates = {"date": pd.Categorical([date_] * 6_000)}
        with pytest.raises(InputError, match=f"date '{date_}'; expected an ISO date"):
            estimate(replace(archive, columns=dates), sample, by)


HEADER = "id,draw,text,topics,tone,inclusion_probability\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "id,topics,tone\na,,neutral\n",
            "no column inclusion_probability; .*posture-train sample",
        ),
        ("id,tone,inclusion_probability\na,neutral,0.1\n", "missing: topics .or a 0/1 column"),
        (
            HEADER + "a,1,x,,neutral,0\n",
            "line 2: inclusion_probability = '0'; expected a number ab",
        ),
        (HEADER + "a,1,x,,neutral,1.2\nb,2,x,,neutral,\n", "2 problem.s.: .*'1.2'.*line 3: .*''"),
        (HEADER + "a,1,x,,neutral,0.1\na,2,x,,neutral,0.1\n", "id 'a' stands a second time"),
        (HEADER + ",1,x,,neutral,0.1\n", "id is empty"),
        (HEADER + "a,1,x,sport,neutral,0.1\n", "unknown label 'sport'"),
        (HEADER + "a,1,x,exercises,,0.1\n", "tone: found none; expected exactly one"),
        (HEADER + "a,1,x,,,0.1\n", "found no labelled row"),
        (
            HEADER + "a,1,x,,neutral,0.1\nb,2,x,,,0.1\nc,3,x,,neutral,0.1\n",
            "1 of the draws 1 to 3 have no label .the first: draw 2, .*line 3.; .* stop early",
        ),
        (
            HEADER + "a,1,x,,neutral,0.1\nd,4,x,,neutral,0.1\nb,6,x,,,0.1\n",
            "2 of the draws 1 to 4 have no label .the first: draw 2, its row is not there.; .*all",
        ),
        (
            HEADER + "a,1,x,,neutral,0.1\nb,1,x,,,0.1\nc,inf,x,,,0.1\nd,,x,,neutral,0.1\n",
            "3 problem.s.: .*line 3: draw = '1'; expected a whole .* each once; .*'inf'.*''",
        ),
        (
            HEADER.replace("draw", "place") + "a,1,x,,neutral,0.1\nb,2,x,,,0.1\n",
            "1 of 2 rows have no label .the first: .*line 3., and no column draw says",
        ),
    ],
)
def test_bad_labels_are_refused(tmp_path, taxonomy, content, message):
    path = tmp_path / "labelled.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        LabelledSample.read(path, taxonomy)


def test_stopping_early_leaves_a_smaller_random_sample(tmp_path, taxonomy):
    path = tmp_path / "labelled.csv"
    rows = ["b,2,y,exercises,neutral,0.2", "c,3,z,,,0.4", "a,1,x,,neutral,0.4", "d,4,z,,,0.4"]
    path.write_text(HEADER + "\n".join(rows) + "\n")
    sample = LabelledSample.read(path, taxonomy)
    assert sample.ids == ("b", "a") and sample.n_drawn == 4
    assert sample.inclusion_probability.tolist() == [0.1, 0.2]
    frame = pd.read_csv(path)
    assert LabelledSample.of_frame(frame, taxonomy).ids == sample.ids


def test_chances_may_be_written_as_a_spreadsheet_in_french_writes_them(tmp_path, taxonomy):
    path = tmp_path / "labelled.csv"
    path.write_text(f"{HEADER}a,1,x,,neutral,0.25\n".replace(",", ";").replace(".", ","))
    assert LabelledSample.read(path, taxonomy).inclusion_probability.tolist() == [0.25]


@pytest.fixture(scope="module")
def files(corpus, scorer, tmp_path_factory):
    """The corpus's paragraphs scored by a model, and a labelled sample of them, as files."""
    folder = tmp_path_factory.mktemp("files")
    own = corpus.where(~corpus.table["passage"])
    own.table[["id", "article_id", "text", "date", "theatre"]].to_csv(folder / "rows.csv")
    with (folder / "scored.jsonl").open("wb") as file:
        articles = articles_of_rows(read_rows(folder / "rows.csv"), "paragraph", Ids())
        WRITERS["jsonl"](paragraph_records(scorer.score_many(articles)), file, scorer.taxonomy)
    archive = ScoredArchive.read(folder / "scored.jsonl", scorer.taxonomy)
    drawn = draw_sample(archive, 300, "uncertainty", 1)
    names = np.array([name.split(".")[1] for name in scorer.taxonomy.column_names])
    labels = own.labels[drawn.rows]
    pd.DataFrame(
        {
            "id": [archive.ids[row].as_py() for row in drawn.rows.tolist()],
            "text": own.table["text"].to_numpy()[drawn.rows],
            "topics": ["|".join(names[:4][row[:4]]) for row in labels],
            "tone": [names[4:][row[4:]][0] for row in labels],
            "inclusion_probability": drawn.inclusion_probability,
        }
    ).to_csv(folder / "labelled.csv", index=False)
    (folder / "events.csv").write_text("date,label\n2022-02-24,Invasion\n1900-01-01,Trop tôt\n")
    return folder, own


def run(files, *arguments):
    folder, _ = files
    command = ["estimate", str(folder / "scored.jsonl"), str(folder / "labelled.csv"), *arguments]
    done = CliRunner().invoke(posture_train, command, env={"COLUMNS": "80"})
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_the_command_prints_a_table_json_and_csv(files):
    truth = files[1].labels.mean(axis=0)
    found = json.loads(run(files).stdout)["estimates"]
    inside = [
        one["corrected"]["low"] <= t <= one["corrected"]["high"]
        for one, t in zip(found, truth, strict=True)
    ]
    assert sum(inside) >= 6
    table = run(files, "--by", "theatre", "--format", "table").stdout
    for word in ("corrected", "labels alone", "counted", "topics by theatre", "levant", "too few"):
        assert word in table
    assert max(map(len, table.splitlines())) <= 80
    lines = run(files, "--by", "year", "--format", "csv").stdout.splitlines()
    assert lines[0].startswith("axis,label,group,") and len(lines) % 7 == 1


def test_a_sample_that_trained_the_model_is_cross_fitted(files, scorer):
    """A model that knows the sample by heart looks perfect on it; cross-fitted it does not."""
    folder, own = files
    archive = ScoredArchive.read(folder / "scored.jsonl", scorer.taxonomy)
    sample = LabelledSample.read(folder / "labelled.csv", scorer.taxonomy)
    rows = archive.rows_of(sample.ids)
    heart = archive.probabilities * 0.3
    heart[rows] = sample.labels
    flattered = estimate(replace(archive, probabilities=heart), sample)
    fitted = cross_fit(archive, archive_texts(folder / "scored.jsonl"), sample)
    honest = estimate(fitted, sample)
    truth = own.labels.mean(axis=0)

    def misses(found):
        return sum(
            not row.corrected.low <= t <= row.corrected.high
            for row, t in zip(found.rows, truth, strict=True)
        )

    assert misses(flattered) >= 4 and misses(honest) <= 1
    assert np.array_equal(fitted.applies, archive.applies)
    with pytest.raises(InputError, match="labelled paragraphs without texts"):
        cross_fit(archive, [], replace(sample, texts=("",) * len(sample)))
    with pytest.raises(InputError, match="has too few examples, or all, among 300"):
        cross_fit(archive, [], replace(sample, labels=np.zeros_like(sample.labels)))


def test_the_figure_has_a_panel_a_label_and_its_events(grouped, tmp_path):
    found = estimate(*grouped, "month")
    event = Event(date(2023, 6, 1), "Sommet")
    figure = draw_series(found, [event, Event(date(1990, 1, 1), "trop tôt")])
    often, seldom, *_, key = figure.axes
    assert [often.get_title("left"), seldom.get_title("left")] == ["often", "seldom"]
    notes = " ".join(text.get_text() for text in key.texts)
    assert "1  2023-06-01  Sommet" in notes and "trop tôt" not in notes
    corrected = next(line for line in often.lines if line.get_marker() == "o").get_ydata()
    months = [rows[0].corrected for name, rows in found.groups.items() if name != "(none)"]
    expected = [100 * share.share if share else np.nan for share in months]
    assert corrected == pytest.approx(expected, nan_ok=True) and np.isnan(corrected[-1])
    for suffix in ("svg", "png"):
        write_series(found, tmp_path / f"series.{suffix}", [event])
        assert (tmp_path / f"series.{suffix}").stat().st_size > 10_000


def test_names_and_events_are_plain_text_and_no_formulas(grouped, tmp_path):
    archive, sample = grouped
    names = [{"code": "often", "en": "Often $x_{y$"}, "seldom"]
    content = {"axis": [{"name": "topic", "exclusive": False, "labels": names}]}
    taxonomy = Taxonomy.from_dict(content, "test")
    found = estimate(
        replace(archive, taxonomy=taxonomy), replace(sample, taxonomy=taxonomy), "month"
    )
    labels = ("$Inv_a{sion$", "50 M$ puis 30 M$")
    events = [Event(date(2023, 6, day), label) for day, label in enumerate(labels, start=1)]
    write_series(found, tmp_path / "series.png", events)
    figure = draw_series(found, events)
    assert figure.axes[0].get_title("left") == "Often $x_{y$"
    *_, key = figure.axes
    (notes,) = key.texts
    assert all(label in notes.get_text() for label in labels) and not notes.get_parse_math()


@pytest.mark.parametrize(
    ("cells", "n_labelled"),
    [(["arms", "-", ""], 2), ([["arms"], [], None], 2), (["-", "-", "-"], 3)],
)
def test_without_an_exclusive_axis_an_empty_row_is_not_labelled_yet(cells, n_labelled):
    """It would count as « none applies », and whoever stops early would find too few labels."""
    rows = [
        {"id": str(i), "draw": i + 1, "topics": cell, "inclusion_probability": 0.1}
        for i, cell in enumerate(cells)
    ]
    sample = LabelledSample.of_frame(pd.DataFrame(rows), taxonomy_of("arms", "talks"))
    assert len(sample) == n_labelled and sample.n_drawn == 3
    assert sample.labels.sum() == sum(cell in ("arms", ["arms"]) for cell in cells)
    assert np.allclose(sample.inclusion_probability, 0.1 * n_labelled / 3)


def test_tasks_that_nobody_has_judged_are_not_labelled_where_no_axis_is_exclusive(tmp_path):
    tasks = [
        {
            "id": i,
            "data": {"id": str(i), "text": f"Texte {i}.", "draw": i, "inclusion_probability": 0.1},
            "annotations": [{"result": [], "completed_by": 1}] if i < 3 else [],
        }
        for i in range(1, 5)
    ]
    choice = {"from_name": "topic", "type": "choices", "value": {"choices": ["arms"]}}
    tasks[0]["annotations"][0]["result"] = [choice]
    path = tmp_path / "export.json"
    path.write_text(json.dumps(tasks))
    sample = LabelledSample.read(path, taxonomy_of("arms", "talks"))
    assert sample.ids == ("1", "2") and sample.n_drawn == 4
    assert sample.labels[:, 0].tolist() == [True, False]


def test_figures_that_cannot_be_drawn_are_refused(files, grouped, tmp_path):
    with pytest.raises(InputError, match="series.gif: its suffix names no format"):
        run(files, "--by", "month", "--figure", str(tmp_path / "series.gif"))
    with pytest.raises(InputError, match="a series runs over months or years; found groups by sou"):
        draw_series(estimate(*grouped, "source"))
    done = run(files, "--by", "theatre", "--figure", str(tmp_path / "series.svg"))
    assert "--figure draws a series over time" in done.stderr
    done = run(files, "--by", "month", "--events", "events.csv")
    assert "--events are drawn on a figure" in done.stderr
    bad = tmp_path / "events.csv"
    bad.write_text("date,label\nhier,Sommet\n")
    with pytest.raises(InputError, match="line 2: date 'hier'; expected an ISO date"):
        read_events(bad)
    bad.write_text("day,label\n2024-01-01,Sommet\n")
    with pytest.raises(InputError, match="found the columns day, label; expected date and label"):
        read_events(bad)


def test_events_are_in_order_of_time(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("date,label\n2024-05-01,Sommet\n2022-02-24,Invasion\n")
    assert [event.label for event in read_events(path)] == ["Invasion", "Sommet"]


def test_the_command_writes_the_figure(files, tmp_path):
    figure = tmp_path / "series.svg"
    events = str(files[0] / "events.csv")
    assert run(files, "--by", "year", "--figure", str(figure), "--events", events).exit_code == 0
    assert figure.read_text(encoding="utf-8").startswith("<?xml")
    assert [path.name for path in tmp_path.iterdir()] == ["series.svg"]
