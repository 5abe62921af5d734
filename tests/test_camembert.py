"""CamemBERT from fine-tuning to folder, on an encoder made here: contract, resuming, refusals."""

import json
import re
import shutil
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from inference import InputError, load
from inference.artefact import read_model
from inference.article import Paragraph
from inference.model import log_odds
from inference.runtimes import TorchRuntime
from inference.sealed_folder import _file_digest, digest
from inference.taxonomy import Taxonomy
from inference.windows import WindowCutter, Windows
from tests.tiny_encoder import write_tiny_encoder
from training import camembert as recipe_module
from training import fine_tuning as loop_module
from training.attention import has_attention_dropout, plain_attention
from training.camembert import CamembertRecipe
from training.checkpoint import Checkpoint
from training.cli import posture_train
from training.corpus import LabelledCorpus
from training.designs import cross_validation, fixed_split
from training.encoder import open_encoder
from training.encoder_loss import EncoderLoss, label_weights
from training.fine_tuning import Best, FineTuning, SliceScores
from training.fit import fit
from training.learning_check import NothingLearnedError, check_learned
from training.learning_curve import learning_curve
from training.learning_rates import parameter_groups, rate_share
from training.recipe import untracked
from training.refit import refit

LONG = " ".join(f"La frégate {i} appareille." for i in range(120))
ODD = ["", "…", "a", LONG, "ÇÀ ET LÀ", "Привет мир", "中国", "le la les"]


@pytest.fixture(scope="module")
def encoder(corpus, tmp_path_factory):
    return write_tiny_encoder(
        tmp_path_factory.mktemp("encoder"), corpus.texts[:500], max_length=160
    )


@pytest.fixture(scope="module")
def recipe(encoder):
    """A few short epochs, in float32 wherever the tests run."""
    return CamembertRecipe(
        encoder=str(encoder),
        epochs=5,
        learning_rate=2e-3,
        layer_decay=1.0,
        tokens_per_batch=512,
        accumulate=1,
        min_examples=4,
        reduced=False,
        device="cpu",
    )


@pytest.fixture
def short(small_corpus, recipe, monkeypatch):
    """A run of two epochs on fifteen articles: too short to learn, which is not asked here."""
    monkeypatch.setattr(recipe_module, "check_learned", lambda *_: None)
    first = list(dict.fromkeys(small_corpus.article_ids))[:15]
    few = small_corpus.where(small_corpus.table["article_id"].isin(first))
    return few, replace(recipe, epochs=2)


