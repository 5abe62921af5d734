"""Fine-tuning step by step: seeds, rates, gradients, batches, the loss, the checkpoint."""

import json
import os
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from inference import InputError
from inference.article import Paragraph
from inference.windows import WindowCutter, Windows
from tests.tiny_encoder import write_tiny_encoder
from training.camembert import CamembertRecipe
from training.checkpoint import Checkpoint, random_state, set_random_state
from training.encoder import open_encoder
from training.encoder_loss import EncoderLoss, label_weights
from training.fine_tuning import FineTuning, SliceScores
from training.learning_check import NothingLearnedError
from training.learning_rates import rate_share
from training.recipe import untracked

STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


@pytest.fixture(scope="module")
def encoder(corpus, tmp_path_factory):
    """Without dropout, so that the same weights give the same gradients."""
    return write_tiny_encoder(tmp_path_factory.mktemp("encoder"), corpus.texts[:200], **STILL)


@pytest.fixture(scope="module")
def few(small_corpus):
    """Six articles."""
    first = list(dict.fromkeys(small_corpus.article_ids))[:6]
    return small_corpus.where(small_corpus.table["article_id"].isin(first))


@pytest.fixture
def run(encoder, few, taxonomy):
    """Two epochs of a dozen batches; the slice is what is learned."""
    recipe = CamembertRecipe(
        encoder=str(encoder),
        epochs=2,
        learning_rate=2e-3,
        tokens_per_batch=256,
        accumulate=1,
        slice_share=0.5,
        min_examples=4,
        reduced=False,
        device="cpu",
    )
    return FineTuning(recipe, open_encoder(str(encoder), taxonomy), few, few)


def changed(run, **options):
    return replace(run, recipe=replace(run.recipe, **options))


def train(run, track=untracked):
    return run.train(Checkpoint(None, ""), None, lambda _: None, track)


def steps_of_seeds(run):
    """The steps of each seed, as `track` is given them; nothing is learned."""
    found = []

    def left_out(steps, total, status):
        found.append(list(steps))
        raise NothingLearnedError("it was not to learn", "")

    with pytest.raises(NothingLearnedError):
        train(run, left_out)
    return found


def seen_at_steps(monkeypatch, see):
    """What `see` gives of the optimizer at each step from now on."""
    found, step = [], torch.optim.AdamW.step

    def spied(self, *given):
        found.append(see(self))
        return step(self, *given)

    monkeypatch.setattr(torch.optim.AdamW, "step", spied)
    return found


# Steps


def test_every_seed_begins_with_the_same_weights_and_other_dropout(run):
    weights, random = [], []

    def begun(steps, total, status):
        weights.append(deepcopy(run.opened.model.state_dict()))
        random.append(torch.get_rng_state())
        return steps

    best = train(changed(run, seeds=2, epochs=1, combine="average"), begun)
    head = "classifier.out_proj.weight"
    assert not torch.equal(best[0].weights[head], weights[0][head])
    for name, weight in weights[0].items():
        assert torch.equal(weights[1][name], weight), name
    assert not torch.equal(*random)


def test_the_weights_of_a_seed_that_is_not_the_best_are_given_up(run, monkeypatch):
    def kept(combine):
        scores = iter([SliceScores(macro, 0.5, {}) for macro in (0.5, 0.9, 0.7)])
        monkeypatch.setattr(FineTuning, "_slice_scores", lambda *_, **__: next(scores))
        best = train(changed(run, seeds=3, epochs=1, combine=combine))
        assert [one.scores.macro_f1 for one in best] == [0.5, 0.9, 0.7]
        return [bool(one.weights) for one in best]

    assert kept("best") == [False, True, False]
    assert kept("average") == [True, True, True]


def test_every_step_has_the_rate_of_its_place_in_the_run(run, monkeypatch):
    totals = []
    shares = seen_at_steps(
        monkeypatch, lambda own: [group["lr"] / group["highest"] for group in own.param_groups]
    )

    def counted(steps, total, status):
        totals.append(total)
        return steps

    train(changed(run, warm_up=0.3), counted)
    (total,) = totals
    expected = [[rate_share((i + 0.5) / total, 0.3)] for i in range(total)]
    assert len(expected) == len(shares) > 12
    assert np.allclose(shares, expected)


def test_dropout_is_on_at_every_step(run, monkeypatch):
    on = seen_at_steps(
        monkeypatch, lambda _: all(module.training for module in run.opened.model.modules())
    )
    train(run)
    assert len(on) > 12 and all(on)


