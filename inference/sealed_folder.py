"""A folder sealed by its manifest: written whole or not at all, and checked when it is opened.

The manifest is written last, so that its presence says that the folder is whole. It has the
SHA-256 of every other file, and one of itself.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from inference.errors import InputError

FORMAT = 1
MANIFEST = "manifest.json"

_REMEDY = "copy the folder again, export again what export added, or fit again"


def write_sealed(
    folder: Path,
    content: Mapping[str, Any],
    fill: Callable[[Path], None],
    *,
    replacing: str | None = None,
) -> None:
    """Write a folder beside any old one first, and then in its place.

    content : what the manifest holds besides the format and the digests.
    fill : writes all other files into the folder that it is given.
    replacing : the digest that the old folder's manifest has as long as nobody else has replaced
        it; None replaces any.

    Raises InputError where the folder cannot be written (a full disk, no right), and where it is no
    longer the one to be replaced; an old folder is then as it was.
    """
    check_output(folder)
    folder = folder.resolve()
    temporary: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        temporary.chmod(0o755)  # mkdtemp's is for its owner alone
        fill(temporary)
        whole = {
            "format": FORMAT,
            **content,
            "files": {path.name: _file_digest(path) for path in sorted(temporary.iterdir())},
        }
        whole["digest"] = digest(whole)
        text = json.dumps(whole, ensure_ascii=False, indent=1) + "\n"
        with (temporary / MANIFEST).open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replacing is not None and read_manifest(folder)["digest"] != replacing:
            msg = (
                f"{folder}: another command has replaced it meanwhile; nothing was changed; run "
                "this one again"
            )
            raise InputError(msg)
        _replace(temporary, folder)
    except (OSError, SafetensorError) as error:  # a full disk is the one or the other
        reason = getattr(error, "strerror", None) or error
        msg = f"{folder}: cannot be written ({reason}); nothing was changed"
        raise InputError(msg) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def read_sealed(folder: Path, spare: Collection[str] = ()) -> dict[str, Any]:
    """The manifest of a folder, after every file has been checked against it.

    spare : names of files that need not be whole, since they are about to be written anew.

    Raises InputError where the folder is missing, incomplete, changed since it was written, or of
    a newer format.
    """
    manifest = read_manifest(folder)
    for name, expected in manifest["files"].items():
        if name not in spare:
            _check_file(folder / name, str(expected))
    return manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest alone, whatever the other files are; raises InputError as `read_sealed`."""
    manifest, path = _parsed(folder), folder / MANIFEST
    if manifest["format"] > FORMAT:
        msg = (
            f"{path}: model format {manifest['format']}; this version reads up to {FORMAT}; "
            "install a newer version of posture"
        )
        raise InputError(msg)
    if manifest.get("digest") != digest(manifest):
        msg = (
            f"{path}: its content is not what its digest says; the file was changed; copy the "
            "folder again or fit again"
        )
        raise InputError(msg)
    return manifest


def check_output(folder: Path) -> None:
    """Refuse, before any work is done, a place where a model folder must not be written.

    Raises InputError for a file, for a folder of something else than a model or of a damaged one,
    for a model's folder with files that are none of its own, and where there is no right to write.
    """
    _check_right(folder)
    if folder.exists() and not folder.is_dir():
        msg = (
            f"{folder}: is a file; expected a folder to write the model to; choose another --output"
        )
        raise InputError(msg)
    if not folder.exists():
        return
    found = {path.name for path in folder.iterdir()}
    if found and MANIFEST not in found:
        msg = (
            f"{folder}: the folder holds something that is no model; expected a new or empty "
            "folder or an old model to replace; choose another --output"
        )
        raise InputError(msg)
    if not found:
        return
    try:
        own = {MANIFEST, *_parsed(folder)["files"]}
    except InputError as error:
        msg = (
            f"{folder}: no whole model that could be replaced ({error}); move it elsewhere, or "
            "choose another --output"
        )
        raise InputError(msg) from error
    if foreign := sorted(found - own):
        msg = (
            f"{folder}: holds {', '.join(foreign)}, which is no part of the model and would be "
            "lost with the old folder; move it elsewhere"
        )
        raise InputError(msg)


def _check_right(folder: Path) -> None:
    """Raise InputError where the folder that is to hold it cannot be written to."""
    try:
        there = next(path for path in folder.resolve().parents if path.exists())
        allowed = os.access(there, os.W_OK | os.X_OK)
    except OSError as error:  # a folder above that may not be looked into
        msg = f"{folder}: cannot be reached ({error.strerror}); choose another --output"
        raise InputError(msg) from error
    if not allowed:
        msg = (
            f"{folder}: nothing may be written in {there}; expected a folder that you may write "
            "to; choose another --output"
        )
        raise InputError(msg)


def digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of everything in a manifest but the digest itself."""
    rest = {name: value for name, value in manifest.items() if name != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _replace(temporary: Path, folder: Path) -> None:
    """Put the new folder in the old one's place; the old one comes back if that fails."""
    if not folder.exists():
        temporary.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    try:
        folder.rename(old / "model")
        temporary.rename(folder)
    except BaseException as error:  # an interrupt, too, must leave one of the two
        if not folder.exists():
            try:
                (old / "model").rename(folder)
            except OSError:
                msg = (
                    f"{folder}: cannot be written ({error}); the old model is now in "
                    f"{old / 'model'}: move it back"
                )
                raise InputError(msg) from error
        raise
    finally:
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)


def _parsed(folder: Path) -> dict[str, Any]:
    """A manifest that need not be whole or of this format."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if found := _interrupted(folder):
            msg = (
                f"{folder}: no model here, as a command was killed while it put one there; found "
                f"{', '.join(map(str, found))}; move the one that you want to {folder}"
            )
            raise InputError(msg) from error
        msg = f"{folder}: no model here ({MANIFEST} is missing); expected a folder that fit wrote"
        raise InputError(msg) from error
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{path}: cannot be read ({error}); expected a model's manifest; fit the model again"
        raise InputError(msg) from error
    if not (
        isinstance(manifest, dict)
        and type(manifest.get("format")) is int
        and isinstance(manifest.get("files"), dict)
    ):
        msg = f"{path}: not a model's manifest; expected the keys format and files"
        raise InputError(msg)
    return manifest


def _interrupted(folder: Path) -> list[Path]:
    """Whole folders that a write which was killed between its two renames has left beside."""
    folder = folder.resolve()
    beside = f".{glob.escape(folder.name)}-*"
    return [
        path.parent
        for pattern in (f"{beside}/{MANIFEST}", f"{beside}/*/{MANIFEST}")
        for path in sorted(folder.parent.glob(pattern))
    ]


def _check_file(path: Path, expected: str) -> None:
    try:
        found = _file_digest(path)
    except OSError as error:
        msg = f"{path}: listed in the manifest but cannot be read ({error.strerror}); {_REMEDY}"
        raise InputError(msg) from error
    if found != expected:
        msg = (
            f"{path}: its content is not what the manifest says (SHA-256 {found[:12]}…, expected "
            f"{expected[:12]}…); the file was changed or cut off; {_REMEDY}"
        )
        raise InputError(msg)
