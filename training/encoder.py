"""Opens a pretrained encoder: from a local folder, or by name from the Hugging Face hub."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.errors import InputError
from inference.first_token import read_first_token_only
from inference.runtimes import need, reason_of
from inference.taxonomy import Taxonomy
from inference.tokenizer_guard import PROBES, plain

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_TOKENIZER = "tokenizer.json"
_LEAST_CHARACTERS = 1.5  # a token, on average; French words give three or four, letters one
_MOST_UNKNOWN = 0.1


@dataclass(frozen=True, slots=True)
class PretrainedEncoder:
    """An encoder with a fresh head, and what cuts texts for it.

    model : transformers' sequence-classification model; its columns are the taxonomy's.
    max_length : tokens in its window, special ones included.
    padding : id of the padding token.
    digest : SHA-256 of the pretrained weights, which tells one encoder from another.
    """

    model: Any
    tokenizer: Tokenizer
    max_length: int
    padding: int
    digest: str


def open_encoder(name: str, taxonomy: Taxonomy) -> PretrainedEncoder:
    """Open an encoder, with a head of one column a label drawn from torch's current state.

    name : a local folder, or a name on the hub. Code from a hub is never run.

    Raises InputError where it cannot be fetched or read, where its weights do not fit its
    architecture, and where its tokenizer cuts French into letters or unknown tokens.
    """
    need("torch", "transformers", extra="camembert")
    from huggingface_hub.utils import logging as hub_logging
    from transformers import AutoConfig, AutoModelForSequenceClassification
    from transformers.utils import logging

    # Retries and new weights: what comes of them is said below.
    hub_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    codes = taxonomy.column_names
    _check_name(name)
    try:
        config = AutoConfig.from_pretrained(
            name,
            num_labels=len(codes),
            id2label=dict(enumerate(codes)),
            label2id={code: i for i, code in enumerate(codes)},
            problem_type="multi_label_classification",
            trust_remote_code=False,  # else transformers asks on standard input
        )
        _check_architecture(name, config)
        model, loaded = AutoModelForSequenceClassification.from_pretrained(
            name,
            config=config,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
        tokenizer = _tokenizer(name)
    except Exception as error:  # tokenizers, safetensors and transformers raise their own
        if isinstance(error, InputError):
            raise
        raise _not_opened(name, error) from error
    body = f"{model.base_model_prefix}."
    wrong = [*loaded["missing_keys"], *(key for key, *_ in loaded["mismatched_keys"])]
    if missing := [key for key in wrong if key.startswith(body) and ".pooler." not in key]:
        msg = (
            f"{name}: {len(missing)} weights of the encoder are missing or of another shape (the "
            f"first: {missing[0]}); "
            "expected a pretrained encoder's checkpoint; choose another --encoder"
        )
        raise InputError(msg)
    _check_tokenizer(name, tokenizer, model.config.vocab_size)
    digest = _digest(model, body, set(wrong))
    read_first_token_only(model)
    return PretrainedEncoder(model, tokenizer, _window(model), model.config.pad_token_id, digest)


def name_of(encoder: str) -> str:
    """What to call an encoder where no path should stand: a local folder's own name."""
    return Path(encoder).resolve().name if Path(encoder).is_dir() else encoder


def _tokenizer(name: str) -> Tokenizer:
    # The file itself, not the class that a configuration names: transformers 5 reads some French
    # tokenizers wrongly under theirs.
    from tokenizers import Tokenizer

    if Path(name).is_dir():
        path = Path(name, _TOKENIZER)
        if path.exists():
            return plain(Tokenizer.from_file(str(path)))
    else:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError

        try:
            return plain(Tokenizer.from_file(hf_hub_download(name, _TOKENIZER)))
        except EntryNotFoundError:
            pass  # an older checkpoint, with a SentencePiece or a vocabulary file alone
    from transformers import AutoTokenizer

    return plain(AutoTokenizer.from_pretrained(name, trust_remote_code=False).backend_tokenizer)


