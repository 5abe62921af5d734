"""What `inference.artefact` asks of each kind of model: how it lies in its folder, and opens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inference.model import ParagraphModel
    from inference.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True)
class Backend:
    """What an encoder is computed with; a linear model takes neither.

    runtime : "torch", or the name of an exported one; None means the first of the exported ones
        (in the order of `runtimes.EXPORTED`) whose library is installed, else torch.
    device : for torch, as it names them; None means a GPU if there is one, else the processor.
    """

    runtime: str | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A model, what it gave for the golden texts where it was written, and how near it must be.

    remedy : what to do where it is not.
    runtime : the name of what computes an encoder; empty for a model that has no choice.
    """

    model: ParagraphModel
    golden: list[list[float]]
    tolerance: float
    remedy: str
    runtime: str = ""


@dataclass(frozen=True, slots=True)
class ModelKind:
    """How a kind of model is read, and described: manifest entries and what writes its files."""

    model: type
    libraries: tuple[str, ...]
    read: Callable[[Path, Taxonomy, Mapping[str, Any], Backend], Opened]
    describe: Callable[[Any], tuple[dict[str, Any], Callable[[Path], None]]]
