"""Adds a runtime without torch to an encoder's folder, and measures what that changed."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from inference.artefact import add_runtime, model_digest, read_model
from inference.camembert import CamembertModel
from inference.errors import InputError
from inference.model_kind import Backend
from inference.runtimes import EXPORTED, TorchRuntime, need, read_encoder, reason_of
from inference.scorer import Scorer
from inference.sealed_folder import check_output, read_manifest
from training.card import card
from training.corpus import LabelledCorpus
from training.designs import fixed_split
from training.metrics import macro_f1
from training.predictions import predict
from training.runtime_writers import LIBRARIES, WRITERS, RuntimeWriter

if TYPE_CHECKING:
    from inference.article import Paragraph

LEAST_AGREEMENT = 0.985
MOST_F1_CHANGE = 0.005
# So that one paragraph is no more than the share that may change.
LEAST_PARAGRAPHS = math.ceil(1 / (1 - LEAST_AGREEMENT))


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export changed, on labelled paragraphs.

    way : how it rounds, as `runtime_writers.WRITERS` names it.
    agreement : share of paragraphs that get the same labels on every axis as in fp32.
    macro_f1, macro_f1_fp32 : mean macro-F1 over the axes, of the runtime and of torch in fp32.
    n_paragraphs : on which both were measured.
    """

    way: str
    agreement: float
    macro_f1: float
    macro_f1_fp32: float
    n_paragraphs: int

    @property
    def f1_change(self) -> float:
        """By how much macro-F1 moves, upwards or downwards."""
        return abs(self.macro_f1 - self.macro_f1_fp32)

    @property
    def accepted(self) -> bool:
        """Whether so little changed that the runtime may be used."""
        return self.agreement >= LEAST_AGREEMENT and self.f1_change <= MOST_F1_CHANGE

    def __str__(self) -> str:
        return (
            f"{self.way}: the same labels as fp32 on {self.agreement:.1%} of {self.n_paragraphs} "
            f"paragraphs; macro-F1 {self.macro_f1:.4f}, in fp32 {self.macro_f1_fp32:.4f}"
        )


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
    need("torch", "transformers", *LIBRARIES[runtime], extra="export")
    manifest = read_manifest(folder)
    if "encoder" not in manifest:
        msg = f"{folder}: a linear model needs no export; expected a folder of an encoder"
        raise InputError(msg)
    check_output(folder)
    # What an earlier export wrote may be what is to be mended.
    stored = read_model(folder, Backend("torch"), spare=EXPORTED[runtime].files)
    model = cast("CamembertModel", stored.scorer.model)
    fp32 = replace(model, runtime=TorchRuntime(read_encoder(folder), device="cpu", reduced=False))
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
    refused: list[ExportReport] = []
    for way, writer in WRITERS[runtime].items():
        if refused:
            report(f"  refused, {refused[-1]}; once more in a slower and more exact way")
        with tempfile.TemporaryDirectory() as temporary:
            report(f"exporting to {runtime}, {way}")
            exported = write_runtime(fp32, runtime, Path(temporary), calibration, writer)
            report("comparing its labels with those of fp32")
            measured = _compare(way, stored.scorer, fp32, exported, measured_on)
            if measured.accepted:
                scorer = replace(stored.scorer, model=exported)
                fill = partial(copy_files, Path(temporary))
                told, whence = asdict(measured), model_digest(manifest)
                add_runtime(folder, runtime, fill, scorer, told, card, exported_from=whence)
                return measured
            refused.append(measured)
    instead = "export without --int8, or to the other runtime"
    msg = (
        f"{folder}: {runtime} refused, {refused[-1]}; expected {LEAST_AGREEMENT:.1%}, and "
        f"{MOST_F1_CHANGE} between the two macro-F1 at most; nothing was added; "
        + (instead if "int8" in runtime else "score with torch, or export to the other runtime")
    )
    raise InputError(msg)


def copy_files(source: Path, into: Path) -> None:
    """Copy the files of one folder into another."""
    for path in source.iterdir():
        shutil.copyfile(path, into / path.name)


def write_runtime(
    fp32: CamembertModel,
    runtime: str,
    folder: Path,
    calibration: list[Paragraph],
    writer: RuntimeWriter,
) -> CamembertModel:
    """Write a runtime's files into a folder; the same model, computed by them.

    fp32 : computed by torch on the processor, in float32.
    calibration : paragraphs that static int8 takes its ranges from.
    writer : one of the runtime's `runtime_writers.WRITERS`.

    Raises InputError where the library that writes them fails.
    """
    try:
        writer(fp32, EXPORTED[runtime].path(folder), calibration)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # each library has its own kinds
        msg = (
            f"{runtime}: this encoder cannot be written ({reason_of(error)}); nothing was added; "
            f"free some space in {folder.parent}, or export to the other runtime"
        )
        raise InputError(msg) from error
    return replace(fp32, runtime=EXPORTED[runtime].open(folder))


def _compare(
    way: str,
    scorer: Scorer,
    fp32: CamembertModel,
    exported: CamembertModel,
    corpus: LabelledCorpus,
) -> ExportReport:
    before, after = (
        predict(replace(scorer, model=model), corpus).applies for model in (fp32, exported)
    )
    f1_before, f1 = (
        float(np.mean(list(macro_f1(applies, corpus.labels, corpus.taxonomy).values())))
        for applies in (before, after)
    )
    same = (before == after).all(axis=1)
    return ExportReport(way, float(same.mean()), f1, f1_before, len(corpus))
