"""Where stages come from: entry points, by hand, and import paths that the caller allows."""

import functools
import importlib
import threading
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import pytest

from crucible.errors import ContractError, SpecError
from crucible.ir import StageDef
from crucible.pipeline import Registry, StageBase, current_registry, stage
from crucible.pipeline.registry import using

MYLAB = '''
import functools, os
from crucible.pipeline import StageBase, StageOptions, stage


class Add(StageBase):
    """Add."""

    name = "add"

    class Options(StageOptions):
        by: int = 1

    def run(self, context, options):
        return context.put_metric("added", options.by)


class Needs(StageBase):
    name = "needs"

    def __init__(self, something):
        pass

    def run(self, context, options):
        return context


@stage("made")
def made(context, options):
    """Make."""
    return context.put_metric("made", True)


def plain(context, options):
    """Work plainly."""
    return context.put_metric("plain", True)


async def aplain(context, options):
    return context.put_metric("aplain", True)


def _from(start, context, options):
    return context.put_metric("partial", start)


partial = functools.partial(_from, 3)
instance = Add()
number = 7


class Box:
    Inner = Add
'''


@pytest.fixture
def mylab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Write a package that can be imported; returns its name, which no other test uses."""
    name = f"mylab_{tmp_path.name.replace('-', '_')}"
    for folder, text in ((name, MYLAB), (f"{name}x", MYLAB), (f"{name}_ends", "import sys; sys.exit(3)")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text(text)
    (tmp_path / name / "deep.py").write_text(MYLAB)
    (tmp_path / name / "broken.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


@pytest.mark.parametrize(
    ("target", "metric"),
    [
        ("Add", {"added": 1}),
        ("Box.Inner", {"added": 1}),
        ("instance", {"added": 1}),
        ("made", {"made": True}),
        ("plain", {"plain": True}),
        ("aplain", {"aplain": True}),
        ("partial", {"partial": 3}),
    ],
)
@pytest.mark.parametrize("module", ["", ".deep"])
def test_what_a_path_may_name(lab: Any, mylab: str, module: str, target: str, metric: dict[str, Any]) -> None:
    """A class without arguments, an instance, a decorated or a plain function, sync, async or partial."""
    lab.registry = lab.registry.allowing([mylab])
    result = lab.run({"name": "mine", "module": f"{mylab}{module}:{target}"})
    assert result.status == "completed", result.failure
    assert result.context.metrics == metric
    assert result.stages[0].name == "mine"


def test_an_import_path_beats_the_registry(lab: Any, mylab: str) -> None:
    """An entry that names its module means it, also where its name is registered."""
    lab.registry = lab.registry.allowing([mylab])
    result = lab.run({"name": "count", "module": f"{mylab}:Add", "options": {"by": 4}}, "count")
    assert result.context.metrics == {"added": 4, "n": 1}


@pytest.mark.parametrize("prefixes", [[], ["other"], ["{}.deep"], ["{}x"], ["{}."], [""]])
def test_a_path_outside_of_what_is_allowed_is_refused(lab: Any, mylab: str, prefixes: Any) -> None:
    """Nothing is imported, and the refusal says what the path is, what allows it and what is allowed now."""
    allowed = [prefix.format(mylab) for prefix in prefixes]
    lab.registry = lab.registry.allowing(allowed)
    result = lab.run({"name": "mine", "module": f"{mylab}:Add"})
    assert isinstance(result.error, SpecError)
    assert result.error.code == "import"
    message = result.failure.message
    assert message.startswith(f'"{mylab}:Add" is code to import')
    assert f'(allow_imports=["{mylab}"], or --allow-import {mylab})' in message
    assert f"allowed: {', '.join(allowed) or 'nothing'}. " in message
    assert "entry-point group crucible.stages needs no permission" in message


def test_a_prefix_ends_at_a_dot(lab: Any, mylab: str) -> None:
    """`mylab` allows `mylab` and `mylab.deep`, and neither `mylabx` nor what merely begins so."""
    registry = Registry(installed=False, allow_imports=[mylab])
    assert registry.resolve(StageDef(name="a", module=f"{mylab}.deep:Add")).name == "add"
    with pytest.raises(SpecError, match="is code to import"):
        registry.resolve(StageDef(name="a", module=f"{mylab}x:Add"))
    narrow = Registry(installed=False, allow_imports=[f"{mylab}.deep"])
    with pytest.raises(SpecError, match="is code to import"):
        narrow.resolve(StageDef(name="a", module=f"{mylab}:Add"))


def test_one_prefix_may_be_given_as_text(mylab: str) -> None:
    """A single string is one prefix, not a prefix for each of its letters."""
    assert Registry(installed=False, allow_imports=mylab).allow_imports == (mylab,)
    assert Registry(installed=False, allow_imports="a").allowing("bc").allow_imports == ("a", "bc")


@pytest.mark.parametrize("path", ["{}:os.system", "{}:os", "{}:functools.partial", "{}.deep:os.path.join"])
def test_a_path_does_not_go_on_through_other_modules(mylab: str, path: str) -> None:
    """What an allowed module has imported is not allowed with it."""
    registry = Registry(installed=False, allow_imports=[mylab])
    with pytest.raises(SpecError, match="goes on through the module (os|functools)") as caught:
        registry.resolve(StageDef(name="a", module=path.format(mylab)))
    assert caught.value.code == "import"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("{}:Nothing", "cannot be imported"),
        ("{}.nowhere:Add", "cannot be imported: No module named"),
        ("{}.broken:Add", "cannot be imported: division by zero"),
        ("{}_ends:Add", "cannot be imported: 3"),
        ("{}:Needs", "cannot be made"),
        ("{}:number", "is a int without name, Options, run and describe"),
        ("{}:Box", "is a Box without name, Options, run and describe"),
    ],
)
def test_what_cannot_be_used_is_named(lab: Any, mylab: str, path: str, words: str) -> None:
    """A path that leads to no stage, or to code that fails or ends the process, is a failure of the entry."""
    lab.registry = lab.registry.allowing([mylab, f"{mylab}_ends"])
    result = lab.run({"name": "mine", "module": path.format(mylab)})
    assert isinstance(result.error, ContractError)
    assert f'stage "mine" ({path.format(mylab)})' in result.failure.message
    assert words in result.failure.message


def test_a_function_has_the_name_of_each_entry(mylab: str) -> None:
    """Two entries that name one plain function are each called by their own name; one entry's stage is made once."""
    registry = Registry(installed=False, allow_imports=[mylab])
    first, second = (registry.resolve(StageDef(name=name, module=f"{mylab}:plain")) for name in "ab")
    assert (first.name, second.name) == ("a", "b")
    assert registry.resolve(StageDef(name="a", module=f"{mylab}:plain")) is first


