"""An encoder of camembert-base's size: speed beside transformers' pipeline, memory, a step.

Its weights are random, since speed does not depend on them.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from inference.artefact import Provenance, add_runtime, model_digest, write_model
from inference.article import Paragraph
from inference.calibration import Calibration
from inference.camembert import CamembertModel
from inference.decision import DecisionRule
from inference.runtimes import TorchRuntime, has_bfloat16, n_threads, read_encoder
from inference.scorer import Scorer
from inference.sealed_folder import read_manifest
from inference.tokenizer_guard import read_tokenizer
from inference.windows import WindowCutter
from tests.benchmarks.process import command_path, peak_memory
from tests.tiny_encoder import write_tiny_encoder
from training.attention import plain_attention
from training.corpus import LabelledCorpus
from training.runtime_export import copy_files, write_runtime
from training.runtime_writers import WRITERS

_BASE = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3_072,
    "vocab_size": 32_005,
}
_MAX_LENGTH = 512
_VOCABULARY = 12_000  # of the tokenizer: about as many tokens a word as camembert-base's
_N_PARAGRAPHS = 64
_N_CALIBRATION = 64  # paragraphs for static int8; speed does not depend on them either
_ROUNDS = 5
_STEP = (16, 100)  # windows and tokens of a fine-tuning step

Predict = Callable[[list[str]], Any]


def table(corpus: LabelledCorpus) -> list[str]:
    """One line a system: paragraphs/s, and how often that of the pipeline at its defaults."""
    import torch

    torch.set_num_threads(n_threads())
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "encoder")
        write_tiny_encoder(
            folder,
            corpus.texts,
            max_length=_MAX_LENGTH,
            vocabulary=_VOCABULARY,
            num_labels=corpus.taxonomy.n_columns,
            **_BASE,
        )
        model = _model(folder, corpus, reduced=False)
        rng = np.random.default_rng(0)
        chosen = rng.permutation([p for p, text in enumerate(corpus.texts) if len(text) > 300])
        texts = [corpus.texts[i] for i in chosen[:_N_PARAGRAPHS]]
        others = [_paragraph(corpus.texts[i]) for i in chosen[_N_PARAGRAPHS:][:_N_CALIBRATION]]
        systems: dict[str, Predict] = {
            "transformers pipeline, defaults": _pipeline(folder, batch_size=1),
            "transformers pipeline, batches of 32": _pipeline(folder, batch_size=32),
            "torch float32": _predict(model),
        }
        if has_bfloat16(torch.device("cpu")):
            systems["torch bfloat16"] = _predict(_model(folder, corpus, reduced=True))
        for name, ways in WRITERS.items():
            for way, writer in ways.items():
                own = Path(tempfile.mkdtemp(dir=temporary))
                exported = write_runtime(model, name, own, others, writer)
                systems[f"{name}, {way}"] = _predict(exported)
        return [
            f"{len(texts)} paragraphs of {_tokens(model, texts):.0f} tokens, {n_threads()} "
            f"threads, median of {_ROUNDS} rounds",
            *_speeds(systems, texts),
            *_changes(model, systems, texts),
            *(_memory(model, name, others) for name in ("onnx-int8", "openvino-int8")),
            *_steps(folder),
        ]


def _speeds(systems: dict[str, Predict], texts: list[str]) -> list[str]:
    speeds: dict[str, list[float]] = {name: [] for name in systems}
    for predict in systems.values():
        predict(texts[:8])
    for _ in range(_ROUNDS):  # in turn, so that a slow minute of the machine hits all
        for name, predict in systems.items():
            start = time.perf_counter()
            predict(texts)
            speeds[name].append(len(texts) / (time.perf_counter() - start))
    median = {name: statistics.median(own) for name, own in speeds.items()}
    base = next(iter(median.values()))
    return [f"{name:54}{own:8.1f} par/s{own / base:8.2f} x" for name, own in median.items()]


def _changes(model: CamembertModel, systems: dict[str, Predict], texts: list[str]) -> list[str]:
    expected = model.predict_proba([_paragraph(text) for text in texts])
    return [
        f"{name:54}probabilities differ from float32 by at most "
        f"{np.abs(systems[name](texts) - expected).max():.4f}"
        for name in systems
        if not name.startswith("transformers")
    ]


def _memory(model: CamembertModel, name: str, others: list[Paragraph]) -> str:
    taxonomy = model.taxonomy
    rule = DecisionRule((0.5,) * taxonomy.n_columns)
    scorer = Scorer(model, Calibration.identity(taxonomy), rule)
    writer = next(iter(WRITERS[name].values()))
    with tempfile.TemporaryDirectory() as temporary:
        folder, files = Path(temporary, "model"), Path(temporary, "files")
        files.mkdir()
        write_model(folder, scorer, Provenance(), card=_no_card, extra_files={})
        exported = replace(scorer, model=write_runtime(model, name, files, others, writer))
        whence = model_digest(read_manifest(folder))
        fill = partial(copy_files, files)
        add_runtime(folder, name, fill, exported, {}, _no_card, exported_from=whence)
        article = Path(temporary, "article.txt")
        article.write_text("\n\n".join(p.text for p in others), encoding="utf-8")
        command = [command_path("posture"), "score", "--model", str(folder), "--runtime", name]
        peak = peak_memory([*command, str(article)])
    return f"posture score with {name}: peak {peak:.0f} MB resident"


def _no_card(_: object) -> str:
    return ""


def _steps(folder: Path) -> list[str]:
    """Seconds forward, backward and of AdamW, with the attention that fit takes on a processor."""
    import torch

    encoder = read_encoder(folder).train()
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=1e-6, fused=True)
    ids = torch.randint(10, _VOCABULARY, _STEP)
    reductions = [False, True] if has_bfloat16(torch.device("cpu")) else [False]
    times: dict[bool, list[float]] = {reduced: [] for reduced in reductions}
    for _ in range(_ROUNDS):
        for reduced in reductions:
            start = time.perf_counter()
            autocast = torch.autocast("cpu", torch.bfloat16, enabled=reduced)
            with plain_attention(encoder), autocast:
                logits = encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
            logits.float().square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
            times[reduced].append(time.perf_counter() - start)
    median = {reduced: statistics.median(own) for reduced, own in times.items()}
    named = {False: "float32", True: "bfloat16 autocast"}
    return [
        f"fine-tuning step of {_STEP[0]} x {_STEP[1]} tokens, {named[reduced]:20}{own:8.2f} s"
        f"{median[False] / own:8.2f} x"
        for reduced, own in median.items()
    ]


def _model(folder: Path, corpus: LabelledCorpus, *, reduced: bool) -> CamembertModel:
    taxonomy = corpus.taxonomy
    encoder = read_encoder(folder)
    cutter = WindowCutter(read_tokenizer(folder / "tokenizer.json"), _MAX_LENGTH, "none")
    runtime = TorchRuntime(encoder, device="cpu", reduced=reduced)
    return CamembertModel(taxonomy, cutter, runtime, encoder.config.pad_token_id)


def _predict(model: CamembertModel) -> Predict:
    return lambda texts: model.predict_proba([_paragraph(text) for text in texts])


def _pipeline(folder: Path, *, batch_size: int) -> Predict:
    from transformers import pipeline

    classify = pipeline("text-classification", model=str(folder), device="cpu")
    return lambda texts: classify(texts, batch_size=batch_size)


def _paragraph(text: str) -> Paragraph:
    return Paragraph(text, 0, len(text))


def _tokens(model: CamembertModel, texts: list[str]) -> float:
    return float(model.cutter.windows([_paragraph(text) for text in texts]).lengths.mean())
