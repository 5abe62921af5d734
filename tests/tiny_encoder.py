"""An encoder of two small layers and its tokenizer, made here: no test downloads anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "type_vocab_size": 1,
}


def write_tiny_encoder(
    folder: Path,
    texts: Sequence[str],
    *,
    architecture: str = "camembert",
    max_length: int = 64,
    vocabulary: int = 1_500,
    **config: float,
) -> Path:
    """Write an encoder with random weights and a Unigram tokenizer trained on `texts`.

    architecture : as transformers names it; of CamemBERT's numbering of positions, or of none.
    config : of the encoder, as its configuration names it: its sizes, its dropout.
    """
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import (
        AutoConfig,
        AutoModelForSequenceClassification,
        PreTrainedTokenizerFast,
    )

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary, special_tokens=special, unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    second = int(config.get("type_vocab_size", 1) > 1)  # the segment of the context
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair=f"<s> $A </s> </s>:{second} $B:{second} </s>:{second}",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    torch.manual_seed(0)
    config.setdefault("vocab_size", tokenizer.get_vocab_size())
    encoder = AutoConfig.for_model(
        architecture,
        **(_TINY | config),
        max_position_embeddings=max_length + 2,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    AutoModelForSequenceClassification.from_config(encoder).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>"
    ).save_pretrained(folder)
    return folder
