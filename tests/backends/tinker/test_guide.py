"""docs/tinker.md is true: its Python runs in order, over a fake service, and prints what the page says."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.backends.tinker.fake import FakeTinkerService

from crucible.backends import TinkerBackend

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


def test_the_document_and_the_table_of_options_are_true(monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend takes what the YAML gives it, and the table names every option with its default."""
    page = PAGE.read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    monkeypatch.setenv("TINKER_API_KEY", "tml-nobodys")
    backend = yaml.safe_load(block)["backend"]
    assert backend["id"] == TinkerBackend.name
    TinkerBackend(**backend["options"])
    rows = {cells[1].strip(" `"): cells[3].strip() for line in page.splitlines() if len(cells := line.split("|")) == 5}
    parameters = inspect.signature(TinkerBackend).parameters
    named = {name: each.default for name, each in parameters.items() if each.kind is each.KEYWORD_ONLY}
    assert named.keys() <= rows.keys()
    for name in ("timeout", "max_retries"):
        assert rows[name] == f"{named[name]:g}"
    assert rows["max_download_bytes"] == f"{named['max_download_bytes'] >> 30} GiB"
