"""Checkpoints of a service: saved, gone on from, listed, downloaded, deleted; and what a hostile one can do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
from tests.backends.tinker.fake import FakeTinkerService, Fault

from crucible.backends import AdamParams, LocalBackend, SamplingParams, TinkerBackend, verify_checkpoint
from crucible.backends.tinker import TinkerSession
from crucible.backends.tinker.checkpoints import remote_name
from crucible.errors import BackendError, BadResponse, CheckpointError, StoreError
from crucible.ir import LoraConfig
from crucible.text import Datum

STEP = AdamParams(learning_rate=1e-2)


def steps(session: TinkerSession, data: list[Datum], count: int) -> list[tuple[float, float]]:
    """Take optimiser steps and return (loss, gradient norm) of each."""
    pairs = [(session.forward_backward(data), session.optim_step(STEP)) for _ in range(count)]
    return [(loss.result().loss, step.result().gradient_norm) for loss, step in pairs]


def test_a_checkpoint_is_a_peft_folder_that_names_its_remote(
    session: TinkerSession, base_folder: Path, data: list[Datum], tmp_path: Path
) -> None:
    """The local backend samples from it; the export that it was downloaded from is gone from the service."""
    steps(session, data, 2)
    path = session.save_checkpoint(tmp_path / "runs" / "step 2").result()
    verify_checkpoint(path)
    assert {file.name for file in path.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "manifest.json",
        "remote.json",
        "state.json",
    }
    remote = json.loads((path / "remote.json").read_text())
    assert remote["path"].startswith("tinker://session-1:train:0/weights/step-2-")
    assert json.loads((path / "state.json").read_text())["step"] == 2
    sampler = LocalBackend().create_sampler(str(base_folder), adapter=path)
    assert len(sampler.sample(["ticket 1:"], SamplingParams(max_tokens=2))) == 1


def test_going_on_takes_the_very_steps(
    backend: TinkerBackend, config: LoraConfig, data: list[Datum], tmp_path: Path
) -> None:
    """A session that loads a checkpoint takes the steps that the first one took after it, to the bit."""
    with backend.start_session(config) as first:
        steps(first, data, 3)
        path = first.save_checkpoint(tmp_path / "step-3").result()
        onward = steps(first, data, 3)
    with backend.start_session(config.model_copy(update={"seed": 99})) as second:
        steps(second, data, 1)
        assert second.load_checkpoint(path).result() == path
        assert steps(second, data, 3) == onward
        assert second.optim_step  # the session goes on
        second.forward_backward(data)
        assert second.optim_step(STEP).result().step == 7


def test_saving_again_under_one_name_is_no_conflict(session: TinkerSession, data: list[Datum], tmp_path: Path) -> None:
    """Names on the service are of their own; the folder holds the last."""
    steps(session, data, 1)
    session.save_checkpoint(tmp_path / "last").result()
    steps(session, data, 1)
    path = session.save_checkpoint(tmp_path / "last").result()
    assert json.loads((path / "state.json").read_text())["step"] == 2


@pytest.mark.parametrize("folder", ["step-1", "a b/c", "..", "ünï", "x" * 300, "-"])
def test_names_on_the_service_are_plain(folder: str) -> None:
    """Whatever the folder is called."""
    name = remote_name(folder)
    assert name.isascii()
    assert name.replace("-", "").replace("_", "").isalnum()
    assert len(name) <= 80
    assert name != remote_name(folder)


def test_what_cannot_be_gone_on_from(
    backend: TinkerBackend, config: LoraConfig, base_folder: Path, data: list[Datum], tmp_path: Path
) -> None:
    """Another rank or model, one of the local backend, a damaged one, one that the service has forgotten."""
    with backend.start_session(config) as session:
        steps(session, data, 1)
        path = session.save_checkpoint(tmp_path / "good").result()
    with (
        backend.start_session(config.model_copy(update={"rank": 5})) as session,
        pytest.raises(CheckpointError, match="another rank: 4, this session's is 5"),
    ):
        session.load_checkpoint(path).result()
    with LocalBackend().start_session(config.model_copy(update={"base_model": str(base_folder)})) as local:
        foreign = local.save_checkpoint(tmp_path / "local").result()
    with backend.start_session(config) as session, pytest.raises(CheckpointError, match="has no remote.json"):
        session.load_checkpoint(foreign).result()
    remote = json.loads((path / "remote.json").read_text())["path"]
    backend.checkpoints.delete(remote)
    with backend.start_session(config) as session, pytest.raises(BackendError, match="no checkpoint tinker://"):
        session.load_checkpoint(path).result()
    (path / "remote.json").write_text("{}")
    with backend.start_session(config) as session, pytest.raises(CheckpointError, match="remote.json"):
        session.load_checkpoint(path).result()
    with backend.start_session(config) as session, pytest.raises(CheckpointError, match="no checkpoint at"):
        session.load_checkpoint(tmp_path / "nowhere").result()


def test_a_remote_that_is_no_path_is_refused(
    backend: TinkerBackend, session: TinkerSession, config: LoraConfig, data: list[Datum], tmp_path: Path
) -> None:
    """A folder that somebody else made names what it likes; it never becomes part of an address."""
    from crucible.backends.checkpoint import read_checkpoint, write_checkpoint

    steps(session, data, 1)
    files = read_checkpoint(session.save_checkpoint(tmp_path / "a").result())
    for odd in ("tinker://../../admin", "http://elsewhere/x", "tinker://a/b/c/d"):
        remote = {**json.loads(files["remote.json"]), "path": odd}
        path = write_checkpoint(tmp_path / "b", {**files, "remote.json": json.dumps(remote).encode()})
        with backend.start_session(config) as other, pytest.raises(CheckpointError, match="names no path"):
            other.load_checkpoint(path).result()


def test_list_download_and_delete(
    backend: TinkerBackend, session: TinkerSession, config: LoraConfig, data: list[Datum], tmp_path: Path
) -> None:
    """Newest first; a download is a checkpoint that a session goes on from; what is deleted is gone."""
    for count in (1, 2):
        steps(session, data, 1)
        session.save_checkpoint(tmp_path / f"s{count}").result()
    found = backend.checkpoints.list()
    assert [each.kind for each in found] == ["training", "training"]
    assert "/s2-" in found[0].path
    assert found == backend.checkpoints.list("session-1:train:0")
    assert backend.checkpoints.list("another") == []
    path = backend.checkpoints.download(found[1].path, tmp_path / "down")
    weights = [safetensors.torch.load_file(each / "adapter_model.safetensors") for each in (path, tmp_path / "s1")]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[1])
    with backend.start_session(config) as other:
        remote = json.loads((path / "remote.json").read_text())
        assert remote["path"] == found[1].path
        assert len(other.forward(data).result().logprobs) == len(data)
    backend.checkpoints.delete(found[0].path)
    assert [each.path for each in backend.checkpoints.list()] == [found[1].path]
    with pytest.raises(BackendError, match="no checkpoint"):
        backend.checkpoints.delete(found[0].path)


@pytest.mark.parametrize(
    "path", ["step-1", "tinker://", "tinker://run/../../x", "https://x/y", "tinker://a b/weights/c"]
)
def test_what_is_no_path_is_not_asked_for(service: FakeTinkerService, backend: TinkerBackend, path: str) -> None:
    """It is refused here."""
    with pytest.raises(BackendError, match="is no path on a Tinker service"):
        backend.checkpoints.delete(path)
    with pytest.raises(BackendError, match="is no path on a Tinker service"):
        backend.checkpoints.download(path, Path("unused"))
    assert service.requests == []


def test_weights_for_sampling_are_not_handed_out(backend: TinkerBackend, tmp_path: Path) -> None:
    """By the service, so it is said here."""
    with pytest.raises(BackendError, match="download the training checkpoint"):
        backend.checkpoints.download("tinker://run/sampler_weights/x", tmp_path / "x")


# --- downloads that go wrong ---


@pytest.mark.parametrize(
    "fault", [Fault(is_torn=True), Fault(status=503), Fault(status=429)], ids=["torn", "503", "429"]
)
def test_a_download_that_breaks_is_tried_again(
    service: FakeTinkerService, session: TinkerSession, data: list[Datum], tmp_path: Path, fault: Fault
) -> None:
    """The checkpoint is whole."""
    steps(session, data, 1)
    service.faults.add("/adapter_model.safetensors", fault)
    verify_checkpoint(session.save_checkpoint(tmp_path / "a").result())
    assert len(service.seen("/adapter_model.safetensors")) == 2


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault(is_torn=True), "could not be downloaded whole after 2 attempts"),
        (Fault(status=403), "its address may have expired"),
        (Fault(status=302, headers={"Location": "file:///etc/passwd"}), "HTTP 302"),
    ],
    ids=["torn", "expired", "redirected"],
)
def test_a_download_that_stays_broken_leaves_nothing(
    service: FakeTinkerService,
    connect: Callable[..., TinkerBackend],
    config: LoraConfig,
    data: list[Datum],
    tmp_path: Path,
    fault: Fault,
    says: str,
) -> None:
    """A typed error; no folder, and what was there before is as it was."""
    with connect(max_retries=1).start_session(config) as session:
        steps(session, data, 1)
        before = session.save_checkpoint(tmp_path / "a").result()
        state = (before / "state.json").read_bytes()
        steps(session, data, 1)
        service.faults.add("/adapter_model.safetensors", fault, times=5)
        with pytest.raises(BackendError, match=says):
            session.save_checkpoint(tmp_path / "a").result()
    assert (before / "state.json").read_bytes() == state
    assert [each.name for each in tmp_path.iterdir()] == ["service", "a"] or len(list(tmp_path.iterdir())) == 2
    verify_checkpoint(before)


@pytest.mark.parametrize(
    ("urls", "says"),
    [
        ({"../../evil": "{base}/files/x"}, "plain names"),
        ({"/etc/cron.d/evil": "{base}/files/x"}, "plain names"),
        ({"adapter_config.json": "file:///etc/passwd", "adapter_model.safetensors": "{base}/x"}, "no web address"),
        ({}, "holds no adapter_config.json"),
        ({"readme.md": "{base}/healthz-of-nothing"}, "HTTP 401"),
    ],
    ids=["up", "absolute", "file address", "nothing", "elsewhere"],
)
def test_a_hostile_export_is_refused(
    service: FakeTinkerService,
    session: TinkerSession,
    data: list[Datum],
    tmp_path: Path,
    urls: dict[str, str],
    says: str,
) -> None:
    """Names that lead out of the folder, addresses of this machine's files, an export without an adapter."""
    steps(session, data, 1)
    signed = {name: url.format(base=service.base_url) for name, url in urls.items()}
    answer = {"urls": signed, "expires": "2099-01-01T00:00:00Z"}
    service.faults.add("/external_weights_urls", Fault(status=200, body=answer))
    with pytest.raises(BackendError, match=says):
        session.save_checkpoint(tmp_path / "a").result()
    assert not (tmp_path / "a").exists()


