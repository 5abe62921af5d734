"""What computes an encoder's logits: torch, ONNX Runtime or OpenVINO, each behind one call."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from inference.errors import InputError
from inference.first_token import read_first_token_only
from inference.windows import INPUTS

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Inputs = Mapping[str, NDArray[np.int64]]
    Logits = NDArray[np.float32]

_CPU_BATCH = 256  # tokens; few enough for what a core computes to stay in its cache
_GPU_BATCH = 65_536
# A thread that sets torch's number of threads sets it for all threads to come as well.
_TORCH_THREADS = Lock()


class Runtime(Protocol):
    """Computes logits; on a processor each core has batches of its own.

    So cores do not wait for each other, as they do where all of them share each product.

    tokens_per_batch : how many tokens, padding included, a batch is best made of.
    """

    tokens_per_batch: int

    def __call__(self, batches: Iterable[Inputs]) -> Iterator[Logits]:
        """Logits (n_windows, n_columns) of each batch, in order.

        batches : of each, `windows.INPUTS`, (n_windows, n_tokens) each.
        """
        ...


def is_installed(library: str) -> bool:
    """Whether a library can be imported, without importing it."""
    return find_spec(library) is not None


class TorchRuntime:
    """An encoder as transformers holds it, on a processor or a GPU.

    Parameters
    ----------
    encoder : a sequence-classification model of transformers.
    device : as torch names it; None means a GPU if there is one, else the processor.
    reduced : compute in bfloat16; None means wherever the device has it in hardware.

    Raises InputError for a device that torch cannot use.
    """

    def __init__(
        self, encoder: Any, *, device: str | None = None, reduced: bool | None = None
    ) -> None:
        import torch

        name = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            self.device = torch.device(name)
            torch.zeros(1, device=self.device).item()
        except (RuntimeError, AssertionError, ImportError) as error:  # torch's own ways
            reason = str(error).splitlines()[0].split(". ")[0]
            msg = (
                f"--device {name}: torch cannot use it ({reason}); expected cpu, cuda or another "
                "device of this machine"
            )
            raise InputError(msg) from error
        self.reduced = has_bfloat16(self.device) if reduced is None else reduced
        self.encoder = encoder.to(self.device, torch.bfloat16 if self.reduced else torch.float32)
        self.encoder.eval()
        self.tokens_per_batch = _CPU_BATCH if self.device.type == "cpu" else _GPU_BATCH

    def __call__(self, batches: Iterable[Inputs]) -> Iterator[Logits]:
        """See `Runtime`."""
        import torch

        if self.device.type != "cpu":
            return map(self._logits, batches)
        with _TORCH_THREADS:
            usual = torch.get_num_threads()
            alone = partial(torch.set_num_threads, 1)
            try:
                return iter(list(_on_cores(self._logits, batches, usual, alone)))
            finally:
                torch.set_num_threads(usual)

    def _logits(self, inputs: Inputs) -> Logits:
        import torch

        with torch.inference_mode():
            logits: Logits = self.forward(inputs).float().cpu().numpy()
        return logits

    def forward(self, inputs: Inputs) -> torch.Tensor:
        """The same on the device, for training: with gradients, and as the encoder computes."""
        import torch

        names = input_names(self.encoder.config)
        given = {name: torch.from_numpy(inputs[name]).to(self.device) for name in names}
        logits: torch.Tensor = self.encoder(**given).logits
        return logits


def has_bfloat16(device: Any) -> bool:
    """Whether a torch device multiplies bfloat16 in hardware."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        able = torch.cpu.get_capabilities()
        return bool(able.get("avx512_bf16") or able.get("amx_bf16") or able.get("bf16"))
    return False


def input_names(config: Any) -> tuple[str, ...]:
    """Which of `windows.INPUTS` an encoder takes: not all tell segments apart by their ids."""
    return INPUTS if getattr(config, "type_vocab_size", 1) > 1 else INPUTS[:2]


def read_encoder(folder: Path) -> Any:
    """Open the checkpoint of a model folder: transformers' model, in float32.

    Its last layer computes the first token alone (`first_token`). Raises InputError where a
    library is missing or the checkpoint cannot be read.
    """
    need("torch", "transformers", extra="camembert")
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # a load takes a second
    with readable(folder, "transformers"):
        encoder = AutoModelForSequenceClassification.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,  # else transformers asks on standard input
        )
    read_first_token_only(encoder)
    return encoder


