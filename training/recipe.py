"""What `fit` asks of a way to train: a model, and predictions that it made unseen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from inference.model import ParagraphModel
from training.corpus import LabelledCorpus

Report = Callable[[str], None]


class Track(Protocol):
    """Passes a long loop's steps through; a progress bar, or nothing."""

    def __call__(
        self, steps: Iterable[Any], total: int, status: Callable[[], str] = lambda: ""
    ) -> Iterable[Any]:
        """`total` says how many steps there are, `status` what to show beside the bar."""
        ...


def untracked(
    steps: Iterable[Any],
    total: int,  # noqa: ARG001 - a bar's
    status: Callable[[], str] = lambda: "",  # noqa: ARG001
) -> Iterable[Any]:
    """No progress bar."""
    return steps


@dataclass(frozen=True, slots=True)
class Learned:
    """What training gives.

    model : fitted on the training texts.
    unseen : bool (n_texts,), the training texts that were predicted by a model that saw no
        paragraph of their article.
    probabilities : (n_unseen, n_columns), uncalibrated, of those texts in order.
    training : the recipe with everything that was chosen, for the manifest.
    extra_files : name → content of files for the model folder that scoring never reads.
    """

    model: ParagraphModel
    unseen: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    training: Mapping[str, Any]
    extra_files: Mapping[str, bytes] = field(default_factory=dict)


class Recipe(Protocol):
    """A way to train, with all that may be chosen in it.

    test_share : of the articles, held out where the corpus has no split of its own.
    min_examples : a label on fewer training texts is refused.
    seed : draws the held-out articles and whatever else is drawn.
    changes : of `training.perturbations`, under which `fit` counts the labels that flip; None
        means all. A slow model's recipe names fewer, as each takes as long as scoring does.
    """

    # Properties, since a frozen dataclass has no attributes that can be set.
    @property
    def test_share(self) -> float:
        """See above."""
        ...

    @property
    def min_examples(self) -> int:
        """See above."""
        ...

    @property
    def seed(self) -> int:
        """See above."""
        ...

    @property
    def changes(self) -> tuple[str, ...] | None:
        """See above."""
        ...

    def learn(self, train: LabelledCorpus, report: Report, track: Track) -> Learned:
        """Train on the texts of `train`, none of which is held out."""
        ...
