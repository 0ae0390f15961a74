"""Text as tokens: tokenizers, and the records that a training request is made of.

A tokenizer reads and writes the folder layout of transformers, so whatever is trained here opens there.
Nothing in this room knows a model or imports PyTorch; `tokenizers` is imported when a tokenizer is made.
"""

from crucible.text.bpe import train_byte_bpe
from crucible.text.completion import Rendered, completion_datum
from crucible.text.datum import Datum, ModelInput
from crucible.text.tokenizer import FastTokenizer, Tokenizer, load_tokenizer

__all__ = [
    "Datum",
    "FastTokenizer",
    "ModelInput",
    "Rendered",
    "Tokenizer",
    "completion_datum",
    "load_tokenizer",
    "train_byte_bpe",
]
