"""Whether intervals cover the truth: estimates from sample after sample of a labelled archive."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from training.archive import ScoredArchive
from training.corpus import LabelledCorpus
from training.estimate import Estimates, estimate
from training.labelled_sample import LabelledSample
from training.sample import Sample

_KINDS = ("corrected", "classical", "counted", "expected")


def looked_up(corpus: LabelledCorpus, drawn: Sample) -> LabelledSample:
    """The sample with its labels looked up in a corpus, whose rows are those of the archive."""
    own = corpus.rows(drawn.rows)
    ids = tuple(own.table["id"])
    n = len(drawn)
    return LabelledSample(
        corpus.taxonomy, ids, tuple(own.texts), own.labels, drawn.inclusion_probability, n
    )


def true_shares(archive: ScoredArchive, corpus: LabelledCorpus, by: str | None = None) -> Estimates:
    """The shares that the archive really has, as its `classical` ones: every paragraph is labelled.

    A group with too few articles has none (see `training.estimate`).
    """
    everything = Sample(np.arange(len(archive)), np.ones(len(archive)))
    return estimate(archive, looked_up(corpus, everything), by)


def coverage(trials: Sequence[Estimates], truth: Estimates) -> pd.DataFrame:
    """How good each kind of share is over all labels and samples, overall and in single groups.

    trials : estimates of one archive from different samples.
    truth : see `true_shares`, by the same groups.

    One row for the archive or its groups, and kind of share: `covered`, how often the 95 % interval
    holds the truth; `error`, root mean square; `width`, the mean of the interval. Groups in which
    nothing could be estimated do not count.
    """
    keys = ["axis", "label", "group"]
    # No group has an empty name, so it can stand for the archive; an empty cell joins nothing.
    frame, known = (
        pd.concat([one.to_frame() for one in several]).fillna({"group": ""})
        for several in (trials, [truth])
    )
    true = known.set_index(keys)["classical"].rename("true")
    frame = frame.join(true, on=keys)
    frame = frame[frame["corrected"].notna() & frame["true"].notna()]
    rows = {}
    for unit, own in (
        ("archive", frame[frame["group"] == ""]),
        (f"single {truth.by}", frame[frame["group"] != ""]),
    ):
        for kind in _KINDS if len(own) else ():
            low, high = own[f"{kind}_low"], own[f"{kind}_high"]
            rows[unit, kind] = {
                "covered": own["true"].between(low, high).mean(),
                "error": float(np.sqrt(((own[kind] - own["true"]) ** 2).mean())),
                "width": (high - low).mean(),
            }
    index = pd.MultiIndex.from_tuples(rows, names=["unit", "share"])
    return pd.DataFrame(list(rows.values()), index)
