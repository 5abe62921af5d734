"""Encoders exported to ONNX and OpenVINO: same labels, no torch, refused where labels change."""

import csv
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from inference import InputError, load
from inference.artefact import DEFAULT_MODEL, read_model
from inference.article import Paragraph
from inference.camembert import CamembertModel
from inference.model_kind import Backend
from inference.runtimes import EXPORTED, TorchRuntime, read_encoder
from inference.sealed_folder import digest
from inference.windows import WindowCutter
from tests.tiny_encoder import write_tiny_encoder
from training import runtime_export
from training.camembert import CamembertRecipe
from training.commands.distil import command as distil_command
from training.commands.evaluate import command as evaluate_command
from training.commands.export import command
from training.corpus import LabelledCorpus
from training.encoder import open_encoder
from training.fit import fit
from training.refit import recipe_of
from training.runtime_export import LEAST_AGREEMENT, MOST_F1_CHANGE, export, write_runtime
from training.runtime_writers import WRITERS

TEXTS = ["", "L’armée s'exerce.", "Le budget de la défense augmente de 3 %.", "mot " * 200]


# A word says the label, so that the smallest encoder learns it within seconds anywhere.
_TOPIC_WORDS = {
    "defence_industry": "usine",
    "exercises": "manœuvre",
    "resources": "budget",
    "diplomacy": "ministre",
}
_TONE_WORDS = {"deterrence": "dissuader", "escalation": "attaque", "neutral": "calme"}
_FIT = {"epochs": 12, "learning_rate": 3e-3, "layer_decay": 1.0, "tokens_per_batch": 512}


@pytest.fixture(scope="module")
def toy_csv(tmp_path_factory):
    path = tmp_path_factory.mktemp("toy") / "toy.csv"
    rng = np.random.default_rng(0)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["article_id", "text", "topics", "tone"])
        for i in range(420):
            topics = [code for code in _TOPIC_WORDS if rng.random() < 0.4]
            tone = str(rng.choice(list(_TONE_WORDS)))
            words = [_TOPIC_WORDS[code] for code in topics] + [_TONE_WORDS[tone]] * 2
            text = " ".join(rng.permutation([*words, *words, "le", "une", "dans"]))
            writer.writerow([f"a{i // 6}", text, "|".join(topics), tone])
    return path


@pytest.fixture(scope="module")
def toy(toy_csv, taxonomy):
    return LabelledCorpus.read(toy_csv, taxonomy)


@pytest.fixture(scope="module")
def folder(toy, corpus, tmp_path_factory):
    """A folder with every runtime added, one after the other."""
    where = tmp_path_factory.mktemp("exported")
    # At the usual 0.02 so narrow an encoder begins with hardly any signal.
    texts = [*toy.texts, *corpus.texts[:200]]
    encoder = write_tiny_encoder(where / "encoder", texts, initializer_range=0.2)
    recipe = CamembertRecipe(
        encoder=str(encoder), accumulate=1, reduced=False, device="cpu", **_FIT
    )
    fit(toy, recipe).write(where / "model")
    # Of so small an encoder rounding to eight bits turns more labels over than the gate lets pass.
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runtime_export, "LEAST_AGREEMENT", 0.0)
        patched.setattr(runtime_export, "MOST_F1_CHANGE", 1.0)
        for name in EXPORTED:
            export(where / "model", toy, name)
    return where / "model"


def fp32(folder):
    stored = read_model(folder)
    runtime = TorchRuntime(read_encoder(folder), device="cpu", reduced=False)
    return replace(stored.scorer, model=replace(stored.scorer.model, runtime=runtime))


@pytest.mark.parametrize("name", EXPORTED)
def test_a_runtime_gives_the_probabilities_of_torch(folder, toy, name):
    texts = [*toy.texts[:40], *TEXTS]
    difference = np.abs(
        load(folder, runtime=name).predict_proba(texts) - fp32(folder).predict_proba(texts)
    )
    assert difference.max() < (0.1 if name.endswith("int8") else 1e-5)


@pytest.mark.parametrize(
    ("name", "mark"), [("onnx", b"DynamicQuantizeLinear"), ("openvino", b"FakeQuantize")]
)
def test_eight_bits_are_in_the_file_of_that_name_alone(folder, name, mark):
    assert mark in (folder / EXPORTED[f"{name}-int8"].files[0]).read_bytes()
    assert mark not in (folder / EXPORTED[name].files[0]).read_bytes()


