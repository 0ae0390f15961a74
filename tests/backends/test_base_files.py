"""Which files make a base model, and their digest."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from crucible.backends.base_files import base_digest, base_files


def test_configuration_weights_and_tokenizer_count(base_folder: Path) -> None:
    """In the order of their names."""
    names = [path.name for path in base_files(base_folder)]
    assert names == sorted(names)
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= set(names)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "special_tokens_map.json"])
def test_any_byte_of_them_changes_the_digest(base_folder: Path, tmp_path: Path, name: str) -> None:
    """Also a file that is added or renamed; where the folder lies and what else is in it does not."""
    folder = shutil.copytree(base_folder, tmp_path / "copy")
    (folder / "README.md").write_text("a card")
    (folder / "training_log.json").write_text("[]")
    assert base_digest(folder) == base_digest(base_folder)
    path = folder / name
    path.write_bytes((path.read_bytes() if path.exists() else b"") + b" ")
    assert base_digest(folder) != base_digest(base_folder)
