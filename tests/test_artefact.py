"""The model folder: round trip, and every way in which one can be bad."""

import errno
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError

from inference import InputError, load
from inference.artefact import add_runtime, model_digest, read_model
from inference.destination import destination
from inference.sealed_folder import check_output, digest, read_manifest


@pytest.fixture(scope="module")
def written(small_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "model"
    small_model.write(folder)
    return folder


@pytest.fixture
def folder(written, tmp_path):
    return Path(shutil.copytree(written, tmp_path / "model"))


def edit(folder, *, sealed=True, **changes):
    """Change the manifest, as somebody would who knows how its digest is made, or does not."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest |= changes
    if sealed:
        manifest["digest"] = digest(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")


def test_what_is_written_is_what_is_read(small_model, small_corpus, written):
    texts = small_corpus.texts[:50]
    again = load(written)
    assert np.array_equal(again.predict_proba(texts), small_model.scorer.predict_proba(texts))
    assert again.taxonomy == small_corpus.taxonomy
    assert again.rule == small_model.scorer.rule
    assert read_model(written).provenance.scores["model"]["macro_f1"]


def test_the_folder_lists_every_file(written):
    manifest = json.loads((written / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["files"]) == {p.name for p in written.iterdir()} - {"manifest.json"}


def test_reading_never_opens_a_pickle(folder):
    """An estimator that would run code when unpickled is only ever compared with its digest."""
    evil = b"cos\nsystem\n(S'touch pwned'\ntR."
    (folder / "estimator.joblib").write_bytes(evil)
    with pytest.raises(InputError, match=r"estimator.joblib: its content is not what the manifest"):
        load(folder)
    import hashlib

    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    edit(folder, files=manifest["files"] | {"estimator.joblib": hashlib.sha256(evil).hexdigest()})
    load(folder)
    assert not Path("pwned").exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: shutil.rmtree(f), r"no model here \(manifest.json is missing\)"),
        (lambda f: (f / "manifest.json").unlink(), r"no model here"),
        (lambda f: (f / "manifest.json").write_text("{"), r"manifest.json: cannot be read"),
        (lambda f: (f / "manifest.json").write_text("[]"), r"not a model's manifest"),
        (lambda f: (f / "weights.safetensors").unlink(), r"weights.safetensors: listed in the man"),
        (lambda f: edit(f, format=99), r"model format 99; this version reads up to 1; install"),
        (lambda f: edit(f, kind="oracle"), r"model kind 'oracle' is not known here"),
        (lambda f: edit(f, rule={}), r"not a whole manifest \(KeyError\('thresholds'\)\)"),
        (lambda f: edit(f, features={"letters": 3}), r"not a whole manifest"),
        (lambda f: edit(f, features={"letters_max": 3}), r"other probabilities here"),
        (lambda f: edit(f, features={"hash_bits": 2}), r"not a whole manifest"),
        (lambda f: edit(f, golden=[[float("nan")] * 7] * 5), r"other probabilities here"),
        (
            lambda f: edit(f, calibration={"slopes": [2.0] * 7, "intercepts": [1.0] * 7}),
            r"other pr",
        ),
        (lambda f: edit(f, calibration={"slopes": [1.0], "intercepts": [0.0]}), r"not a whole man"),
        (lambda f: edit(f, rule={"thresholds": [0.5], "min_confidence": 0}), r"not a whole manif"),
        (lambda f: edit(f, sealed=False, format=True), r"not a model's manifest"),
        (lambda f: edit(f, sealed=False, files={}), r"not what its digest says; the file was"),
        (lambda f: edit(f, sealed=False, rule={"thresholds": [0.01] * 7}), r"what its digest says"),
    ],
)
def test_a_bad_folder_is_refused_in_one_line(folder, damage, message):
    damage(folder)
    with pytest.raises(InputError, match=message) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("position", [0.0, 0.5, 0.999])
def test_a_changed_byte_or_a_cut_is_found(folder, position):
    path = folder / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[int(position * len(data))] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="its content is not what the manifest says"):
        load(folder)
    path.write_bytes(data[: int(position * len(data))])
    with pytest.raises(InputError, match="the file was changed or cut off"):
        load(folder)


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), SafetensorError("No space left on device")],
    ids=["system", "safetensors"],
)
def test_a_full_disk_leaves_the_old_model(folder, small_model, monkeypatch, error):
    before = {p.name: p.read_bytes() for p in folder.iterdir()}

    def full(*_):
        raise error

    monkeypatch.setattr("safetensors.numpy.save_file", full)
    with pytest.raises(InputError, match="No space left on device.*nothing was changed"):
        small_model.write(folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_an_interrupted_write_leaves_nothing(tmp_path, small_model, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        small_model.write(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_swap_puts_the_old_model_back(folder, small_model, monkeypatch):
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    rename = Path.rename

    def fails(self, target):
        if Path(target) == folder and self.name != "model":
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(InputError, match="Input/output error"):
        small_model.write(folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_an_interrupted_swap_puts_the_old_model_back(folder, small_model, monkeypatch):
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    rename = Path.rename

    def interrupted(self, target):
        rename(self, target)
        if self == folder:  # the old one has gone, the new one has not come
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        small_model.write(folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def added(folder, scorer, fill, own):
    add_runtime(folder, "onnx", fill, scorer, {}, lambda _: "", exported_from=own)


def test_what_was_exported_of_one_model_is_not_put_beside_another(folder, small_model):
    own = model_digest(read_manifest(folder))
    edit(folder, training={"recipe": "another"})
    before = (folder / "manifest.json").read_bytes()
    with pytest.raises(InputError, match="another model is there by now; nothing was added"):
        added(folder, small_model.scorer, lambda _: None, own)
    assert (folder / "manifest.json").read_bytes() == before


def test_an_export_that_ended_while_another_was_written_is_not_lost(folder, small_model):
    own, scorer = model_digest(read_manifest(folder)), small_model.scorer

    def slow(temporary):
        added(folder, scorer, lambda own: (own / "model.onnx").write_bytes(b"first"), own)
        (temporary / "other").write_bytes(b"second")

    with pytest.raises(InputError, match="another command has replaced it meanwhile; nothing was"):
        added(folder, scorer, slow, own)
    assert (folder / "model.onnx").read_bytes() == b"first"
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    assert "model.onnx" in read_manifest(folder)["files"]


def test_a_kill_between_the_two_renames_is_told_with_where_the_models_are(
    folder, small_model, tmp_path_factory, monkeypatch
):
    """SIGKILL runs no `finally`: what is left is as if nothing had followed the rename."""
    rename, done = Path.rename, []
    saved = tmp_path_factory.mktemp("killed") / "saved"

    def killed(self, target):
        if len(done) == 1 and not saved.exists():
            shutil.copytree(folder.parent, saved)
            raise KeyboardInterrupt
        done.append(target)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        small_model.write(folder)
    monkeypatch.setattr(Path, "rename", rename)
    left = saved / "model"
    with pytest.raises(InputError, match="killed while it put one there; found") as told:
        load(left)
    beside = sorted(path.parent for path in saved.glob(".model-*/**/manifest.json"))
    assert len(beside) == 2 and all(str(path) in str(told.value) for path in beside)
    for path in beside:
        load(path)


def test_a_place_without_the_right_to_write_is_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, _: path != tmp_path)
    with pytest.raises(InputError, match=f"nothing may be written in {tmp_path}; expected"):
        check_output(tmp_path / "new" / "model")


def test_an_old_model_is_replaced(folder, small_model):
    before = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(before.replace("topic", "theme"))
    small_model.write(folder)
    assert (folder / "manifest.json").read_text() == before
    load(folder)


def test_an_old_model_with_a_users_file_in_its_folder_is_left_alone(folder, small_model):
    (folder / "notes.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"holds notes.txt, which is no part of the model.*move"):
        small_model.write(folder)
    assert (folder / "notes.txt").read_text() == "years of work"
    load(folder)


@pytest.mark.parametrize(
    "manifest", ["", "{}", '{"name": "an app"}', '{"format": 1, "files": 3}', '{"format": 1', "[]"]
)
def test_a_folder_with_a_manifest_of_something_else_is_left_alone(tmp_path, small_model, manifest):
    (tmp_path / "manifest.json").write_text(manifest)
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(InputError, match=r"no whole model that could be replaced.*choose another"):
        small_model.write(tmp_path)
    assert (tmp_path / "thesis.docx").read_text() == "years of work"


def test_where_the_old_model_cannot_be_put_back_it_is_said_where_it_is(folder, small_model):
    """As where another program has taken the folder's place for a moment."""
    rename, n = Path.rename, []

    def failing(self, target):
        n.append(target)
        if len(n) == 1:
            return rename(self, target)
        msg = "in use"
        raise OSError(msg)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Path, "rename", failing)
        with pytest.raises(InputError, match=r"the old model is now in \S+: move it back") as error:
            small_model.write(folder)
    old = Path(re.search(r"now in (\S+): move", str(error.value))[1])
    load(old)


def test_a_folder_of_something_else_is_left_alone(tmp_path, small_model):
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(InputError, match="the folder holds something that is no model"):
        small_model.write(tmp_path)
    assert (tmp_path / "thesis.docx").read_text() == "years of work"


def test_a_file_in_the_folders_place_is_left_alone(tmp_path, small_model):
    (tmp_path / "model").write_text("notes")
    with pytest.raises(InputError, match="model: is a file; expected a folder"):
        small_model.write(tmp_path / "model")
    assert (tmp_path / "model").read_text() == "notes"


def test_the_folder_can_be_read_by_others(written):
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in written.iterdir())
    assert written.stat().st_mode & 0o055 == 0o055


def test_a_result_can_be_read_by_others_and_one_that_was_private_stays_so(tmp_path):
    new, private = tmp_path / "new.csv", tmp_path / "private.csv"
    private.touch(0o600)
    for path in (new, private):
        with destination(path) as file:
            file.write(b"a")
    assert [path.stat().st_mode & 0o777 for path in (new, private)] == [0o644, 0o600]