@pytest.mark.parametrize("name", EXPORTED)
def test_rows_do_not_depend_on_neighbours_or_padding(folder, toy, name):
    model = load(folder, runtime=name).model
    paragraphs = [Paragraph(t, 0, len(t)) for t in [*toy.texts[:10], *TEXTS]]
    together = model.logits(paragraphs)
    alone = np.vstack([model.logits([one]) for one in paragraphs])
    assert np.abs(alone - together).max() < 1e-4
    assert np.abs(model.logits(paragraphs[::-1])[::-1] - together).max() < 1e-4
    assert model.predict_proba([]).shape == (0, model.taxonomy.n_columns)


@pytest.mark.parametrize("name", ["torch", *EXPORTED])
def test_several_threads_may_score_with_one_model(folder, toy, name):
    model = load(folder, runtime=name).model
    paragraphs = toy.paragraphs[:60]
    usual, expected = torch.get_num_threads(), model.logits(paragraphs)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: model.logits(paragraphs), range(12)))
        assert {pool.submit(torch.get_num_threads).result() for _ in range(8)} == {usual}
    assert max(np.abs(own - expected).max() for own in found) < 1e-4


_ARCHITECTURES = {
    "roberta": {},  # camembertv2
    "deberta-v2": {  # camembertav2
        "relative_attention": True,
        "position_buckets": 16,
        # Farther than any two tokens: at just this distance a rounded logarithm tells the bucket.
        "max_relative_positions": 512,
        "pos_att_type": "p2c|c2p",
        "share_att_key": True,
        "norm_rel_ebd": "layer_norm",
        "position_biased_input": False,
    },
    "modernbert": {  # moderncamembert
        "num_hidden_layers": 3,
        "local_attention": 8,
        "global_attn_every_n_layers": 3,
        "cls_token_id": 0,
        "sep_token_id": 2,
    },
}


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
@pytest.mark.parametrize("architecture", _ARCHITECTURES)
def test_each_architecture_gives_the_probabilities_of_torch(
    corpus, taxonomy, tmp_path, architecture, runtime
):
    # Large random weights: small ones give every text the same.
    settings = _ARCHITECTURES[architecture] | {"initializer_range": 0.3}
    write_tiny_encoder(tmp_path, corpus.texts[:200], architecture=architecture, **settings)
    opened = open_encoder(str(tmp_path), taxonomy)
    cutter = WindowCutter(opened.tokenizer, opened.max_length, "none")
    fp32 = TorchRuntime(opened.model, device="cpu", reduced=False)
    model = CamembertModel(taxonomy, cutter, fp32, opened.padding)
    (writer,) = WRITERS[runtime].values()
    exported = write_runtime(model, runtime, tmp_path, [], writer)
    paragraphs = [Paragraph(t, 0, len(t)) for t in [*corpus.texts[:20], *TEXTS]]
    expected = model.predict_proba(paragraphs)
    assert np.ptp(expected, axis=0).max() > 0.1
    assert np.abs(exported.predict_proba(paragraphs) - expected).max() < 1e-4


def test_the_manifest_says_what_each_export_changed(folder):
    runtimes = read_model(folder).runtimes
    assert set(runtimes) == set(EXPORTED)
    for name, measured in runtimes.items():
        assert measured["agreement"] >= (0.8 if name.endswith("int8") else LEAST_AGREEMENT)
        change = abs(measured["macro_f1"] - measured["macro_f1_fp32"])
        assert change <= (0.1 if name.endswith("int8") else MOST_F1_CHANGE)


def test_the_first_that_is_installed_is_used(folder, monkeypatch):
    used = type(load(folder).model.runtime).__name__
    assert used == "OpenvinoRuntime"
    monkeypatch.setattr("inference.camembert.is_installed", lambda name: name == "onnxruntime")
    assert type(load(folder).model.runtime).__name__ == "OnnxRuntime"
    monkeypatch.setattr("inference.camembert.is_installed", lambda name: name == "torch")
    assert type(load(folder).model.runtime).__name__ == "TorchRuntime"


