"""The CamemBERT recipe: an encoder fine-tuned once or several times, and what becomes of it.

The average of several runs is that of Wortsman et al. (2022), "Model soups", section 3.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from inference.errors import InputError
from inference.runtimes import need
from inference.taxonomy import Taxonomy
from training.attention import has_attention_dropout, plain_attention
from training.checkpoint import Checkpoint
from training.corpus import LabelledCorpus
from training.encoder import name_of, open_encoder
from training.fine_tuning import Best, FineTuning, SliceScores
from training.folds import article_folds
from training.learning_check import NothingLearnedError, check_learned
from training.perturbations import COUNTRIES
from training.recipe import Learned, Report, Track

ENCODERS = (
    "almanach/camembert-base",
    "almanach/camembertv2-base",
    "almanach/camembertav2-base",
    "cmarkea/distilcamembert-base",
    "almanach/moderncamembert-base",
)

COMBINATIONS = ("best", "average")


@dataclass(frozen=True, slots=True)
class CamembertRecipe:
    """How an encoder is fine-tuned.

    encoder : a local folder, or a name on the hub. encoder_digest : of its weights, where none but
        these will do, as in `PretrainedEncoder`; None takes any.
    context : see `inference.windows.WindowCutter`.
    epochs : at most; once all axes are learned, training stops when `patience` epochs bring the
        slice neither a better score nor a lower loss.
    slice_share : of the training articles, kept from the gradient: they stop the training and
        give the calibration and the thresholds.
    learning_rate : of the head and the top layer, after a linear rise over `warm_up` of all
        steps, then falling linearly to zero.
    layer_decay : factor of the learning rate from each layer to the one below.
    frozen_layers : how many layers, from the embeddings up, stay as they are; 0 freezes nothing.
    tokens_per_batch : padding included; a step takes the mean gradient of `accumulate` batches.
    label_smoothing : share of each target that is spread over all answers.
    class_weights : weigh each label by the inverse square root of its odds, or of its share on an
        exclusive axis.
    axis_weights : axis → weight of its loss, above 0; 1 where not named.
    passage_weight : of a passage beside a paragraph's 1.
    augment : exchange the names of states among themselves at random, anew in each epoch.
    seeds : how many times to train, with other orders and dropout but the same head to begin with.
    combine : "best" keeps the run that is best on the slice, "average" averages their weights.
    reduced : train under autocast to bfloat16, and score the slice in it; None means where the
        device has it in hardware.
    device : as torch names it; None means a GPU if there is one.
    checkpoint : file for the state of the run; None keeps none. It stays until the caller, who has
        written the model, deletes it. resume : go on from it, on a processor to the same weights.
    checkpoint_steps : how many steps lie between two saves; each epoch's end is saved too.

    The rest is as in `training.recipe.Recipe`.
    """

    encoder: str = ENCODERS[0]
    encoder_digest: str | None = None
    context: str = "preceding"
    epochs: int = 8
    patience: int = 2
    slice_share: float = 0.15
    learning_rate: float = 5e-5
    layer_decay: float = 0.9
    warm_up: float = 0.1
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    frozen_layers: int = 0
    tokens_per_batch: int = 2_048
    accumulate: int = 2
    label_smoothing: float = 0.0
    class_weights: bool = False
    axis_weights: Mapping[str, float] = field(default_factory=dict)
    passage_weight: float = 1.0
    augment: bool = False
    seeds: int = 1
    combine: str = "best"
    reduced: bool | None = None
    device: str | None = None
    checkpoint: Path | None = None
    resume: bool = False
    checkpoint_steps: int = 200
    min_examples: int = 10
    test_share: float = 0.2
    seed: int = 0

    @property
    def changes(self) -> tuple[str, ...]:
        """As in `Recipe`: one, since an encoder scores slowly without a GPU."""
        return (COUNTRIES,)

    def learn(self, train: LabelledCorpus, report: Report, track: Track) -> Learned:
        """Fine-tune on `train` but for its slice, and predict the slice.

        Raises InputError, with advice, where the loss is not a number and where nothing was
        learned.
        """
        need("torch", "transformers", extra="camembert")
        import torch

        self._check(train.taxonomy)

        # 1) Open the encoder; the head's first weights are the same for all seeds.
        torch.manual_seed(self.seed)
        opened = open_encoder(self.encoder, train.taxonomy)
        if self.encoder_digest not in (None, opened.digest):
            msg = (
                f"{self.encoder}: other weights than the model was fine-tuned from; expected the "
                "same encoder; pass its folder as --encoder"
            )
            raise InputError(msg)
        report(
            f"fine-tuning {self.encoder}: {sum(p.numel() for p in opened.model.parameters()):,} "
            f"weights, windows of {opened.max_length} tokens"
        )

        # 2) Keep a slice of the training articles from the gradient.
        folds = article_folds(train, max(2, round(1 / self.slice_share)), self.seed)
        unseen = folds == 0
        seen, kept = train.where(~unseen), train.where(unseen)

        # 3) Train, once or with several seeds; a run that was killed goes on where it was.
        run = FineTuning(self, opened, seen, kept)
        checkpoint = Checkpoint(self.checkpoint, run.fingerprint())
        resumed = checkpoint.load(resume=self.resume)
        try:
            on_cpu = run.model().runtime.device.type == "cpu"  # type: ignore[attr-defined]
            slow = on_cpu and has_attention_dropout(opened.model)
            with plain_attention(opened.model, when=slow):
                best = run.train(checkpoint, resumed, report, track)

            # 4) Take the best weights, or the average; predict the slice.
            opened.model.load_state_dict(self._chosen(best, report))
            model = run.model()
            found = model.predict_proba(kept.paragraphs)
            scores = SliceScores.of(found, kept, seen.label_shares())
            if self.combine == "average":
                told = f"{scores.loss:.3f} calibrated, macro-F1 {scores.macro_f1:.3f}"
                report(f"  the average: on the slice {told}")
            check_learned(scores.unlearned)
        except NothingLearnedError:
            checkpoint.delete()  # there is nothing to go on with
            raise
        own = ("checkpoint", "resume", "checkpoint_steps", "device")
        training = {
            "recipe": f"fine-tuned {name_of(self.encoder)}",
            **{name: value for name, value in asdict(self).items() if name not in own},
            "encoder": name_of(self.encoder),
            "encoder_digest": opened.digest,
            "epochs_run": [one.epochs_run for one in best],
            "best_epoch": [one.epoch + 1 for one in best],
            "seed_macro_f1": [round(one.scores.macro_f1, 4) for one in best],
            "slice_macro_f1": round(scores.macro_f1, 4),
        }
        return Learned(model, unseen, found, training)

    def _check(self, taxonomy: Taxonomy) -> None:
        names = [axis.name for axis in taxonomy.axes]
        if unknown := set(self.axis_weights) - set(names):
            known = ", ".join(names)
            msg = f"axis weight(s) of {', '.join(sorted(unknown))}; expected axes of {known}"
            raise InputError(msg)
        numbers = [self.learning_rate, *self.axis_weights.values()]
        if not np.isfinite(numbers).all() or min(numbers) <= 0:
            msg = (
                f"learning rate and axis weights {', '.join(f'{n:g}' for n in numbers)}; expected "
                "finite numbers above 0; change --learning-rate or --axis-weight"
            )
            raise InputError(msg)

    def _chosen(self, best: Sequence[Best], report: Report) -> dict[str, Any]:
        """The weights to keep, of one seed's or of several's best."""
        if self.combine != "average":
            return max(best, key=lambda one: one.scores.goodness).weights
        good = [one for one in best if not one.scores.unlearned] or best
        if len(good) < len(best):
            report(f"  {len(best) - len(good)} seed(s) that learned too little are not averaged")
        return average([one.weights for one in good])


def average(weights: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean of several encoders' weights; what is no fraction is the first one's."""
    return {
        name: sum(one[name] for one in weights) / len(weights) if own.is_floating_point() else own
        for name, own in weights[0].items()
    }