def test_a_step_takes_the_mean_gradient_of_its_batches_the_last_of_fewer_too(run, few, monkeypatch):
    """At a rate at which the weights stay, batch by batch and three at a time."""
    five = few.where(np.arange(len(few)) < 5)
    five = replace(five, table=five.table.assign(text=five.table["text"].str[:60]))
    found = seen_at_steps(
        monkeypatch,
        lambda own: torch.cat([p.grad.flatten() for g in own.param_groups for p in g["params"]]),
    )
    still = changed(run, epochs=1, tokens_per_batch=1, learning_rate=1e-12, clip_norm=1e9)
    for accumulate in (1, 3):
        train(replace(changed(still, accumulate=accumulate), seen=five))
    *batches, first, last = found
    assert len(batches) == 5
    for step, own in ((first, batches[:3]), (last, batches[3:])):
        mean = torch.stack(own).mean(dim=0)
        assert (step - mean).norm() < 1e-3 * mean.norm()


def test_every_epoch_of_every_seed_has_batches_of_its_own_and_always_the_same(run):
    def batches(own):
        return [
            [batch.tolist() for epoch, _, _, batch, _ in steps if epoch == n]
            for steps in steps_of_seeds(own)
            for n in range(2)
        ]

    two = changed(run, seeds=2)
    found = batches(two)
    assert batches(two) == found
    found += batches(changed(two, seed=7))
    for i, own in enumerate(found):
        assert own not in found[:i]


def test_long_batches_are_not_learned_first(run):
    (steps,) = steps_of_seeds(changed(run, epochs=1))
    longest = [max(windows.lengths[batch]) for _, _, _, batch, windows in steps]
    assert len(set(longest)) > 4
    assert longest != sorted(longest, reverse=True)


def test_a_paragraph_and_its_context_exchange_their_countries_alike(run, few, monkeypatch):
    said = "La Russie accuse la Chine."
    table = few.table.assign(text=said, heading=said, preceding=said)
    cut, seen = WindowCutter.windows, []

    def spied(self, paragraphs):
        seen.extend(paragraphs)
        return cut(self, paragraphs)

    monkeypatch.setattr(WindowCutter, "windows", spied)
    steps_of_seeds(replace(changed(run, augment=True), seen=replace(few, table=table)))
    assert 0.25 < np.mean([own.text != said for own in seen]) < 0.75
    assert all(own.text == own.heading == own.preceding for own in seen)


# The loss


def test_the_mean_over_batches_is_the_weighted_mean_over_paragraphs(run, few):
    four = few.where(np.arange(len(few)) < 4)
    four = replace(four, table=four.table.assign(passage=[True, False, False, False]))
    windows = Windows([[0]] * 5, [[0]] * 5, np.array([0, 1, 2, 3, 3]))
    logits = np.random.default_rng(0).normal(size=(5, four.labels.shape[1]))
    loss_of = EncoderLoss(four, replace(run.recipe, passage_weight=3.0), "cpu")

    def loss(batch, n_batches):
        given = torch.tensor(logits[batch], dtype=torch.float32)
        return loss_of(given, windows, batch, n_batches).item()

    parts = [loss(np.array(batch), 2) for batch in ([0, 1], [2, 3, 4])]
    assert np.mean(parts) == pytest.approx(loss(np.arange(5), 1), rel=1e-5)


def test_weights_of_labels_leave_an_exclusive_axis_its_weight(small_corpus):
    weights = label_weights(small_corpus)
    for axis, span in small_corpus.taxonomy.spans():
        if axis.exclusive:
            of_paragraphs = (small_corpus.labels * weights)[:, span].sum(axis=1)
            assert of_paragraphs.std() > 0.1
            assert of_paragraphs.mean() == pytest.approx(1, rel=0.02)


# The checkpoint


def test_a_run_is_resumed_on_no_other_label_and_from_no_other_encoder(run, few, corpus, tmp_path):
    own = replace(run.recipe, checkpoint=tmp_path / "c", checkpoint_steps=1)

    def killed(steps, total, status):
        for n, step in enumerate(steps):
            if n == 2:
                raise KeyboardInterrupt
            yield step

    with pytest.raises(KeyboardInterrupt):
        own.learn(few, lambda _: None, killed)
    again = replace(own, resume=True)
    # A paragraph of each article, of those that are learned and those of the slice.
    for row in np.unique(few.article_ids.astype(str), return_index=True)[1]:
        labels = few.labels.copy()
        labels[row, 0] ^= True
        with pytest.raises(InputError, match="had another corpus, encoder or options"):
            again.learn(replace(few, labels=labels), lambda _: None, untracked)
    wider = {**STILL, "initializer_range": 0.1}
    other = write_tiny_encoder(tmp_path / "other", corpus.texts[:200], **wider)
    with pytest.raises(InputError, match="had another corpus, encoder or options"):
        replace(again, encoder=str(other)).learn(few, lambda _: None, untracked)
    with pytest.raises(KeyboardInterrupt):
        again.learn(few, lambda _: None, killed)