def test_where_nothing_is_installed_the_smallest_is_asked_for(folder, monkeypatch):
    monkeypatch.setattr("inference.camembert.is_installed", lambda name: False)
    monkeypatch.setattr(
        "inference.runtimes.find_spec", lambda name: None if name == "openvino" else find_spec(name)
    )
    with pytest.raises(InputError, match=r"needs openvino, not installed here; .*\[openvino\]"):
        load(folder)


@pytest.mark.parametrize("name", ["onnx", "onnx-int8"])
def test_an_onnx_file_tells_nothing_of_the_machine(folder, name):
    whole = (folder / EXPORTED[name].files[0]).read_bytes()
    assert str(Path(__file__).parents[1]).encode() not in whole
    assert b"site-packages" not in whole


@pytest.mark.parametrize("name", EXPORTED)
def test_a_file_that_its_library_cannot_read_is_one_line(folder, tmp_path, name):
    (tmp_path / EXPORTED[name].files[0]).write_text("?")
    with pytest.raises(
        InputError, match=r"model\S+: \w+ \d\S+ cannot read it \((?!Exception from)"
    ) as error:
        EXPORTED[name].open(tmp_path)
    assert "\n" not in str(error.value)


def test_an_export_that_computes_otherwise_here_is_exported_again(folder, toy_csv, tmp_path):
    own = tmp_path / "model"
    shutil.copytree(folder, own)
    manifest = json.loads((own / "manifest.json").read_text())
    manifest["runtimes"]["openvino"]["golden"][0][0] += 0.5
    manifest["digest"] = digest(manifest)
    (own / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="export openvino again, or choose --runtime torch"):
        load(own, runtime="openvino")
    done = CliRunner().invoke(command, [str(own), str(toy_csv), "--runtime", "openvino"])
    assert done.exit_code == 0, done.output
    load(own, runtime="openvino")


@pytest.mark.parametrize("damage", ["lost", "cut"])
def test_a_damaged_export_is_mended_by_the_same_export(folder, toy_csv, tmp_path, damage):
    own = tmp_path / "model"
    shutil.copytree(folder, own)
    broken = own / EXPORTED["openvino"].files[1]
    broken.unlink() if damage == "lost" else broken.write_bytes(broken.read_bytes()[:100])
    with pytest.raises(InputError, match=r"model.bin: .* export again what export added"):
        load(own, runtime="torch")
    given = [str(own), str(toy_csv), "--runtime", "onnx"]
    done = CliRunner().invoke(command, given)
    assert isinstance(done.exception, InputError)  # it would carry the broken file along
    done = CliRunner().invoke(command, [*given[:-1], "openvino"])
    assert done.exit_code == 0, done.output
    for name in ("openvino", "onnx", "torch"):
        load(own, runtime=name)


def test_what_a_library_cannot_write_is_one_line(folder, toy, monkeypatch):
    def failing(*_):
        raise RuntimeError("basic_ios::clear: iostream error")

    monkeypatch.setitem(WRITERS, "openvino", {"float32": failing})
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InputError, match=r"openvino: .*iostream error\); nothing was added; free"):
        export(folder, toy, "openvino")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_few_paragraphs_are_no_measure(folder, toy):
    few = toy.where(np.arange(len(toy)) < 60)
    with pytest.raises(InputError, match=r"60 paragraphs to measure .*all articles.*expected 67"):
        export(folder, few, "onnx")


def test_labels_that_change_are_counted(folder, toy):
    scorer = read_model(folder, Backend("torch")).scorer
    whole = fp32(folder).model

    class Contrary:
        """Of the first five paragraphs."""

        def predict_proba(self, paragraphs):
            found = whole.predict_proba(paragraphs)
            found[:5] = 1 - found[:5]
            return found

    some = toy.where(np.arange(len(toy)) < 20)
    assert runtime_export._compare("", scorer, whole, whole, some).agreement == 1
    assert runtime_export._compare("", scorer, whole, Contrary(), some).agreement == 0.75


