"""Exports a fine-tuned encoder to a runtime without torch, and measures what that changed."""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from inference.artefact import Backend, add_runtime, read_model
from inference.camembert import CamembertModel
from inference.errors import InputError
from inference.runtimes import EXPORTED, TorchRuntime, has_segments, need
from inference.scorer import Scorer
from inference.sealed_folder import read_sealed
from inference.windows import batches_by_length
from training.attention import plain_attention
from training.card import card
from training.corpus import LabelledCorpus
from training.designs import fixed_split
from training.metrics import macro_f1
from training.predictions import predict

if TYPE_CHECKING:
    import torch

    from inference.article import Paragraph

_Exporter = Callable[[CamembertModel, Path, "list[Paragraph]"], None]

LEAST_AGREEMENT = 0.985
MOST_F1_CHANGE = 0.005

_CALIBRATION = 300  # paragraphs that static int8 takes its ranges from
_EXAMPLE = (2, 16)  # windows and tokens of the input that an export is traced with
_OPSET = 20  # the first with GELU
_LIBRARIES = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "onnx-int8": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("openvino",),
    "openvino-int8": ("openvino", "nncf"),
}
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export changed, on labelled paragraphs.

    agreement : share of paragraphs that get the same labels on every axis as in fp32.
    macro_f1, macro_f1_fp32 : mean macro-F1 over the axes, of the runtime and of torch in fp32.
    n_paragraphs : on which both were measured.
    """

    agreement: float
    macro_f1: float
    macro_f1_fp32: float
    n_paragraphs: int


def export(
    folder: Path,
    corpus: LabelledCorpus,
    runtime: str,
    report: Callable[[str], None] = lambda _: None,
) -> ExportReport:
    """Add a runtime to a model folder, unless it changes labels.

    Parameters
    ----------
    corpus : the articles that it marks test, or that the fit held out of it, are what the change
        is measured on; static int8 takes its ranges from the others.
    runtime : a name in `inference.runtimes.EXPORTED`.

    Raises InputError, and leaves the folder as it was, where the runtime gives other labels than
    fp32 to more than 1.5 % of the paragraphs, or moves macro-F1 by more than 0.005.
    """
    need("torch", "transformers", *_LIBRARIES[runtime], extra="export")
    if "encoder" not in read_sealed(folder):
        msg = f"{folder}: a linear model needs no export; expected a folder of an encoder"
        raise InputError(msg)
    # Not an export that is there already: it may be what is to be mended.
    stored = read_model(folder, Backend("torch"))
    model = cast("CamembertModel", stored.scorer.model)
    fp32 = replace(model, runtime=TorchRuntime(_reopened(folder), device="cpu", reduced=False))
    design = fixed_split(corpus, stored.provenance)
    measured_on = design.measured
    apart = ~np.isin(design.corpus.article_ids, measured_on.article_ids)
    calibration = (design.corpus.where(apart) if apart.any() else measured_on).paragraphs
    refused = ""
    for exporter in _EXPORTERS[runtime]:
        with tempfile.TemporaryDirectory() as temporary:
            report(f"exporting to {runtime}")
            exported = _written(fp32, runtime, exporter, Path(temporary), calibration)
            report("comparing its labels with those of fp32")
            measured = _compare(stored.scorer, fp32, exported, measured_on)
            change = abs(measured.macro_f1 - measured.macro_f1_fp32)
            if measured.agreement >= LEAST_AGREEMENT and change <= MOST_F1_CHANGE:
                scorer = replace(stored.scorer, model=exported)
                fill = partial(_copy_files, Path(temporary))
                add_runtime(folder, runtime, fill, scorer, asdict(measured), card)
                return measured
        refused = (
            f"gives the same labels as fp32 to {measured.agreement:.1%} of "
            f"{measured.n_paragraphs} paragraphs and moves macro-F1 by {change:.4f}"
        )
        if exporter is not _EXPORTERS[runtime][-1]:
            report(f"  refused: {refused}; once more in a slower and more exact way")
    msg = (
        f"{folder}: {runtime} {refused}; expected {LEAST_AGREEMENT:.1%} and {MOST_F1_CHANGE} at "
        "most; nothing was added; export without --int8, or to the other runtime"
    )
    raise InputError(msg)


def _copy_files(source: Path, into: Path) -> None:
    for path in source.iterdir():
        (into / path.name).write_bytes(path.read_bytes())


def write_runtime(
    fp32: CamembertModel, runtime: str, folder: Path, calibration: list[Paragraph]
) -> CamembertModel:
    """Write a runtime's files into a folder, in its fastest way; the same model, computed by them.

    fp32 : computed by torch on the processor, in float32.
    calibration : paragraphs that static int8 takes its ranges from.
    """
    return _written(fp32, runtime, _EXPORTERS[runtime][0], folder, calibration)


def _written(
    fp32: CamembertModel,
    runtime: str,
    exporter: _Exporter,
    folder: Path,
    calibration: list[Paragraph],
) -> CamembertModel:
    exporter(fp32, folder / EXPORTED[runtime].file, calibration)
    return replace(fp32, runtime=EXPORTED[runtime].open(folder))


def _reopened(folder: Path) -> Any:
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # of tracing
    return AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True)


def _compare(
    scorer: Scorer, fp32: CamembertModel, exported: CamembertModel, corpus: LabelledCorpus
) -> ExportReport:
    found = [predict(replace(scorer, model=model), corpus).applies for model in (fp32, exported)]
    macro = [macro_f1(applies, corpus.labels, corpus.taxonomy) for applies in found]
    before, after = (float(np.mean(list(own.values()))) for own in macro)
    same = float((found[0] == found[1]).all(axis=1).mean())
    return ExportReport(same, after, before, len(corpus))


def _onnx(model: CamembertModel, path: Path, calibration: list[Paragraph]) -> None:  # noqa: ARG001
    import torch

    encoder, example = _traced(model)
    axes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # of libraries that are not needed
    # Torch's own attention guards against rows that see nothing, at a cost.
    with warnings.catch_warnings(), plain_attention(encoder):
        warnings.simplefilter("ignore")  # of torch about its own internals
        torch.onnx.export(
            encoder,
            kwargs=example,
            f=path,
            input_names=list(example),
            output_names=["logits"],
            opset_version=_OPSET,
            dynamo=True,
            dynamic_shapes=dict.fromkeys(example, axes),
            external_data=False,
            verbose=False,
        )


def _onnx_int8(model: CamembertModel, path: Path, calibration: list[Paragraph]) -> None:
    """Dynamic quantisation: weights by channel once, activations by batch as they come."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as temporary:
        _onnx(model, Path(temporary, "model.onnx"), calibration)
        whole = onnx.load(Path(temporary, "model.onnx"))
    # torch's notes on the shapes between nodes, which ONNX Runtime finds in contradiction
    del whole.graph.value_info[:]
    logging.disable(logging.WARNING)  # advice to infer shapes first, as torch's exporter has done
    try:
        quantize_dynamic(whole, path, weight_type=QuantType.QInt8, per_channel=True)
    finally:
        logging.disable(logging.NOTSET)


