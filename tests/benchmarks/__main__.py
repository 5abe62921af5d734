"""python -m tests.benchmarks: every figure of the README's table, in one run."""

from __future__ import annotations

from pathlib import Path

from inference.taxonomy import Taxonomy
from tests.benchmarks import encoder, estimate, process, speed
from training.corpus import LabelledCorpus

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Print each table as it is ready."""
    taxonomy = Taxonomy.read(ROOT / "data" / "taxonomy.toml")
    corpus = LabelledCorpus.read(ROOT / "data" / "corpus", taxonomy)
    for title, lines in (
        ("Speed", lambda: speed.table(corpus)),
        ("Start-up", lambda: process.start_up(ROOT / "data" / "articles" / "detroit.txt")),
        ("Memory", lambda: process.memory(corpus)),
        ("Encoder of camembert-base's size", lambda: encoder.table(corpus)),
        ("Estimate, a million scored paragraphs", lambda: estimate.table(corpus)),
    ):
        print(f"\n{title}\n" + "\n".join(lines()), flush=True)


if __name__ == "__main__":
    main()
