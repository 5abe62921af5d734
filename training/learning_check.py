"""Has an encoder learned anything? What has not must not become a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inference.errors import InputError
from inference.model import clipped
from training.calibrate import fit_calibration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from inference.taxonomy import Axis
    from training.predictions import Predictions


_LEAST_SHARE = 0.01  # of a label that was never seen, or always: a guesser would not be certain
_LESS = 0.95  # of the loss of guessing: a hair below it is no knowledge


class NothingLearnedError(InputError):
    """A run that must not become a model: its loss is no number, or it only guesses.

    reason : why. advice : what to do where a model was to be fitted.
    """

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(f"{reason}; nothing was written; {advice}")
        self.reason = reason


def check_loss(loss: float, learning_rate: float) -> None:
    """Raise NothingLearnedError for a loss that is no number."""
    if not np.isfinite(loss):
        advice = f"try a lower --learning-rate than {learning_rate:g}"
        raise NothingLearnedError(f"the loss is {loss}", advice)


def check_probabilities(found: NDArray[np.float64]) -> None:
    """Raise NothingLearnedError where a probability is no number."""
    if not np.isfinite(found).all():
        reason = "the encoder's probabilities are no numbers"
        raise NothingLearnedError(reason, "try a lower --learning-rate")


def unlearned(own: Predictions, shares: NDArray[np.float64]) -> dict[str, str]:
    """Axis → what says that nothing was learned of it; axes that were learned are left out.

    An axis was learned where its loss is less than 0.95 times that of the labels' shares, said of
    every paragraph alike and calibrated as `own` is: what calibration mends, too sure or too
    timid, is neither to be learned nor to be blamed. It was not where one label of an exclusive
    axis is said of all. An axis whose labels are the same in all of the slice tells nothing.

    Calibration gives a label of a non-exclusive axis a slope, which is of no use to the shares;
    by what a parameter gains from noise (Akaike 1974, "A new look at the statistical model
    identification": 1 in the log-likelihood) the loss is raised before it is compared. In a slice
    of six articles or fewer noise still passes, one to three times in twenty.

    own : predictions of the slice, calibrated on it.
    shares : (n_columns,), of the labels among the paragraphs that were learned from.
    """
    taxonomy = own.taxonomy
    constant = np.tile(np.clip(shares, _LEAST_SHARE, 1 - _LEAST_SHARE), (len(own), 1))
    guess = fit_calibration(constant, own.labels, taxonomy).apply(constant, taxonomy)
    result = {}
    for axis, span in taxonomy.spans():
        label, said = own.labels[:, span], own.applies[:, span]
        found, least = (cross_entropy(p[:, span], label, axis) for p in (own.probabilities, guess))
        if not axis.exclusive:
            found += 1 / len(own)
        same = bool((said == said[0]).all())
        if (label == label[0]).all() or (found < _LESS * least and not (same and axis.exclusive)):
            continue
        codes = [code for code, yes in zip(axis.codes, said[0], strict=True) if yes]
        said_of_all = f"it says {'|'.join(codes) or 'none'} of every one"
        what = said_of_all if same else "it guesses at the labels"
        result[axis.name] = (
            f"{what} of {len(own)} paragraphs of the slice, at a calibrated loss of {found:.3f}, "
            f"where the labels' shares alone give {least:.3f} and less than {_LESS * least:.3f} "
            "is expected"
        )
    return result


def check_learned(reasons: Mapping[str, str]) -> None:
    """Refuse a model with axes that are `unlearned`: axis → why.

    Raises NothingLearnedError.
    """
    if reasons:
        advice = (
            "where the losses above rose or jumped try a lower --learning-rate, where they hardly "
            "moved a higher one or more --epochs, where single seeds were better than their "
            "average --combine best, else more labels or another --encoder"
        )
        told = "; ".join(f"{axis}: {reason}" for axis, reason in reasons.items())
        raise NothingLearnedError(f"the encoder did not learn {told}", advice)


def cross_entropy(found: NDArray[np.float64], label: NDArray[np.bool_], axis: Axis) -> float:
    """Mean over paragraphs, and over labels where any number may apply: ln 2 at probability 0.5.

    What calibration cannot touch, since all paragraphs are alike in it, is left out: labels that
    all carry or none, and an exclusive axis of which all have the same. 0 where nothing is left.
    """
    differ = (label != label[0]).any(axis=0)
    if not differ.any():
        return 0.0
    inside = clipped(found)
    if axis.exclusive:
        return float(-np.log(inside[label]).mean())
    return float(-np.log(np.where(label, inside, 1 - inside)[:, differ]).mean())
