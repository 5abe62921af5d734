"""CamemBERT, or any encoder fine-tuned with one head over all labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.blocks import blocks
from inference.errors import InputError
from inference.model import probabilities
from inference.model_kind import Backend, ModelKind, Opened
from inference.runtimes import EXPORTED, TorchRuntime, is_installed, read_encoder
from inference.tokenizer_guard import check_probes, probe_ids, read_tokenizer
from inference.windows import WindowCutter, batches_by_length

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inference.article import Paragraph
    from inference.runtimes import Runtime
    from inference.taxonomy import Taxonomy

_TOKENIZER = "tokenizer.json"
_BLOCK = 500_000  # characters; their tokens take some 50 MB
_AT_ONCE = 200  # paragraphs on a processor: some seconds, and batches enough for all cores


@dataclass(frozen=True, slots=True)
class CamembertModel:
    """A `ParagraphModel` whose columns are those of an encoder's classification head.

    runtime : computes logits; all runtimes of one folder hold the same weights, rounded or not.
    cutter : makes windows of paragraphs and their context.
    padding : id of the token that fills a batch up.

    A row is the same whatever its neighbours, to rounding.
    """

    taxonomy: Taxonomy
    cutter: WindowCutter
    runtime: Runtime
    padding: int

    @property
    def at_once(self) -> int:
        """See `ParagraphModel`; on a GPU, more than one block, and so several batches."""
        return max(_AT_ONCE, self.runtime.tokens_per_batch // 5)

    def predict_proba(self, paragraphs: Sequence[Paragraph]) -> NDArray[np.float64]:
        """See `ParagraphModel`."""
        return probabilities(self.logits(paragraphs), self.taxonomy)

    def logits(self, paragraphs: Sequence[Paragraph]) -> NDArray[np.float64]:
        """Log-odds of each label, up to a constant on an exclusive axis; (n_paragraphs, n_columns).

        Of a paragraph's several windows, the largest logit of a label counts where any number of
        labels may apply, since one passage is enough; on an exclusive axis their mean does.
        """
        sizes = (len(own.text) + len(own.heading) + len(own.preceding) for own in paragraphs)
        found = [self._logits(paragraphs[block]) for block in blocks(sizes, _BLOCK)]
        return np.concatenate([np.empty((0, self.taxonomy.n_columns)), *found])

    def _logits(self, paragraphs: Sequence[Paragraph]) -> NDArray[np.float64]:
        windows = self.cutter.windows(paragraphs)
        found = np.empty((len(windows), self.taxonomy.n_columns))
        batches = list(batches_by_length(windows.lengths, self.runtime.tokens_per_batch))
        logits = self.runtime(windows.padded(batch, self.padding) for batch in batches)
        for batch, own in zip(batches, logits, strict=True):
            found[batch] = own
        starts = np.flatnonzero(np.diff(windows.paragraph, prepend=-1))
        n_windows = np.diff(starts, append=len(windows))[:, None]
        pooled = np.empty((len(starts), self.taxonomy.n_columns))
        for axis, span in self.taxonomy.spans():
            if axis.exclusive:
                pooled[:, span] = np.add.reduceat(found[:, span], starts) / n_windows
            else:
                pooled[:, span] = np.maximum.reduceat(found[:, span], starts)
        return pooled


def _describe(model: CamembertModel) -> tuple[dict[str, Any], Callable[[Path], None]]:
    cutter, runtime = model.cutter, model.runtime
    if not isinstance(runtime, TorchRuntime) or runtime.reduced:
        msg = f"expected an encoder in torch, in float32; found {type(runtime).__name__}"
        raise TypeError(msg)

    def fill(temporary: Path) -> None:
        from transformers import PreTrainedTokenizerFast

        runtime.encoder.save_pretrained(temporary)
        # Under this class transformers reads the tokenizer as it is, whatever the encoder's name.
        PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
            tokenizer_object=cutter.tokenizer,
            model_max_length=cutter.max_length,
            pad_token=cutter.tokenizer.id_to_token(model.padding),
        ).save_pretrained(temporary)
        for path in temporary.iterdir():
            path.chmod(0o644)  # safetensors' own is for its owner alone

    own = {
        "context": cutter.context,
        "max_length": cutter.max_length,
        "padding": model.padding,
        "probes": probe_ids(cutter.tokenizer),
    }
    return {"encoder": own, "runtimes": {}}, fill


def _read(
    folder: Path, taxonomy: Taxonomy, manifest: Mapping[str, Any], backend: Backend
) -> Opened:
    own, exported = manifest["encoder"], manifest["runtimes"]
    name = backend.runtime or (_preferred(exported) if backend.device is None else "torch")
    if name != "torch" and name not in exported:
        there = ", ".join(("torch", *exported))
        msg = f"{folder}: runtime {name!r} is not here; found {there}; posture-train export adds it"
        raise InputError(msg)
    if name != "torch" and backend.device is not None:
        msg = (
            f"--device is for torch; the runtime {name} is on the processor; leave one of them out"
        )
        raise InputError(msg)
    if name == "torch":
        runtime: Runtime = TorchRuntime(read_encoder(folder), device=backend.device)
        golden, remedy = manifest["golden"], "fit it again with this version"
    else:
        runtime = EXPORTED[name].open(folder)
        golden = exported[name]["golden"]
        remedy = f"export {name} again, or choose --runtime torch"
    tokenizer = read_tokenizer(folder / _TOKENIZER)
    check_probes(tokenizer, own["probes"], str(folder / _TOKENIZER))
    cutter = WindowCutter(tokenizer, own["max_length"], own["context"])
    model = CamembertModel(taxonomy, cutter, runtime, own["padding"])
    # bfloat16 on one side, perhaps, and float32 on the other
    return Opened(model, golden, 0.05, remedy, name)


def _preferred(exported: Mapping[str, Any]) -> str:
    """The first exported runtime whose library is installed; torch where there is none.

    Even where torch has a GPU, which only torch itself could tell, after seconds of loading.
    """
    there = [name for name in EXPORTED if name in exported]
    usable = [name for name in there if is_installed(EXPORTED[name].library)]
    if usable or not there or is_installed("torch"):
        return usable[0] if usable else "torch"
    return there[0]  # which says what to install: less than torch


KIND = ModelKind(CamembertModel, ("numpy", "tokenizers", "torch", "transformers"), _read, _describe)
