"""The model folder: one format, written and read here and nowhere else.

manifest.json         written last: its presence says that the folder is whole
weights.safetensors   the arrays; no pickle is ever read
(other files, such as estimator.joblib, are listed with their digests and never opened)
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.calibration import Calibration
from inference.decision import DecisionRule
from inference.errors import InputError
from inference.features import FeatureConfig
from inference.linear import LinearModel, LinearWeights
from inference.phrases import PhraseMatcher
from inference.scorer import Scorer
from inference.taxonomy import Taxonomy

FORMAT = 1
DEFAULT_MODEL = Path(__file__).parent / "default_model"

_MANIFEST = "manifest.json"
_WEIGHTS = "weights.safetensors"
_GOLDEN_TOLERANCE = 1e-3  # float32 sums on another processor; a wrong weight moves far more

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
    """

    training: Mapping[str, Any] = field(default_factory=dict)
    corpus: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model folder's content: what scores, and where it comes from."""

    scorer: Scorer
    provenance: Provenance


def read_model(folder: Path) -> StoredModel:
    """Open a model folder after checking every file against the manifest.

    Raises InputError where the folder is missing, incomplete, changed since it was written, of a
    newer format, or computes other probabilities here than where it was written.
    """
    manifest = _read_manifest(folder)
    for name, digest in manifest["files"].items():
        _check_file(folder / name, str(digest))
    try:
        taxonomy = Taxonomy.from_dict(manifest["taxonomy"], str(folder / _MANIFEST))
        kind = manifest["kind"]
        if kind not in _READERS:
            msg = (
                f"{folder / _MANIFEST}: model kind {kind!r} is not known here; expected one of "
                f"{sorted(_READERS)}; install a newer version of posture"
            )
            raise InputError(msg)
        model = _READERS[kind](folder, taxonomy, manifest)
        scorer = Scorer(
            model,
            Calibration.from_dict(manifest["calibration"]),
            DecisionRule.from_dict(manifest["rule"]),
        )
        provenance = Provenance(manifest["training"], manifest["corpus"], manifest["scores"])
        golden = np.array(manifest["golden"], np.float64)
        found = scorer.predict_proba(GOLDEN_TEXTS)
        _check_numbers(scorer)
        close = found.shape == golden.shape and np.abs(found - golden).max() <= _GOLDEN_TOLERANCE
    except (KeyError, TypeError, ValueError, IndexError, OSError) as error:
        if isinstance(error, InputError):
            raise
        msg = f"{folder / _MANIFEST}: not a whole manifest ({error!r}); fit the model again"
        raise InputError(msg) from error
    if not close:
        msg = (
            f"{folder}: the model gives other probabilities here than where it was written; "
            "expected the golden predictions of its manifest; fit it again with this version"
        )
        raise InputError(msg)
    return StoredModel(scorer, provenance)


def _check_numbers(scorer: Scorer) -> None:
    n_columns = scorer.taxonomy.n_columns
    calibration, rule = scorer.calibration, scorer.rule
    for numbers in (calibration.slopes, calibration.intercepts, rule.thresholds):
        if len(numbers) != n_columns or not np.isfinite(numbers).all():
            msg = f"{len(numbers)} numbers of calibration or rule for {n_columns} columns"
            raise ValueError(msg)


def write_linear(
    folder: Path, scorer: Scorer, provenance: Provenance, *, extra_files: Mapping[str, bytes]
) -> None:
    """Write a linear model's folder, beside any old one first and then in its place.

    extra_files : name → content of files that belong to the folder but are never read back.

    Raises InputError where the folder cannot be written (a full disk, no right); an old folder
    is then as it was.
    """
    model = scorer.model
    if not isinstance(model, LinearModel):
        msg = f"expected a LinearModel, found {type(model).__name__}"
        raise TypeError(msg)
    weights = model.weights
    arrays: dict[str, NDArray[Any]] = {
        "columns": weights.columns,
        "rows": weights.rows,
        "class_rows": weights.class_rows,
        "intercepts": weights.intercepts,
    }
    for name, phrases in (("names", weights.names), ("lexicon", weights.lexicon)):
        arrays |= {
            f"{name}.keys": phrases.keys,
            f"{name}.values": phrases.values,
            f"{name}.openings": phrases.openings,
        }

    def fill(temporary: Path) -> None:
        from safetensors.numpy import save_file

        save_file(arrays, temporary / _WEIGHTS)
        (temporary / _WEIGHTS).chmod(0o644)  # save_file's is for its owner alone

    manifest = {"kind": "linear", "features": asdict(model.config)}
    _write_folder(folder, manifest, scorer, provenance, fill, extra_files)