@pytest.fixture(scope="module")
def fitted(small_corpus, recipe):
    """Whether so short a run learns is not asked here."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(recipe_module, "check_learned", lambda *_: None)
        return fit(small_corpus, recipe)


@pytest.fixture(scope="module")
def written(fitted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "model"
    fitted.write(folder)
    return folder


def paragraphs(texts):
    return [Paragraph(text, 0, len(text)) for text in texts]


def edited(written, folder, change):
    """A copy of a model folder with a manifest that is changed and sealed again."""
    shutil.copytree(written, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    manifest["digest"] = digest(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


# Learning


def test_twenty_paragraphs_are_learned_by_heart(small_corpus, recipe, tmp_path):
    """Each stands in three articles, so that the slice asks for what was seen; without dropout."""
    labels = small_corpus.labels
    rare = np.argsort(-(labels / labels.mean(axis=0)).sum(axis=1), kind="stable")[:20]
    twenty = small_corpus.where(np.isin(np.arange(len(labels)), rare))
    copies = [
        twenty.table.assign(article_id=[f"{name}{i}" for i in range(20)], heading="", preceding="")
        for name in "abc"
    ]
    table = pd.concat(copies, ignore_index=True).assign(id=[str(i) for i in range(60)])
    tripled = replace(twenty, table=table, labels=np.vstack([twenty.labels] * 3))
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    encoder = write_tiny_encoder(tmp_path, small_corpus.texts, max_length=160, **still)
    own = replace(recipe, encoder=str(encoder), epochs=40, patience=40, learning_rate=3e-3)
    learned = own.learn(tripled, lambda _: None, untracked)
    found = learned.model.predict_proba(twenty.paragraphs)
    for axis, span in twenty.taxonomy.spans():
        if axis.exclusive:
            assert (found[:, span].argmax(axis=1) == twenty.labels[:, span].argmax(axis=1)).all()
        else:
            assert ((found[:, span] > 0.5) == twenty.labels[:, span]).mean() >= 0.95


def test_two_runs_give_the_same_weights_and_another_seed_others(short):
    few, own = short
    one, again, other = (
        r.learn(few, lambda _: None, untracked) for r in (own, own, replace(own, seed=1))
    )
    texts = paragraphs(few.texts[:10])
    expected = one.model.predict_proba(texts)
    assert np.array_equal(again.model.predict_proba(texts), expected)
    assert not np.array_equal(other.model.predict_proba(texts), expected)


@pytest.mark.parametrize("stop", [9, 25])
def test_a_run_that_is_killed_goes_on_and_ends_with_the_same_weights(short, tmp_path, stop):
    few, recipe = short
    own = replace(recipe, checkpoint=tmp_path / "c", checkpoint_steps=4)
    all_steps = []

    def all_counted(iterable, total, status=lambda: ""):
        for step in iterable:
            all_steps.append(step)
            yield step

    whole = replace(own, checkpoint=None).learn(few, lambda _: None, all_counted)

    def killed(steps, total, status=lambda: ""):
        for n, step in enumerate(steps):
            if n == stop:
                raise KeyboardInterrupt
            yield step

    with pytest.raises(KeyboardInterrupt):
        own.learn(few, lambda _: None, killed)
    with pytest.raises(InputError, match="add --resume to go on"):
        own.learn(few, lambda _: None, untracked)
    steps = []

    def counted(iterable, total, status=lambda: ""):
        for step in iterable:
            steps.append(status())
            yield step

    resumed = replace(own, resume=True).learn(few, lambda _: None, counted)
    for name, weight in whole.model.runtime.encoder.state_dict().items():
        assert torch.equal(weight, resumed.model.runtime.encoder.state_dict()[name]), name
    assert 0 < len(steps) <= len(all_steps) - (stop - stop % 4)  # not from the beginning
    assert (tmp_path / "c").exists()  # until whoever asked has written the folder
    again = replace(own, resume=True).learn(few, lambda _: None, untracked)
    assert np.array_equal(again.probabilities, resumed.probabilities)


def test_a_run_is_not_resumed_with_other_options(short, tmp_path):
    few, recipe = short
    own = replace(recipe, checkpoint=tmp_path / "c", checkpoint_steps=1)

    with pytest.raises(InputError, match="no interrupted run to resume"):
        replace(own, resume=True).learn(few, lambda _: None, untracked)
    (tmp_path / "c").write_bytes(b"half")
    with pytest.raises(InputError, match="no whole checkpoint of this version"):
        replace(own, resume=True).learn(few, lambda _: None, untracked)
    torch.save({"run": "another"}, tmp_path / "c")
    with pytest.raises(InputError, match="no whole checkpoint of this version"):
        replace(own, resume=True).learn(few, lambda _: None, untracked)
    Checkpoint(tmp_path / "c", "another").save({})
    with pytest.raises(InputError, match="had another corpus, encoder or options"):
        replace(own, resume=True).learn(few, lambda _: None, untracked)


def test_a_run_that_had_stopped_early_is_not_gone_on_with(short, tmp_path, monkeypatch):
    """Killed after the first seed had stopped, before the second had saved anything."""
    monkeypatch.setattr(loop_module, "unlearned", lambda *_: {})
    few, recipe = short
    own = replace(recipe, epochs=6, patience=0, seeds=2, checkpoint=tmp_path / "c")
    told: list[str] = []
    runs = []

    def second_is_killed(steps, total, status=lambda: ""):
        runs.append(total)
        if len(runs) == 2:
            raise KeyboardInterrupt
        yield from steps

    with pytest.raises(KeyboardInterrupt):
        own.learn(few, told.append, second_is_killed)
    n_epochs = sum("epoch" in line for line in told)
    whole = replace(own, checkpoint=None).learn(few, lambda _: None, untracked)
    assert n_epochs == whole.training["epochs_run"][0] == 1
    resumed = replace(own, resume=True).learn(few, lambda _: None, untracked)
    assert resumed.training["epochs_run"] == whole.training["epochs_run"]
    assert np.array_equal(resumed.probabilities, whole.probabilities)


def test_a_paragraph_weighs_its_weight_whatever_its_windows_and_its_batch(small_corpus, recipe):
    two = small_corpus.where(np.arange(len(small_corpus)) < 2)
    two = replace(two, labels=np.vstack([two.labels[:1]] * 2))
    loss_of = EncoderLoss(two, recipe, "cpu")
    windows = Windows([[0]] * 5, [[0]] * 5, np.array([0, 1, 1, 1, 1]))
    logits = torch.zeros((5, two.labels.shape[1]), requires_grad=True)
    for batch in (np.array([0]), np.array([1, 2, 3, 4])):
        loss_of(logits[batch], windows, batch, 2).backward()
    one, several = logits.grad[:1].sum(dim=0), logits.grad[1:].sum(dim=0)
    assert one.abs().sum() > 0
    assert torch.allclose(one, several)


def losses(labels, logits, recipe, corpus):
    """Of rows of one window each, in one batch."""
    rows = replace(corpus, table=corpus.table.iloc[: len(labels)], labels=labels)
    windows = Windows([[0]] * len(labels), [[0]] * len(labels), np.arange(len(labels)))
    given = torch.tensor(logits, dtype=torch.float32)
    return EncoderLoss(rows, recipe, "cpu")(given, windows, np.arange(len(labels)), 1).item()


@pytest.mark.parametrize(
    ("change", "topic", "tone", "tone_weight"),
    [
        ({}, 0.0, 0.0, 1.0),
        ({"axis_weights": {"tone": 3.0}}, 0.0, 0.0, 3.0),
        ({"label_smoothing": 0.3}, 0.15, 0.1, 1.0),  # to each of two answers, of three tones
    ],
)
def test_the_loss_is_that_of_its_formula(small_corpus, recipe, change, topic, tone, tone_weight):
    labels = small_corpus.labels[:6]
    logits = np.random.default_rng(0).normal(size=labels.shape)
    of_topic, of_tone = (span for _, span in small_corpus.taxonomy.spans())
    yes = np.where(labels[:, of_topic], 1 - topic, topic)
    p = 1 / (1 + np.exp(-logits[:, of_topic]))
    expected = -(yes * np.log(p) + (1 - yes) * np.log(1 - p)).mean()
    yes = np.where(labels[:, of_tone], 1 - 2 * tone, tone)
    p = np.exp(logits[:, of_tone])
    p /= p.sum(axis=1, keepdims=True)
    expected -= tone_weight * (yes * np.log(p)).sum(axis=1).mean()
    found = losses(labels, logits, replace(recipe, **change), small_corpus)
    assert found == pytest.approx(expected, abs=1e-5)


def test_a_passage_weighs_what_the_recipe_says(small_corpus, recipe):
    table = small_corpus.table.iloc[:2].assign(passage=[False, True])
    two = replace(small_corpus, table=table, labels=small_corpus.labels[:2])
    windows = Windows([[0]] * 2, [[0]] * 2, np.arange(2))
    logits = torch.zeros((2, two.labels.shape[1]), requires_grad=True)
    loss_of = EncoderLoss(two, replace(recipe, passage_weight=3.0), "cpu")
    loss_of(logits, windows, np.arange(2), 1).backward()
    paragraph, passage = logits.grad.abs()
    assert torch.allclose(passage, 3 * paragraph)


def test_weights_of_labels_leave_the_best_logits_where_they_are(small_corpus, recipe):
    """What says the labels' shares of every paragraph is best, with weights as without."""
    weights = label_weights(small_corpus)
    shares = small_corpus.labels.mean(axis=0)
    assert [weights[k] for k in np.argsort(-shares[:4])] == sorted(weights[:4])
    batch = np.arange(len(small_corpus))
    windows = Windows([[0]] * len(batch), [[0]] * len(batch), batch)
    best = log_odds(np.tile(shares, (len(batch), 1)), small_corpus.taxonomy)
    for own in (recipe, replace(recipe, class_weights=True)):
        logits = torch.tensor(best, dtype=torch.float32, requires_grad=True)
        EncoderLoss(small_corpus, own, "cpu")(logits, windows, batch, 1).backward()
        slope = logits.grad.sum(dim=0).abs().max()
        assert slope < 1e-5 < logits.grad.abs().sum()