@pytest.mark.parametrize("name", ["onnx-int8", "openvino-int8"])
def test_an_exported_model_scores_without_torch(folder, name):
    program = (
        "import sys\n"
        "sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from inference import load\n"
        f"scorer = load({str(folder)!r}, runtime={name!r})\n"
        "print(len(scorer.score('Le ministre reçoit son homologue.\\n\\nIl part.').predictions))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0


def test_an_export_that_changes_labels_is_refused_and_nothing_is_added(folder, toy, monkeypatch):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(runtime_export, "LEAST_AGREEMENT", 1.01)
    with pytest.raises(InputError, match=r"float32: the same labels as fp32 on 100.0% of \d+"):
        export(folder, toy, "onnx")
    monkeypatch.setattr(runtime_export, "LEAST_AGREEMENT", 0.0)
    monkeypatch.setattr(runtime_export, "MOST_F1_CHANGE", -1.0)
    with pytest.raises(InputError, match=r"macro-F1 .* at most; nothing was added; score with"):
        export(folder, toy, "onnx")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("name", "fast", "exact"),
    [
        ("onnx-int8", b"DynamicQuantizeLinear", b"MatMulNBits"),
        ("openvino-int8", b"FakeQuantize", b'element_type="u8"'),
    ],
)
def test_where_the_fastest_way_changes_labels_the_more_exact_one_is_taken(
    folder, toy, tmp_path, monkeypatch, capsys, name, fast, exact
):
    own = tmp_path / "model"
    shutil.copytree(folder, own)
    assert fast in (own / EXPORTED[name].files[0]).read_bytes()
    compare, first = runtime_export._compare, []

    def refusing_once(*given):
        first.append(given)
        found = compare(*given)
        return replace(found, agreement=0.5 if len(first) == 1 else 1.0)

    monkeypatch.setattr(runtime_export, "_compare", refusing_once)
    monkeypatch.setattr(runtime_export, "MOST_F1_CHANGE", 1.0)
    said = []
    export(own, toy, name, said.append)
    first_way, second_way = WRITERS[name]
    assert "━" not in "".join(capsys.readouterr())  # no bars where there is no terminal
    refused = f"refused, {first_way}: the same labels as fp32 on 50.0%"
    assert any(refused in line for line in said)
    kept = read_model(own).runtimes[name]
    assert (kept["way"], kept["agreement"]) == (second_way, 1.0)
    assert list(kept["versions"]) == [EXPORTED[name].library]
    written = (own / EXPORTED[name].files[0]).read_bytes()
    assert fast not in written
    assert exact in written
    found = load(own, runtime=name).predict_proba(TEXTS)
    assert 0 < np.abs(found - fp32(own).predict_proba(TEXTS)).max() < 0.05


def test_evaluate_refits_an_encoder_and_scores_with_the_runtime_it_is_told(
    folder, toy_csv, tmp_path
):
    """The recipe of the manifest, on the encoder that is pointed at; two folds of the articles."""
    encoder = str(folder.parent / "encoder")
    rates = []

    def run(*words):
        done = CliRunner().invoke(evaluate_command, [str(folder), str(toy_csv), *words])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    learn = CamembertRecipe.learn

    def seen(self, *given):
        rates.append((self.learning_rate, self.epochs, self.encoder))
        return learn(self, *given)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(CamembertRecipe, "learn", seen)
        # Of half the articles not all topics are learned, which is not asked here.
        patched.setattr("training.camembert.check_learned", lambda *_: None)
        found = run("--cv", "2", "--encoder", encoder, "--device", "cpu")
    assert "runtime" not in found
    assert rates == [(_FIT["learning_rate"], _FIT["epochs"], encoder)] * 2
    f1 = {name: own["macro_f1"]["tone"] for name, own in found["systems"].items()}
    assert f1["model"] > f1["majority"] + 0.2
    opened = []

    def noted(self, where):
        opened.append(self.files[0])
        return open_runtime(self, where)

    open_runtime = type(EXPORTED["onnx"]).open
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(EXPORTED["onnx"]), "open", noted)
        run("--runtime", "onnx", "--no-robustness")
    assert opened == ["model.onnx"]
    words = [str(folder), str(toy_csv), "--runtime", "onnx", "--no-robustness"]
    assert json.loads(CliRunner().invoke(evaluate_command, words).stdout)["runtime"] == "onnx"
    refused = CliRunner().invoke(evaluate_command, [*words, "--cv", "2"])
    assert "--runtime is for the model as it stands" in str(refused.exception)
    told = CliRunner().invoke(evaluate_command, [*words, "--format", "table"])
    assert "model, computed by onnx: 80 paragraphs" in " ".join(told.stdout.split())


