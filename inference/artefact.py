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

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.calibration import Calibration
from inference.camembert import CamembertModel, check_probes, probe_ids, read_tokenizer
from inference.decision import DecisionRule
from inference.errors import InputError
from inference.features import FeatureConfig
from inference.linear import LinearModel, LinearWeights
from inference.model import ParagraphModel
from inference.phrases import PhraseMatcher
from inference.runtimes import EXPORTED, TorchRuntime, is_installed, read_torch
from inference.scorer import Scorer
from inference.sealed_folder import MANIFEST, read_sealed, write_sealed
from inference.taxonomy import Taxonomy
from inference.windows import WindowCutter

DEFAULT_MODEL = Path(__file__).parent / "default_model"

_WEIGHTS = "weights.safetensors"
_TOKENIZER = "tokenizer.json"
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
class Backend:
    """What an encoder is computed with; a linear model takes neither.

    runtime : "torch", or the name of an exported one; None means the fastest exported one whose
        library is installed, else torch.
    device : for torch, as it names them; None means a GPU if there is one, else the processor.
    """

    runtime: str | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model folder's content: what scores, and where it comes from.

    runtimes : name of each exported runtime → what its export measured.
    """

    scorer: Scorer
    provenance: Provenance
    runtimes: Mapping[str, Mapping[str, Any]]


def read_model(folder: Path, backend: Backend = Backend()) -> StoredModel:
    """Open a model folder after checking every file against the manifest.

    Raises InputError where the folder is missing, incomplete, changed since it was written, of a
    newer format, or computes other probabilities here than where it was written.
    """
    manifest = read_sealed(folder)
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
    return StoredModel(scorer, provenance, manifest.get("runtimes", {}))


def read_taxonomy(folder: Path) -> Taxonomy:
    """The taxonomy of a model folder whose model need not open; raises InputError as above."""
    where = str(folder / MANIFEST)
    content = read_sealed(folder).get("taxonomy")
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
) -> None:
    """Add an exported runtime to an encoder's folder, which is replaced as a whole.

    fill : writes the runtime's files into the folder that it is given.
    scorer : scores with the runtime; its golden predictions are kept beside `measured`.
    card : makes card.md anew of the manifest with the runtime in it.
    """
    manifest = read_sealed(folder)
    runtimes = dict(manifest.get("runtimes", {}))
    golden = scorer.predict_proba(GOLDEN_TEXTS).round(6).tolist()
    runtimes[name] = {**measured, "golden": golden}
    content = {
        key: value for key, value in manifest.items() if key not in ("format", "files", "digest")
    } | {"runtimes": runtimes}

    def refill(temporary: Path) -> None:
        import shutil

        for file in manifest["files"]:
            shutil.copy2(folder / file, temporary / file)
        fill(temporary)
        (temporary / _CARD).write_bytes(card(content).encode())

    write_sealed(folder, content, refill)


def _check_numbers(scorer: Scorer) -> None:
    n_columns = scorer.taxonomy.n_columns
    calibration, rule = scorer.calibration, scorer.rule
    for numbers in (calibration.slopes, calibration.intercepts, rule.thresholds):
        if len(numbers) != n_columns or not np.isfinite(numbers).all():
            msg = f"{len(numbers)} numbers of calibration or rule for {n_columns} columns"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A model, what it gave for the golden texts where it was written, and how near it must be.

    remedy : what to do where it is not.
    """

    model: ParagraphModel
    golden: list[list[float]]
    tolerance: float
    remedy: str = "fit it again with this version"


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a kind of model is read, and described: manifest entries and what writes its files."""

    model: type
    libraries: tuple[str, ...]
    read: Callable[[Path, Taxonomy, Mapping[str, Any], Backend], _Opened]
    describe: Callable[[Any], tuple[dict[str, Any], Callable[[Path], None]]]


def _describe_linear(model: LinearModel) -> tuple[dict[str, Any], Callable[[Path], None]]:
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

    return {"features": asdict(model.config)}, fill


def _read_linear(
    folder: Path, taxonomy: Taxonomy, manifest: Mapping[str, Any], backend: Backend
) -> _Opened:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if backend != Backend():
        msg = f"{folder}: a linear model; --runtime and --device are for encoders; leave them out"
        raise InputError(msg)
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
    model = LinearModel(taxonomy, FeatureConfig(**manifest["features"]), weights)
    # float32 sums on another processor differ by less; a wrong weight moves far more
    return _Opened(model, manifest["golden"], 1e-3)


def _describe_camembert(model: CamembertModel) -> tuple[dict[str, Any], Callable[[Path], None]]:
    cutter, runtime = model.cutter, model.runtime
    if not isinstance(runtime, TorchRuntime) or runtime.reduced:
        msg = f"expected an encoder in torch, in float32; found {type(runtime).__name__}"
        raise TypeError(msg)

    def fill(temporary: Path) -> None:
        from transformers import PreTrainedTokenizerFast

        runtime.encoder.save_pretrained(temporary)
        # Under this class transformers reads the tokenizer as it is, whatever the encoder's name.
        PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
            tokenizer_object=cutter.tokenizer,
            model_max_length=cutter.max_length,
            pad_token=cutter.tokenizer.id_to_token(model.padding),
        ).save_pretrained(temporary)
        for path in temporary.iterdir():
            path.chmod(0o644)  # safetensors' own is for its owner alone

    own = {
        "context": cutter.context,
        "max_length": cutter.max_length,
        "padding": model.padding,
        "probes": probe_ids(cutter.tokenizer),
    }
    return {"encoder": own, "runtimes": {}}, fill


def _read_camembert(
    folder: Path, taxonomy: Taxonomy, manifest: Mapping[str, Any], backend: Backend
) -> _Opened:
    own, exported = manifest["encoder"], manifest["runtimes"]
    tokenizer = read_tokenizer(folder / _TOKENIZER)
    check_probes(tokenizer, own["probes"], str(folder / _TOKENIZER))
    cutter = WindowCutter(tokenizer, own["max_length"], own["context"])
    name = backend.runtime or (_fastest(exported) if backend.device is None else "torch")
    if name != "torch" and name not in exported:
        there = ", ".join(("torch", *exported))
        msg = f"{folder}: runtime {name!r} is not here; found {there}; posture-train export adds it"
        raise InputError(msg)
    if name == "torch":
        # bfloat16 on one side and float32 on the other
        model = CamembertModel(taxonomy, cutter, read_torch(folder, backend.device), own["padding"])
        return _Opened(model, manifest["golden"], 0.05)
    if backend.device is not None:
        msg = (
            f"--device is for torch; the runtime {name} is on the processor; leave one of them out"
        )
        raise InputError(msg)
    runtime = EXPORTED[name].open(folder)
    model = CamembertModel(taxonomy, cutter, runtime, own["padding"])
    remedy = f"export {name} again, or choose --runtime torch"
    return _Opened(model, exported[name]["golden"], 0.05, remedy)


def _fastest(exported: Mapping[str, Any]) -> str:
    """The fastest exported runtime whose library is installed; torch where there is none."""
    there = [name for name in EXPORTED if name in exported]
    usable = [name for name in there if is_installed(EXPORTED[name].library)]
    if usable or not there or is_installed("torch"):
        return usable[0] if usable else "torch"
    return there[0]  # which says what to install: less than torch


# A new model kind is one line here.
_KINDS: dict[str, _Kind] = {
    "linear": _Kind(LinearModel, ("numpy",), _read_linear, _describe_linear),
    "camembert": _Kind(
        CamembertModel,
        ("numpy", "tokenizers", "torch", "transformers"),
        _read_camembert,
        _describe_camembert,
    ),
}