def test_what_is_loaded_is_known(lab: Any, mylab: str) -> None:
    """A stage is loaded once it was resolved; a fallback counts, a disabled entry does not."""
    registry = lab.registry.allowing([mylab])
    mine = {"name": "mine", "module": f"{mylab}:Add"}
    entries = lab.experiment("count", mine, {**mine, "enabled": False}, {"name": "count", "fallback": mine}).pipeline
    assert [registry.has_loaded(entry) for entry in entries] == [True, False, True, False]
    registry.resolve(entries[1])
    assert [registry.has_loaded(entry) for entry in entries] == [True] * 4
    assert not Registry().has_loaded(lab.experiment("validate").pipeline[0])


def test_modules_are_imported_on_a_thread(lab: Any, mylab: str, tmp_path: Path) -> None:
    """An import that takes its time does not block the event loop that the run is started in."""
    (tmp_path / mylab / "slow.py").write_text("import threading\nWHERE = threading.get_ident()\n" + MYLAB)
    lab.registry = lab.registry.allowing([mylab])
    assert lab.run({"name": "mine", "module": f"{mylab}.slow:Add"}).status == "completed"
    slow = importlib.import_module(f"{mylab}.slow")
    assert threading.get_ident() != slow.WHERE


def test_allowing_leaves_the_registry_as_it_is(lab: Any, mylab: str) -> None:
    """A wider registry knows the same stages; the narrow one stays narrow."""
    wider = lab.registry.allowing([mylab])
    assert wider.names() == lab.registry.names() == ["boom", "count", "later", "lost"]
    assert lab.registry.allow_imports == ()


