"""Drives a SkyRL server through `TinkerBackend`, with SDK 0.24.1, and prints what came back as one line of JSON.

Run by `test_skyrl.py` in an environment of its own: SDK 0.24.1 cannot be installed beside 0.38.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import tinker
import torch

from crucible import events
from crucible.backends.records import AdamParams, SamplingParams
from crucible.backends.tinker import TinkerBackend
from crucible.errors import BackendError
from crucible.ir import LoraConfig
from crucible.text import Datum, ModelInput

STEP = AdamParams(learning_rate=1e-2)


def drive(base_url: str, model: str, folder: Path) -> dict[str, Any]:
    """Return what each verb of a session answered."""
    found: dict[str, Any] = {"sdk": tinker.__version__}
    heard: list[str] = []
    events.attach("heard", ["crucible_backends.session.*", "req_llm.request.*"], lambda event: heard.append(event.name))
    config = LoraConfig(base_model=model, rank=8, dropout=0.0, seed=1)
    with TinkerBackend("tml-skyrl", base_url=base_url, tokenizer=model, timeout=180.0, window=128) as backend:
        session = backend.start_session(config)
        tokens = session.tokenizer.encode("ticket 7: the printer on floor 3 is broken")
        datum = Datum(ModelInput(tuple(tokens[:-1])), tuple(tokens[1:]), (1.0,) * (len(tokens) - 1))
        before = session.forward([datum]).result()
        pairs = [(session.forward_backward([datum]), session.optim_step(STEP)) for _ in range(4)]  # pipelined
        losses = [loss.result().loss for loss, _ in pairs]
        steps = [step.result() for _, step in pairs]
        found["forward"] = {"loss": before.loss, "logprobs": before.logprobs[0], "targets": len(datum)}
        found["losses"], found["steps"] = losses, [step.step for step in steps]
        found["norms_finite"] = all(math.isfinite(step.gradient_norm) for step in steps)
        custom = session.forward_backward_custom([datum], square).result()
        found["custom"] = {"loss": custom.loss, "metrics": custom.metrics}
        session.optim_step(STEP).result()
        found["prompt_logprobs"] = session.logprobs(["ticket 7"]).result()[0]
        sampler = session.create_sampler()
        answers = sampler.sample(["ticket 7", "ticket 8"], SamplingParams(max_tokens=5, temperature=1.0, seed=3))
        found["answers"] = [[len(answer.tokens), answer.stop_reason, answer.text] for answer in answers]
        found["sampler_logprobs"] = sampler.logprobs(["ticket 7"])[0]
        saved = session.save_checkpoint(folder / "step-5").result()
        found["files"] = sorted(path.name for path in saved.iterdir())
        kept = session.forward([datum]).result().loss
        for _ in range(2):
            session.forward_backward([datum])
            session.optim_step(STEP).result()
        moved = session.forward([datum]).result().loss
        session.load_checkpoint(saved).result()
        found["load"] = {"kept": kept, "moved": moved, "loaded": session.forward([datum]).result().loss}
        run = json.loads((saved / "remote.json").read_text())["path"].removeprefix("tinker://").partition("/")[0]
        found["listed"] = sorted(each.kind for each in backend.checkpoints.list(run))
        session.close()
        found["status"] = session.status
        try:
            backend.checkpoints.download("tinker://model_none/sampler_weights/none", folder / "none")
        except BackendError as error:
            found["refused"] = [type(error).__name__, str(error)]
    found["heard"] = sorted(set(heard))
    return found


def square(data: Any, logprobs: list[torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
    """A loss that no service knows."""
    del data
    return torch.cat(logprobs).square().sum() * 1e-3, {"mine": 2.0}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(drive(sys.argv[1], sys.argv[2], Path(sys.argv[3]))) + "\n")