def test_an_exported_encoder_teaches_a_student(folder, toy_csv, tmp_path):
    rng = np.random.default_rng(1)
    words = [*_TOPIC_WORDS.values(), *_TONE_WORDS.values(), "le", "une", "dans", "hier"]
    texts = [{"text": " ".join(rng.choice(words, 9))} for _ in range(60)]
    archive = tmp_path / "texts.jsonl"
    archive.write_text("".join(f"{json.dumps(row)}\n" for row in texts))
    given = ["--teacher", folder, "--texts", archive, "--unit", "paragraph", "--runtime", "onnx"]
    words = [str(one) for one in (toy_csv, *given, "--output", tmp_path / "student")]
    done = CliRunner().invoke(distil_command, words)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["teacher"]["same_split"] and found["unlabelled"]["n_paragraphs"] > 30
    assert found["agreement"]["tone"]["value"] > 0.8
    load(tmp_path / "student")


def test_a_recipe_comes_back_out_of_its_manifest(folder):
    training = json.loads((folder / "manifest.json").read_text())["training"]
    recipe = recipe_of(training, "elsewhere", "cuda")
    assert (recipe.encoder, recipe.device) == ("elsewhere", "cuda")
    assert recipe.encoder_digest == training["encoder_digest"]
    assert {name: getattr(recipe, name) for name in _FIT} == _FIT
    assert (recipe.accumulate, recipe.reduced) == (1, False)
    assert recipe.checkpoint is None and not recipe.resume
    with pytest.raises(InputError, match="a student's recipe needs its teacher"):
        recipe_of({"C": 1.0, "teacher": {}})
    with pytest.raises(InputError, match="--encoder is for a fine-tuned encoder"):
        recipe_of({"C": 1.0}, "elsewhere")


def test_the_limits_are_those_of_the_documentation():
    assert (LEAST_AGREEMENT, MOST_F1_CHANGE) == (0.985, 0.005)
    assert "1.5 %" in (export.__doc__ or "")
    assert "0.005" in (export.__doc__ or "")


def test_a_linear_model_is_not_exported(toy):
    with pytest.raises(InputError, match="a linear model needs no export; expected a folder of an"):
        export(DEFAULT_MODEL, toy, "onnx")


def test_the_device_is_for_torch_alone(folder):
    with pytest.raises(
        InputError, match="--device is for torch; the runtime onnx is on the processor"
    ):
        load(folder, runtime="onnx", device="cpu")


def test_the_commands_from_fit_to_score(toy_csv, folder, tmp_path):
    """As a person runs them: fit an encoder, export it, score with the export."""

    def run(*words, module="training"):
        done = subprocess.run(
            [sys.executable, "-m", module, *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done

    own = tmp_path / "own"
    encoder = folder.parent / "encoder"
    fitted = run(
        *("fit", toy_csv, "--output", own, "--model", "camembert", "--encoder", encoder),
        *("--epochs", 12, "--learning-rate", 0.003, "--layer-decay", 1, "--batch-tokens", 512),
        *("--accumulate", 1, "--context", "heading", "--seed", 1, "--format", "table"),
    )
    assert "with the countries exchanged: topic " in fitted.stdout
    assert not list(tmp_path.glob("*.checkpoint"))
    done = run("export", own, toy_csv, "--runtime", "onnx")
    assert json.loads(done.stdout)["agreement"] == 1.0
    article = tmp_path / "a.txt"
    article.write_text("L’armée déploie une frégate.\n\nLa ministre reçoit son homologue.\n")
    records = [
        json.loads(line)
        for line in run(
            "score", "--model", own, "--runtime", "onnx", article, module="inference"
        ).stdout.splitlines()
    ]
    assert records[-1]["record"] == "article"
    assert all(r["tone"] for r in records if r["record"] == "paragraph")
    refused = subprocess.run(
        [
            sys.executable,
            "-m",
            "training",
            "fit",
            toy_csv,
            "--output",
            tmp_path / "x",
            "--epochs",
            "2",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert "found option(s) of an encoder (epochs) for a linear model" in refused.stderr
