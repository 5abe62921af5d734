"""Refits the model shipped inside `inference`: python -m training.default_model data/corpus."""

from __future__ import annotations

import sys
from pathlib import Path

from inference.artefact import DEFAULT_MODEL
from inference.taxonomy import Taxonomy
from training.corpus import LabelledCorpus
from training.corpus_record import Background
from training.fit import fit


def main(corpus: Path) -> None:
    """Fit on the corpus, whose taxonomy lies beside it, and replace the shipped folder."""
    taxonomy = Taxonomy.read(corpus.parent / "taxonomy.toml")
    background = Background.beside(corpus, taxonomy, print)
    fitted = fit(LabelledCorpus.read(corpus, taxonomy), report=print, background=background)
    # The estimator would only make every installation larger; `posture-train fit` writes it.
    fitted.made_by("make model").write(DEFAULT_MODEL, with_extra_files=False)
    for name, scores in fitted.held_out.items():
        print(name, scores.macro_f1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
