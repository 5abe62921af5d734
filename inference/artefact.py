"""The model folder: one format, written and read here and nowhere else.

manifest.json         what seals the folder (`sealed_folder`), and all that is no array
weights.safetensors   a linear model's arrays; no pickle is ever read
model.safetensors, config.json, tokenizer.json, tokenizer_config.json
                      an encoder's, which transformers opens too
model.onnx and others what `posture-train export` added
card.md               the manifest in words
(other files, such as estimator.joblib, are listed with their digests and never opened)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from inference import camembert, linear
from inference.calibration import Calibration
from inference.decision import DecisionRule
from inference.errors import InputError
from inference.model_kind import Backend
from inference.runtimes import EXPORTED
from inference.scorer import Scorer
from inference.sealed_folder import MANIFEST, digest, read_manifest, read_sealed, write_sealed
from inference.taxonomy import Taxonomy

DEFAULT_MODEL = Path(__file__).parent / "default_model"

# A new model kind is one line here.
_KINDS = {"linear": linear.KIND, "camembert": camembert.KIND}

_CARD = "card.md"

Card = Callable[[Mapping[str, Any]], str]  # `training.card`, which this package cannot import

# Sentences of no article: they touch accents, both apostrophes, figures, a masked name, no word.
GOLDEN_TEXTS = (
    "L’état-major a engagé 3 frégates et 1 200 soldats dans l'exercice, près de la frontière.",
    "La ministre a reçu son homologue polonais ; l’accord sera signé en mai.",
    "Le groupe livrera quarante obusiers d’ici à 2027, au prix de 5,2 millions d’euros pièce.",
    "« Toute attaque recevra une réponse », a prévenu le porte-parole du Kremlin.",
    "…",
)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a model comes from, for its reader; scoring needs none of it.

    training : the configuration that was fitted, hyper-parameters included.
    corpus : fingerprint and size of the labelled corpus.
    scores : the evaluation on articles that the model has not seen.
    groups : the same by theatre, register or source. robustness : labels that flip there when
        texts are changed. Both are empty where an older version fitted.
    """

    training: Mapping[str, Any] = field(default_factory=dict)
    corpus: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    groups: Mapping[str, Any] = field(default_factory=dict)
    robustness: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model folder's content: what scores, and where it comes from.

    runtime : what computes it here, by its name in `Backend`; empty for a linear model.
    runtimes : name of each exported runtime → what its export measured.
    """

    scorer: Scorer
    provenance: Provenance
    runtime: str
    runtimes: Mapping[str, Mapping[str, Any]]


def read_model(
    folder: Path, backend: Backend = Backend(), spare: Collection[str] = ()
) -> StoredModel:
    """Open a model folder after checking every file against the manifest.

    spare : as for `read_sealed`.

    Raises InputError where the folder is missing, incomplete, changed since it was written, of a
    newer format, or computes other probabilities here than where it was written.
    """
    manifest = read_sealed(folder, spare)
    try:
        taxonomy = Taxonomy.from_dict(manifest["taxonomy"], str(folder / MANIFEST))
        kind = manifest["kind"]
        if kind not in _KINDS:
            msg = (
                f"{folder / MANIFEST}: model kind {kind!r} is not known here; expected one of "
                f"{sorted(_KINDS)}; install a newer version of posture"
            )
            raise InputError(msg)
        opened = _KINDS[kind].read(folder, taxonomy, manifest, backend)
        scorer = Scorer(
            opened.model,
            Calibration.from_dict(manifest["calibration"]),
            DecisionRule.from_dict(manifest["rule"]),
        )
        provenance = Provenance(
            manifest["training"],
            manifest["corpus"],
            manifest["scores"],
            manifest.get("groups", {}),
            manifest.get("robustness", {}),
        )
        golden = np.array(opened.golden, np.float64)
        found = scorer.predict_proba(GOLDEN_TEXTS)
        _check_numbers(scorer)
        close = found.shape == golden.shape and np.abs(found - golden).max() <= opened.tolerance
    except (KeyError, TypeError, ValueError, IndexError, OSError) as error:
        if isinstance(error, InputError):
            raise
        msg = f"{folder / MANIFEST}: not a whole manifest ({error!r}); fit the model again"
        raise InputError(msg) from error
    if not close:
        msg = (
            f"{folder}: the model gives other probabilities here than where it was written; "
            f"expected the golden predictions of its manifest; {opened.remedy}"
        )
        raise InputError(msg)
    return StoredModel(scorer, provenance, opened.runtime, manifest.get("runtimes", {}))


def read_taxonomy(folder: Path) -> Taxonomy:
    """The taxonomy of a model folder whose model need not open; raises InputError as above."""
    where = str(folder / MANIFEST)
    content = read_manifest(folder).get("taxonomy")
    if not isinstance(content, dict):
        msg = f"{where}: not a whole manifest (no taxonomy); fit the model again"
        raise InputError(msg)
    return Taxonomy.from_dict(content, where)


def write_model(
    folder: Path,
    scorer: Scorer,
    provenance: Provenance,
    *,
    card: Card,
    extra_files: Mapping[str, bytes],
) -> None:
    """Write a model's folder, beside any old one first and then in its place.

    card : makes card.md of the manifest.
    extra_files : name → content of files that belong to the folder but are never read back.

    Raises InputError where the folder cannot be written (a full disk, no right); an old folder
    is then as it was.
    """
    import platform
    from importlib.metadata import version

    name = next(name for name, kind in _KINDS.items() if isinstance(scorer.model, kind.model))
    own, fill_own = _KINDS[name].describe(scorer.model)

    def fill(temporary: Path) -> None:
        fill_own(temporary)
        for file, bytes_ in extra_files.items():
            (temporary / file).write_bytes(bytes_)
        (temporary / _CARD).write_bytes(card(content).encode())

    content = {
        "kind": name,
        **own,
        "taxonomy": scorer.taxonomy.to_dict(),
        "calibration": scorer.calibration.to_dict(),
        "rule": scorer.rule.to_dict(),
        "training": dict(provenance.training),
        "corpus": dict(provenance.corpus),
        "scores": dict(provenance.scores),
        "groups": dict(provenance.groups),
        "robustness": dict(provenance.robustness),
        "golden": scorer.predict_proba(GOLDEN_TEXTS).round(6).tolist(),
        "versions": {
            "python": platform.python_version(),
            **{library: version(library) for library in _KINDS[name].libraries},
        },
    }
    write_sealed(folder, content, fill)


def add_runtime(
    folder: Path,
    name: str,
    fill: Callable[[Path], None],
    scorer: Scorer,
    measured: Mapping[str, Any],
    card: Card,
    *,
    exported_from: str,
) -> None:
    """Add an exported runtime to an encoder's folder, which is replaced as a whole.

    What an earlier export of the same runtime wrote there need not be whole.

    fill : writes the runtime's files into the folder that it is given.
    scorer : scores with the runtime; its golden predictions, and the library's version, are kept
        beside `measured`.
    card : makes card.md anew of the manifest with the runtime in it.
    exported_from : `model_digest` of the folder when it was read for the export.

    Raises InputError as `read_sealed`, and where another model is there by now.
    """
    exported = EXPORTED[name]
    manifest = read_sealed(folder, exported.files)
    if model_digest(manifest) != exported_from:
        msg = f"{folder}: another model is there by now; nothing was added; export again"
        raise InputError(msg)
    runtimes = dict(manifest.get("runtimes", {}))
    golden = scorer.predict_proba(GOLDEN_TEXTS).round(6).tolist()
    used = {exported.library: import_module(exported.library).__version__}
    runtimes[name] = {**measured, "golden": golden, "versions": used}
    content = {
        key: value for key, value in manifest.items() if key not in ("format", "files", "digest")
    } | {"runtimes": runtimes}

    def refill(temporary: Path) -> None:
        import shutil

        for file in manifest["files"].keys() - set(exported.files):
            shutil.copy2(folder / file, temporary / file)
        fill(temporary)
        (temporary / _CARD).write_bytes(card(content).encode())

    write_sealed(folder, content, refill, replacing=manifest["digest"])


def model_digest(manifest: Mapping[str, Any]) -> str:
    """Tells one model from another, whatever was exported of it."""
    exports = ("files", "runtimes")
    return digest({key: value for key, value in manifest.items() if key not in exports})


def _check_numbers(scorer: Scorer) -> None:
    n_columns = scorer.taxonomy.n_columns
    calibration, rule = scorer.calibration, scorer.rule
    for numbers in (calibration.slopes, calibration.intercepts, rule.thresholds):
        if len(numbers) != n_columns or not np.isfinite(numbers).all():
            msg = f"{len(numbers)} numbers of calibration or rule for {n_columns} columns"
            raise ValueError(msg)
