"""The context: immutable, JSON values only where they persist, deltas of what changed."""

from pathlib import Path
from typing import Any

import pytest

from crucible.errors import ContractError
from crucible.ir import BackendRef, Experiment, StageDef
from crucible.pipeline import Context


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A fresh context with a workspace."""
    experiment = Experiment(id="e", backend=BackendRef(id="local"), pipeline=(StageDef(name="s"),))
    return Context(run_id="r", experiment=experiment, workspace=tmp_path)


def test_every_change_is_a_new_context(context: Context) -> None:
    """The old context does not see what the new one holds."""
    after = context.put_metric("a", 1).assign("b", [1]).add_output({"c": None}).put_resource("d", object())
    assert not context.has_metric("a")
    assert not context.outputs
    assert after.get_metric("a") == 1
    assert after.get_assign("b") == [1]
    assert after.has_resource("d")
    assert after.experiment_id == "e"
    assert context.get_metric("a", "default") == "default"


@pytest.mark.parametrize("value", [object(), float("nan"), {1: 2}, {"x": {"y": {3}}}, b"bytes", Path("x")])
def test_what_is_not_json_is_refused_when_it_is_put(context: Context, value: Any) -> None:
    """Anything that could not be stored is refused at once, by path."""
    with pytest.raises(ContractError, match=r"metrics\.m"):
        context.put_metric("m", value)
    with pytest.raises(ContractError, match=r"assigns\.m"):
        context.assign("m", value)
    with pytest.raises(ContractError, match=r"outputs\[0\]"):
        context.add_output({"x": value})


def test_values_are_copied_in(context: Context) -> None:
    """Changing a list after it was put does not change the context."""
    values = [1]
    after = context.put_metric("m", values)
    values.append(2)
    assert after.get_metric("m") == [1]


def test_missing_things_are_named_with_what_there_is(context: Context) -> None:
    """Asking for a resource or artifact that nobody made says what there is."""
    with pytest.raises(ContractError, match='no resource "train"; earlier stages provide: test'):
        context.put_resource("test", 1).resource("train")
    with pytest.raises(ContractError, match='no artifact "x"; the run has: none yet'):
        context.artifact_path("x")


def test_files_are_referenced_by_digest_inside_the_workspace(context: Context, tmp_path: Path) -> None:
    """A file of the workspace becomes a reference; one outside is refused."""
    path = tmp_path / "sub" / "f.json"
    path.parent.mkdir()
    path.write_text("{}")
    after = context.add_file("f", path, media_type="application/json")
    assert after.artifacts["f"].path == "sub/f.json"
    assert after.artifacts["f"].size_bytes == 2
    assert after.artifact_path("f").read_text() == "{}"
    with pytest.raises(ContractError, match="outside the run's workspace"):
        context.add_file("f", Path(__file__))


def test_delta_holds_only_what_changed_and_restores(context: Context, tmp_path: Path) -> None:
    """The delta of a stage is what it added, and snapshots put it back."""
    (tmp_path / "f").write_text("x")
    before = context.put_metric("old", 1).add_output({"n": 1})
    after = before.put_metric("new", {"x": 2}).add_output({"n": 2}).assign("a", True).add_file("f", tmp_path / "f")
    delta = after.delta_since(before)
    assert delta.metrics == {"new": {"x": 2}}
    assert delta.outputs == [{"n": 2}]
    assert delta.assigns == {"a": True}
    assert set(delta.artifacts) == {"f"}
    restored = before.restored(delta)
    assert restored.metrics == after.metrics
    assert restored.outputs == after.outputs
    assert restored.artifacts == after.artifacts