class OnnxRuntime:
    """An exported encoder in ONNX Runtime, on the processor.

    alone : a window a batch, since activations may be rounded by what else is in it.
    """

    def __init__(self, path: Path, *, alone: bool) -> None:
        need("onnxruntime", extra="onnx")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            path,
            options,
            providers=["CPUExecutionProvider"],
            # Of its two ways to normalise a layer, the one joined with the sum before is slower.
            disabled_optimizers=["SkipLayerNormFusion"],
        )
        self.inputs = {given.name for given in self.session.get_inputs()}
        self.tokens_per_batch = 1 if alone else _CPU_BATCH

    def __call__(self, batches: Iterable[Inputs]) -> Iterator[Logits]:
        """See `Runtime`."""
        return _on_cores(self._logits, batches, n_threads())

    def _logits(self, inputs: Inputs) -> Logits:
        given = {name: inputs[name] for name in self.inputs}
        logits: Logits = self.session.run(["logits"], given)[0]
        return logits


class OpenvinoRuntime:
    """An exported encoder in OpenVINO, on the processor.

    reduced : compute in bfloat16, where the processor has it, what is not in 8 bits.
    """

    tokens_per_batch = _CPU_BATCH

    def __init__(self, path: Path, *, reduced: bool) -> None:
        need("openvino", extra="openvino")
        import openvino

        core = openvino.Core()
        settings: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": n_threads(),
            "NUM_STREAMS": n_threads(),
        }
        if not reduced:  # OpenVINO's own choice is bfloat16 where the processor has it
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        compiled = core.compile_model(path, "CPU", settings)
        self.requests: SimpleQueue[Any] = SimpleQueue()  # those that are free, one a stream
        for _ in range(n_threads()):
            self.requests.put(compiled.create_infer_request())
        self.inputs = {name for given in compiled.inputs for name in given.names}

    def __call__(self, batches: Iterable[Inputs]) -> Iterator[Logits]:
        """See `Runtime`."""
        return _on_cores(self._logits, batches, n_threads())

    def _logits(self, inputs: Inputs) -> Logits:
        given = {name: inputs[name] for name in self.inputs}
        request = self.requests.get()
        try:
            logits: Logits = request.infer(given)[0]
        finally:
            self.requests.put(request)
        return logits


def _on_cores(
    compute: Callable[[Inputs], Logits],
    batches: Iterable[Inputs],
    n_workers: int,
    begin: Callable[[], None] | None = None,
) -> Iterator[Logits]:
    """Compute each batch in a thread that takes the next one when it is done.

    begin : what a thread does first.
    """
    with ThreadPoolExecutor(n_workers, initializer=begin) as pool:
        yield from pool.map(compute, batches)


def n_threads() -> int:
    """Cores that this process may use, or fewer where OMP_NUM_THREADS says so."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return int(given) if given.isdigit() and int(given) else cores or 1


def need(*libraries: str, extra: str) -> None:
    """Raise InputError where a library that an extra brings is not installed."""
    if missing := [name for name in libraries if not is_installed(name)]:
        msg = (
            f"this model needs {' and '.join(missing)}, not installed here; "
            f"install the extra: pip install -e '.[{extra}]'"
        )
        raise InputError(msg)


@contextmanager
def readable(path: Path, library: str) -> Iterator[None]:
    """Raise InputError, with the library's version, where it cannot read part of a model."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:  # each library has its own kinds
        # Of the module: a distribution may have another name, as onnxruntime-gpu.
        version = getattr(sys.modules.get(library), "__version__", "")
        msg = (
            f"{path}: {library} {version} cannot read it ({reason_of(error)}); expected what fit "
            "or export wrote; install the version that the manifest names, or write it again"
        )
        raise InputError(msg) from error


def reason_of(error: Exception) -> str:
    """What a library says of its failure, in a line."""
    if "trust_remote_code" in str(error):
        return "it brings code of its own, which is never run"
    # OpenVINO begins with the lines of its own source that it fell through.
    lines = [line for line in str(error).splitlines() if line and "Exception from " not in line]
    return lines[0].strip() if lines else type(error).__name__


@dataclass(frozen=True, slots=True)
class Exported:
    """A runtime that needs no torch: the library, what opens it, and its files in a model folder.

    files : the one that is opened first; others are found beside it.
    """

    library: str
    runtime: Callable[[Path], Runtime]
    files: tuple[str, ...]

    def path(self, folder: Path) -> Path:
        """The file that is opened."""
        return folder / self.files[0]

    def open(self, folder: Path) -> Runtime:
        """Open the runtime's file in a model folder; raises InputError where it cannot be."""
        with readable(self.path(folder), self.library):
            return self.runtime(self.path(folder))


# In the order in which they are taken: the faster way of each before the other (`make bench`).
EXPORTED = {
    "openvino-int8": Exported(
        "openvino", partial(OpenvinoRuntime, reduced=True), ("model.int8.xml", "model.int8.bin")
    ),
    "onnx-int8": Exported("onnxruntime", partial(OnnxRuntime, alone=True), ("model.int8.onnx",)),
    "openvino": Exported(
        "openvino", partial(OpenvinoRuntime, reduced=False), ("model.xml", "model.bin")
    ),
    "onnx": Exported("onnxruntime", partial(OnnxRuntime, alone=False), ("model.onnx",)),
}