def test_a_label_that_lies_wholly_in_the_slice_has_a_weight(small_corpus):
    labels = small_corpus.labels.copy()
    labels[:, 0] = False
    assert np.isfinite(label_weights(replace(small_corpus, labels=labels))).all()


@pytest.mark.parametrize(("accumulate", "clip_norm"), [(1, 1.0), (3, 0.01)])
def test_a_step_takes_several_batches_and_no_more_than_the_norm(
    short, monkeypatch, accumulate, clip_norm
):
    few, recipe = short
    norms, n_batches = [], []
    step = torch.optim.AdamW.step

    def measured(self, *given):
        gradients = [p.grad.norm() for group in self.param_groups for p in group["params"]]
        norms.append(torch.stack(gradients).norm().item())
        return step(self, *given)

    def counted(steps, total, status=lambda: ""):
        n_batches.append(total)
        return steps

    monkeypatch.setattr(torch.optim.AdamW, "step", measured)
    own = replace(recipe, epochs=1, accumulate=accumulate, clip_norm=clip_norm)
    own.learn(few, lambda _: None, counted)
    assert len(norms) == -(-n_batches[0] // accumulate)
    assert max(norms) <= clip_norm * 1.001
    assert clip_norm == 1.0 or min(norms) > clip_norm * 0.99  # it is cut, and no shorter


def test_the_rate_rises_and_falls():
    shares = [rate_share(progress, 0.1) for progress in (0.0, 0.05, 0.1, 0.55, 1.0)]
    assert shares == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert rate_share(0.0, 0.0) == 1


@pytest.mark.parametrize("reduced", [True, False])
def test_training_computes_in_bfloat16_where_it_is_asked_to(short, monkeypatch, reduced):
    few, recipe = short
    kinds, forward = set(), TorchRuntime.forward

    def seen(self, inputs):
        logits = forward(self, inputs)
        kinds.add(logits.dtype)
        return logits

    monkeypatch.setattr(TorchRuntime, "forward", seen)
    learned = replace(recipe, epochs=1, reduced=reduced).learn(few, lambda _: None, untracked)
    assert torch.float32 in kinds  # the slice, at the end
    assert (torch.bfloat16 in kinds) == reduced
    assert next(learned.model.runtime.encoder.parameters()).dtype == torch.float32


def test_the_slice_is_scored_in_bfloat16_by_a_copy(short, taxonomy, monkeypatch):
    few, recipe = short
    run = FineTuning(recipe, open_encoder(recipe.encoder, taxonomy), few, few)
    encoder = run.opened.model.train()
    before, seen = deepcopy(encoder.state_dict()), []
    forward = TorchRuntime.forward

    def spied(self, inputs):
        seen.append(self.encoder)
        return forward(self, inputs)

    monkeypatch.setattr(TorchRuntime, "forward", spied)
    run._slice_scores(reduced=True)
    assert {own.dtype for own in seen} == {torch.bfloat16}
    assert encoder not in seen
    assert encoder.training
    for name, weight in encoder.state_dict().items():
        assert torch.equal(weight, before[name]), name


def test_a_seed_whose_loss_is_no_number_is_left_out(short, monkeypatch, tmp_path):
    few, recipe = short
    own = replace(recipe, epochs=1, seeds=3, combine="average", checkpoint=tmp_path / "c")
    once = FineTuning._train_once

    def second_diverges(self, number, *given):
        if number == 1:
            raise NothingLearnedError("the loss is nan", "lower it")
        return once(self, number, *given)

    monkeypatch.setattr(FineTuning, "_train_once", second_diverges)
    said = []
    learned = own.learn(few, said.append, untracked)
    assert "  seed 2 is left out: the loss is nan" in said
    assert len(learned.training["seed_macro_f1"]) == 2
    again = replace(own, resume=True).learn(few, lambda _: None, untracked)
    assert np.array_equal(again.probabilities, learned.probabilities)


def test_a_seed_that_learned_nothing_is_not_averaged(short):
    _, recipe = short
    good, bad = (
        Best({"w": torch.tensor([value])}, SliceScores(0.5, 0.5, bad), 0, 0.5, 0, 1)
        for value, bad in ((1.0, {}), (9.0, {"topic": "it guesses"}))
    )
    said = []
    own = replace(recipe, combine="average")
    assert own._chosen([good, bad], said.append)["w"] == 1.0
    assert said == ["  1 seed(s) that learned too little are not averaged"]
    assert own._chosen([good, good], said.append)["w"] == 1.0
    assert replace(recipe, combine="best")._chosen([bad, good], said.append)["w"] == 1.0


def test_an_encoder_is_known_by_its_weights_wherever_it_lies(
    short, encoder, taxonomy, tmp_path, small_corpus
):
    few, recipe = short
    shutil.copytree(encoder, tmp_path / "moved")
    other = write_tiny_encoder(
        tmp_path / "other", small_corpus.texts, max_length=160, initializer_range=0.1
    )
    digests = [
        open_encoder(str(path), taxonomy).digest for path in (encoder, tmp_path / "moved", other)
    ]
    assert digests[0] == digests[1] != digests[2]
    own = replace(recipe, epochs=1, checkpoint=tmp_path / "c")
    learned = own.learn(few, lambda _: None, untracked)
    moved = replace(own, encoder=str(tmp_path / "moved"), resume=True)
    assert np.array_equal(
        moved.learn(few, lambda _: None, untracked).probabilities, learned.probabilities
    )
    asked = replace(own, encoder=str(other), encoder_digest=learned.training["encoder_digest"])
    with pytest.raises(InputError, match="other weights than the model was fine-tuned from"):
        asked.learn(few, lambda _: None, untracked)


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "I/O")])
def test_a_checkpoint_that_cannot_be_read_now_is_not_to_be_deleted(tmp_path, monkeypatch, error):
    def failing(*_, **__):
        raise error

    own = Checkpoint(tmp_path / "c", "run")
    own.save({})
    monkeypatch.setattr("torch.load", failing)
    with pytest.raises(InputError, match=rf"cannot be read \({error.strerror}\); run it again"):
        own.load(resume=True)


