"""Hooks of a session: in order, on the gradient of the step, told, paid for, and unable to change it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from crucible import events
from crucible.backends import AdamParams, LocalBackend
from crucible.backends.hooks import GradientHooks, GradientNorms, Gradients, attach, health
from crucible.backends.local_base import LoadedBase
from crucible.backends.local_session import LocalSession
from crucible.errors import BackendError, Cancelled, NonFiniteLoss, SpecError, TrainError
from crucible.ir import LoraConfig
from crucible.text import Datum

PARAMS = AdamParams(learning_rate=0.01, grad_clip_norm=0.5)
Open = Callable[..., LocalSession]


@pytest.fixture
def opened(base: LoadedBase, base_folder: Path) -> Open:
    """`opened(**changes)`: a session on the tiny model."""

    def start(**changes: Any) -> LocalSession:
        return LocalSession(LoraConfig(base_model=str(base_folder), rank=2, dropout=0.0, **changes), base)

    return start


def test_hooks_see_the_gradient_of_the_step_before_it_is_clipped(opened: Open, data: list[Datum]) -> None:
    """Their norm in all is the step's, far above the limit, and the metrics and events say the same."""
    with opened(gradient_hooks=["norm", "distribution", "flow", "health"]) as session, events.collect("cruc*") as found:
        session.forward_backward(data)
        output = session.optim_step(PARAMS).result()
    assert output.gradient_norm > 1
    assert output.metrics["gradient/norm/total"] == pytest.approx(output.gradient_norm, rel=1e-5)
    told = [event for event in found if event.name.startswith("crucible_backends.gradient.")]
    assert [event.name.rpartition(".")[2] for event in told] == ["norm", "distribution", "flow", "health"]
    assert told[0].measurements["total"] == output.metrics["gradient/norm/total"]
    assert told[0].measurements["step"] == output.step == 1
    layers = list(told[0].metadata["layers"])
    assert len(layers) == 14  # 7 adapted modules in each of 2 layers
    assert layers[0].startswith("model.layers.0.")
    assert [name for name, _ in told[2].metadata["layers"]] == layers
    assert told[3].metadata["issues"] == []


def test_the_cost_of_hooks_is_reported(opened: Open, data: list[Datum]) -> None:
    """In nanoseconds: of each in its event, of all in the answer; without hooks nothing is there."""
    with opened(gradient_hooks=["norm"]) as session, events.collect("crucible_backends.*") as found:
        session.add_gradient_hook("mine", lambda gradients: None)
        session.forward_backward(data)
        output = session.optim_step(PARAMS).result()
    costs = [event.measurements["duration_ns"] for event in found if ".gradient." in event.name]
    whole = next(event.measurements["duration_ns"] for event in found if event.name.endswith("optim_step.stop"))
    assert len(costs) == 2
    assert min(costs) > 0
    assert sum(costs) == output.hooks_ns < whole
    with opened() as session:
        session.forward_backward(data)
        output = session.optim_step(PARAMS).result()
    assert (output.metrics, output.hooks_ns) == ({}, 0)


def test_hooks_of_ones_own_run_in_order_of_registration(opened: Open, data: list[Datum]) -> None:
    """Behind those of the configuration; what they return is a metric under their name."""
    seen: list[tuple[str, int, int]] = []

    def note(name: str, gradients: Gradients) -> dict[str, float]:
        seen.append((name, gradients.step, len(gradients)))
        return {"layers": len(gradients)}

    with opened(gradient_hooks=["flow"]) as session:
        for name in ("zebra", "ant"):
            session.add_gradient_hook(name, partial(note, name))
        for _ in range(2):
            session.forward_backward(data)
            output = session.optim_step(PARAMS).result()
    assert seen == [("zebra", 1, 14), ("ant", 1, 14), ("zebra", 2, 14), ("ant", 2, 14)]
    assert list(output.metrics) == ["gradient/flow/first_to_last", "gradient/zebra/layers", "gradient/ant/layers"]


