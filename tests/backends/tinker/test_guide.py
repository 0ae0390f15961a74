"""docs/tinker.md is true: its Python runs in order, over a fake service, and prints what the page says."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest
from tests.backends.tinker.fake import FakeTinkerService

PAGE = Path(__file__).parents[3] / "docs" / "tinker.md"


def test_the_page_runs_as_it_is_written(tmp_path: Path, base_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the environment that it asks for; the model's name stands for a tiny one."""
    parts = re.findall(r"```(python|text)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert [kind for kind, _ in parts] == ["python", "text"] * 3
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "qwen3-8b").symlink_to(base_folder)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    with FakeTinkerService(tmp_path / "service", {"Qwen/Qwen3-8B": base_folder}) as fake:
        monkeypatch.setenv("TINKER_API_KEY", fake.api_key)
        monkeypatch.setenv("TINKER_BASE_URL", fake.base_url)
        for (_, code), (_, printed) in zip(parts[::2], parts[1::2], strict=True):
            heard = io.StringIO()
            with contextlib.redirect_stdout(heard):
                exec(compile(code, str(PAGE), "exec"), names)
            assert heard.getvalue() == printed
