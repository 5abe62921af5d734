"""Has an encoder learned anything? What has not must not become a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inference.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inference.taxonomy import Axis, Taxonomy
    from training.corpus import LabelledCorpus

_LEAST_SPREAD = 0.1  # of a label's probabilities; an encoder that stays as it began has less


class NothingLearnedError(InputError):
    """A run that must not become a model: its loss is no number, or it says one thing of all."""


def check_finite(loss: float, learning_rate: float) -> None:
    """Raise NothingLearnedError for a loss that is no number."""
    if not np.isfinite(loss):
        msg = (
            f"the loss is {loss}; nothing was written; try a lower --learning-rate than "
            f"{learning_rate:g}"
        )
        raise NothingLearnedError(msg)


def plain_decision(found: NDArray[np.float64], taxonomy: Taxonomy) -> NDArray[np.bool_]:
    """The plainest rule: labels above 0.5, or the most likely one of an exclusive axis."""
    applies = found >= 0.5
    for axis, span in taxonomy.spans():
        if axis.exclusive:
            best = found[:, span].argmax(axis=1)
            applies[:, span] = np.arange(len(axis.labels)) == best[:, None]
    return applies


def check_learned(found: NDArray[np.float64], kept: LabelledCorpus) -> None:
    """Refuse a model that says one thing of all, and no better than the labels' shares say it.

    One thing is the same labels, or probabilities that hardly differ, as where the loss stays at
    ln 2. found : probabilities of the slice, (n_paragraphs, n_columns). Raises NothingLearnedError.
    """
    if not np.isfinite(found).all():
        msg = (
            "the encoder's probabilities are no numbers; nothing was written; lower --learning-rate"
        )
        raise NothingLearnedError(msg)
    shares = np.tile(kept.labels.mean(axis=0), (len(kept), 1))
    applies = plain_decision(found, kept.taxonomy)
    for axis, span in kept.taxonomy.spans():
        label = kept.labels[:, span]
        same = (applies[:, span] == applies[0, span]).all()
        spread = np.ptp(found[:, span], axis=0).max()
        if (not same and spread >= _LEAST_SPREAD) or (label == label[0]).all():
            continue
        own, least = (cross_entropy(p[:, span], label, axis) for p in (found, shares))
        if own >= least:
            said = [code for code, yes in zip(axis.codes, applies[0, span], strict=True) if yes]
            thing = "|".join(said) or "none" if same else f"nearly the same (± {spread / 2:.3f})"
            msg = (
                f"the encoder did not learn {axis.name}: it says {thing} of "
                f"every one of {len(found)} paragraphs of the slice, at a loss of {own:.3f}, where "
                f"the labels' shares alone give {least:.3f}; nothing was written; try a higher "
                "--learning-rate, more --epochs, --class-weights, or another --encoder"
            )
            raise NothingLearnedError(msg)


def cross_entropy(found: NDArray[np.float64], label: NDArray[np.bool_], axis: Axis) -> float:
    """Mean over paragraphs, and over labels where any number may apply: ln 2 at probability 0.5."""
    clipped = np.clip(found, 1e-12, 1 - 1e-12)
    if axis.exclusive:
        return float(-np.log(clipped[label]).mean())
    return float(-np.log(np.where(label, clipped, 1 - clipped)).mean())
