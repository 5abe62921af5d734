"""Opens an encoder's tokenizer, and makes sure that it cuts French as it did at training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from inference.errors import InputError
from inference.runtimes import need, readable

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Accents, both apostrophes, elision, no-break spaces, ligatures, guillemets, figures.
PROBES = (
    "L’armée d'élite qu’on déploie à Noël, jusqu'aujourd’hui.",
    "«\u00a0Où va l’Europe\u202f?\u00a0», s'est-il inquiété.",
    "Cœur, naïveté, maïs, dû, ça\u00a0: 5\u202f200\u00a0km².",
)


def read_tokenizer(path: Path) -> Tokenizer:
    """Open a `tokenizer.json` as `plain` has it; raises InputError where it cannot be read."""
    need("tokenizers", extra="onnx")
    from tokenizers import Tokenizer

    with readable(path, "tokenizers"):
        return plain(Tokenizer.from_file(str(path)))


def plain(tokenizer: Tokenizer) -> Tokenizer:
    """The same without the truncation and padding that may be set in it."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def probe_ids(tokenizer: Tokenizer) -> list[list[int]]:
    """Token ids of French probe sentences: the fingerprint of how a tokenizer works."""
    return [tokenizer.encode(probe).ids for probe in PROBES]


def check_probes(tokenizer: Tokenizer, expected: Sequence[Sequence[int]], where: str) -> None:
    """Raise InputError where a tokenizer cuts the probes otherwise than it did at training."""
    kind = type(tokenizer.model).__name__
    if len(expected) != len(PROBES):
        msg = f"{where}: found {len(expected)} tokenizer probes; expected {len(PROBES)}; fit again"
        raise InputError(msg)
    for probe, found, golden in zip(PROBES, probe_ids(tokenizer), expected, strict=True):
        if found != list(golden):
            msg = (
                f"{where}: the tokenizer (class {kind}) cuts {probe!r} into {found}; expected "
                f"{list(golden)}, as when the model was trained; install the version of tokenizers "
                "that its manifest names, or fit again"
            )
            raise InputError(msg)
