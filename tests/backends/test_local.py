"""The local backend: names to models, devices, adapters for sampling."""

from __future__ import annotations

from pathlib import Path

import pytest

from crucible.backends import AdamParams, Backend, LocalBackend, SamplingParams, local
from crucible.backends.local_base import LoadedBase
from crucible.errors import BackendError, CheckpointError, MissingExtra
from crucible.ir import LoraConfig
from crucible.text import Datum

PARAMS = SamplingParams(max_tokens=6)


def test_the_base_sampler_is_the_untuned_model(base: LoadedBase, base_folder: Path) -> None:
    """It shares the base's weights and carries its name."""
    backend = LocalBackend()
    assert isinstance(backend, Backend)
    sampler = backend.create_sampler(str(base_folder))
    assert sampler.model == str(base_folder)
    assert sampler._weights is base.model


def test_a_saved_adapter_is_sampled_as_it_was_trained(base_folder: Path, data: list[Datum], tmp_path: Path) -> None:
    """create_sampler(adapter=…) answers as the session's own sampler; a damaged checkpoint is refused."""
    backend = LocalBackend(device="cpu")
    with backend.start_session(LoraConfig(base_model=str(base_folder), rank=2)) as session:
        for _ in range(10):
            session.forward_backward(data)
            session.optim_step(AdamParams(learning_rate=0.02))
        saved = session.save_checkpoint(tmp_path / "step-10").result()
        expected = session.create_sampler().sample(["ticket 1:", "help"], PARAMS)
    sampler = backend.create_sampler(str(base_folder), adapter=saved)
    assert sampler.sample(["ticket 1:", "help"], PARAMS) == expected
    assert sampler.model == f"{base_folder}+step-10"
    (saved / "state.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"state\.json"):
        backend.create_sampler(str(base_folder), adapter=saved)


def test_devices_are_checked_before_anything_is_loaded(base_folder: Path) -> None:
    """The config's device counts where the backend names none."""
    with pytest.raises(BackendError, match="'tpu' is not one"):
        LocalBackend(device="tpu")
    with pytest.raises(BackendError, match="device 'mps': PyTorch finds no MPS device"):
        LocalBackend().start_session(LoraConfig(base_model=str(base_folder), device="mps"))
    LocalBackend(device="cpu").start_session(LoraConfig(base_model=str(base_folder), device="mps")).close()


def test_the_base_sampler_is_loaded_where_a_session_would_be(
    base: LoadedBase, base_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device asked for decides, and with it the number type, for both in the same way; the backend's own wins."""
    asked: list[str] = []

    def load_base(folder: Path, device: str) -> LoadedBase:
        asked.append(device)
        return base

    monkeypatch.setattr(local, "check_device", lambda name: name)
    monkeypatch.setattr("crucible.backends.local_base.load_base", load_base)
    LocalBackend().start_session(LoraConfig(base_model=str(base_folder), device="cuda")).close()
    LocalBackend().create_sampler(str(base_folder), device="cuda")
    LocalBackend().create_sampler(str(base_folder))
    LocalBackend(device="mps").create_sampler(str(base_folder), device="cuda")
    assert asked == ["cuda", "cuda", "cpu", "mps"]


def test_a_missing_package_names_its_extra(base_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is the pip command."""

    def absent(module: str, *, extra: str, feature: str = "") -> None:
        raise MissingExtra(extra, feature=feature or module)

    monkeypatch.setattr(local, "require", absent)
    with pytest.raises(MissingExtra, match=r"the local backend needs .* pip install 'crucible-ml\[train\]'"):
        LocalBackend().create_sampler(str(base_folder))
