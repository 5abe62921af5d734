"""Corrected shares: coverage by simulation, PPI as a second opinion, groups, and bad input."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import ppi_py
import pyarrow as pa
import pytest
from scipy.special import expit

from inference import InputError, Taxonomy
from training.archive import ScoredArchive
from training.estimate import FEW_ARTICLES, TOO_FEW_ARTICLES, columns_for, estimate
from training.labelled_sample import LabelledSample
from training.sample import draw_sample

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

    def archive(self):
        logits = self.logits(self.n_articles)
        labels = self.rng.random(logits.shape) < expit(logits)
        scores = expit(0.8 * logits + 1 + self.rng.normal(0, 0.8, logits.shape))
        return ScoredArchive(
            self.taxonomy, self.ids, self.article, scores, scores >= 0.5, {}
        ), labels


@pytest.fixture(scope="module")
def simulated():
    """Coverage of each interval and its mean width, (4, 3) each: 2,000 archives, 150 labels each."""
    stream = Stream(0)
    truth = stream.truth()
    names = ("corrected", "classical", "counted", "expected")
    covered, width = np.zeros((2, len(names), 3))
    for seed in range(N_REPLICATIONS):
        archive, labels = stream.archive()
        drawn = draw_sample(archive, 150, "uncertainty", seed)
        sample = sample_of(archive, drawn.rows, labels, drawn.inclusion_probability)
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
    assert (coverage["corrected"] > 0.93).all() and (coverage["corrected"] < 0.97).all()
    assert (coverage["counted"] < 0.2).all() and (coverage["expected"] < 0.01).all()