def test_a_linear_fit_leaves_an_interrupted_run_alone(small_csv, tmp_path, quick, monkeypatch):
    monkeypatch.setattr("training.commands.fit._recipe", lambda *_: quick)
    kept = tmp_path / "m.checkpoint"
    kept.write_text("hours")
    done = CliRunner().invoke(posture_train, ["fit", str(small_csv), "--output", f"{tmp_path}/m"])
    assert done.exit_code == 0, done.output
    assert kept.read_text() == "hours"


def test_a_checkpoint_in_bfloat16_opens(encoder, taxonomy, tmp_path):
    shutil.copytree(encoder, tmp_path / "half")
    whole = AutoModelForSequenceClassification.from_pretrained(encoder)
    whole.to(torch.bfloat16).save_pretrained(tmp_path / "half")
    opened = open_encoder(str(tmp_path / "half"), taxonomy)
    assert opened.digest != open_encoder(str(encoder), taxonomy).digest
    assert (
        next(TorchRuntime(opened.model, reduced=False).encoder.parameters()).dtype == torch.float32
    )


def test_a_learning_curve_of_an_encoder_leaves_out_what_is_not_learned(short, monkeypatch):
    few, recipe = short
    table = few.table.assign(split=np.where(few.article_ids == few.article_ids[0], "test", "train"))
    design = fixed_split(replace(few, table=table))
    checked = []

    def check(unlearned):
        checked.append(unlearned)
        if len(checked) == 1:
            raise NothingLearnedError("it guesses", "more epochs")

    monkeypatch.setattr(recipe_module, "check_learned", check)
    said = []
    curve = learning_curve(replace(recipe, epochs=1), design, said.append)
    tried = sum("fitting the recipe on" in line for line in said)
    assert tried == 4 and len(curve) == len(checked) - 1 >= 2
    assert any(line.endswith("left out: it guesses") for line in said)


def test_a_part_from_which_nothing_is_learned_is_named(short, monkeypatch):
    few, recipe = short

    def check(_):
        raise NothingLearnedError("it guesses", "more --epochs")

    monkeypatch.setattr(recipe_module, "check_learned", check)
    design = cross_validation(few, 2)
    with pytest.raises(
        InputError, match=r"fold 1: it guesses; the recipe cannot be .*--split test$"
    ):
        refit(replace(recipe, epochs=1), design.corpus, design.parts)


def test_a_taxonomy_of_one_axis_is_learned(short):
    few, recipe = short
    tones = Taxonomy(few.taxonomy.axes[1:])
    span = few.taxonomy.spans()[1][1]
    own = LabelledCorpus(tones, few.table, few.labels[:, span])
    learned = replace(recipe, epochs=1).learn(own, lambda _: None, untracked)
    assert learned.probabilities.shape[1] == 3


def test_several_seeds_are_kept_or_averaged(short):
    few, recipe = short
    best, average = (
        replace(recipe, seeds=2, combine=way).learn(few, lambda _: None, untracked)
        for way in ("best", "average")
    )
    assert len(best.training["seed_macro_f1"]) == len(average.training["epochs_run"]) == 2
    assert best.training["slice_macro_f1"] in best.training["seed_macro_f1"]
    found = [one.model.runtime.encoder.state_dict() for one in (best, average)]
    assert not all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_the_average_of_weights_is_their_mean():
    weights = [{"w": torch.full((2,), value), "n": torch.tensor(7)} for value in (1.0, 4.0)]
    mean = recipe_module.average(weights)
    assert torch.equal(mean["w"], torch.full((2,), 2.5))
    assert mean["n"] == 7


def test_lower_layers_learn_slower_or_not_at_all(encoder, taxonomy, recipe):
    model = open_encoder(str(encoder), taxonomy).model
    rate = {}
    for group in parameter_groups(model, replace(recipe, layer_decay=0.5, learning_rate=1.0)):
        for parameter in group["params"]:
            rate[id(parameter)] = group["highest"]
    named = {name: rate[id(p)] for name, p in model.named_parameters()}
    assert named["classifier.dense.weight"] == named["roberta.encoder.layer.1.output.dense.weight"]
    assert named["roberta.encoder.layer.0.output.dense.weight"] == 0.5
    assert named["roberta.embeddings.word_embeddings.weight"] == 0.25
    groups = parameter_groups(model, recipe)
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    assert all((p.ndim > 1) == (id(p) in decayed) for p in model.parameters())
    parameter_groups(model, replace(recipe, frozen_layers=1))
    still = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert any("embeddings" in name for name in still)
    assert any("layer.0." in name for name in still)
    assert not any("layer.1." in name or "classifier" in name for name in still)


def test_more_layers_than_there_are_cannot_be_frozen(encoder, taxonomy, recipe):
    model = open_encoder(str(encoder), taxonomy).model
    with pytest.raises(
        InputError, match=r"has 2 layers .*--freeze-layers 9 .*add --freeze-layers 2"
    ):
        parameter_groups(model, replace(recipe, frozen_layers=9))


@pytest.mark.parametrize(
    ("architecture", "settings", "shared"),
    [
        ("mpnet", {}, "relative_attention_bias"),
        ("deberta-v2", {"conv_kernel_size": 3, "relative_attention": True}, ".conv."),
        ("modernbert", {"cls_token_id": 0, "sep_token_id": 2}, ".embeddings."),
    ],
)
def test_what_serves_every_layer_is_frozen_with_the_embeddings(
    corpus, taxonomy, recipe, tmp_path, architecture, settings, shared
):
    write_tiny_encoder(tmp_path, corpus.texts[:200], architecture=architecture, **settings)
    model = open_encoder(str(tmp_path), taxonomy).model
    parameter_groups(model, replace(recipe, frozen_layers=1))
    learns = {name: p.requires_grad for name, p in model.named_parameters()}
    assert {yes for name, yes in learns.items() if shared in name} == {False}
    above = [name for name in learns if re.search("classifier|pooler|final_norm", name)]
    assert above and all(learns[name] for name in above)