def test_a_hook_may_return_what_crucibles_own_return(opened: Open, data: list[Datum]) -> None:
    """Such as `health` with other limits, whose issues are then in the event."""
    with opened() as session, events.collect("crucible_backends.gradient.custom") as found:
        session.add_gradient_hook("strict", partial(health, exploding=1e-6))
        session.forward_backward(data)
        assert session.optim_step(PARAMS).result().metrics["gradient/strict/exploding"] == 14
    assert found[0].metadata["hook"] == "strict"
    assert len(found[0].metadata["issues"]) == 14


def test_a_hook_cannot_change_the_step(opened: Open, data: list[Datum]) -> None:
    """It gets a copy of its own: weights after steps are equal to the bit, and the next hook sees the gradient."""
    totals: list[float] = []

    def vandal(gradients: Gradients) -> None:
        for gradient in gradients.values():
            gradient.zero_()
            gradient.numpy()[:] = 7.0

    def after(gradients: Gradients) -> None:
        totals.append(sum(float(gradient.norm() ** 2) for gradient in gradients.values()) ** 0.5)

    weights: list[dict[str, torch.Tensor]] = []
    norms: list[float] = []
    for hooks in ((), (("vandal", vandal), ("after", after))):
        with opened() as session:
            attach(session, hooks)
            for _ in range(3):
                session.forward_backward(data)
                norms.append(session.optim_step(PARAMS).result().gradient_norm)
            weights.append(session._adapter.weights.weights())
    assert norms[:3] == norms[3:]
    assert totals == pytest.approx(norms[:3], rel=1e-5)
    assert all(torch.equal(weights[0][name], tensor) for name, tensor in weights[1].items())


def test_a_hook_that_raises_fails_the_step_by_name(opened: Open, data: list[Datum]) -> None:
    """With the number of the step and the cause; the weights are as before, and later requests fail with it."""

    def boom(gradients: Gradients) -> None:
        if gradients.step == 2:
            raise ValueError("too steep")

    with opened() as session:
        session.add_gradient_hook("boom", boom)
        session.forward_backward(data)
        session.optim_step(PARAMS).result()
        before = session._adapter.weights.weights()
        session.forward_backward(data)
        with pytest.raises(
            TrainError, match='hook "boom" failed at step 2, so the step was not taken: ValueError: too'
        ) as caught:
            session.optim_step(PARAMS).result()
        assert caught.value.step == 2
        assert isinstance(caught.value.__cause__, ValueError)
        assert all(torch.equal(before[name], tensor) for name, tensor in session._adapter.weights.weights().items())
        with pytest.raises(BackendError, match='not executed because optim_step failed .* hook "boom" failed'):
            session.forward_backward(data).result()


def test_a_hook_that_waits_for_its_own_session_fails_instead_of_waiting_for_ever(
    opened: Open, data: list[Datum]
) -> None:
    """The session's thread is the one that it runs on."""
    with opened() as session:
        session.add_gradient_hook("waits", lambda gradients: session.forward(data).result().metrics)
        session.forward_backward(data)
        with pytest.raises(TrainError, match='hook "waits" failed at step 1.* BackendError'):
            session.optim_step(PARAMS).result(timeout=30)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (3.0, "it returned float where numbers by name, or None, were expected"),
        ({"x": "much"}, "it returned 'x': 'much', which is no number"),
        ({"x": torch.ones(2)}, "which is no number"),
        ({"x": 10**400}, "which is no number"),
        (GradientNorms(1.0, {}), "failed at step 5, so the step was not taken: ValueError"),
    ],
)
def test_what_is_no_number_fails_the_step(returned: object, message: str) -> None:
    """Nothing that a metric could not hold is carried on."""
    hooks = GradientHooks()
    hooks.add("odd", lambda gradients: returned)  # type: ignore[arg-type,return-value]
    with pytest.raises(TrainError, match=message):
        list(hooks.run(Gradients({"a": torch.ones(2)}, step=5)))