@pytest.mark.parametrize("error", [OSError, RuntimeError])
def test_a_full_disk_is_one_line_and_leaves_the_checkpoint_before(tmp_path, monkeypatch, error):
    checkpoint = Checkpoint(tmp_path / "c", "run")
    checkpoint.save({"epoch": 1})

    def full(state, path):
        path.write_bytes(b"half")
        raise error("no space left")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(InputError, match=r"cannot be written \(no space left\); free some space"):
        checkpoint.save({"epoch": 2})
    assert list(tmp_path.iterdir()) == [tmp_path / "c"]
    assert checkpoint.load(resume=True)["epoch"] == 1


def test_a_save_that_is_killed_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path / "c", "run")
    checkpoint.save({"epoch": 1})

    def killed(state, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save({"epoch": 2})
    assert checkpoint.load(resume=True)["epoch"] == 1


def test_a_run_asks_its_own_device_alone_for_the_state_of_its_random_numbers(monkeypatch):
    """No GPU is here: its calls are noted."""
    asked, given = [], []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: asked.append("all"))
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda own: asked.append(own) or "state")
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda *own: given.append(own))
    processor, gpu = torch.device("cpu"), torch.device("cuda", 1)
    set_random_state(random_state(processor), processor)
    assert asked == given == []
    set_random_state(random_state(gpu), gpu)
    assert (asked, given) == ([gpu], [("state", gpu)])
    set_random_state(random_state(processor), gpu)  # one that went on elsewhere
    assert len(given) == 1


def test_code_that_a_checkpoint_brings_is_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    checkpoint = Checkpoint(tmp_path / "c", "run")
    checkpoint.save({"state": Trap()})
    with pytest.raises(InputError, match="no whole checkpoint"):
        checkpoint.load(resume=True)
    assert not (tmp_path / "ran").exists()


# The encoder


def test_an_encoder_that_tells_segments_apart_is_told_them(run, corpus, taxonomy, tmp_path):
    write_tiny_encoder(tmp_path, corpus.texts[:200], type_vocab_size=2)
    own = replace(run, opened=open_encoder(str(tmp_path), taxonomy))
    model, given = own.model(), []
    model.runtime.encoder.register_forward_pre_hook(
        lambda _, args, named: given.append(named), with_kwargs=True
    )
    text, heading = "La frégate appareille.", "En mer"
    model.logits([Paragraph(text, 0, len(text), heading)])
    expected = own.opened.tokenizer.encode(text, heading).type_ids
    assert sum(expected) >= len(own.opened.tokenizer.encode(heading).ids)
    assert [one["token_type_ids"].tolist() for one in given] == [[expected]]


def test_a_tokenizer_of_another_encoder_is_refused(corpus, taxonomy, tmp_path):
    write_tiny_encoder(tmp_path, corpus.texts[:200], vocab_size=500)
    with pytest.raises(InputError, match=r"its tokenizer has \d+ tokens, the encoder only 500;"):
        open_encoder(str(tmp_path), taxonomy)


def test_a_tokenizer_without_special_tokens_is_refused(corpus, taxonomy, tmp_path):
    path = write_tiny_encoder(tmp_path, corpus.texts[:200]) / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"post_processor": None}))
    with pytest.raises(InputError, match=r"class Unigram\) puts no token before and after a text"):
        open_encoder(str(tmp_path), taxonomy)


def test_weights_that_are_drawn_afresh_are_not_in_the_digest(corpus, taxonomy, tmp_path):
    """As the pooler of a BERT that was saved without one."""
    write_tiny_encoder(tmp_path, corpus.texts[:200], architecture="bert")
    path = tmp_path / "model.safetensors"
    weights = {name: own for name, own in load_file(path).items() if ".pooler." not in name}
    save_file(weights, path, metadata={"format": "pt"})
    opened = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        opened.append(open_encoder(str(tmp_path), taxonomy))
    poolers = [one.model.bert.pooler.dense.weight for one in opened]
    assert not torch.equal(*poolers)
    assert opened[0].digest == opened[1].digest