def test_a_download_larger_than_the_limit_is_refused(
    connect: Callable[..., TinkerBackend], config: LoraConfig, data: list[Datum], tmp_path: Path
) -> None:
    """Before it fills the memory."""
    with connect(max_download_bytes=2000).start_session(config) as session:
        steps(session, data, 1)
        with pytest.raises(BadResponse, match=r"larger than the limit of \d+ bytes"):
            session.save_checkpoint(tmp_path / "a").result()


def test_a_folder_that_cannot_be_written_is_a_store_error(
    session: TinkerSession, data: list[Datum], tmp_path: Path
) -> None:
    """With its name."""
    steps(session, data, 1)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="step-1"):
        session.save_checkpoint(tmp_path / "file" / "step-1").result()


def test_a_listing_of_another_form_is_an_error(service: FakeTinkerService, backend: TinkerBackend) -> None:
    """A path that could lead anywhere is not handed on."""
    odd = {
        "checkpoint_id": "x",
        "checkpoint_type": "training",
        "time": "2026-01-01T00:00:00Z",
        "tinker_path": "tinker://../x",
    }
    service.faults.add("/checkpoints", Fault(status=200, body={"checkpoints": [odd]}))
    with pytest.raises(BadResponse, match="the service lists a checkpoint"):
        backend.checkpoints.list()
    service.faults.add("/checkpoints", Fault(status=200, body={"nothing": 1}))
    with pytest.raises(BackendError):
        backend.checkpoints.list()


def test_what_is_being_saved_can_be_loaded(session: TinkerSession, data: list[Datum], tmp_path: Path) -> None:
    """Order of submission: loading waits for the folder that a request before it writes."""
    session.forward_backward(data)
    session.optim_step(AdamParams(learning_rate=1e-2))
    kept = session.forward(data)
    session.save_checkpoint(tmp_path / "a")
    session.forward_backward(data)
    session.optim_step(AdamParams(learning_rate=1e-2))
    session.load_checkpoint(tmp_path / "a")
    assert session.forward(data).result().loss == pytest.approx(kept.result().loss, rel=1e-6)


def test_a_checkpoint_of_other_layers_is_refused(
    backend: TinkerBackend, session: TinkerSession, config: LoraConfig, tmp_path: Path
) -> None:
    """The service would go on with those layers, and not with the ones that the session says."""
    saved = session.save_checkpoint(tmp_path / "a").result()
    other = config.model_copy(update={"target_modules": ("lm_head",)})
    with backend.start_session(other) as opened, pytest.raises(CheckpointError, match="adapts other layers"):
        opened.load_checkpoint(saved).result()