@pytest.mark.parametrize("when", [True, False])
def test_attention_is_plain_within_and_as_before_afterwards(encoder, taxonomy, when):
    model = open_encoder(str(encoder), taxonomy).model
    usual = model.config._attn_implementation
    assert usual != "eager"

    def interrupted():
        with plain_attention(model, when=when):
            assert (model.config._attn_implementation == "eager") == when
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert model.config._attn_implementation == usual


def test_dropout_of_the_attention_is_seen_under_both_its_names():
    for architecture, name in (
        ("camembert", "attention_probs_dropout_prob"),
        ("modernbert", "attention_dropout"),
    ):
        for share in (0.0, 0.1):
            config = AutoConfig.for_model(architecture, **{name: share})
            found = has_attention_dropout(SimpleNamespace(config=config))
            assert found == (share > 0)


def test_the_card_says_what_exchanged_countries_change_beside_the_linear_none(written):
    card = (written / "card.md").read_text()
    assert "| countries exchanged |" in card
    assert "With the countries exchanged the embedded linear model changes no label" in card


@pytest.mark.parametrize("architecture", ["mpnet", "xlm-roberta-xl", "bert", "deberta-v2"])
def test_the_window_is_the_longest_that_the_encoder_computes(
    corpus, taxonomy, tmp_path, architecture
):
    own = write_tiny_encoder(tmp_path, corpus.texts[:200], architecture=architecture)
    opened = open_encoder(str(own), taxonomy)
    assert opened.max_length >= 62
    opened.model.eval()(input_ids=torch.full((1, opened.max_length), 7))


def test_options_of_the_loss_change_what_is_learned(short):
    """Smoothing, class weights, axis weights, context, exchange: each leads elsewhere."""
    few, base = short
    changes = (
        {},
        {"label_smoothing": 0.2},
        {"class_weights": True},
        {"axis_weights": {"tone": 3.0}},
        {"context": "none"},
        {"augment": True},
    )
    found = [
        replace(base, **change).learn(few, lambda _: None, untracked).probabilities
        for change in changes
    ]
    for i, one in enumerate(found):
        for other in found[:i]:
            assert not np.array_equal(one, other), changes[i]


# Refusals


def test_a_loss_that_is_no_number_stops_the_run(small_corpus, recipe, encoder, tmp_path):
    broken = AutoModelForSequenceClassification.from_pretrained(encoder)
    with torch.no_grad():
        broken.roberta.encoder.layer[0].output.dense.weight.fill_(float("nan"))
    shutil.copytree(encoder, tmp_path / "nan")
    broken.save_pretrained(tmp_path / "nan")
    with pytest.raises(InputError, match=r"the loss is nan; nothing was written; try a lower"):
        fit(small_corpus, replace(recipe, encoder=str(tmp_path / "nan")))


def test_an_encoder_that_learns_nothing_gives_no_folder(small_corpus, recipe, tmp_path):
    with pytest.raises(InputError, match=r"did not learn \w+: it says .* of every one of"):
        fit(small_corpus, replace(recipe, learning_rate=1e-12, checkpoint=tmp_path / "c"))
    assert not (tmp_path / "c").exists()


def slice_scores(found, corpus):
    return SliceScores.of(found, corpus, corpus.label_shares())


def certain(corpus):
    return np.where(corpus.labels, 0.95, 0.05)


@pytest.mark.parametrize(("n_articles", "at_most"), [(2, 10), (4, 8), (30, 0)])
def test_noise_is_nothing_learned_and_a_signal_in_it_is(small_corpus, n_articles, at_most):
    """Of 100 draws; half of the noise is by article, as texts and labels are."""
    rng = np.random.default_rng(0)
    topics = small_corpus.taxonomy.spans()[0][1]
    articles = np.array(list(dict.fromkeys(small_corpus.article_ids)))
    noise_learned = signal_learned = 0
    for _ in range(100):
        drawn = np.isin(small_corpus.article_ids, rng.choice(articles, n_articles, replace=False))
        kept = small_corpus.where(drawn)
        _, article = np.unique(kept.article_ids.astype(str), return_inverse=True)
        labels = kept.labels[:, topics]
        noise = rng.normal(size=labels.shape) + rng.normal(size=(n_articles, 4))[article]
        for signal in (0.0, 3.0):
            found = certain(kept)
            found[:, topics] = 1 / (1 + np.exp(-(noise + np.where(labels, signal, -signal))))
            scores = SliceScores.of(found, kept, small_corpus.label_shares())
            noise_learned += not signal and "topic" not in scores.unlearned
            signal_learned += bool(signal) and "topic" not in scores.unlearned
    assert noise_learned <= at_most
    assert signal_learned == 100


def test_a_hair_below_guessing_is_nothing_learned(small_corpus):
    """Of many paragraphs that hardly differ: a weak signal is not enough, a stronger one is."""
    rng = np.random.default_rng(0)
    topics = small_corpus.taxonomy.spans()[0][1]
    noise = rng.normal(size=small_corpus.labels[:, topics].shape)
    where = np.where(small_corpus.labels[:, topics], 1, -1)
    found = certain(small_corpus)
    found[:, topics] = 0.5 + 0.01 * np.tanh(noise + 0.1 * where)
    told = r"learn topic: it (guesses|says).* alone give 0\.\d+ and less than 0\.\d+ is expected;"
    with pytest.raises(NothingLearnedError, match=told):
        check_learned(slice_scores(found, small_corpus).unlearned)
    found[:, topics] = 0.5 + 0.01 * np.tanh(noise + where)
    check_learned(slice_scores(found, small_corpus).unlearned)


