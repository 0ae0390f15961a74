"""What the fake service knows: sessions, models, samplers, checkpoints, and the requests under way."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.backends.tinker.fake.model import FakeModel
from tests.backends.tinker.fake.refusal import RefusedError
from tests.backends.tinker.fake.sampling import answers
from tests.backends.tinker.fake.wire import TrainingRequest

from crucible.backends.local import LocalBackend
from crucible.backends.local_adapter import LocalAdapter
from crucible.backends.local_base import load_base
from crucible.backends.local_sampler import LocalSampler
from crucible.backends.tinker.adapting import ALPHA, GROUPS
from crucible.ir import LoraConfig

__all__ = ["FakeEngine"]


class FakeEngine:
    """The service behind the HTTP.

    Args:
        folder: Where checkpoints are kept.
        models: Folder of each base model by the name that it has on the service.
        window: Reported as the most tokens of each model; None: not reported.
    """

    def __init__(self, folder: Path, models: dict[str, Path], *, window: int | None) -> None:
        self.models: dict[str, FakeModel] = {}
        self.checkpoints: dict[str, dict[str, Any]] = {}
        self.samplers: dict[str, Any] = {}
        self.sampler_bases: dict[str, str] = {}
        self.futures: dict[str, Future[Any]] = {}
        self.finished: list[str] = []
        self._folder, self._bases, self._window = folder, models, window
        self._backend = LocalBackend()
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._sampled: dict[tuple[str, int], str] = {}
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="fake-tinker-sampler")

    def close(self) -> None:
        """Stop everything."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for model in self.models.values():
            model.close()

    # --- immediate answers ---

    def capabilities(self) -> dict[str, Any]:
        """Say which models there are."""
        models = [{"model_name": name, "max_context_length": self._window} for name in self._bases]
        return {"supported_models": models}

    def create_session(self) -> dict[str, str]:
        """Open a session."""
        return {"type": "create_session", "session_id": f"session-{next(self._numbers)}"}

    def info(self, model_id: str) -> dict[str, Any]:
        """Describe a model."""
        model = self._model(model_id)
        data = {"model_name": model.base_model, "arch": "llama"}
        return {"model_data": data, "model_id": model_id, "is_lora": True, "lora_rank": model.rank}

    def weights_info(self, path: str) -> dict[str, Any]:
        """Describe a checkpoint."""
        config = self._checkpoint(path)["config"]
        return {"base_model": self._checkpoint(path)["base_model"], "is_lora": True, "lora_rank": config.rank}

    def listed(self, run: str | None) -> list[dict[str, Any]]:
        """List checkpoints of a run, or all."""
        with self._lock:
            return [each["listing"] for path, each in self.checkpoints.items() if run is None or f"//{run}/" in path]

    def delete(self, path: str) -> None:
        """Delete a checkpoint."""
        with self._lock:
            self._checkpoint(path)
            del self.checkpoints[path]

    def exported(self, path: str) -> dict[str, bytes]:
        """Return the files of an export."""
        folder: Path = self._checkpoint(path)["folder"]
        return {name: (folder / name).read_bytes() for name in ("adapter_config.json", "adapter_model.safetensors")}

    def create_sampling_session(self, body: dict[str, Any]) -> dict[str, str]:
        """Make a sampler of a base model or a checkpoint."""
        if body.get("model_path"):
            kept = self._checkpoint(body["model_path"])
            base, folder = kept["base_model"], kept["folder"]
            sampler = self._backend.create_sampler(str(self._bases[base]), adapter=folder)
        else:
            base = body["base_model"]
            sampler = self._backend.create_sampler(str(self._base(base)))
        return {"type": "create_sampling_session", "sampling_session_id": self._add_sampler(sampler, base)}

    # --- answers that take time ---

    def create_model(self, body: dict[str, Any]) -> dict[str, str]:
        """Start a model with a fresh adapter, or from a checkpoint."""
        model_id = f"{body['session_id']}:train:{body['model_seq_id']}"
        lora: dict[str, Any] = body["lora_config"]
        groups = [group for group in GROUPS if lora[f"train_{group}"]]
        config = LoraConfig(
            base_model=str(self._base(body["base_model"])),
            rank=lora["rank"],
            alpha=ALPHA,
            dropout=0.0,
            seed=lora.get("seed") or 0,
            target_modules=tuple(sorted(layer for group in groups for layer in GROUPS[group])),
        )
        return self._start(model_id, body["base_model"], config, None)

    def create_from(self, body: dict[str, Any]) -> dict[str, str]:
        """Start a model from a checkpoint, under the name that the client expects."""
        kept = self._checkpoint(body["path"])
        model_id = f"{body['session_id']}:train:{body['model_seq_id']}"
        return self._start(model_id, kept["base_model"], kept["config"], kept["folder"])

    def train(self, request: TrainingRequest) -> dict[str, str]:
        """Queue a forward or forward_backward."""
        model = self._model(request.model_id)
        return self._queue(model, request.seq_id, lambda: model.compute(request))

    def step(self, body: dict[str, Any]) -> dict[str, str]:
        """Queue an optim_step."""
        model = self._model(body["model_id"])
        return self._queue(model, body["seq_id"], lambda: model.step(body["adam_params"]))

    def save(self, body: dict[str, Any], kind: str) -> dict[str, str]:
        """Queue a save: `weights` with the optimiser's state, `sampler_weights`, `external_weights`."""
        model_id, model = body["model_id"], self._model(body["model_id"])

        def work() -> dict[str, Any]:
            if kind == "sampler_weights" and body.get("path") is None:
                return {"sampling_session_id": self._add_sampler(self._sampler_of(model), model.base_model)}
            path = f"tinker://{model_id}/{kind}/{body['path']}"
            if path in self.checkpoints and not body.get("overwrite"):
                raise ValueError(f"{path} exists")
            folder = model.adapter.save(self._folder / f"{next(self._numbers)}")
            state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
            self._keep(path, kind, folder, model.base_model, LoraConfig.read(state["config"]))
            return {"path": path}

        return self._queue(model, body["seq_id"], work)

    def load(self, body: dict[str, Any]) -> dict[str, str]:
        """Queue a load into a model that is there."""
        model, kept = self._model(body["model_id"]), self._checkpoint(body["path"])

        def work() -> dict[str, str]:
            model.adapter.load(kept["folder"])
            return {"path": body["path"]}

        return self._queue(model, body["seq_id"], work)

    def sample(self, body: dict[str, Any]) -> dict[str, Any]:
        """Queue a sampling request."""
        key = body["sampling_session_id"], body["seq_id"]
        count: int = body.get("num_samples", 1)
        with self._lock:
            if key not in self._sampled:
                if key[0] not in self.samplers:
                    raise RefusedError(404, f"no sampling session {key[0]}")
                sampler = self.samplers[key[0]]
                self._sampled[key] = self._add(self._pool.submit(answers, sampler, body, count))
            request_id = self._sampled[key]
        return {"request_id": request_id, "sample_sequence_ids": [f"{request_id}:{place}" for place in range(count)]}

    def _sampler_of(self, model: FakeModel) -> LocalSampler:
        base = load_base(self._bases[model.base_model], "cpu")
        return LocalSampler(base, model=model.base_model, weights=model.adapter.merged())

    # --- keeping ---

    def _start(self, model_id: str, base_model: str, config: LoraConfig, folder: Path | None) -> dict[str, str]:
        with self._lock:
            request_id = f"create {model_id}"  # the same for a request that comes again
            if model_id not in self.models:
                adapter = LocalAdapter(config, load_base(Path(config.base_model), "cpu"))
                if folder is not None:
                    adapter.load(folder)
                self.models[model_id] = FakeModel(adapter, base_model=base_model, rank=config.rank)
                done: Future[Any] = Future()
                done.set_result({"model_id": model_id})
                self.futures[request_id] = done
            return {"request_id": request_id, "model_id": model_id}

    def _queue(self, model: FakeModel, seq_id: int, work: Callable[[], Any]) -> dict[str, str]:
        with self._lock:
            request_id, future = model.submit(seq_id, f"request-{next(self._numbers)}", work)
            self.futures[request_id] = future
        return {"request_id": request_id}

    def _add(self, future: Future[Any]) -> str:
        request_id = f"request-{next(self._numbers)}"
        self.futures[request_id] = future
        return request_id

    def _add_sampler(self, sampler: Any, base_model: str) -> str:
        with self._lock:
            identity = f"sampler-{next(self._numbers)}"
            self.samplers[identity], self.sampler_bases[identity] = sampler, base_model
            return identity

    def _keep(self, path: str, kind: str, folder: Path, base_model: str, config: LoraConfig) -> None:
        kinds = {"weights": "training", "sampler_weights": "sampler", "external_weights": "external"}
        listing = {
            "checkpoint_id": path.split("/", 3)[3],
            "checkpoint_type": kinds[kind],
            "time": datetime.now(UTC).isoformat(),
            "tinker_path": path,
            "size_bytes": sum(file.stat().st_size for file in folder.iterdir()),
        }
        with self._lock:
            kept = {"listing": listing, "folder": folder, "base_model": base_model, "config": config}
            self.checkpoints[path] = kept

    def _base(self, name: str) -> Path:
        if name not in self._bases:
            raise RefusedError(400, f"no base model {name}")
        return self._bases[name]

    def _model(self, model_id: str) -> FakeModel:
        if model_id not in self.models:
            raise RefusedError(404, f"no model {model_id}")
        return self.models[model_id]

    def _checkpoint(self, path: str) -> dict[str, Any]:
        if path not in self.checkpoints:
            raise RefusedError(404, f"no checkpoint {path}")
        return self.checkpoints[path]
