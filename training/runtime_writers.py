"""Writes an encoder as a file of ONNX Runtime or OpenVINO, in float32 or in 8 bits."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.camembert import CamembertModel
from inference.runtimes import input_names
from inference.windows import batches_by_length
from training.attention import plain_attention

if TYPE_CHECKING:
    import torch

    from inference.article import Paragraph

# Of the model, computed by torch in float32, to a file; the paragraphs give static ranges.
RuntimeWriter = Callable[[CamembertModel, Path, "list[Paragraph]"], None]

LIBRARIES = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "onnx-int8": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("openvino",),
    "openvino-int8": ("openvino", "nncf"),
}

_CALIBRATION = 300  # paragraphs that static int8 takes its ranges from
_EXAMPLE = (2, 16)  # windows and tokens of the input that an export is traced with
_OPSET = 20  # the first with GELU
_BLOCK_SIZE = 32  # weights; with 128 more labels change, and it is only a sixth faster
_INT8_ACTIVATIONS = 4  # ONNX Runtime's number for them


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
    """Dynamic quantisation: weights by channel once, activations by window as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole = _onnx_graph(model, calibration)
    with _unlogged(logging.WARNING):  # advice to infer shapes first, as torch's exporter has done
        quantize_dynamic(whole, path, weight_type=QuantType.QInt8, per_channel=True)


def _onnx_blockwise_int8(model: CamembertModel, path: Path, calibration: list[Paragraph]) -> None:
    """Weights and activations by blocks of 32: what a row becomes hangs on no other row."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    with _unlogged(logging.INFO):  # a line a node
        quantizer = MatMulNBitsQuantizer(
            _onnx_graph(model, calibration),
            bits=8,
            block_size=_BLOCK_SIZE,
            is_symmetric=False,
            accuracy_level=_INT8_ACTIVATIONS,
        )
        quantizer.process()
    quantizer.model.save_model_to_file(str(path))


@contextmanager
def _unlogged(level: int) -> Iterator[None]:
    """Log nothing of a level or below."""
    before = logging.root.manager.disable
    logging.disable(max(before, level))
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _bars_on_terminal() -> Iterator[None]:
    """NNCF's progress bars go to a terminal on stderr or nowhere, not to standard output."""
    shown = sys.stderr.isatty()
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(sys.stderr if shown else nowhere):
        yield


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
        {name: own[name] for name in names}
        for batch in batches_by_length(windows.lengths, model.runtime.tokens_per_batch)
        for own in (windows.padded(batch, model.padding),)
    ]
    nncf.set_log_level(logging.ERROR)
    with _bars_on_terminal():
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
    with _bars_on_terminal():
        quantized = nncf.compress_weights(
            _converted(model),
            mode=nncf.CompressWeightsMode.INT8_ASYM,
            ignored_scope=nncf.IgnoredScope(types=["Gather"], validate=False),  # embeddings
        )
    openvino.save_model(quantized, path, compress_to_fp16=False)


def _converted(model: CamembertModel) -> Any:
    import openvino
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # of tracing
    encoder, example = _traced(model)
    # A padded token that sees no word within its reach: not a number in OpenVINO's own attention,
    # which spreads to all others.
    local = hasattr(encoder.config, "local_attention")
    with warnings.catch_warnings(), plain_attention(encoder, when=local):
        warnings.simplefilter("ignore")  # of torch about tracing
        return openvino.convert_model(encoder, example_input=example)


def _traced(model: CamembertModel) -> tuple[Any, dict[str, torch.Tensor]]:
    """The encoder, and an input by whose way through it an export is made."""
    import torch

    encoder = model.runtime.encoder  # type: ignore[attr-defined]
    names = input_names(encoder.config)
    return encoder, {name: torch.ones(_EXAMPLE, dtype=torch.int64) for name in names}


# Runtime → way → writer. The fastest way first; the next is for encoders of which it changes too
# many labels, as ranges that are the same for all tokens of a window, or for all there are, may do.
WRITERS: dict[str, dict[str, RuntimeWriter]] = {
    "onnx": {"float32": _onnx},
    "onnx-int8": {
        "activations by window": _onnx_int8,
        "activations by block of 32": _onnx_blockwise_int8,
    },
    "openvino": {"float32": _openvino},
    "openvino-int8": {
        "activations by ranges found beforehand": _openvino_static_int8,
        "activations by token": _openvino_dynamic_int8,
    },
}
