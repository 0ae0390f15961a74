"""The real thing: SkyRL 0.3.0's server on this machine, driven by `TinkerBackend` through SDK 0.24.1.

Wiring, not numbers: SkyRL normalises its loss, so gradients are of another scale than Tinker's. Both live in
environments of their own (about 3 GB, made once, in pytest's cache, or named by CRUCIBLE_SKYRL_PYTHON and
CRUCIBLE_TINKER24_PYTHON), because neither can be installed beside SDK 0.38.
"""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from crucible.text import train_byte_bpe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[3]
READY = "Starting background engine"


def environment(python: Path, *packages: str) -> Path:
    """Return the Python of an environment with these packages, made if it is not there yet."""
    done = python.parents[1] / "complete"
    if not done.exists():
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(python.parents[1])], capture_output=True)
        if made.returncode != 0:
            pytest.skip(f"this Python makes no environment: {made.stderr[-300:]!r}")
        constraints = python.parents[1] / "constraints.txt"
        constraints.write_text("torch==2.13.0\n")
        settings = {**os.environ, "PIP_CONSTRAINT": str(constraints)}
        for wanted in (["torch==2.13.0"], list(packages)):  # PyTorch first, so that nothing chooses another
            pip = [str(python), "-m", "pip", "install", "-q", "--retries", "1", "--timeout", "20"]
            ran = subprocess.run([*pip, *wanted], env=settings, capture_output=True, text=True)
            if ran.returncode != 0:
                why = (ran.stderr.strip().splitlines() or ["no reason given"])[-1]
                pytest.skip(f"no environment with {', '.join(wanted)}, which needs a package index: {why[:300]}")
        done.write_text("\n".join(packages))
    return python


@pytest.fixture(scope="module")
def pythons(pytestconfig: pytest.Config) -> tuple[Path, Path]:
    """The server's and the client's Python."""
    named = [os.environ.get(name) for name in ("CRUCIBLE_SKYRL_PYTHON", "CRUCIBLE_TINKER24_PYTHON")]
    assert pytestconfig.cache is not None
    folder = pytestconfig.cache.mkdir("crucible-skyrl-0.3.0")
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    server = (
        Path(named[0])
        if named[0]
        else environment(folder / "server" / "bin" / "python", "skyrl[tinker,jax]==0.3.0", "uv")
    )
    client = (
        Path(named[1])
        if named[1]
        else environment(folder / "client" / "bin" / "python", "tinker==0.24.1", "tokenizers", "safetensors", *needs)
    )
    [types] = server.parents[1].glob("lib/python3*/site-packages/skyrl/tinker/types.py")
    text = types.read_text(encoding="utf-8")
    old = "from typing import Annotated, Any, Literal, TypedDict"
    new = "from typing import Annotated, Any, Literal\nfrom typing_extensions import TypedDict"
    types.write_text(text.replace(old, new), encoding="utf-8")  # pydantic refuses typing's before Python 3.12
    return server, client


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen3, which SkyRL's JAX backend knows: width 64, two layers, 2048 tokens."""
    folder = tmp_path_factory.mktemp("models") / "tiny-qwen3"
    torch.manual_seed(1)
    shape = Qwen3Config(
        vocab_size=2048,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=256,
        eos_token_id=1,
        pad_token_id=0,
        bos_token_id=None,
        tie_word_embeddings=True,
    )
    Qwen3ForCausalLM(shape).save_pretrained(folder)
    train_byte_bpe([f"ticket {i}: the printer on floor {i} is broken" for i in range(40)], 320).save(folder)
    return folder


@pytest.fixture(scope="module")
def address(pythons: tuple[Path, Path], model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running SkyRL server; its engine is a grandchild, so that the whole process group is stopped."""
    folder = tmp_path_factory.mktemp("skyrl")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = pythons[0].parents[1]
    command = [str(home / "bin" / "uv"), "run", "--active", "--no-project", "-m", "skyrl.tinker.api"]
    command += ["--base-model", str(model), "--backend", "jax"]
    command += ["--backend-config", json.dumps({"max_lora_adapters": 8, "max_lora_rank": 32})]
    command += ["--host", "127.0.0.1", "--port", str(port), "--checkpoints-base", str(folder / "ckpt")]
    command += ["--database-url", f"sqlite:///{folder}/tinker.db"]
    settings = {"VIRTUAL_ENV": str(home), "JAX_PLATFORMS": "cpu", "HF_HUB_OFFLINE": "1", "UV_OFFLINE": "1"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **settings}, stdout=log, stderr=log, start_new_session=True, cwd=folder
        )
    try:
        until = time.monotonic() + 240
        while READY not in (folder / "log").read_text(errors="replace"):
            assert process.poll() is None, (folder / "log").read_text(errors="replace")[-3000:]
            assert time.monotonic() < until, "the server is not ready"
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def found(pythons: tuple[Path, Path], model: Path, address: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the verbs of a session answered."""
    script = Path(__file__).with_name("skyrl_client.py")
    done = subprocess.run(
        [str(pythons[1]), "-W", "ignore", str(script), address, str(model), str(tmp_path_factory.mktemp("out"))],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_session_of_sdk_0_24_trains(found: Any) -> None:
    """Pipelined steps in order, a loss that falls, one log-probability a target."""
    assert found["sdk"] == "0.24.1"
    assert found["steps"] == [1, 2, 3, 4]
    assert found["losses"][-1] < found["losses"][0]
    assert len(found["forward"]["logprobs"]) == found["forward"]["targets"]
    assert found["forward"]["loss"] == pytest.approx(-sum(found["forward"]["logprobs"]), rel=1e-5)
    assert found["norms_finite"]
    assert found["status"] == "completed"


def test_a_custom_loss_is_computed_here(found: Any) -> None:
    """Its value and its metrics come back; the scale of its gradient is SkyRL's own affair."""
    assert math.isfinite(found["custom"]["loss"])
    assert found["custom"]["metrics"]["mine"] == 2.0


def test_a_sampler_answers_and_scores(found: Any) -> None:
    """One log-probability a token with None first, which SkyRL leaves out; the same through session and sampler."""
    assert [answer[:2] for answer in found["answers"]] == [[5, "length"], [5, "length"]]
    assert found["sampler_logprobs"][0] is None
    assert found["sampler_logprobs"][1:] == pytest.approx(found["prompt_logprobs"][1:], abs=1e-4)


def test_a_checkpoint_is_downloaded_and_gone_on_from(found: Any) -> None:
    """An archive of the older protocol becomes a PEFT folder; loading brings the loss back by value."""
    assert {"adapter_config.json", "adapter_model.safetensors", "remote.json"} <= set(found["files"])
    assert found["load"]["moved"] != found["load"]["kept"]
    assert found["load"]["loaded"] == pytest.approx(found["load"]["kept"], rel=1e-6)
    assert {"training", "sampler"} <= set(found["listed"])


def test_requests_are_events_and_refusals_are_errors(found: Any) -> None:
    """As on any service."""
    assert "crucible_backends.session.optim_step.stop" in found["heard"]
    assert "req_llm.request.stop" in found["heard"]
    assert found["refused"][0] == "BackendError"
