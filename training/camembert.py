"""The CamemBERT recipe: an encoder fine-tuned by a loop that can be read from top to bottom.

AdamW with decoupled weight decay (Loshchilov and Hutter 2019), early stopping on a slice of the
training articles, and, on request, the average of several runs (Wortsman et al. 2022, "Model
soups", section 3.1).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inference.article import Paragraph
from inference.camembert import CamembertModel
from inference.errors import InputError
from inference.runtimes import TorchRuntime, has_bfloat16, has_segments, need
from inference.windows import WindowCutter, Windows, batches_by_length
from training.attention import drops_attention, plain_attention
from training.checkpoint import Checkpoint, random_state, set_random_state
from training.corpus import LabelledCorpus
from training.country_exchange import country_exchange
from training.encoder import PretrainedEncoder, name_of, open_encoder
from training.encoder_loss import EncoderLoss, label_weights, unweighted
from training.folds import article_folds
from training.learning_check import (
    NothingLearnedError,
    check_finite,
    check_learned,
    cross_entropy,
    plain_decision,
    unlearned,
)
from training.learning_rates import parameter_groups, rate_share
from training.metrics import macro_f1
from training.perturbations import COUNTRIES
from training.recipe import Learned, Report, Track

if TYPE_CHECKING:
    import torch

ENCODERS = (
    "almanach/camembert-base",
    "almanach/camembertv2-base",
    "almanach/camembertav2-base",
    "cmarkea/distilcamembert-base",
    "almanach/moderncamembert-base",
)

COMBINATIONS = ("best", "average")

_BUCKET = 50  # batches whose windows are sorted by length together, and then shuffled


@dataclass(frozen=True, slots=True)
class CamembertRecipe:
    """How an encoder is fine-tuned.

    encoder : a local folder, or a name on the hub.
    context : see `inference.windows.WindowCutter`.
    epochs : at most; training stops when `patience` epochs bring the slice neither a better score
        nor a lower loss.
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
    axis_weights : axis → weight of its loss, 1 where not named.
    passage_weight : of a passage beside a paragraph's 1.
    augment : exchange the names of states among themselves at random, anew in each epoch.
    seeds : how many times to train, with other orders and dropout but the same head to begin with.
    combine : "best" keeps the run that is best on the slice, "average" averages their weights.
    reduced : compute in bfloat16 under autocast; None means where the device has it in hardware.
    device : as torch names it; None means a GPU if there is one.
    checkpoint : file for the state of the run; None keeps none. It stays until the caller, who has
        written the model, deletes it. resume : go on from it, on a processor to the same weights.
    checkpoint_steps : how many steps lie between two saves; each epoch's end is saved too.

    The rest is as in `training.recipe.Recipe`.
    """

    encoder: str = ENCODERS[0]
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

        if unknown := set(self.axis_weights) - {axis.name for axis in train.taxonomy.axes}:
            known = ", ".join(axis.name for axis in train.taxonomy.axes)
            msg = f"axis weight(s) of {', '.join(sorted(unknown))}; expected axes of {known}"
            raise InputError(msg)
        weights = [self.axis_weights.get(axis.name, 1.0) for axis in train.taxonomy.axes]
        finite = np.isfinite([self.learning_rate, *weights]).all()
        if not finite or not 0 <= min(weights) < sum(weights):
            msg = (
                f"learning rate {self.learning_rate:g} and axis weights {weights}; expected finite "
                "numbers, no weight below 0, and one above; change --learning-rate or --axis-weight"
            )
            raise InputError(msg)

        # 1) Open the encoder; the head's first weights are the same for all seeds.
        torch.manual_seed(self.seed)
        opened = open_encoder(self.encoder, train.taxonomy)
        report(
            f"fine-tuning {self.encoder}: {sum(p.numel() for p in opened.model.parameters()):,} "
            f"weights, windows of {opened.max_length} tokens"
        )

        # 2) Keep a slice of the training articles from the gradient.
        folds = article_folds(train, max(2, round(1 / self.slice_share)), self.seed)
        unseen = folds == 0
        seen, kept = train.where(~unseen), train.where(unseen)

        # 3) Train, once or with several seeds; a run that was killed goes on where it was.
        run = _Run(self, opened, seen, kept)
        checkpoint = Checkpoint(self.checkpoint, run.fingerprint())
        resumed = checkpoint.load(resume=self.resume)
        try:
            on_cpu = run.model().runtime.device.type == "cpu"  # type: ignore[attr-defined]
            slow = on_cpu and drops_attention(opened.model)
            with plain_attention(opened.model, where=slow):
                best = run.train(checkpoint, resumed, report, track)

            # 4) Take the best weights, or the average; predict the slice.
            chosen = _average(best) if self.combine == "average" else max(best, key=_goodness)
            opened.model.load_state_dict(chosen["weights"])
            model = run.model()
            for column in np.flatnonzero(~kept.labels.any(axis=0)):
                report(
                    f"the slice holds no {train.taxonomy.column_names[column]}: its probabilities "
                    "stay as the encoder gives them, and its threshold is 0.5"
                )
            found = model.predict_proba(kept.paragraphs)
            check_learned(run.unweighted(found), kept)
        except NothingLearnedError:
            checkpoint.delete()  # there is nothing to go on with
            raise
        training = {
            "recipe": f"fine-tuned {name_of(self.encoder)}",
            **{
                name: value
                for name, value in asdict(self).items()
                if name not in ("checkpoint", "resume", "checkpoint_steps", "device")
            },
            "encoder": name_of(self.encoder),
            "epochs_run": [one["epochs_run"] for one in best],
            "best_epoch": [one["epoch"] + 1 for one in best],
            "slice_macro_f1": [round(one["macro_f1"], 4) for one in best],
        }
        return Learned(model, unseen, found, training)


@dataclass(frozen=True, slots=True)
class _Run:
    """All that a training loop reads."""

    recipe: CamembertRecipe
    opened: PretrainedEncoder
    seen: LabelledCorpus
    kept: LabelledCorpus

    def fingerprint(self) -> str:
        """Differs for another recipe or corpus."""
        own = {k: v for k, v in asdict(self.recipe).items() if k not in ("checkpoint", "resume")}
        return f"{own} {self.seen.fingerprint()} {self.kept.fingerprint()}"

    def model(self) -> CamembertModel:
        """The encoder as it is now, in float32."""
        runtime = TorchRuntime(self.opened.model, device=self.recipe.device, reduced=False)
        return CamembertModel(self.seen.taxonomy, self.cutter(), runtime, self.opened.padding)

    def cutter(self) -> WindowCutter:
        """Cuts paragraphs as scoring will."""
        return WindowCutter(self.opened.tokenizer, self.opened.max_length, self.recipe.context)

    def unweighted(self, found: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities, less what the weights of labels do to them."""
        return unweighted(found, label_weights(self.seen, self.recipe), self.seen.taxonomy)

    def train(
        self,
        checkpoint: Checkpoint,
        resumed: dict[str, Any] | None,
        report: Report,
        track: Track,
    ) -> list[dict[str, Any]]:
        """The best weights of each seed, with their epoch and macro-F1 on the slice."""
        import torch

        initial = _copied(self.opened.model)
        done: list[dict[str, Any]] = resumed["done"] if resumed else []
        for number in range(len(done), self.recipe.seeds):
            state = resumed["state"] if resumed else None
            resumed = None
            self.opened.model.load_state_dict(initial)
            torch.manual_seed(self.recipe.seed + number)
            done.append(self._train_once(number, done, state, checkpoint, report, track))
        return done

    def _train_once(
        self,
        number: int,
        done: list[dict[str, Any]],
        state: dict[str, Any] | None,
        checkpoint: Checkpoint,
        report: Report,
        track: Track,
    ) -> dict[str, Any]:
        import torch

        recipe, encoder = self.recipe, self.opened.model
        model = self.model()
        device = model.runtime.device  # type: ignore[attr-defined]
        reduced = has_bfloat16(device) if recipe.reduced is None else recipe.reduced
        autocast = torch.autocast(device.type, torch.bfloat16, enabled=reduced)
        groups = parameter_groups(encoder, recipe)
        optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)
        loss_of = EncoderLoss(self.seen, recipe, device)
        best, first_epoch, first_batch = self._restored(state, optimizer)
        if best and not first_batch and first_epoch - 1 - best["progress"] >= recipe.patience:
            return best  # it had stopped already

        losses: list[float] = state["losses"] if state else []
        started, n_done = time.monotonic(), 0

        def status() -> str:
            speed = n_done / max(time.monotonic() - started, 1e-9)
            return f"loss {np.mean(losses[-50:]):.3f}  {speed:.0f} paragraphs/s" if losses else ""

        def keep_state(epoch: int, batch: int) -> None:
            if checkpoint.path is None:
                return
            own = {
                "weights": encoder.state_dict(),
                "optimizer": optimizer.state_dict(),
                "best": best,
                "epoch": epoch,
                "batch": batch,
                "losses": losses,
                "random": random_state(),
            }
            checkpoint.save({"done": done, "state": own})

        per_epoch = len(self._epoch(number, first_epoch)[1])
        total = per_epoch * (recipe.epochs - first_epoch) - first_batch
        encoder.train()
        n_steps = 0
        for epoch, i, n_batches, batch, windows in track(
            self._steps(number, first_epoch, first_batch), total, status
        ):
            progress = (epoch + (i + 1) / n_batches) / recipe.epochs
            for group in optimizer.param_groups:
                group["lr"] = group["highest"] * rate_share(progress, recipe.warm_up)

            # Forward and backward
            with autocast:
                logits = self._logits(windows, batch, device)
            summed = loss_of(logits.float(), windows, batch, n_batches)
            check_finite(summed.item(), recipe.learning_rate)
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
            with autocast:
                now = self._slice_scores(model)
            seed = f"seed {number + 1}, " if recipe.seeds > 1 else ""
            report(
                f"  {seed}epoch {epoch + 1}: loss {np.mean(losses[-n_batches:]):.3f}, on the slice "
                f"{now['loss']:.3f}, macro-F1 {now['macro_f1']:.3f}"
            )
            best = _best(best, now, epoch, encoder)
            keep_state(epoch + 1, 0)
            if epoch - best["progress"] >= recipe.patience:
                break
        return best

    def _restored(
        self, state: dict[str, Any] | None, optimizer: torch.optim.Optimizer
    ) -> tuple[dict[str, Any], int, int]:
        """Best weights so far, epoch and batch to go on with, after all else has been put back."""
        if state is None:
            return {}, 0, 0
        self.opened.model.load_state_dict(state["weights"])
        optimizer.load_state_dict(state["optimizer"])
        set_random_state(state["random"])
        return state["best"], state["epoch"], state["batch"]

    def _steps(
        self, number: int, first_epoch: int, first_batch: int
    ) -> Iterator[tuple[int, int, int, NDArray[np.int64], Windows]]:
        """Epoch, number of the batch, batches in the epoch, batch, and the epoch's windows."""
        for epoch in range(first_epoch, self.recipe.epochs):
            windows, batches = self._epoch(number, epoch)
            for i in range(first_batch if epoch == first_epoch else 0, len(batches)):
                yield epoch, i, len(batches), batches[i], windows

    def _logits(self, windows: Windows, batch: NDArray[np.int64], device: Any) -> torch.Tensor:
        import torch

        names = ("input_ids", "attention_mask", "token_type_ids")
        arrays = windows.padded(batch, self.opened.padding)
        given = {
            name: torch.from_numpy(array).to(device)
            for name, array in zip(names, arrays, strict=True)
        }
        if not has_segments(self.opened.model.config):
            del given["token_type_ids"]
        logits: torch.Tensor = self.opened.model(**given).logits
        return logits

    def _epoch(self, number: int, epoch: int) -> tuple[Windows, list[NDArray[np.int64]]]:
        """An epoch's windows and batches; the same whenever it is asked for."""
        rng = np.random.default_rng((self.recipe.seed, number, epoch))
        paragraphs = self.seen.paragraphs
        if self.recipe.augment:
            paragraphs = _exchanged(paragraphs, rng)
        windows = self.cutter().windows(paragraphs)
        return windows, _shuffled_batches(windows.lengths, self.recipe.tokens_per_batch, rng)

    def _slice_scores(self, model: CamembertModel) -> dict[str, Any]:
        """Macro-F1 at the plainest rule and loss, means over the axes; how many are unlearned."""
        self.opened.model.eval()
        found = self.unweighted(model.predict_proba(self.kept.paragraphs))
        self.opened.model.train()
        taxonomy, labels = self.kept.taxonomy, self.kept.labels
        macro = macro_f1(plain_decision(found, taxonomy), labels, taxonomy)
        losses = [
            cross_entropy(found[:, span], labels[:, span], axis) for axis, span in taxonomy.spans()
        ]
        return {
            "macro_f1": float(np.mean(list(macro.values()))),
            "loss": float(np.mean(losses)),
            "n_unlearned": len(unlearned(found, self.kept)),
        }


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


