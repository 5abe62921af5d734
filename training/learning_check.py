"""Has an encoder learned anything? What has not must not become a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inference.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inference.taxonomy import Axis, Taxonomy
    from training.corpus import LabelledCorpus


_LEAST_SHARE = 0.01  # of a label that was never seen, or always: a guesser would not be certain
_LESS = 0.95  # of the loss of guessing: a guesser's own shares are a little off, either way


class NothingLearnedError(InputError):
    """A run that must not become a model: its loss is no number, or it only guesses.

    reason : why. advice : what to do where a model was to be fitted.
    """

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(f"{reason}; nothing was written; {advice}")
        self.reason = reason


def check_finite(loss: float, learning_rate: float) -> None:
    """Raise NothingLearnedError for a loss that is no number."""
    if not np.isfinite(loss):
        advice = f"try a lower --learning-rate than {learning_rate:g}"
        raise NothingLearnedError(f"the loss is {loss}", advice)


def plain_decision(found: NDArray[np.float64], taxonomy: Taxonomy) -> NDArray[np.bool_]:
    """The plainest rule: labels above 0.5, or the most likely one of an exclusive axis."""
    applies = found >= 0.5
    for axis, span in taxonomy.spans():
        if axis.exclusive:
            best = found[:, span].argmax(axis=1)
            applies[:, span] = np.arange(len(axis.labels)) == best[:, None]
    return applies


def unlearned(
    found: NDArray[np.float64], kept: LabelledCorpus, shares: NDArray[np.float64]
) -> dict[str, str]:
    """Axis → what says that nothing was learned of it; axes that were learned are left out.

    An axis was learned where its loss is less than 0.95 times that of the labels' shares, said of
    every paragraph alike: with half of all labels given that is ln 2, where a new head begins, and
    less with rarer ones. It was not where one label of an exclusive axis is said of all. An axis
    whose labels are the same in all of the slice tells nothing.

    found : probabilities of the slice, (n_paragraphs, n_columns).
    shares : (n_columns,), of the labels among the texts that were learned from; those of the slice
        itself would be an oracle's where it is small.
    """
    constant = np.tile(np.clip(shares, _LEAST_SHARE, 1 - _LEAST_SHARE), (len(kept), 1))
    applies = plain_decision(found, kept.taxonomy)
    result = {}
    for axis, span in kept.taxonomy.spans():
        label, said = kept.labels[:, span], applies[:, span]
        own, least = (cross_entropy(p[:, span], label, axis) for p in (found, constant))
        same = bool((said == said[0]).all())
        if (label == label[0]).all() or (own < _LESS * least and not (same and axis.exclusive)):
            continue
        codes = [code for code, yes in zip(axis.codes, said[0], strict=True) if yes]
        said_of_all = f"it says {'|'.join(codes) or 'none'} of every one"
        what = said_of_all if same else "it guesses at the labels"
        result[axis.name] = (
            f"{what} of {len(found)} paragraphs of the slice, at a loss of {own:.3f}, where the "
            f"labels' shares alone give {least:.3f}"
        )
    return result


def check_learned(
    found: NDArray[np.float64], kept: LabelledCorpus, shares: NDArray[np.float64]
) -> None:
    """Refuse a model with an axis that is `unlearned`, or with probabilities that are no numbers.

    Raises NothingLearnedError.
    """
    if not np.isfinite(found).all():
        reason = "the encoder's probabilities are no numbers"
        raise NothingLearnedError(reason, "try a lower --learning-rate")
    for axis, reason in unlearned(found, kept, shares).items():
        advice = (
            "where the losses above rose or jumped try a lower --learning-rate, where they hardly "
            "moved a higher one or more --epochs, else more labels or another --encoder"
        )
        raise NothingLearnedError(f"the encoder did not learn {axis}: {reason}", advice)


def cross_entropy(found: NDArray[np.float64], label: NDArray[np.bool_], axis: Axis) -> float:
    """Mean over paragraphs, and over labels where any number may apply: ln 2 at probability 0.5."""
    clipped = np.clip(found, 1e-12, 1 - 1e-12)
    if axis.exclusive:
        return float(-np.log(clipped[label]).mean())
    return float(-np.log(np.where(label, clipped, 1 - clipped)).mean())
