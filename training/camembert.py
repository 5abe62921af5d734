"""The CamemBERT recipe: an encoder fine-tuned by a loop that can be read from top to bottom.

AdamW with decoupled weight decay (Loshchilov and Hutter 2019), layer-wise decay of the learning
rate (Howard and Ruder 2018, section 3.2, as a factor a layer), early stopping on a slice of the
training articles, and, on request, the average of several runs (Wortsman et al. 2022, "Model
soups", section 3.1).
"""

from __future__ import annotations

import re
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
from inference.runtimes import TorchRuntime, has_bfloat16, has_segments
from inference.taxonomy import Axis, Taxonomy
from inference.windows import WindowCutter, Windows, batches_by_length
from training.attention import drops_attention, plain_attention
from training.checkpoint import Checkpoint
from training.corpus import LabelledCorpus
from training.country_exchange import country_exchange
from training.encoder import PretrainedEncoder, name_of, open_encoder
from training.folds import article_folds
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

_LAYER = re.compile(r"\.layers?\.(\d+)\.")
# The second is DeBERTa's norm of its relative positions.
_EMBEDDING = re.compile(r"embedding|\.encoder\.LayerNorm\.")
_BUCKET = 50  # batches whose windows are sorted by length together, and then shuffled


class NothingLearnedError(InputError):
    """A run that must not become a model: its loss is no number, or it says one thing of all."""


