"""The tokenizer and the window of a model that lives elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from crucible.backends.tinker.tokens import find_window, model_folder
from crucible.errors import BackendError, MissingExtra


def capabilities(length: int | None) -> SimpleNamespace:
    """Return what a service says of its models."""
    return SimpleNamespace(supported_models=[SimpleNamespace(model_name="big", max_context_length=length)])


def test_the_window_is_what_the_service_says_else_the_models_file(tmp_path: Path) -> None:
    """Of a model that sees, the window of its text part."""
    for content in ('{"max_position_embeddings": 77}', '{"text_config": {"max_position_embeddings": 77}}'):
        (tmp_path / "config.json").write_text(content)
        assert find_window("big", capabilities(4096), str(tmp_path)) == 4096
        assert find_window("big", capabilities(None), str(tmp_path)) == 77
        assert find_window("other", capabilities(4096), str(tmp_path)) == 77


@pytest.mark.parametrize(
    "content",
    [None, "{", "[1]", "{}", '{"max_position_embeddings": "8k"}', '{"max_position_embeddings": 0}', "[" * 9999],
)
def test_where_nobody_says_the_option_is_named(tmp_path: Path, content: str | None) -> None:
    """A file that is missing, torn or of another form is no crash, and no window of 0 tokens."""
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(BackendError, match="how many tokens big takes; give the backend the option window"):
        find_window("big", capabilities(None), str(tmp_path))


def test_without_the_hubs_package_the_backends_own_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one that brings PyTorch."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtra, match=r"pip install 'crucible-ml\[tinker\]'"):
        model_folder("nobody/nothing")
