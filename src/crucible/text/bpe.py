"""Training a byte-level BPE tokenizer from texts.

Byte-level means that any string has tokens and comes back unchanged: there is no unknown token. The result depends
on the texts and `vocab_size` alone: the library breaks ties between equally frequent pairs by token id.
"""

from collections.abc import Iterable, Sequence

from crucible.errors import DataError, require
from crucible.text.tokenizer import FastTokenizer

__all__ = ["EOS_TOKEN", "PAD_TOKEN", "train_byte_bpe"]

PAD_TOKEN = "<|pad|>"  # noqa: S105  a token of text, not a password
EOS_TOKEN = "<|end|>"  # noqa: S105
_SPECIALS = (PAD_TOKEN, EOS_TOKEN)
_SMALLEST = 256 + len(_SPECIALS)


def train_byte_bpe(
    texts: Iterable[str],
    vocab_size: int,
    *,
    special_tokens: Sequence[str] = (),
    chat_template: str | None = None,
) -> FastTokenizer:
    """Train a byte-level BPE tokenizer on `texts`.

    Args:
        texts: What the tokenizer will read; at least one non-empty text.
        vocab_size: Most token ids, special tokens included; at least 258 (256 bytes, `<|pad|>` = 0, `<|end|>` = 1).
            Fewer come out where the texts hold too few pairs to merge.
        special_tokens: More tokens of its own, such as `<|im_start|>` of a chat format; they get the ids from 2 on.
        chat_template: How it writes chats, in Jinja.

    Raises:
        DataError: `vocab_size` is below 258 and the special tokens, one of those is named twice, or there is no text.
        MissingExtra: The `train` extra is not installed.

    Source:
        Sennrich, Haddow, Birch (2016), ACL, 1715-1725; byte level as in Radford et al. (2019), GPT-2.
    """
    specials = [*_SPECIALS, *special_tokens]
    if len(set(specials)) < len(specials) or not all(specials):
        raise DataError(f"special tokens must be different and not empty, got {', '.join(map(repr, specials))}")
    smallest = _SMALLEST + len(special_tokens)
    if vocab_size < smallest:
        raise DataError(f"a byte-level vocabulary needs at least {smallest} tokens, got vocab_size={vocab_size}")
    corpus = [text for text in texts if text]
    if not corpus:
        raise DataError("there is no text to train the tokenizer on")
    tokenizers = require("tokenizers", extra="train")
    core = tokenizers.Tokenizer(tokenizers.models.BPE())
    core.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=specials,
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(corpus, trainer=trainer)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": EOS_TOKEN,
        "pad_token": PAD_TOKEN,
        "clean_up_tokenization_spaces": False,
        **({} if chat_template is None else {"chat_template": chat_template}),
    }
    return FastTokenizer(core, config)
