"""Finding backends by name."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from crucible.backends import Backend, LocalBackend, backend_names, get_backend, registry
from crucible.errors import BackendError
from crucible.ir import BackendRef


def test_the_local_backend_is_registered() -> None:
    """It is found like a stranger's, by entry point, and takes its options."""
    assert "local" in backend_names()
    backend = get_backend("local")
    assert isinstance(backend, LocalBackend)
    assert isinstance(backend, Backend)
    assert isinstance(get_backend(BackendRef(id="local", options={"device": "cpu"})), LocalBackend)


def test_an_unknown_backend_is_answered_with_the_known() -> None:
    """With did-you-mean."""
    with pytest.raises(BackendError, match="unknown backend 'locale'; did you mean \"local\"") as caught:
        get_backend("locale")
    assert caught.value.backend == "locale"


def test_an_unknown_option_is_named() -> None:
    """A misspelt option is refused, and the right ones are listed."""
    with pytest.raises(BackendError, match=r"backend.options of 'local': .*'devise'; it takes: device"):
        get_backend(BackendRef(id="local", options={"devise": "cpu"}))


@pytest.mark.parametrize("value", ["crucible.backends.no_such_module:X", "crucible.backends.local:NoSuchName"])
def test_a_broken_registration_is_an_error(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A stranger's package that cannot be imported is named with what it registered."""
    broken = EntryPoint(name="broken", value=value, group=registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [broken] if group == registry.GROUP else [])
    with pytest.raises(BackendError, match=r"'broken' .* cannot be loaded"):
        get_backend("broken")


def test_the_room_imports_no_heavy_package() -> None:
    """Neither importing the room nor making the local backend imports torch, transformers, peft or numpy."""
    code = (
        "import sys; from crucible.backends import get_backend; get_backend('local');"
        "assert not {'torch', 'transformers', 'peft', 'numpy', 'tokenizers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
