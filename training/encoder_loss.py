"""The loss that an encoder is fine-tuned on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from inference.windows import Windows
    from training.camembert import CamembertRecipe
    from training.corpus import LabelledCorpus


def label_weights(corpus: LabelledCorpus) -> NDArray[np.float32]:
    """What a label's own paragraphs weigh beside the others, (n_columns,): rare ones more.

    The inverse square root of a label's odds, or of its share on an exclusive axis, where the
    mean weight of a paragraph is 1.
    """
    # One more with and one without, for a label whose only article is in the slice.
    share = (corpus.labels.sum(axis=0) + 1) / (len(corpus) + 2)
    weights = np.empty(len(share), np.float32)
    for axis, span in corpus.taxonomy.spans():
        odds = share[span] if axis.exclusive else share[span] / (1 - share[span])
        weights[span] = odds**-0.5
        if axis.exclusive:
            weights[span] /= (share[span] * weights[span]).sum() / share[span].sum()
    return weights


class EncoderLoss:
    """Binary cross-entropy on axes where any number of labels may apply, cross-entropy on others.

    Each axis's loss is a mean over labels (or is one number), so that axes weigh alike whatever
    their number of labels. A paragraph of several windows weighs as much as one of a single one.

    Where labels have weights (`label_weights`) the logits get the weights' logarithms before the
    loss, since weights shift the best logits by that much: the encoder's own stay log-odds of the
    labels as they are (the logit adjustment of Menon et al. 2021, section 5, for weights).
    """

    def __init__(self, corpus: LabelledCorpus, recipe: CamembertRecipe, device: Any) -> None:
        import torch

        self.spans = corpus.taxonomy.spans()
        self.axis_weights = [recipe.axis_weights.get(axis.name, 1.0) for axis, _ in self.spans]
        self.total_weight = sum(self.axis_weights)
        self.smoothing = recipe.label_smoothing
        self.labels = torch.from_numpy(corpus.labels.astype(np.float32)).to(device)
        weight = np.where(corpus.table["passage"], recipe.passage_weight, 1.0)
        self.weight = torch.from_numpy(weight.astype(np.float32)).to(device)
        self.rarity = torch.ones(corpus.labels.shape[1], device=device)
        if recipe.class_weights:
            self.rarity = torch.from_numpy(label_weights(corpus)).to(device)

    def __call__(
        self, logits: torch.Tensor, windows: Windows, batch: NDArray[np.int64], n_batches: int
    ) -> torch.Tensor:
        """Loss of a batch's windows, from logits (n_windows, n_columns).

        Divided by a constant, not by the batch's own weight: batches are of one length, so that a
        paragraph in a batch of few long ones would weigh more. The mean over an epoch's batches is
        the weighted mean over its paragraphs.
        """
        import torch
        from torch.nn import functional

        of = windows.paragraph[batch]
        n_windows = np.bincount(windows.paragraph)[of]
        rows = torch.from_numpy(of).to(logits.device)
        weight = self.weight[rows] / torch.from_numpy(n_windows).to(logits.device)
        share = n_batches / self.weight.sum()
        total = logits.new_zeros(())
        for (axis, span), axis_weight in zip(self.spans, self.axis_weights, strict=True):
            target, scores = self.labels[rows, span], (logits + self.rarity.log())[:, span]
            if axis.exclusive:
                target = target * (1 - self.smoothing) + self.smoothing / target.shape[1]
                rare = (self.labels[rows, span] * self.rarity[span]).sum(dim=1)
                each = -(target * functional.log_softmax(scores, dim=1)).sum(dim=1) * rare
            else:
                target = target * (1 - self.smoothing) + self.smoothing / 2
                each = functional.binary_cross_entropy_with_logits(
                    scores, target, pos_weight=self.rarity[span], reduction="none"
                ).mean(dim=1)
            total = total + axis_weight * (each * weight).sum() * share
        return total
