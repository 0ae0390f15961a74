"""The page as a file, and in the user's browser."""

from __future__ import annotations

import stat
import webbrowser
from pathlib import Path

import pytest

from crucible.errors import StoreError
from crucible.trace import Chain, Event
from crucible.trace.viewer import ViewerOptions, open_in_browser, save_html, to_html


def _chain() -> Chain:
    chain = Chain("one", id="../../etc/passwd")
    chain.add(Event.new("decision_made", "a", "b"))
    return chain


def test_save_makes_the_folders_and_leaves_one_file(tmp_path: Path) -> None:
    """Parents are made, the content is the page, and nothing temporary stays."""
    chain = _chain()
    path = save_html(chain, tmp_path / "a" / "b" / "page.html", ViewerOptions(title="T"))
    assert path.read_text(encoding="utf-8") == to_html(chain, ViewerOptions(title="T"))
    assert [each.name for each in path.parent.iterdir()] == ["page.html"]


def test_save_where_nothing_can_be_written_is_a_store_error(tmp_path: Path) -> None:
    """A parent that is a file is an error that names the path."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="page.html cannot be written"):
        save_html(_chain(), tmp_path / "file" / "page.html")


def test_open_hands_a_private_file_to_the_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is the user's alone, in the temporary folder whatever the chain's id; the browser gets its address."""
    opened: list[str] = []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def take(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", take)
    path = open_in_browser(_chain())
    assert opened == [path.as_uri()]
    assert path.parent == tmp_path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("failure", [False, webbrowser.Error("could not locate runnable browser"), OSError("no exec")])
def test_without_a_browser_the_error_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: bool | Exception
) -> None:
    """Where nothing opens the page, the page is there all the same and the error says where."""

    def fail(_url: str) -> bool:
        if isinstance(failure, Exception):
            raise failure
        return failure

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(webbrowser, "open", fail)
    with pytest.raises(StoreError, match="open it by hand") as caught:
        open_in_browser(_chain())
    (path,) = tmp_path.iterdir()
    assert str(path) in str(caught.value)
    assert path.stat().st_size > 1000


def test_open_without_a_temporary_folder_is_a_store_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary folder that is gone is an error of storing, not a traceback from deep within."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(StoreError, match="cannot be written"):
        open_in_browser(_chain())