def test_entry_points_that_are_no_stages_are_named(monkeypatch: pytest.MonkeyPatch, mylab: str) -> None:
    """An entry point that cannot be imported, ends the process or is no stage is an error of its own."""
    offers = [
        EntryPoint("broken", "no_such_module_here:X", "crucible.stages"),
        EntryPoint("ends", f"{mylab}_ends:X", "crucible.stages"),
        EntryPoint("number", "math:pi", "crucible.stages"),
        EntryPoint("good", f"{mylab}:plain", "crucible.stages"),
    ]
    monkeypatch.setattr("crucible.pipeline.registry.entry_points", lambda group: offers)
    registry = Registry()
    assert registry.names() == ["broken", "ends", "good", "number"]
    for name in ("broken", "ends"):
        with pytest.raises(ContractError, match="cannot be imported"):
            registry.get(name)
    with pytest.raises(ContractError, match="without name, Options, run and describe"):
        registry.get("number")
    assert registry.get("good") is registry.get("good")
    assert registry.allowing([]).get("good").name == "good"


def test_an_unknown_name_has_a_hint_or_the_list() -> None:
    """A slip of the pen is answered with the name that was meant, anything else with what there is."""
    registry = Registry(
        *(stage(name)(lambda context, options: context) for name in ("count", "train")), installed=False
    )
    with pytest.raises(SpecError, match='unknown stage "trian"; did you mean "train"'):
        registry.get("trian")
    with pytest.raises(SpecError, match='unknown stage "zzz"; known: count, train') as caught:
        registry.get("zzz")
    assert caught.value.code == "unknown_stage"


def test_registering_replaces_and_renames() -> None:
    """A later stage replaces an earlier one of its name; another name may be given; a class is made."""

    class Named(StageBase):
        """Do nothing."""

        name: ClassVar[str] = "named"

        def run(self, context: Any, options: Any) -> Any:
            """Do nothing."""

    registry = Registry(installed=False)
    registry.register(Named)  # type: ignore[arg-type]
    assert isinstance(registry.get("named"), Named)
    other = Named()
    registry.register(other)
    registry.register(other, name="alias")
    assert registry.get("named") is registry.get("alias") is other
    assert registry.names() == ["alias", "named"]


def test_a_stage_without_a_name_is_refused() -> None:
    """A forgotten `name` is found when the stage is registered, unless it is given one there."""

    class Nameless(StageBase):
        """Do nothing."""

        def run(self, context: Any, options: Any) -> Any:
            """Do nothing."""

    with pytest.raises(ContractError, match="the stage Nameless has no name"):
        Registry(Nameless(), installed=False)
    registry = Registry(installed=False)
    registry.register(Nameless(), name="given")
    assert registry.names() == ["given"]
    with pytest.raises(ContractError, match="without name, Options, run and describe"):
        registry.register(7)  # type: ignore[arg-type]


def test_the_current_registry_is_that_of_the_run(lab: Any) -> None:
    """A stage that looks stages up finds those of its run; outside of one, the installed ones."""
    seen: list[list[str]] = []

    @lab.stage
    def look(context: Any, options: Any) -> Any:
        seen.append(current_registry().names())
        return context

    lab.run("look")
    assert seen == [lab.registry.names()]
    assert "validate" in current_registry().names()
    with using(lab.registry):
        assert current_registry() is lab.registry


def test_a_decorated_partial_is_a_stage() -> None:
    """`stage` takes any callable, also one without a name of its own."""
    made = stage("three")(functools.partial(lambda by, context, options: context, 3))
    assert (made.name, type(made).__name__) == ("three", "three")
