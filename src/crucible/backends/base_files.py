"""The files that make a base model what it is, and the one digest of them all.

Cards, licences and whatever else lies in the folder do not count: they change no number. No PyTorch here.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from crucible.ir import file_sha256

__all__ = ["base_digest", "base_files"]

_PATTERNS: Final = (
    "config.json",
    "generation_config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "chat_template*",
)


def base_files(folder: Path) -> list[Path]:
    """Return the files in `folder` that a base model and its tokenizer are loaded from, by name."""
    found = {path for pattern in _PATTERNS for path in folder.glob(pattern) if path.is_file()}
    return sorted(found, key=lambda path: path.name)


def base_digest(folder: Path) -> str:
    """Return the hex SHA-256 over names and contents of a base model's configuration, weights and tokenizer.

    Raises:
        StoreError: A file cannot be read.
    """
    digest = hashlib.sha256()
    for path in base_files(folder):
        digest.update(f"{path.name} {file_sha256(path)}\n".encode())
    return digest.hexdigest()
