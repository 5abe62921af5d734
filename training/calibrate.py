"""Fits a `Calibration` and a `DecisionRule` on out-of-fold probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from inference.calibration import Calibration
from inference.decision import DecisionRule
from inference.taxonomy import Taxonomy

_SMALLEST = 1e-12
_SLOPES = (0.05, 20.0)
_THRESHOLDS = np.arange(0.20, 0.66, 0.01)  # further out a threshold rests on a few paragraphs


def fit_calibration(
    probabilities: NDArray[np.float64], labels: NDArray[np.bool_], taxonomy: Taxonomy
) -> Calibration:
    """Platt scaling of each column of a non-exclusive axis, one temperature for an exclusive one.

    Parameters
    ----------
    probabilities : (n_paragraphs, n_columns), out-of-fold and uncalibrated.
    labels : bool (n_paragraphs, n_columns)
    """
    slopes, intercepts = np.ones(taxonomy.n_columns), np.zeros(taxonomy.n_columns)
    clipped = np.clip(probabilities, _SMALLEST, 1 - _SMALLEST)
    for axis, span in taxonomy.spans():
        if axis.exclusive:
            slopes[span] = _inverse_temperature(np.log(clipped[:, span]), labels[:, span])
        else:
            for column in range(span.start, span.stop):
                logit = np.log(clipped[:, column] / (1 - clipped[:, column]))
                slopes[column], intercepts[column] = _platt(logit, labels[:, column])
    return Calibration(tuple(slopes.tolist()), tuple(intercepts.tolist()))


def fit_rule(
    probabilities: NDArray[np.float64], labels: NDArray[np.bool_], taxonomy: Taxonomy
) -> DecisionRule:
    """Thresholds with the best F1 on calibrated out-of-fold probabilities.

    F1 is smoothed over neighbouring thresholds, so that one lucky paragraph does not choose.
    """
    thresholds = np.zeros(taxonomy.n_columns)
    for axis, span in taxonomy.spans():
        if axis.exclusive:
            continue
        for column in range(span.start, span.stop):
            chosen = probabilities[:, column, None] >= _THRESHOLDS
            hits = (chosen & labels[:, column, None]).sum(axis=0)
            f1 = 2 * hits / np.maximum(chosen.sum(axis=0) + labels[:, column].sum(), 1)
            window = np.ones(7) / 7
            smooth = np.convolve(np.pad(f1, 3, mode="edge"), window, mode="valid")
            thresholds[column] = _THRESHOLDS[smooth.argmax()]
    return DecisionRule(tuple(thresholds.round(2).tolist()))


def _platt(logit: NDArray[np.float64], label: NDArray[np.bool_]) -> tuple[float, float]:
    """Platt (1999), with the smoothed targets of its section 2.2 against overconfidence."""
    n_yes, n_no = int(label.sum()), int((~label).sum())
    target = np.where(label, (n_yes + 1) / (n_yes + 2), 1 / (n_no + 2))

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = parameters[0] * logit + parameters[1]
        error = 0.5 * (1 + np.tanh(0.5 * z)) - target
        value = np.logaddexp(0, z) - target * z
        return float(value.mean()), np.array([(error * logit).mean(), error.mean()])

    # A slope of zero or less would turn the model's ranking round.
    found = minimize(loss, np.array([1.0, 0.0]), jac=True, bounds=[_SLOPES, (None, None)])
    return float(found.x[0]), float(found.x[1])


def _inverse_temperature(logs: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    def loss(log_slope: float) -> float:
        z = np.exp(log_slope) * logs
        z -= z.max(axis=1, keepdims=True)
        return float((np.log(np.exp(z).sum(axis=1)) - z[labels]).mean())

    bounds = (np.log(_SLOPES[0]), np.log(_SLOPES[1]))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))
