"""Training a byte-level BPE tokenizer from texts.

Byte-level means that any string has tokens and comes back unchanged: there is no unknown token. The result depends
on the texts and `vocab_size` alone: the library breaks ties between equally frequent pairs by token id.
"""

from collections.abc import Iterable

from crucible.errors import DataError, require
from crucible.text.tokenizer import FastTokenizer

__all__ = ["EOS_TOKEN", "PAD_TOKEN", "train_byte_bpe"]

PAD_TOKEN = "<|pad|>"  # noqa: S105  a token of text, not a password
EOS_TOKEN = "<|end|>"  # noqa: S105
_SPECIALS = (PAD_TOKEN, EOS_TOKEN)
_SMALLEST = 256 + len(_SPECIALS)


def train_byte_bpe(texts: Iterable[str], vocab_size: int) -> FastTokenizer:
    """Train a byte-level BPE tokenizer on `texts`.

    Args:
        texts: What the tokenizer will read; at least one non-empty text.
        vocab_size: Most token ids, special tokens included; at least 258 (256 bytes, `<|pad|>` = 0, `<|end|>` = 1).
            Fewer come out where the texts hold too few pairs to merge.

    Raises:
        DataError: `vocab_size` is below 258, or there is no text.
        MissingExtra: The `train` extra is not installed.

    Source:
        Sennrich, Haddow, Birch (2016), ACL, 1715-1725; byte level as in Radford et al. (2019), GPT-2.
    """
    if vocab_size < _SMALLEST:
        raise DataError(f"a byte-level vocabulary needs at least {_SMALLEST} tokens, got vocab_size={vocab_size}")
    corpus = [text for text in texts if text]
    if not corpus:
        raise DataError("there is no text to train the tokenizer on")
    tokenizers = require("tokenizers", extra="train")
    core = tokenizers.Tokenizer(tokenizers.models.BPE())
    core.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(_SPECIALS),
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(corpus, trainer=trainer)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": EOS_TOKEN,
        "pad_token": PAD_TOKEN,
        "clean_up_tokenization_spaces": False,
    }
    return FastTokenizer(core, config)
