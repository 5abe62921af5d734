"""The loop that fine-tunes an encoder, once a seed; it can be read from top to bottom.

AdamW with decoupled weight decay (Loshchilov and Hutter 2019), and early stopping on a slice of the
training articles.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, astuple, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from inference.article import Paragraph
from inference.camembert import CamembertModel
from inference.runtimes import TorchRuntime, has_bfloat16
from inference.windows import WindowCutter, Windows, batches_by_length
from training.calibrate import calibrated
from training.checkpoint import Checkpoint, random_state, set_random_state
from training.corpus import LabelledCorpus
from training.country_exchange import country_exchange
from training.encoder import PretrainedEncoder
from training.encoder_loss import EncoderLoss
from training.learning_check import (
    NothingLearnedError,
    check_loss,
    check_probabilities,
    cross_entropy,
    unlearned,
)
from training.learning_rates import parameter_groups, rate_share
from training.metrics import macro_f1
from training.recipe import Report, Track

if TYPE_CHECKING:
    import torch

    from training.camembert import CamembertRecipe

_BUCKET = 50  # batches whose windows are sorted by length together, and then shuffled


@dataclass(frozen=True, slots=True)
class SliceScores:
    """How good an encoder is on the slice, calibrated and decided there as a model will be.

    macro_f1, loss : means over the axes. Without calibration the loss would speak of how sure an
        encoder is, more than of what it knows.
    unlearned : axis → why it counts as not learned, see `learning_check.unlearned`.
    """

    macro_f1: float
    loss: float
    unlearned: dict[str, str]

    @classmethod
    def of(
        cls, found: NDArray[np.float64], kept: LabelledCorpus, shares: NDArray[np.float64]
    ) -> Self:
        """Of uncalibrated probabilities (n_paragraphs, n_columns).

        shares : as for `unlearned`. Raises NothingLearnedError where one is no number.
        """
        check_probabilities(found)
        own = calibrated(found, kept).predictions
        macro = macro_f1(own.applies, own.labels, own.taxonomy)
        losses = [
            cross_entropy(own.probabilities[:, span], own.labels[:, span], axis)
            for axis, span in own.taxonomy.spans()
        ]
        loss = float(np.mean(losses))
        return cls(float(np.mean(list(macro.values()))), loss, unlearned(own, shares))

    @property
    def goodness(self) -> tuple[int, float, float]:
        """The larger, the better: before all axes are learned macro-F1 is that of guesses."""
        return -len(self.unlearned), 0.0 if self.unlearned else self.macro_f1, -self.loss


@dataclass(frozen=True, slots=True)
class Best:
    """The best weights of a run so far, and the run's course.

    weights : empty once another seed is better, where only the best is wanted.
    scores : on the slice, with these weights. epoch : after which they were taken, from 0.
    lowest_loss : on the slice, of all epochs.
    last_gain : the last epoch that brought a better score or a lower loss.
    """

    weights: dict[str, Any]
    scores: SliceScores
    epoch: int
    lowest_loss: float
    last_gain: int
    epochs_run: int

    @classmethod
    def after(cls, best: Best | None, now: SliceScores, epoch: int, encoder: Any) -> Best:
        """The best after one more epoch, at whose end the encoder scores `now`."""
        if best is None or now.goodness > best.scores.goodness:
            lowest = now.loss if best is None else min(best.lowest_loss, now.loss)
            return cls(_copied(encoder), now, epoch, lowest, epoch, epoch + 1)
        if now.loss < best.lowest_loss:
            best = replace(best, lowest_loss=now.loss, last_gain=epoch)
        return replace(best, epochs_run=epoch + 1)

    def is_final(self, patience: int) -> bool:
        """Whether training may stop: all axes are learned, and for some epochs nothing was gained.

        Before, loss and macro-F1 may stand still for epochs and then get better.
        """
        return not self.scores.unlearned and self.epochs_run - 1 - self.last_gain >= patience

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """What `to_dict` gave."""
        return cls(**content | {"scores": SliceScores(*content["scores"])})

    def to_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        own = {name: getattr(self, name) for name in self.__slots__}
        return own | {"scores": astuple(self.scores)}


@dataclass(frozen=True, slots=True)
class FineTuning:
    """All that the loop reads.

    seen : what it learns from. kept : the slice, which decides when it stops.
    """

    recipe: CamembertRecipe
    opened: PretrainedEncoder
    seen: LabelledCorpus
    kept: LabelledCorpus

    def fingerprint(self) -> str:
        """Differs for another recipe, encoder or corpus; not for the same encoder elsewhere."""
        elsewhere = ("encoder", "checkpoint", "resume")
        own = {k: v for k, v in asdict(self.recipe).items() if k not in elsewhere}
        corpora = f"{self.seen.fingerprint()} {self.kept.fingerprint()}"
        return f"{own} {self.opened.digest} {corpora}"

    def model(self) -> CamembertModel:
        """The encoder as it is now, in float32."""
        return self._model(self.opened.model, reduced=False)

    def _model(self, encoder: Any, *, reduced: bool) -> CamembertModel:
        runtime = TorchRuntime(encoder, device=self.recipe.device, reduced=reduced)
        return CamembertModel(self.seen.taxonomy, self._cutter(), runtime, self.opened.padding)

    def train(
        self,
        checkpoint: Checkpoint,
        resumed: dict[str, Any] | None,
        report: Report,
        track: Track,
    ) -> list[Best]:
        """The best of each seed; one whose loss is no number is left out.

        resumed : what `checkpoint` holds of an interrupted run; None begins anew.
        Raises NothingLearnedError where no seed is left.
        """
        import torch

        initial = _copied(self.opened.model)
        kept = resumed["done"] if resumed else []
        done: list[Best | None] = [Best.from_dict(one) if one else None for one in kept]
        for number in range(len(done), self.recipe.seeds):
            state = resumed["state"] if resumed else None
            resumed = None
            self.opened.model.load_state_dict(initial)
            torch.manual_seed(self.recipe.seed + number)
            try:
                done.append(self._train_once(number, done, state, checkpoint, report, track))
            except NothingLearnedError as error:
                if number + 1 == self.recipe.seeds and not any(done):
                    raise
                report(f"  seed {number + 1} is left out: {error.reason}")
                done.append(None)
            if self.recipe.combine == "best":
                done = _lightened(done)
        return [one for one in done if one]

    def _train_once(
        self,
        number: int,
        done: list[Best | None],
        state: dict[str, Any] | None,
        checkpoint: Checkpoint,
        report: Report,
        track: Track,
    ) -> Best:
        import torch

        recipe, encoder = self.recipe, self.opened.model
        runtime = TorchRuntime(encoder, device=recipe.device, reduced=False)
        reduced = has_bfloat16(runtime.device) if recipe.reduced is None else recipe.reduced
        autocast = torch.autocast(runtime.device.type, torch.bfloat16, enabled=reduced)
        optimizer = torch.optim.AdamW(parameter_groups(encoder, recipe), fused=True)
        loss_of = EncoderLoss(self.seen, recipe, runtime.device)
        best, first_epoch, first_batch = self._restored(state, optimizer)
        if best and not first_batch and best.is_final(recipe.patience):
            return best  # it had stopped already

        losses: list[float] = state["losses"] if state else []
        started, n_done = time.monotonic(), 0

        def status() -> str:
            speed = n_done / max(time.monotonic() - started, 1e-9)
            return f"loss {np.mean(losses[-50:]):.3f}  {speed:.0f} paragraphs/s" if losses else ""

        def keep_state(epoch: int, batch: int) -> None:
            own = {
                "weights": encoder.state_dict(),
                "optimizer": optimizer.state_dict(),
                "best": best and best.to_dict(),
                "epoch": epoch,
                "batch": batch,
                "losses": losses,
                "random": random_state(runtime.device),
            }
            checkpoint.save({"done": [one and one.to_dict() for one in done], "state": own})

        n_epochs = recipe.epochs - first_epoch
        total = n_epochs * len(self._epoch(number, first_epoch)[1]) - first_batch
        encoder.train()
        n_steps = 0
        for epoch, i, n_batches, batch, windows in track(
            self._steps(number, first_epoch, first_batch), total, status
        ):
            progress = (epoch + (i + 0.5) / n_batches) / recipe.epochs
            for group in optimizer.param_groups:
                group["lr"] = group["highest"] * rate_share(progress, recipe.warm_up)

            # Forward and backward
            with autocast:
                logits = runtime.forward(windows.padded(batch, self.opened.padding))
            summed = loss_of(logits.float(), windows, batch, n_batches)
            check_loss(summed.item(), recipe.learning_rate)
            (summed / min(recipe.accumulate, n_batches - i + i % recipe.accumulate)).backward()
            losses.append(summed.item() / loss_of.total_weight)
            n_done += len(set(windows.paragraph[batch].tolist()))

            # Step
            last = i + 1 == n_batches
            if (i + 1) % recipe.accumulate == 0 or last:
                torch.nn.utils.clip_grad_norm_(encoder.parameters(), recipe.clip_norm)
                optimizer.step()
                optimizer.zero_grad()
                n_steps += 1
                if n_steps % recipe.checkpoint_steps == 0 and not last:
                    keep_state(epoch, i + 1)
            if not last:
                continue

            # The slice decides whether these weights are the best so far, and whether to stop.
            now = self._slice_scores(reduced=reduced)
            seed = f"seed {number + 1}, " if recipe.seeds > 1 else ""
            report(
                f"  {seed}epoch {epoch + 1}: loss {np.mean(losses[-n_batches:]):.3f}; on the slice "
                f"{now.loss:.3f} calibrated, macro-F1 {now.macro_f1:.3f}"
            )
            best = Best.after(best, now, epoch, encoder)
            keep_state(epoch + 1, 0)
            if best.is_final(recipe.patience):
                break
        assert best is not None  # there is one epoch at the least, or a state with its best
        return best

    def _slice_scores(self, *, reduced: bool) -> SliceScores:
        model = self._model(deepcopy(self.opened.model), reduced=reduced)
        found = model.predict_proba(self.kept.paragraphs)
        return SliceScores.of(found, self.kept, self.seen.label_shares())

    def _restored(
        self, state: dict[str, Any] | None, optimizer: torch.optim.Optimizer
    ) -> tuple[Best | None, int, int]:
        """Best weights so far, epoch and batch to go on with, after all else has been put back."""
        if state is None:
            return None, 0, 0
        self.opened.model.load_state_dict(state["weights"])
        optimizer.load_state_dict(state["optimizer"])
        set_random_state(state["random"], self.opened.model.device)
        best = state["best"] and Best.from_dict(state["best"])
        return best, state["epoch"], state["batch"]

    def _steps(
        self, number: int, first_epoch: int, first_batch: int
    ) -> Iterator[tuple[int, int, int, NDArray[np.int64], Windows]]:
        """Epoch, number of the batch, batches in the epoch, batch, and the epoch's windows."""
        for epoch in range(first_epoch, self.recipe.epochs):
            windows, batches = self._epoch(number, epoch)
            for i in range(first_batch if epoch == first_epoch else 0, len(batches)):
                yield epoch, i, len(batches), batches[i], windows

    def _epoch(self, number: int, epoch: int) -> tuple[Windows, list[NDArray[np.int64]]]:
        """An epoch's windows and batches; the same whenever it is asked for."""
        rng = np.random.default_rng((self.recipe.seed, number, epoch))
        paragraphs = self.seen.paragraphs
        if self.recipe.augment:
            paragraphs = _exchanged(paragraphs, rng)
        windows = self._cutter().windows(paragraphs)
        return windows, _shuffled_batches(windows.lengths, self.recipe.tokens_per_batch, rng)

    def _cutter(self) -> WindowCutter:
        """Cuts paragraphs as scoring will."""
        return WindowCutter(self.opened.tokenizer, self.opened.max_length, self.recipe.context)


