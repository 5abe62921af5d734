"""What computes an encoder: a thread a core, and no more of the last layer than the head reads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from inference.first_token import read_first_token_only
from inference.runtimes import TorchRuntime, _on_cores, read_encoder
from inference.windows import INPUTS
from tests.tiny_encoder import write_tiny_encoder
from training.encoder import open_encoder


@pytest.fixture(scope="module")
def folder(corpus, tmp_path_factory):
    return write_tiny_encoder(tmp_path_factory.mktemp("encoder"), corpus.texts[:300])


def batches(n, length=12):
    rng = np.random.default_rng(0)
    for _ in range(n):
        ids = rng.integers(4, 200, (2, length))
        yield dict(zip(INPUTS, (ids, np.ones_like(ids), np.zeros_like(ids)), strict=True))


# The first token


@pytest.mark.parametrize(
    "architecture", ["bert", "camembert", "deberta-v2", "electra", "roberta", "xlm-roberta"]
)
def test_the_last_layer_spares_all_but_the_first_token_and_logits_stay(
    corpus, tmp_path, architecture
):
    folder = write_tiny_encoder(
        tmp_path, corpus.texts[:300], architecture=architecture, initializer_range=0.5
    )
    encoder = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    ids = torch.tensor([[0, 8, 9, 10, 2, 1, 1], [0, 5, 6, 7, 8, 9, 2]])
    given = {"input_ids": ids, "attention_mask": (ids != 1).long()}
    found = encoder(**given, output_hidden_states=True)
    read_first_token_only(encoder)
    spared = encoder(**given, output_hidden_states=True)
    assert torch.allclose(spared.logits, found.logits, atol=1e-5)
    assert found.logits.std() > 1e-2
    lengths = [state.shape[1] for state in spared.hidden_states]
    assert lengths == [7, 7, 1]

    spared.logits.square().sum().backward()
    own = {name: weight.grad for name, weight in encoder.named_parameters()}
    again = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    again(**given).logits.square().sum().backward()
    for name, weight in again.named_parameters():
        if weight.grad is not None:
            furthest = (own[name] - weight.grad).abs().max()
            assert furthest < 1e-3 * weight.grad.abs().max().clamp(min=1), name


@pytest.mark.parametrize("architecture", ["modernbert", "distilbert"])
def test_another_architecture_stays_as_it_is(corpus, tmp_path, architecture):
    folder = write_tiny_encoder(tmp_path, corpus.texts[:300], architecture=architecture)
    encoder = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    ids = torch.tensor([[0, 8, 9, 10, 2]])
    expected = encoder(input_ids=ids).logits
    read_first_token_only(encoder)
    assert torch.equal(encoder(input_ids=ids).logits, expected)


def test_it_is_so_wherever_an_encoder_is_opened_and_in_its_copies(folder, taxonomy):
    ids = torch.tensor([[0, 8, 9, 10, 2]])
    for encoder in (read_encoder(folder), open_encoder(str(folder), taxonomy).model):
        states = deepcopy(encoder)(input_ids=ids, output_hidden_states=True).hidden_states
        assert [state.shape[1] for state in states] == [5, 5, 1]


# A thread a core


def test_batches_come_back_in_order_whoever_computes_them():
    """The first batch waits for the second, which thus is in another thread."""
    second = threading.Event()

    def compute(number):
        if number == 0:
            assert second.wait(timeout=60)
        second.set()
        return number

    assert list(_on_cores(compute, iter(range(9)), 2)) == list(range(9))


def test_a_failure_in_a_thread_is_raised_and_what_waits_is_dropped():
    begun = []

    def compute(number):
        begun.append(number)
        if number == 0:
            raise ValueError("no such token")
        threading.Event().wait(0.02)
        return number

    with pytest.raises(ValueError, match="no such token"):
        list(_on_cores(compute, iter(range(500)), 2))
    assert len(begun) < 400


def test_torch_gives_each_batch_one_thread_and_leaves_the_number_as_it_was(folder, monkeypatch):
    usual, kinds = torch.get_num_threads(), []
    torch.set_num_threads(3)
    runtime = TorchRuntime(read_encoder(folder), device="cpu", reduced=False)
    forward = TorchRuntime.forward

    def seen(self, inputs):
        kinds.append((threading.current_thread().name, torch.get_num_threads()))
        return forward(self, inputs)

    monkeypatch.setattr(TorchRuntime, "forward", seen)
    try:
        found = list(runtime(batches(8)))
        assert torch.get_num_threads() == 3
        with ThreadPoolExecutor(1) as pool:  # a thread that torch has not seen yet
            assert pool.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(usual)
    assert {number for _, number in kinds} == {1}
    assert threading.current_thread().name not in {name for name, _ in kinds}
    alone = [next(runtime([own])) for own in batches(8)]
    assert np.abs(np.array(found) - np.array(alone)).max() < 1e-5