def check_output(folder: Path) -> None:
    """Refuse, before any work is done, a place where a model folder must not be written.

    Raises InputError for a file, and for a folder of something else than a model.
    """
    if folder.exists() and not folder.is_dir():
        msg = (
            f"{folder}: is a file; expected a folder to write the model to; choose another --output"
        )
        raise InputError(msg)
    if folder.exists() and any(folder.iterdir()) and not (folder / _MANIFEST).exists():
        msg = (
            f"{folder}: the folder holds something that is no model; expected a new or empty "
            "folder or an old model to replace; choose another --output"
        )
        raise InputError(msg)


def _digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of everything in a manifest but the digest itself."""
    rest = {name: value for name, value in manifest.items() if name != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _write_folder(
    folder: Path,
    manifest: dict[str, Any],
    scorer: Scorer,
    provenance: Provenance,
    fill: Callable[[Path], None],
    extra_files: Mapping[str, bytes],
) -> None:
    check_output(folder)
    folder = folder.resolve()
    temporary: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        temporary.chmod(0o755)  # mkdtemp's is for its owner alone
        fill(temporary)
        for name, content in extra_files.items():
            (temporary / name).write_bytes(content)
        whole = {
            "format": FORMAT,
            **manifest,
            "taxonomy": scorer.taxonomy.to_dict(),
            "calibration": scorer.calibration.to_dict(),
            "rule": scorer.rule.to_dict(),
            "training": dict(provenance.training),
            "corpus": dict(provenance.corpus),
            "scores": dict(provenance.scores),
            "golden": scorer.predict_proba(GOLDEN_TEXTS).round(6).tolist(),
            "versions": {"numpy": np.__version__, "python": platform.python_version()},
            "files": {
                path.name: hashlib.sha256(path.read_bytes()).hexdigest()
                for path in sorted(temporary.iterdir())
            },
        }
        whole["digest"] = _digest(whole)
        text = json.dumps(whole, ensure_ascii=False, indent=1) + "\n"
        with (temporary / _MANIFEST).open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _replace(temporary, folder)
    except OSError as error:
        msg = f"{folder}: cannot be written ({error.strerror or error}); nothing was changed"
        raise InputError(msg) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _replace(temporary: Path, folder: Path) -> None:
    """Put the new folder in the old one's place; the old one comes back if that fails."""
    if not folder.exists():
        temporary.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    folder.rename(old / "model")
    try:
        temporary.rename(folder)
    except OSError:
        (old / "model").rename(folder)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / _MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        msg = f"{folder}: no model here ({_MANIFEST} is missing); expected a folder that fit wrote"
        raise InputError(msg) from error
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read ({error}); expected a model's manifest; fit the model again"
        raise InputError(msg) from error
    if not (
        isinstance(manifest, dict)
        and type(manifest.get("format")) is int
        and isinstance(manifest.get("files"), dict)
    ):
        msg = f"{path}: not a model's manifest; expected the keys format and files"
        raise InputError(msg)
    if manifest["format"] > FORMAT:
        msg = (
            f"{path}: model format {manifest['format']}; this version reads up to {FORMAT}; "
            "install a newer version of posture"
        )
        raise InputError(msg)
    if manifest.get("digest") != _digest(manifest):
        msg = (
            f"{path}: its content is not what its digest says; the file was changed; copy the "
            "folder again or fit again"
        )
        raise InputError(msg)
    return manifest


def _check_file(path: Path, digest: str) -> None:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        msg = f"{path}: listed in the manifest but cannot be read ({error.strerror}); fit again"
        raise InputError(msg) from error
    if found != digest:
        msg = (
            f"{path}: its content is not what the manifest says (SHA-256 {found[:12]}…, expected "
            f"{digest[:12]}…); the file was changed or cut off; copy the folder again or fit again"
        )
        raise InputError(msg)


def _read_linear(folder: Path, taxonomy: Taxonomy, manifest: Mapping[str, Any]) -> LinearModel:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(folder / _WEIGHTS)
    except SafetensorError as error:
        msg = f"{folder / _WEIGHTS}: not a safetensors file ({error}); fit the model again"
        raise InputError(msg) from error
    names, lexicon = (
        PhraseMatcher(arrays[f"{part}.keys"], arrays[f"{part}.values"], arrays[f"{part}.openings"])
        for part in ("names", "lexicon")
    )
    weights = LinearWeights(
        arrays["columns"],
        arrays["rows"],
        arrays["class_rows"],
        arrays["intercepts"],
        names,
        lexicon,
    )
    return LinearModel(taxonomy, FeatureConfig(**manifest["features"]), weights)


# A new model kind is one line here.
_READERS: dict[str, Callable[[Path, Taxonomy, Mapping[str, Any]], LinearModel]] = {
    "linear": _read_linear
}