def _exchanged(paragraphs: list[Paragraph], rng: np.random.Generator) -> list[Paragraph]:
    """Half of the paragraphs with their countries exchanged, in their context too."""
    exchange = country_exchange(int(rng.integers(2**31)))
    return [
        replace(
            own,
            text=exchange(own.text),
            heading=exchange(own.heading),
            preceding=exchange(own.preceding),
        )
        if chosen
        else own
        for own, chosen in zip(paragraphs, rng.random(len(paragraphs)) < 0.5, strict=True)
    ]


def _shuffled_batches(
    lengths: NDArray[np.int64], tokens_per_batch: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Batches in random order of windows of similar length."""
    order = rng.permutation(len(lengths))
    bucket = max(1, _BUCKET * tokens_per_batch // max(int(lengths.mean()), 1))
    batches = [
        part[chosen]
        for start in range(0, len(order), bucket)
        for part in (order[start : start + bucket],)
        for chosen in batches_by_length(lengths[part], tokens_per_batch)
    ]
    return [batches[i] for i in rng.permutation(len(batches))]


def _lightened(done: list[Best | None]) -> list[Best | None]:
    """Without the weights of all but the best: each weighs as much as the encoder."""
    best = max((one for one in done if one), key=lambda one: one.scores.goodness, default=None)
    return [one if one is None or one is best else replace(one, weights={}) for one in done]


def _copied(encoder: Any) -> dict[str, Any]:
    return {name: tensor.detach().cpu().clone() for name, tensor in encoder.state_dict().items()}