def test_the_shares_of_the_slice_are_no_secret_to_the_guess(small_corpus):
    """Calibration tells both of them, so that an encoder is not praised for finding them."""
    topics = small_corpus.taxonomy.spans()[0][1]
    rng = np.random.default_rng(0)
    found = certain(small_corpus)
    found[:, topics] = small_corpus.label_shares()[topics] + 0.01 * rng.random((len(found), 4))
    far = np.where(small_corpus.label_shares() > 0.3, 0.05, 0.6)
    assert "topic" in SliceScores.of(found, small_corpus, far).unlearned


def test_a_label_that_the_slice_lacks_says_nothing(small_corpus):
    """Calibration leaves it alone, so that its sureness would count, one way or the other."""
    column = small_corpus.taxonomy.spans()[0][1].start
    kept = small_corpus.where(~small_corpus.labels[:, column])
    scores = []
    for wrong in (0.001, 0.5, 0.999):
        found = certain(kept)
        found[:, column] = wrong
        scores.append(slice_scores(found, kept))
    assert scores[0].loss == scores[1].loss == scores[2].loss
    assert [one.unlearned for one in scores] == [{}, {}, {}]


def test_all_that_was_not_learned_is_named():
    with pytest.raises(NothingLearnedError, match="learn topic: a; tone: b; nothing was written"):
        check_learned({"topic": "a", "tone": "b"})
    check_learned({})


def test_one_batch_alone_changes_the_weights(short):
    few, recipe = short
    own = replace(recipe, epochs=1, tokens_per_batch=1_000_000)
    one, other = (
        replace(own, learning_rate=rate).learn(few, lambda _: None, untracked).probabilities
        for rate in (1e-2, 1e-12)
    )
    assert np.abs(one - other).max() > 1e-3


def test_being_too_sure_is_no_fault_and_being_timid_neither(small_corpus):
    """Calibration mends both, so that the slice's scores are those of the knowledge."""
    noise = np.random.default_rng(0).normal(size=small_corpus.labels.shape)
    z = np.where(small_corpus.labels, 1.0, -1.0) + noise
    tones = small_corpus.taxonomy.spans()[1][1]
    scores = []
    for sureness in (0.2, 1.0, 5.0):
        found = 1 / (1 + np.exp(-sureness * z))
        found[:, tones] = np.exp(sureness * z[:, tones])
        found[:, tones] /= found[:, tones].sum(axis=1, keepdims=True)
        scores.append(slice_scores(found, small_corpus))
    assert [one.unlearned for one in scores] == [{}, {}, {}]
    for one in scores:
        assert one.loss == pytest.approx(scores[1].loss, abs=1e-3)
        assert one.macro_f1 == pytest.approx(scores[1].macro_f1, abs=0.01)


def test_probabilities_that_are_no_numbers_stop_the_run(small_corpus):
    found = np.where(small_corpus.labels, 0.95, np.nan)
    with pytest.raises(NothingLearnedError, match="probabilities are no numbers"):
        slice_scores(found, small_corpus)


def test_one_tone_of_all_is_nothing_learned_whatever_its_loss(small_corpus):
    """A little surer of the right one, and yet it never says another."""
    found = certain(small_corpus)
    tones = small_corpus.taxonomy.spans()[1][1]
    found[:, tones] = np.where(small_corpus.labels[:, tones], 0.3, 0.1)
    found[:, tones.stop - 1] += 0.5
    found[:, tones] /= found[:, tones].sum(axis=1, keepdims=True)
    with pytest.raises(NothingLearnedError, match="tone: it says neutral of every one of"):
        check_learned(slice_scores(found, small_corpus).unlearned)


def test_training_goes_on_until_it_has_learned_and_gains_no_more(short, monkeypatch):
    """Macro-F1 of guesses chooses no weights, and a loss that rises before stops no run."""
    few, recipe = short
    two = {"topic": "it guesses", "tone": "it guesses"}
    script = iter(
        [
            (0.3, 0.9, two),
            (0.4, 0.95, two),
            (0.1, 0.92, two),
            (0.1, 0.91, two),
            (0.2, 0.93, {}),
            (0.1, 0.89, {}),  # a lower loss
            (0.1, 0.94, {}),
        ]
    )
    heads = []

    def scores(self, **_):
        heads.append(self.opened.model.classifier.out_proj.weight.detach().clone())
        return SliceScores(*next(script))

    monkeypatch.setattr(FineTuning, "_slice_scores", scores)
    learned = replace(recipe, epochs=9, patience=1).learn(few, lambda _: None, untracked)
    assert learned.training["epochs_run"] == [7]
    assert learned.training["best_epoch"] == [5]
    kept = learned.model.runtime.encoder.classifier.out_proj.weight
    assert [torch.equal(kept, head) for head in heads] == [False] * 4 + [True, False, False]


def test_macro_f1_of_guesses_chooses_no_weights():
    guess = {"topic": "it guesses"}
    encoder = torch.nn.Linear(1, 1)
    best = Best.after(None, SliceScores(0.3, 0.8, guess), 0, encoder)
    best = Best.after(best, SliceScores(0.5, 0.9, guess), 1, encoder)
    assert (best.epoch, best.epochs_run, best.is_final(1)) == (0, 2, False)
    best = Best.after(best, SliceScores(0.1, 0.95, {}), 2, encoder)
    assert (best.epoch, best.is_final(1)) == (2, False)
    assert Best.after(best, SliceScores(0.1, 0.96, {}), 3, encoder).is_final(1)


@pytest.mark.parametrize(
    "change", [{"axis_weights": {"tone": float("nan")}}, {"axis_weights": {"tone": 0.0}}]
)
def test_numbers_that_are_none_are_refused_at_once(short, change):
    few, recipe = short
    with pytest.raises(InputError, match="expected finite numbers above 0"):
        replace(recipe, **change).learn(few, lambda _: None, untracked)


def test_an_unknown_axis_is_named(small_corpus, recipe):
    with pytest.raises(InputError, match=r"axis weight\(s\) of mood; expected axes of topic, tone"):
        fit(small_corpus, replace(recipe, axis_weights={"mood": 2.0}))


def test_a_hub_that_cannot_be_reached_is_one_line_with_a_way_out(taxonomy, monkeypatch):
    import transformers

    def refuse(*_, **__):
        raise OSError("We couldn't connect\nto the hub")

    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", refuse)
    with pytest.raises(
        InputError, match=r"hf download almanach/x --local-dir x`.*--encoder x"
    ) as e:
        open_encoder("almanach/x", taxonomy)
    assert "\n" not in str(e.value)


