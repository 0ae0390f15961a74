"""The context: immutable, JSON values only where they persist, deltas of what changed."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from crucible.errors import ContractError, StoreError
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


def test_helpers_of_metrics(context: Context) -> None:
    """Merge sets several, update makes a new value of the old one or of a default, and a missing one is named."""
    after = context.merge_metrics({"a": 1, "b": {"c": [1.5, None, "x", True]}})
    assert after.update_metric("a", lambda old: old + 1).get_metric("a") == 2
    assert after.update_metric("new", lambda old: [*old, 1], default=[]).get_metric("new") == [1]
    assert after.update_metric("maybe", lambda old: old is None, default=None).get_metric("maybe") is True
    with pytest.raises(
        ContractError, match='no metric "x" to update; give a default, or set it first. There are: a, b'
    ):
        after.update_metric("x", lambda old: old)
    with pytest.raises(ContractError, match="There are: none yet"):
        context.update_metric("x", lambda old: old)
    with pytest.raises(ContractError, match=r"metrics\.a"):
        after.update_metric("a", lambda old: object())
    assert list(after.put_metric("a", 0).metrics) == ["a", "b"]


def test_helpers_of_outputs(context: Context) -> None:
    """Outputs are appended in order, one or several; anything but a mapping of text is refused, with its place."""
    after = context.add_output({"n": 1}).add_outputs([{"n": 2}, {"n": 3}])
    assert [output["n"] for output in after.outputs] == [1, 2, 3]
    assert after.add_outputs([]).outputs == after.outputs
    with pytest.raises(ContractError, match=r"outputs\[4\]\.n"):
        after.add_outputs([{"n": 4}, {"n": object()}])
    with pytest.raises(ContractError, match=r"outputs\[3\]: expected a mapping, got a list"):
        after.add_output([1])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        lambda context: context.put_metric(1, 2),
        lambda context: context.merge_metrics({1: 2}),
        lambda context: context.merge_metrics([("a", 1)]),
        lambda context: context.assign({1: 2}),
        lambda context: context.assign(1, 2),
        lambda context: context.add_output({1: 2}),
        lambda context: context.put_metric("a", {"b": {1: 2}}),
    ],
)
def test_names_are_text(context: Context, change: Any) -> None:
    """A name that JSON could not hold is refused wherever one is given."""
    with pytest.raises(ContractError, match="keys must be text, got 1|expected a mapping"):
        change(context)


def test_helpers_of_assigns(context: Context) -> None:
    """One assign by name, or all of a mapping; None is a value."""
    after = context.assign("a", 1).assign({"b": 2, "a": 3}).assign("none")
    assert after.assigns == {"a": 3, "b": 2, "none": None}
    assert after.get_assign("none", 7) is None
    assert after.get_assign("missing", 7) == 7


def test_helpers_of_artifacts(context: Context, tmp_path: Path) -> None:
    """A reference is set, asked for and found; what is no reference is refused; a file knows what it was made from."""
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "b.html").write_text("y")
    after = context.add_file("a", tmp_path / "a.csv").add_file("b", tmp_path / "b.html", made_from=["a"])
    assert after.artifacts["b"].made_from == ("a",)
    assert after.artifacts["a"].made_from == ()
    assert after.artifacts["a"].media_type == "application/octet-stream"
    assert after.has_artifact("a")
    assert not context.has_artifact("a")
    assert context.get_artifact("a") is None
    assert context.put_artifact("c", after.artifacts["a"]).get_artifact("c") == after.artifacts["a"]
    with pytest.raises(ContractError, match=r"artifacts\.c: expected an ArtifactRef, got 'a.csv'"):
        context.put_artifact("c", "a.csv")  # type: ignore[arg-type]
    with pytest.raises(ContractError, match='no artifact "z"; the run has: a, b'):
        after.add_file("c", tmp_path / "a.csv", made_from=["a", "z"])
    with pytest.raises(StoreError):
        context.add_file("gone", tmp_path / "gone")


def test_a_link_out_of_the_workspace_is_outside(context: Context, tmp_path: Path) -> None:
    """A symbolic link to a file elsewhere does not smuggle it in."""
    (tmp_path / "link").symlink_to(Path(__file__))
    with pytest.raises(ContractError, match="outside the run's workspace"):
        context.add_file("link", tmp_path / "link")


def test_completed_stages_are_kept_in_order_and_twice(context: Context) -> None:
    """One that ran twice is there twice."""
    after = context.mark_stage_complete("a").mark_stage_complete("b").mark_stage_complete("a")
    assert after.completed_stages == ["a", "b", "a"]
    assert after.stage_completed("b")
    assert not after.stage_completed("c")


def test_a_context_cannot_be_changed(context: Context) -> None:
    """Neither its fields nor what they hold."""
    with pytest.raises(AttributeError):
        context.run_id = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        context.metrics["a"] = 1  # type: ignore[index]


def test_a_context_shows_how_much_it_holds_and_travels(context: Context) -> None:
    """Repr names run and experiment and counts the rest; pickling gives an equal context."""
    full = context.put_metric("a", 1).add_output({"b": 2}).assign("c", 3).mark_stage_complete("s")
    assert repr(full) == "Context(run_id='r', experiment='e', metrics=1, outputs=1, artifacts=0, assigns=1)"
    assert pickle.loads(pickle.dumps(full)) == full
    assert full != context


def test_the_delta_of_nothing_is_empty(context: Context) -> None:
    """A stage that changes nothing leaves an empty delta, also where it makes an equal context."""
    full = context.put_metric("a", "x").put_resource("r", object())
    for after in (full, full.put_resource("r2", 1), full.mark_stage_complete("s"), full.merge_metrics({})):
        delta = after.delta_since(full)
        assert (delta.metrics, delta.outputs, delta.artifacts, delta.assigns) == ({}, [], {}, {})


def test_a_large_context_is_cheap_to_change(context: Context) -> None:
    """Deriving shares structure: a thousand steps on ten thousand metrics copy nothing of the old ones."""
    large = context.merge_metrics({f"m{i}": i for i in range(10_000)})
    after = large
    for i in range(1_000):
        after = after.put_metric(f"k{i}", i)
    assert len(after.metrics) == 11_000
    assert after.delta_since(large).metrics == {f"k{i}": i for i in range(1_000)}
    assert list(after.metrics)[:2] == ["m0", "m1"]
    assert len(large.metrics) == 10_000


def test_what_is_read_is_a_copy(context: Context) -> None:
    """Changing a list or a dict that was read, from the context or its delta, changes nothing that is kept."""
    value = {"l": [1, {"d": 2}]}
    full = context.put_metric("m", value).assign("a", value).add_output(value)
    delta = full.delta_since(context)
    for read in (
        full.metrics["m"],
        full.get_metric("m"),
        full.get_assign("a"),
        *full.assigns.values(),
        full.outputs[0],
        next(iter(full.outputs)),
        full.outputs[:][0],
        delta.metrics["m"],
        delta.outputs[0],
        context.restored(delta).metrics["m"],
    ):
        read["l"][1]["x"] = read["l"].append(3)
    assert (full.metrics["m"], full.assigns["a"], full.outputs[0]) == (value, value, value)
    assert full.put_resource("r", 1).delta_since(full).metrics == {}


def test_a_delta_does_not_feed_what_it_restored(context: Context) -> None:
    """What was restored from a delta does not change with it."""
    delta = context.put_metric("m", [1]).delta_since(context)
    restored = context.restored(delta)
    delta.metrics["m"].append(2)
    assert restored.metrics["m"] == [1]


def test_a_file_by_its_name(context: Context, tmp_path: Path) -> None:
    """A path may be text, and a relative one is meant inside the workspace."""
    (tmp_path / "x.txt").write_text("x")
    assert context.add_file("x", "x.txt").artifacts["x"].path == "x.txt"
    assert context.add_file("x", str(tmp_path / "x.txt")).artifact_path("x").read_text() == "x"
    with pytest.raises(ContractError, match="outside the run's workspace"):
        context.add_file("x", "no-such-file.txt")
