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

from inference.artefact import add_runtime, read_model
from inference.camembert import CamembertModel
from inference.errors import InputError
from inference.model_kind import Backend
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
LEAST_PARAGRAPHS = 67  # so that one of them is no more than the share that may change

_CALIBRATION = 300  # paragraphs that static int8 takes its ranges from
_EXAMPLE = (2, 16)  # windows and tokens of the input that an export is traced with
_OPSET = 20  # the first with GELU
_BLOCK_SIZE = 32  # weights; with 128 more labels change, and it is only a sixth faster
_INT8_ACTIVATIONS = 4  # ONNX Runtime's number for them
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

    agreement : share of paragraphs that get the same labels on every axis as in fp32, both when
        all are scored together and when each is scored alone.
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
    fp32 to more than 1.5 % of the paragraphs, or moves macro-F1 by more than 0.005; and where
    fewer than 67 paragraphs would be measured.
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
    if len(measured_on) < LEAST_PARAGRAPHS:
        msg = (
            f"{len(measured_on)} paragraphs to measure the export on ({design.sentence}); expected "
            f"{LEAST_PARAGRAPHS} or more; give a larger corpus, or mark more of its articles test"
        )
        raise InputError(msg)
    report(f"measuring on {design.sentence}: {len(measured_on)} paragraphs")
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
    return AutoModelForSequenceClassification.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
    )


def _compare(
    scorer: Scorer, fp32: CamembertModel, exported: CamembertModel, corpus: LabelledCorpus
) -> ExportReport:
    found = [predict(replace(scorer, model=model), corpus).applies for model in (fp32, exported)]
    macro = [macro_f1(applies, corpus.labels, corpus.taxonomy) for applies in found]
    before, after = (float(np.mean(list(own.values()))) for own in macro)
    # Alone, too: what rounds by the batch gives a paragraph other labels with other neighbours.
    alone = np.concatenate([exported.predict_proba([own]) for own in corpus.paragraphs])
    applies, _ = scorer.rule.decide(
        scorer.calibration.apply(alone, corpus.taxonomy), corpus.taxonomy
    )
    same = (found[0] == found[1]).all(axis=1) & (found[0] == applies).all(axis=1)
    return ExportReport(float(same.mean()), after, before, len(corpus))


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
    _forget_origin(path)


def _forget_origin(path: Path) -> None:
    """Take out of an ONNX file where each node was traced: paths of the machine that did it."""
    import onnx

    whole = onnx.load(path)
    for node in whole.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    onnx.save(whole, path)


def _onnx_int8(model: CamembertModel, path: Path, calibration: list[Paragraph]) -> None:
    """Dynamic quantisation: weights by channel once, activations by batch as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole = _onnx_graph(model, calibration)
    logging.disable(logging.WARNING)  # advice to infer shapes first, as torch's exporter has done
    try:
        quantize_dynamic(whole, path, weight_type=QuantType.QInt8, per_channel=True)
    finally:
        logging.disable(logging.NOTSET)


def _onnx_blockwise_int8(model: CamembertModel, path: Path, calibration: list[Paragraph]) -> None:
    """Weights and activations by blocks of 32: what a row becomes hangs on no other row."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    logging.disable(logging.INFO)  # a line a node
    try:
        quantizer = MatMulNBitsQuantizer(
            _onnx_graph(model, calibration),
            bits=8,
            block_size=_BLOCK_SIZE,
            is_symmetric=False,
            accuracy_level=_INT8_ACTIVATIONS,
        )
        quantizer.process()
    finally:
        logging.disable(logging.NOTSET)
    quantizer.model.save_model_to_file(str(path))


def _onnx_graph(model: CamembertModel, calibration: list[Paragraph]) -> Any:
    import onnx

    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary, "model.onnx")
        _onnx(model, path, calibration)
        whole = onnx.load(path)
    # torch's notes on the shapes between nodes, which ONNX Runtime finds in contradiction
    del whole.graph.value_info[:]
    return whole


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


# The fastest first; the next where it changes too many labels, as ranges that are the same for all
# tokens of a batch, or for all there are, do with some encoders.
_EXPORTERS: dict[str, tuple[_Exporter, ...]] = {
    "onnx": (_onnx,),
    "onnx-int8": (_onnx_int8, _onnx_blockwise_int8),
    "openvino": (_openvino,),
    "openvino-int8": (_openvino_static_int8, _openvino_dynamic_int8),
}
