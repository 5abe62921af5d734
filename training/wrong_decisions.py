"""Where a model's decisions are not the labels, one row each, to be read."""

from __future__ import annotations

import numpy as np
import pandas as pd

from training.corpus import LabelledCorpus
from training.predictions import Predictions


def wrong_decisions(predictions: Predictions, corpus: LabelledCorpus) -> pd.DataFrame:
    """One row for each label that was missed or wrongly given; the surest errors first.

    predictions : for the rows of `corpus`, in order.

    Columns: `row` (of the corpus), `id`, `axis`, `label`, `error` ("missed", "false"),
    `probability` of that label, `text`. A wrong tone is two rows, one missed and one false. The
    surest errors are missed labels with the lowest probability and false ones with the highest.
    """
    wrong = predictions.labels != predictions.applies
    rows, columns = np.nonzero(wrong)
    missed = predictions.labels[rows, columns]
    probability = predictions.probabilities[rows, columns]
    names = [name.split(".") for name in predictions.taxonomy.column_names]
    frame = pd.DataFrame(
        {
            "row": rows,
            "id": corpus.table["id"].to_numpy()[rows],
            "axis": [names[column][0] for column in columns.tolist()],
            "label": [names[column][1] for column in columns.tolist()],
            "error": np.where(missed, "missed", "false"),
            "probability": probability,
            "text": corpus.table["text"].to_numpy()[rows],
        }
    )
    order = np.argsort(np.where(missed, probability, 1 - probability), kind="stable")
    return frame.iloc[order].reset_index(drop=True)
