"""A program for one process or several: everything that a session and a sampler do, as numbers to compare.

Run as `python programme.py` it helps whoever leads, as every process but the first of a launch does.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

from crucible import backends
from crucible.backends import AdamParams, LocalBackend, SamplingParams, SgdParams, losses
from crucible.errors import BackendError, NonFiniteLoss
from crucible.ir import LoraConfig
from crucible.text import Datum, ModelInput, SoftTargets

PROMPTS = ["ticket 1: help", "ticket 22: the printer is broken", "ticket 3:", "a", "floor 5 -> "]


def make_data(tokenizer: Any, count: int = 8) -> list[Datum]:
    """Ragged examples whose second half is trained on, with weights that differ."""
    data: list[Datum] = []
    for i in range(count):
        tokens = tokenizer.encode(f"ticket {i}:" + " help" * (i % 4) + f" floor {i % 3}")[:40]
        weights = tuple(0.0 if place < len(tokens) // 2 else 0.1 * (1 + i % 3) for place in range(len(tokens) - 1))
        data.append(Datum(ModelInput(tuple(tokens[:-1])), tuple(tokens[1:]), weights))
    return data


def soft(datum: Datum) -> Datum:
    """The same datum with two candidates a position."""
    tokens = tuple((target, (target + 7) % 300) for target in datum.target_tokens)
    targets = SoftTargets(tokens, tuple((0.75, 0.25) for _ in tokens))
    return Datum(datum.model_input, datum.target_tokens, datum.weights, soft_targets=targets)


def preference(data: Any, logprobs: Any) -> Any:
    """A loss over pairs, which no process could compute from its own share."""
    import torch

    sums = torch.stack([each.sum() for each in logprobs])
    loss = -torch.nn.functional.logsigmoid(0.1 * (sums[0::2] - sums[1::2])).sum()
    return loss, {"seen": float(len(data)), "pairs": float(len(sums) // 2)}


def measure(base: str, dropout: float = 0.0, workspace: Path | None = None) -> dict[str, Any]:
    """Return the numbers of a session's and a sampler's every request."""
    config = LoraConfig(base_model=base, rank=4, dropout=dropout, seed=3)
    found: dict[str, Any] = {}
    clipped = AdamParams(learning_rate=1e-3, grad_clip_norm=0.5)
    with LocalBackend().start_session(config) as session:
        data = make_data(session.tokenizer)

        def answer(name: str, output: Any) -> None:
            found[name] = [output.loss, output.logprobs, output.metrics, output.soft_logprobs]

        for step in range(3):
            answer(f"step {step}", session.forward_backward(data).result())
            found[f"norm {step}"] = session.optim_step(clipped).result().gradient_norm
        early = session.create_sampler()
        for part in (data[:5], data[5:6]):  # a batch of one: the other process has nothing to do
            answer(f"part {len(part)}", session.forward_backward(part).result())
        plain = SgdParams(learning_rate=1e-3, momentum=0.5, grad_clip_norm=1.0)
        found["accumulated"] = session.optim_step(plain).result().gradient_norm
        answer("custom", session.forward_backward_custom(data, preference).result())
        answer("soft", session.forward_backward([data[0], soft(data[1]), soft(data[2])]).result())
        blend = losses.composite(["cross_entropy", "entropy"], [1.0, -0.1])
        answer("composite", session.forward_backward(data, blend).result())
        answer(
            "lambda", session.forward_backward(data, lambda lp, inputs: (inputs["weights"] * lp * lp).sum()).result()
        )
        found["norm of all"] = session.optim_step(clipped).result().gradient_norm
        answer("forward", session.forward(data).result())
        found["logprobs"] = session.logprobs(PROMPTS).result()
        late = session.create_sampler()
        drawn = SamplingParams(max_tokens=6, temperature=0.9, seed=5)
        for name, sampler in {"early": early, "late": late, "base": LocalBackend().create_sampler(base)}.items():
            found[f"{name} greedy"] = [each.text for each in sampler.sample(PROMPTS, SamplingParams(max_tokens=6))]
            groups = sampler.sample_groups(PROMPTS, drawn, num_samples=2)
            found[f"{name} drawn"] = [[each.tokens for each in group] for group in groups]
            found[f"{name} logprobs"] = sampler.logprobs(PROMPTS)
            found[f"{name} likeliest"] = sampler.top_logprobs(PROMPTS, 3)
        if workspace is not None:
            found |= resumed(session, data, workspace, config)
    return json.loads(json.dumps(found))


def resumed(session: Any, data: list[Datum], workspace: Path, config: LoraConfig) -> dict[str, Any]:
    """Save in the middle of a step, take two more, go back, and take them again; and a sampler of what was saved."""
    session.forward_backward(data[:3]).result()
    session.save_checkpoint(workspace / "saved").result()

    def two_steps() -> list[float]:
        numbers: list[float] = []
        for _ in range(2):
            numbers.append(session.forward_backward(data).result().loss)
            numbers.append(session.optim_step(AdamParams(learning_rate=1e-3)).result().gradient_norm)
        return numbers

    first = two_steps()
    session.load_checkpoint(workspace / "saved").result()
    sampler = LocalBackend().create_sampler(config.base_model, adapter=workspace / "saved")
    texts = [each.text for each in sampler.sample(PROMPTS, SamplingParams(max_tokens=6))]
    return {"went on": first, "again": two_steps(), "saved adapter": texts}


def fails_elsewhere(logprobs: Any, inputs: Any) -> Any:
    """A loss that fails in every process but the first."""
    return -(logprobs * inputs["weights"]).sum() * (1 // (1 - int(os.environ["RANK"])))


def no_number(logprobs: Any, inputs: Any) -> Any:
    """A loss that returns one number a token."""
    return logprobs * inputs["weights"]


class HeldError(Exception):
    """An error that cannot be sent: it has a lock, and its making takes two arguments."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} {two}")
        self.lock = threading.Lock()