def _check_name(name: str) -> None:
    """Refuse what is a path but no folder: a file, or nothing."""
    path = Path(name)
    if not path.is_dir() and (path.exists() or name.startswith(("/", ".", "~", "\\"))):
        found = "a file" if path.exists() else "nothing there"
        msg = (
            f"{name}: {found}; expected a folder with config.json, model.safetensors and "
            "tokenizer.json, or a name on the hub such as almanach/camembert-base"
        )
        raise InputError(msg)


def _check_architecture(name: str, config: Any) -> None:
    """Refuse what cannot read a batch of paragraphs as one window each."""
    kind, expected = config.model_type, "expected an encoder such as CamemBERT, RoBERTa or BERT"
    if getattr(config, "is_encoder_decoder", False):
        msg = f"{name}: {kind} reads and writes texts; {expected}; choose another --encoder"
        raise InputError(msg)
    if (getattr(config, "max_position_embeddings", None) or 0) <= 0:
        msg = (
            f"{name}: its config.json ({kind}) has no max_position_embeddings, the tokens that it "
            f"reads at once; {expected}; choose another --encoder"
        )
        raise InputError(msg)
    if getattr(config, "pad_token_id", None) is None:
        msg = (
            f"{name}: its config.json ({kind}) has no pad_token_id; expected the id of the token "
            "that fills up a batch; put it in, as its tokenizer.json numbers it"
        )
        raise InputError(msg)


def _not_opened(name: str, error: Exception) -> InputError:
    reason = reason_of(error)
    if Path(name).is_dir():
        return InputError(
            f"{name}: no encoder can be opened there ({reason}); expected a folder with "
            "config.json, model.safetensors and tokenizer.json"
        )
    folder = name.rpartition("/")[2]
    return InputError(
        f"{name}: no folder here, and cannot be fetched from the hub ({reason}); where there is a "
        f"network run `hf download {name} --local-dir {folder}`, bring the folder here, and pass "
        f"--encoder {folder}"
    )


def _digest(model: Any, body: str, fresh: set[str]) -> str:
    """Of the weights below `body`, but for those that are `fresh` and differ by the seed."""
    import torch

    found = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        if name.startswith(body) and name not in fresh:
            found.update(f"{name} {tuple(weight.shape)} ".encode())
            # As bytes, since NumPy has no bfloat16.
            found.update(weight.contiguous().view(-1).view(torch.uint8).numpy())
    return found.hexdigest()


def _window(model: Any) -> int:
    positions = int(model.config.max_position_embeddings)
    for name, module in model.named_modules():
        padding = getattr(module, "padding_idx", None)
        if name.endswith("position_embeddings") and padding is not None:
            # RoBERTa's kind: position 0 is not the first token's, and as many are lost as the
            # padding's number says.
            positions = min(positions, module.num_embeddings - padding - 1)
    return positions


def _check_tokenizer(name: str, tokenizer: Tokenizer, vocabulary: int) -> None:
    kind = type(tokenizer.model).__name__
    tokens = [
        t for probe in PROBES for t in tokenizer.encode(probe, add_special_tokens=False).tokens
    ]
    unknown = sum(token in ("<unk>", "[UNK]") for token in tokens) / len(tokens)
    characters = sum(map(len, PROBES)) / len(tokens)
    if unknown > _MOST_UNKNOWN or characters < _LEAST_CHARACTERS:
        msg = (
            f"{name}: its tokenizer (class {kind}) cuts French into tokens of {characters:.1f} "
            f"characters, {unknown:.0%} of them unknown; expected whole words or large parts of "
            "them; the tokenizer's files do not fit the class that they name; choose another "
            "--encoder"
        )
        raise InputError(msg)
    if tokenizer.get_vocab_size() > vocabulary:
        msg = (
            f"{name}: its tokenizer has {tokenizer.get_vocab_size()} tokens, the encoder only "
            f"{vocabulary}; expected the tokenizer it was trained with"
        )
        raise InputError(msg)
    if not tokenizer.num_special_tokens_to_add(is_pair=False):
        msg = (
            f"{name}: its tokenizer (class {kind}) puts no token before and after a text; expected "
            "a tokenizer.json with a post-processor"
        )
        raise InputError(msg)