def _openvino(model: CamembertModel, path: Path, calibration: list[Paragraph]) -> None:  # noqa: ARG001
    import openvino

    openvino.save_model(_converted(model), path, compress_to_fp16=False)


def _openvino_static_int8(model: CamembertModel, path: Path, calibration: list[Paragraph]) -> None:
    """Static quantisation by NNCF: ranges of activations from the calibration paragraphs."""
    import nncf
    import openvino

    windows = model.cutter.windows(calibration[:_CALIBRATION])
    whole = _converted(model)
    names = [name for given in whole.inputs for name in given.names]
    inputs = [
        {name: dict(zip(_INPUTS, arrays, strict=True))[name] for name in names}
        for batch in batches_by_length(windows.lengths, model.runtime.tokens_per_batch)
        for arrays in (windows.padded(batch, model.padding),)
    ]
    nncf.set_log_level(logging.ERROR)
    with redirect_stdout(sys.stderr):  # its progress bars
        quantized = nncf.quantize(
            whole,
            nncf.Dataset(inputs),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(inputs),
        )
    openvino.save_model(quantized, path, compress_to_fp16=False)


def _openvino_dynamic_int8(
    model: CamembertModel,
    path: Path,
    calibration: list[Paragraph],  # noqa: ARG001
) -> None:
    """Weights of matrices by channel once; OpenVINO quantises activations by token, in groups."""
    import nncf
    import openvino

    nncf.set_log_level(logging.ERROR)
    with redirect_stdout(sys.stderr):
        quantized = nncf.compress_weights(
            _converted(model),
            mode=nncf.CompressWeightsMode.INT8_ASYM,
            ignored_scope=nncf.IgnoredScope(types=["Gather"], validate=False),  # embeddings
        )
    openvino.save_model(quantized, path, compress_to_fp16=False)


def _converted(model: CamembertModel) -> Any:
    import openvino

    encoder, example = _traced(model)
    # A padded token that sees no word within its reach: not a number in OpenVINO's own attention,
    # which spreads to all others.
    local = hasattr(encoder.config, "local_attention")
    with warnings.catch_warnings(), plain_attention(encoder, where=local):
        warnings.simplefilter("ignore")  # of torch about tracing
        return openvino.convert_model(encoder, example_input=example)


def _traced(model: CamembertModel) -> tuple[Any, dict[str, torch.Tensor]]:
    """The encoder, and an input by whose way through it an export is made."""
    import torch

    encoder = model.runtime.encoder  # type: ignore[attr-defined]
    names = _INPUTS if has_segments(encoder.config) else _INPUTS[:2]
    return encoder, {name: torch.ones(_EXAMPLE, dtype=torch.int64) for name in names}


# The fastest first; the next where it changes too many labels, as static ranges, the same for all
# tokens, do with some encoders.
_EXPORTERS: dict[str, tuple[_Exporter, ...]] = {
    "onnx": (_onnx,),
    "onnx-int8": (_onnx_int8,),
    "openvino": (_openvino,),
    "openvino-int8": (_openvino_static_int8, _openvino_dynamic_int8),
}