def test_a_folder_without_an_encoder_is_refused(taxonomy, tmp_path):
    with pytest.raises(InputError, match="expected a folder with config.json"):
        open_encoder(str(tmp_path), taxonomy)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"pad_token_id": None}, "no pad_token_id"),
        ({"max_position_embeddings": -1}, "no max_position_embeddings"),
        ({"model_type": "mbart", "classifier_dropout": 0.0}, "mbart reads and writes"),
    ],
)
def test_an_architecture_that_cannot_serve_is_refused(encoder, taxonomy, tmp_path, change, found):
    folder = tmp_path / "own"
    shutil.copytree(encoder, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(InputError, match=rf"own: .*{found}.*; expected"):
        open_encoder(str(folder), taxonomy)


def test_a_tokenizer_that_gives_letters_is_refused(encoder, taxonomy, tmp_path):
    """As transformers 5 gives them for a WordPiece file under another class's name."""
    from tokenizers import Regex, Tokenizer, pre_tokenizers

    shutil.copytree(encoder, tmp_path / "letters")
    path = str(tmp_path / "letters" / "tokenizer.json")
    tokenizer = Tokenizer.from_file(path)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.save(path)
    with pytest.raises(InputError, match=r"class Unigram\) cuts French into tokens of 1\.\d"):
        open_encoder(str(tmp_path / "letters"), taxonomy)


def test_weights_that_do_not_fit_are_refused(encoder, taxonomy, tmp_path):
    """A checkpoint of other names would leave the encoder random, without a word."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(encoder, tmp_path / "other")
    path = tmp_path / "other" / "model.safetensors"
    weights = {f"unknown.{name}": tensor for name, tensor in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(InputError, match="weights of the encoder are missing"):
        open_encoder(str(tmp_path / "other"), taxonomy)


# The contract of every model


@pytest.fixture(scope="module")
def model(fitted):
    return fitted.scorer.model


def test_rows_do_not_depend_on_order_batch_or_neighbours(model, small_corpus):
    texts = [*small_corpus.texts[:12], *ODD]
    together = model.logits(paragraphs(texts))
    assert np.abs(model.logits(paragraphs(texts[::-1]))[::-1] - together).max() < 1e-4
    alone = np.vstack([model.logits(paragraphs([text])) for text in texts])
    assert np.abs(alone - together).max() < 1e-4
    small = TorchRuntime(model.runtime.encoder, device="cpu", reduced=False)
    small.tokens_per_batch = 70
    assert np.abs(replace(model, runtime=small).logits(paragraphs(texts)) - together).max() < 1e-4


def test_blocks_of_a_long_list_change_nothing(model, small_corpus, monkeypatch):
    some = [*small_corpus.paragraphs[:30], *paragraphs(ODD)]
    whole, seen = model.logits(some), []
    cut = WindowCutter.windows

    def spied(self, given):
        seen.append(len(given))
        return cut(self, given)

    monkeypatch.setattr(WindowCutter, "windows", spied)
    monkeypatch.setattr("inference.camembert._BLOCK", 2_000)  # characters: LONG alone has more
    assert np.abs(model.logits(some) - whole).max() < 1e-4
    assert len(seen) > 5
    assert sum(seen) == len(some)


def test_no_paragraph_gives_an_empty_result_of_the_right_shape(model, taxonomy):
    assert model.predict_proba([]).shape == (0, taxonomy.n_columns)


def test_an_exclusive_axis_sums_to_one(model):
    found = model.predict_proba(paragraphs(ODD))
    assert ((found >= 0) & (found <= 1)).all()
    for axis, span in model.taxonomy.spans():
        if axis.exclusive:
            assert np.allclose(found[:, span].sum(axis=1), 1)


def test_the_end_of_a_long_paragraph_counts(model):
    other = LONG + " Le ministre condamne une agression."
    a, b = model.logits(paragraphs([LONG, other]))
    assert not np.allclose(a, b)


def test_windows_of_a_paragraph_give_the_largest_topic_and_the_mean_tone(model):
    """The runtime's logits are counted up, window by window; the first is the longest paragraph."""

    class Counting:
        tokens_per_batch = 1  # a window a batch

        def __call__(self, batches):
            for inputs in batches:
                row = np.full((1, 7), float(inputs["attention_mask"].sum()))
                row[0, 5] = inputs["input_ids"][0, 1]
                seen.append(row[0])
                yield row

    seen = []
    own = replace(model, runtime=Counting())
    cut = own.cutter.windows(paragraphs([LONG, "Court."]))
    assert cut.paragraph.tolist()[:3] == [0, 0, 0]
    found = own.logits(paragraphs([LONG, "Court."]))
    of_long = np.array(
        [
            [len(ids)] * 5 + [ids[1], len(ids)]
            for ids, n in zip(cut.ids, cut.paragraph, strict=True)
            if n == 0
        ]
    )
    assert len(set(of_long[:, 5].tolist())) > 1
    assert found[0, :4].tolist() == of_long[:, :4].max(axis=0).tolist()
    assert found[0, 4:] == pytest.approx(of_long[:, 4:].mean(axis=0))
    assert len(seen) == len(cut)


def test_an_encoder_is_explained_by_leaving_words_out(written, small_corpus):
    scorer = load(written)
    text = small_corpus.texts[0][:120]
    explained = scorer.explain(Paragraph(text, 0, len(text)))
    assert explained.method == "occlusion"
    assert len(explained.words) > 5
    found = explained.base + explained.contributions.sum(axis=0)
    expected = log_odds(scorer.predict_proba([text]), scorer.taxonomy)[0]
    rounded = 1e-2 if scorer.model.runtime.reduced else 1e-5  # alone, or beside the others
    assert np.abs(found - expected).max() < rounded
    assert np.abs(explained.contributions).max() > 1e-2


def test_the_context_counts(model):
    text = "Elle appareille demain."
    bare, under = Paragraph(text, 0, 5), Paragraph(text, 0, 5, "Manœuvres en mer", "Avant.")
    a, b = model.logits([bare, under])
    assert not np.allclose(a, b)


# The folder


def test_the_folder_gives_the_same_probabilities(fitted, written, small_corpus):
    texts = [*small_corpus.texts[:20], *ODD]
    expected = fitted.scorer.predict_proba(texts)
    stored = read_model(written)
    reduced = stored.scorer.model.runtime.reduced
    assert np.abs(stored.scorer.predict_proba(texts) - expected).max() < (0.05 if reduced else 1e-5)
    assert stored.provenance.scores["model"]["macro_f1"]
    assert stored.provenance.training["recipe"].startswith("fine-tuned")


def test_only_the_changes_of_the_recipe_are_tried(fitted, recipe):
    assert list(fitted.provenance.robustness) == list(recipe.changes) == ["countries exchanged"]


def test_transformers_opens_the_folder(fitted, written):
    encoder = AutoModelForSequenceClassification.from_pretrained(written)
    tokenizer = AutoTokenizer.from_pretrained(written)
    assert tuple(encoder.config.id2label.values()) == fitted.scorer.taxonomy.column_names
    text = "L’armée a engagé trois frégates."
    with torch.inference_mode():
        logits = encoder(**tokenizer(text, return_tensors="pt")).logits.numpy()
    assert np.abs(logits - fitted.scorer.model.logits(paragraphs([text]))).max() < 1e-4


def test_a_tokenizer_that_cuts_otherwise_is_refused(written, tmp_path):
    def change(manifest):
        manifest["encoder"]["probes"][1][3] += 1

    folder = edited(written, tmp_path / "m", change)
    with pytest.raises(InputError, match=r"class Unigram\) cuts .«.*into \[0, .*expected \[0, "):
        load(folder)


def test_weights_of_another_fit_are_refused(written, tmp_path):
    """By the golden predictions, where somebody mended the digests too."""
    from safetensors.torch import load_file, save_file

    def change(manifest):
        path = tmp_path / "m" / "model.safetensors"
        weights = load_file(path)
        weights["classifier.out_proj.weight"] += 3.0
        save_file(weights, path, metadata={"format": "pt"})
        manifest["files"]["model.safetensors"] = _file_digest(path)

    folder = edited(written, tmp_path / "m", change)
    with pytest.raises(InputError, match="gives other probabilities here"):
        load(folder)


@pytest.mark.parametrize("device", ["nonsense", "meta", "hpu", "vulkan", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(written, device):
    with pytest.raises(InputError, match=rf"--device {device}: torch cannot use it") as error:
        load(written, device=device)
    assert "\n" not in str(error.value)


def test_a_runtime_that_is_not_there_is_refused(written):
    with pytest.raises(InputError, match=r"runtime 'onnx' is not here; found torch; posture-train"):
        load(written, runtime="onnx")


def test_a_linear_model_takes_no_runtime():
    with pytest.raises(InputError, match="a linear model; --runtime and --device are for encoders"):
        load(device="cpu")


def test_a_missing_library_is_one_line(written, monkeypatch):
    monkeypatch.setattr("inference.runtimes.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"needs torch and transformers, not .*\[camembert\]"):
        load(written)


def test_fit_without_torch_is_one_line(small_corpus, recipe, monkeypatch):
    monkeypatch.setattr("inference.runtimes.find_spec", lambda _: None)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"needs torch and transformers, not .*\[camembert\]"):
        fit(small_corpus, recipe)


@pytest.mark.parametrize(
    ("file", "told"),
    [("tokenizer.json", "tokenizer.json: tokenizers"), ("model.safetensors", "m: transformers")],
)
def test_a_file_that_a_library_cannot_read_is_one_line(written, tmp_path, file, told):
    """As where the library is too old for it: its digest is right."""

    def change(manifest):
        (tmp_path / "m" / file).write_text("{}")
        manifest["files"][file] = _file_digest(tmp_path / "m" / file)

    folder = edited(written, tmp_path / "m", change)
    with pytest.raises(InputError, match=rf"{told} [\d.]+ cannot read it \(") as error:
        load(folder)
    assert "\n" not in str(error.value)


def with_own_code(folder, told):
    """A configuration of a kind that transformers does not know, whose code leaves a trace."""
    config = {
        "model_type": "own",
        "auto_map": {"AutoConfig": "own.Own", "AutoModelForSequenceClassification": "own.Own"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(told)!r}, 'w').close()\nclass Own: pass\n")


def test_code_that_an_encoder_brings_is_never_run(encoder, taxonomy, tmp_path, monkeypatch):
    shutil.copytree(encoder, tmp_path / "e")
    with_own_code(tmp_path / "e", tmp_path / "ran")
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with pytest.raises(InputError, match=r"brings code of its own, which is never run"):
        open_encoder(str(tmp_path / "e"), taxonomy)
    assert not (tmp_path / "ran").exists()


def test_code_that_a_model_folder_brings_is_never_run(written, tmp_path):
    def change(manifest):
        with_own_code(tmp_path / "m", tmp_path / "ran")
        for name in ("config.json", "own.py"):
            manifest["files"][name] = _file_digest(tmp_path / "m" / name)

    folder = edited(written, tmp_path / "m", change)
    done = subprocess.run(
        [sys.executable, "-m", "inference", "score", "--model", folder, "-"],
        input="y\ny\ny\ny\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "cannot read it" in done.stderr
    assert "[y/N]" not in done.stdout + done.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("name", "found"), [("config.json", "a file"), ("no", "nothing there")])
def test_a_path_that_is_no_folder_is_not_looked_for_on_the_hub(encoder, taxonomy, name, found):
    with pytest.raises(InputError, match=rf"{name}: {found}; expected a folder with config.json"):
        open_encoder(str(encoder / name), taxonomy)


def test_the_help_names_the_french_encoders():
    text = CliRunner().invoke(posture_train, ["fit", "--help"], terminal_width=200).output
    for name in ("camembert", "camembertv2", "camembertav2", "moderncamembert", "distilcamembert"):
        assert f"/{name}-base" in "".join(text.split())
    assert "default: almanach/camembert-base" in text