def holds(logprobs: Any, inputs: Any) -> Any:
    """A loss that fails in every process with what cannot be sent."""
    raise HeldError(1, 2)


def refuses(data: Any, logprobs: Any) -> Any:
    """A custom loss that fails."""
    raise LookupError("no such pair")


def faults(base: str) -> dict[str, Any]:
    """Return what is raised where something goes wrong, and that the processes go on together after it."""
    config = LoraConfig(base_model=base, rank=4, seed=3)
    found: dict[str, Any] = {}

    def fails(name: str, request: Any, *arguments: Any) -> None:
        with LocalBackend().start_session(config) as session:
            data = make_data(session.tokenizer)
            try:
                getattr(session, request)(data, *arguments).result()
            except Exception as error:
                found[name] = [type(error).__name__, str(error)]

    fails("a share", "forward_backward", fails_elsewhere)
    fails("a share of forward", "forward", fails_elsewhere)
    fails("a custom loss", "forward_backward_custom", refuses)
    fails("a loss of no number", "forward_backward", no_number)
    fails("an error that cannot be sent", "forward_backward", holds)
    for device in ("mps", "cuda:1", "cuda"):
        try:
            LocalBackend().start_session(config.model_copy(update={"device": device}))
        except BackendError as error:
            found[device] = str(error)
    with LocalBackend().start_session(config) as session:
        data, sampler = make_data(session.tokenizer), session.create_sampler()

        def asking(given: Any, logprobs: Any) -> Any:
            found["asked within"] = len(sampler.logprobs(PROMPTS))
            return preference(given, logprobs)

        found["loss after all"] = session.forward_backward(data).result().loss
        session.forward_backward_custom(data, asking).result()
        session.forward_backward(data, lambda lp, inputs: (lp * inputs["weights"]).sum() * float("nan")).result()
        try:
            session.optim_step(AdamParams()).result()
        except NonFiniteLoss as error:
            found["not finite"] = str(error)
    return found


if __name__ == "__main__":
    backends.spread(lambda: None)