@dataclass(frozen=True, slots=True)
class CamembertRecipe:
    """How an encoder is fine-tuned.

    encoder : a local folder, or a name on the hub.
    context : see `inference.windows.WindowCutter`.
    epochs : at most; training stops when `patience` epochs bring no better slice.
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
        import torch

        if unknown := set(self.axis_weights) - {axis.name for axis in train.taxonomy.axes}:
            known = ", ".join(axis.name for axis in train.taxonomy.axes)
            msg = f"axis weight(s) of {', '.join(sorted(unknown))}; expected axes of {known}"
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
            found = model.predict_proba(kept.paragraphs)
            _check_learned(found, kept)
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
            "epochs_run": [one["epoch"] + 1 for one in best],
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
        optimizer = torch.optim.AdamW(_groups(encoder, recipe), lr=recipe.learning_rate, fused=True)
        loss_of = _Loss(self.seen, recipe, device)
        best, first_epoch, first_batch = self._restored(state, optimizer)
        if best and not first_batch and first_epoch - 1 - best["epoch"] >= recipe.patience:
            return best  # it had stopped already

        losses: list[float] = []
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
                "random": _random_state(),
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
                group["lr"] = group["highest"] * _rate(progress, recipe.warm_up)

            # Forward and backward
            with autocast:
                logits = self._logits(windows, batch, device)
            summed = loss_of(logits.float(), windows, batch, n_batches)
            self._check_finite(summed)
            (summed / min(recipe.accumulate, n_batches - i + i % recipe.accumulate)).backward()
            losses.append(summed.item())
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
                macro, loss = self._slice_scores(model)
            report(
                f"  epoch {epoch + 1}: loss {np.mean(losses[-n_batches:]):.3f}, on the slice "
                f"{loss:.3f}, macro-F1 {macro:.3f}"
            )
            if not best or (macro, -loss) > _goodness(best):
                best = {
                    "weights": _copied(encoder),
                    "epoch": epoch,
                    "macro_f1": macro,
                    "loss": loss,
                }
            keep_state(epoch + 1, 0)
            if epoch - best["epoch"] >= recipe.patience:
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
        _set_random_state(state["random"])
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

    def _check_finite(self, loss: torch.Tensor) -> None:
        if not np.isfinite(loss.item()):
            msg = (
                f"the loss is {loss.item()}; nothing was written; try a lower --learning-rate than "
                f"{self.recipe.learning_rate:g}"
            )
            raise NothingLearnedError(msg)

    def _slice_scores(self, model: CamembertModel) -> tuple[float, float]:
        """Macro-F1 at the plainest rule (0.5, or the largest), and loss: means over the axes."""
        self.opened.model.eval()
        found = model.predict_proba(self.kept.paragraphs)
        self.opened.model.train()
        taxonomy, labels = self.kept.taxonomy, self.kept.labels
        macro = macro_f1(_plain_decision(found, taxonomy), labels, taxonomy)
        losses = [
            _cross_entropy(found[:, span], labels[:, span], axis) for axis, span in taxonomy.spans()
        ]
        return float(np.mean(list(macro.values()))), float(np.mean(losses))


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


class _Loss:
    """Binary cross-entropy on axes where any number of labels may apply, cross-entropy on others.

    Each axis's loss is a mean over labels (or is one number), so that axes weigh alike whatever
    their number of labels. A paragraph of several windows weighs as much as one of a single one.
    """

    def __init__(self, corpus: LabelledCorpus, recipe: CamembertRecipe, device: Any) -> None:
        import torch

        self.spans = corpus.taxonomy.spans()
        self.axis_weights = [recipe.axis_weights.get(axis.name, 1.0) for axis, _ in self.spans]
        self.smoothing = recipe.label_smoothing
        self.labels = torch.from_numpy(corpus.labels.astype(np.float32)).to(device)
        weight = np.where(corpus.table["passage"], recipe.passage_weight, 1.0)
        self.weight = torch.from_numpy(weight.astype(np.float32)).to(device)
        rarity = np.ones(corpus.labels.shape[1], np.float32)
        if recipe.class_weights:
            share = corpus.labels.mean(axis=0)
            for axis, span in self.spans:
                odds = share[span] if axis.exclusive else share[span] / (1 - share[span])
                rarity[span] = odds**-0.5
                if axis.exclusive:
                    rarity[span] /= (share[span] * rarity[span]).sum()
        self.rarity = torch.from_numpy(rarity).to(device)

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
            target, scores = self.labels[rows, span], logits[:, span]
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


def _groups(encoder: Any, recipe: CamembertRecipe) -> list[dict[str, Any]]:
    """Parameters by layer: each with its highest learning rate, and no decay for vectors."""
    layers = {int(m[1]) for name, _ in encoder.named_parameters() if (m := _LAYER.search(name))}
    n_layers = max(layers, default=-1) + 1
    if recipe.frozen_layers > n_layers or (not n_layers and recipe.layer_decay != 1):
        msg = (
            f"{recipe.encoder}: found {n_layers} layers by their names; expected as many as "
            "--freeze-layers, and some for --layer-decay other than 1; leave both at 0 and 1"
        )
        raise InputError(msg)
    groups: dict[tuple[int, bool], list[Any]] = {}
    for name, parameter in encoder.named_parameters():
        found = _LAYER.search(name)
        # 0 for embeddings, 1 to n for layers, n + 1 for the head
        depth = int(found[1]) + 1 if found else 0 if _EMBEDDING.search(name) else n_layers + 1
        if depth <= recipe.frozen_layers and recipe.frozen_layers:
            parameter.requires_grad_(requires_grad=False)
            continue
        groups.setdefault((depth, parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": own,
            "weight_decay": recipe.weight_decay if is_matrix else 0.0,
            "highest": recipe.learning_rate * recipe.layer_decay ** max(0, n_layers - depth),
        }
        for (depth, is_matrix), own in groups.items()
    ]


def _rate(progress: float, warm_up: float) -> float:
    """Linear from 0 to 1 over `warm_up` of the way, then linear to 0."""
    if progress < warm_up:
        return progress / warm_up
    return (1 - progress) / (1 - warm_up)


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


def _plain_decision(found: NDArray[np.float64], taxonomy: Taxonomy) -> NDArray[np.bool_]:
    applies = found >= 0.5
    for axis, span in taxonomy.spans():
        if axis.exclusive:
            best = found[:, span].argmax(axis=1)
            applies[:, span] = np.arange(len(axis.labels)) == best[:, None]
    return applies


def _check_learned(found: NDArray[np.float64], kept: LabelledCorpus) -> None:
    """Refuse a model that says one thing of all, and no better than the labels' shares say it."""
    if not np.isfinite(found).all():
        msg = (
            "the encoder's probabilities are no numbers; nothing was written; lower --learning-rate"
        )
        raise NothingLearnedError(msg)
    shares = np.tile(kept.labels.mean(axis=0), (len(kept), 1))
    applies = _plain_decision(found, kept.taxonomy)
    for axis, span in kept.taxonomy.spans():
        label = kept.labels[:, span]
        if (applies[:, span] != applies[0, span]).any() or (label == label[0]).all():
            continue
        own, least = (_cross_entropy(p[:, span], label, axis) for p in (found, shares))
        if own >= least:
            said = [code for code, yes in zip(axis.codes, applies[0, span], strict=True) if yes]
            msg = (
                f"the encoder did not learn {axis.name}: it says {'|'.join(said) or 'none'} of "
                f"every one of {len(found)} paragraphs of the slice, at a loss of {own:.3f}, where "
                f"the labels' shares alone give {least:.3f}; nothing was written; try a higher "
                "--learning-rate, more --epochs, --class-weights, or another --encoder"
            )
            raise NothingLearnedError(msg)


def _cross_entropy(found: NDArray[np.float64], label: NDArray[np.bool_], axis: Axis) -> float:
    """Mean over paragraphs, and over labels where any number may apply: ln 2 at probability 0.5."""
    clipped = np.clip(found, 1e-12, 1 - 1e-12)
    if axis.exclusive:
        return float(-np.log(clipped[label]).mean())
    return float(-np.log(np.where(label, clipped, 1 - clipped)).mean())


def _goodness(best: dict[str, Any]) -> tuple[float, float]:
    return best["macro_f1"], -best["loss"]


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


def _random_state() -> dict[str, Any]:
    import torch

    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def _set_random_state(state: dict[str, Any]) -> None:
    import torch

    torch.set_rng_state(state["cpu"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])