def test_a_hook_may_stop_the_run() -> None:
    """`Cancelled` is no failure of a hook."""
    hooks = GradientHooks()

    def stop(gradients: Gradients) -> None:
        raise Cancelled("enough")

    hooks.add("stop", stop)
    with pytest.raises(Cancelled, match="enough"):
        list(hooks.run(Gradients({"a": torch.ones(2)}, step=5)))


def test_a_gradient_that_is_no_number_is_seen_before_it_is_refused(opened: Open, data: list[Datum]) -> None:
    """`health` names the layers; what is not finite is left out of events and metrics."""
    with opened(gradient_hooks=["norm", "health"]) as session, events.collect("crucible_backends.gradient.*") as found:
        session.forward_backward(data)
        session._adapter.weights.spoil_gradient()
        with pytest.raises(NonFiniteLoss):
            session.optim_step(PARAMS).result()
    norms, ill = found
    assert set(norms.measurements) == {"step", "duration_ns"}
    assert set(norms.metadata["layers"].values()) == {None}
    assert ill.measurements["not_finite"] == 14


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        (("norms",), "there is no hook 'norms'; did you mean .norm.*; known: norm, distribution, flow, health"),
        (("norm", print), "that is none of Crucible's .*, got 'norm'"),
        (("a b", print), "needs a name of letters, digits"),
        (("mine", 3), "'mine' must be a function of the gradients, got int"),
    ],
)
def test_a_hook_that_cannot_be_registered_is_refused_by_name(hook: tuple[Any, ...], message: str) -> None:
    """When it is registered and not at the first step."""
    with pytest.raises(SpecError, match=message):
        GradientHooks(["flow"]).add(*hook)


def test_what_is_no_hook_is_refused(opened: Open) -> None:
    """A function needs a name beside it."""
    with opened() as session, pytest.raises(SpecError, match="a hook is a name, or a pair"):
        attach(session, [print])  # type: ignore[list-item]


def test_a_session_without_gradients_is_refused_by_name() -> None:
    """One of a remote service; without hooks there is nothing to refuse."""
    attach(object(), [])
    with pytest.raises(
        BackendError, match="gradients are not visible on tinker, whose service computes them"
    ) as caught:
        attach(object(), ["norm"], backend="tinker")
    assert caught.value.backend == "tinker"


def test_hooks_survive_a_checkpoint(opened: Open, data: list[Datum], tmp_path: Path) -> None:
    """Loading one changes weights and counts, and the hooks see the step that it goes on with."""
    with opened() as session:
        session.forward_backward(data)
        session.optim_step(PARAMS).result()
        saved = session.save_checkpoint(tmp_path / "one").result()
    with opened(gradient_hooks=["norm"]) as session, events.collect("crucible_backends.gradient.norm") as found:
        session.load_checkpoint(saved).result()
        session.forward_backward(data)
        session.optim_step(PARAMS).result()
    assert [event.measurements["step"] for event in found] == [2]


def test_the_local_backend_opens_sessions_that_show_gradients(base_folder: Path) -> None:
    """Whose configuration names the hooks."""
    config = LoraConfig(base_model=str(base_folder), rank=2, gradient_hooks=["norm"])
    with LocalBackend().start_session(config) as session:
        attach(session, [("mine", lambda gradients: None)])


def test_a_name_that_is_there_is_replaced_in_its_place() -> None:
    """So that a training that is gone on with may register its hooks again."""
    hooks = GradientHooks(["norm"])
    for value in (1.0, 2.0):
        hooks.add("mine", lambda gradients, value=value: {"x": value})  # type: ignore[misc]
        hooks.add("norm")
    reports = list(hooks.run(Gradients({"a": torch.ones(2)}, step=1)))
    assert [report.name for report in reports] == ["norm", "mine"]
    assert reports[1].numbers == {"x": 2.0}