def _best(best: dict[str, Any], now: dict[str, Any], epoch: int, encoder: Any) -> dict[str, Any]:
    """The best weights after an epoch, with their scores and the last epoch that went forward."""
    lower = not best or now["loss"] < best["lowest"]
    course = {
        "lowest": now["loss"] if lower else best["lowest"],
        "progress": epoch if lower else best["progress"],
        "epochs_run": epoch + 1,
    }
    if not best or _goodness(now) > _goodness(best):
        course["progress"] = epoch
        best = {**now, "weights": _copied(encoder), "epoch": epoch}
    return best | course


def _goodness(scores: dict[str, Any]) -> tuple[int, float, float]:
    """The larger, the better: before all axes are learned macro-F1 is that of guesses."""
    learned = not scores["n_unlearned"]
    return -scores["n_unlearned"], scores["macro_f1"] if learned else 0.0, -scores["loss"]


def _average(best: list[dict[str, Any]]) -> dict[str, Any]:
    first = best[0]["weights"]
    weights = {
        name: sum(one["weights"][name] for one in best) / len(best)
        if first[name].is_floating_point()
        else first[name]
        for name in first
    }
    return {"weights": weights}


def _copied(encoder: Any) -> dict[str, Any]:
    return {name: tensor.detach().cpu().clone() for name, tensor in encoder.state_dict().items()}
