"""One error tree: its docstring is true, every error is also a standard one, and every error survives pickling."""

from __future__ import annotations

import importlib
import pickle
import pkgutil
import re
from typing import Any

import pytest

import crucible
from crucible import errors

LINE = re.compile(r"^ {4}(?P<indent>[ │]*)[├└]── (?P<name>\w+)(?:\((?P<stdlib>\w+)\))?(?P<rest>.*)$")


def _all_errors() -> list[type[BaseException]]:
    found = [value for name in errors.__all__ if isinstance(value := getattr(errors, name), type)]
    return [value for value in found if not issubclass(value, Warning)]


def _written() -> dict[str, tuple[str, str | None, set[str]]]:
    """Read the docstring's tree: name -> (parent, standard base where one is written, attributes)."""
    tree: dict[str, tuple[str, str | None, set[str]]] = {}
    parents = {-1: "CrucibleError"}
    for line in (errors.__doc__ or "").splitlines():
        if found := LINE.match(line):
            depth = len(found["indent"]) // 4
            attributes = set(re.findall(r"(?<!\w)\.(\w+)", found["rest"]))
            tree[found["name"]] = (parents[depth - 1], found["stdlib"], attributes)
            parents[depth] = found["name"]
    return tree


def _real() -> dict[str, tuple[str, str | None]]:
    tree: dict[str, tuple[str, str | None]] = {}
    for error in _all_errors():
        if error in (errors.CrucibleError, errors.SpecErrors):
            continue
        ours = next(base for base in error.__bases__ if issubclass(base, errors.CrucibleError))
        standard = [base.__name__ for base in error.__bases__ if base.__module__ == "builtins"]
        tree[error.__name__] = (ours.__name__, standard[0] if standard else None)
    return tree


def test_the_docstring_is_the_tree() -> None:
    """The tree in the docstring of `crucible.errors` names every error, under its parent, with its standard base."""
    assert {name: (parent, standard) for name, (parent, standard, _) in _written().items()} == _real()


def test_every_error_is_a_standard_error() -> None:
    """Who catches `ValueError`, `OSError`, `RuntimeError` or `ImportError` catches ours too."""
    standard = (ValueError, OSError, RuntimeError, ImportError, ExceptionGroup)
    assert [error for error in _all_errors() if not issubclass(error, standard)] == [errors.CrucibleError]


def test_errors_live_in_one_file() -> None:
    """No room has a public error of its own."""
    for module in pkgutil.walk_packages(crucible.__path__, "crucible."):
        if not module.name.endswith("__main__") and ".migrations." not in module.name:  # scripts, not modules
            importlib.import_module(module.name)

    def below(error: type[BaseException]) -> set[type[BaseException]]:
        return {error}.union(*(below(child) for child in error.__subclasses__()))

    names = {f"{error.__module__}.{error.__qualname__}" for error in below(BaseException)}
    elsewhere = [name for name in names if name.startswith("crucible.") and not name.startswith("crucible.errors.")]
    assert [name for name in sorted(elsewhere) if "._" not in name] == []


EXAMPLES: list[tuple[type[BaseException], tuple[Any, ...], dict[str, Any]]] = [
    (errors.SpecError, ("expected integer",), {"path": "pipeline[2].options.rank", "code": "type"}),
    (errors.StageError, ("it failed",), {"run_id": "r1", "stage": "train"}),
    (errors.StageTimeout, ("too long",), {"run_id": "r1", "stage": "train", "is_stopped": False}),
    (errors.BackendError, ("no",), {"backend": "local", "attempts": 3, "is_retryable": True}),
    (errors.RateLimited, ("slower",), {"backend": "openai", "attempts": 2, "is_retryable": True}),
    (errors.BackendTimeout, ("late",), {"backend": "openai", "attempts": 2, "is_retryable": True}),
    (errors.BadResponse, ("odd",), {"backend": "openai", "attempts": 1, "is_retryable": False}),
    (errors.TrainError, ("stuck",), {"step": 7}),
    (errors.NonFiniteLoss, ("nan",), {"step": 7}),
    (errors.CheckpointError, ("torn",), {"step": None}),
    (errors.PromotionRefused, ("worse",), {"gates": ({"metric": "loss"},)}),
    (errors.MissingExtra, ("train",), {"feature": "torch"}),
]
_special = {kind for kind, _, _ in EXAMPLES} | {errors.SpecErrors}
EXAMPLES += [(kind, ("what came, what to do",), {}) for kind in _all_errors() if kind not in _special]


@pytest.mark.parametrize(("kind", "args", "keywords"), EXAMPLES, ids=[kind.__name__ for kind, _, _ in EXAMPLES])
def test_pickling_keeps_everything(kind: type[BaseException], args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
    """An error that crossed a process border has the same type, text and attributes, and still the written ones."""
    before = kind(*args, **keywords)
    after = pickle.loads(pickle.dumps(before))
    assert type(after) is kind
    assert (str(after), after.args, vars(after)) == (str(before), before.args, vars(before))
    attributes = set(keywords) - {"feature"}
    for name in attributes:
        assert getattr(after, name) == keywords[name]


def test_written_attributes_are_there() -> None:
    """An attribute that the tree promises is on the error and on every error below it."""
    made = {kind.__name__: kind(*args, **keywords) for kind, args, keywords in EXAMPLES}
    for name, (_, _, attributes) in _written().items():
        for kind, error in made.items():
            if name in {base.__name__ for base in type(error).__mro__}:
                assert all(hasattr(error, attribute) for attribute in attributes), f"{kind} lacks one of {attributes}"


def test_a_group_survives_pickling_and_splitting() -> None:
    """`SpecErrors` keeps its type and its problems through pickle and through `except*`."""
    problems = [errors.SpecError("x", path="id"), errors.SpecError("y", path="owner", code="type")]
    group = errors.SpecErrors("a.yaml", problems)
    after = pickle.loads(pickle.dumps(group))
    assert type(after) is errors.SpecErrors
    assert [vars(error) for error in after.exceptions] == [vars(error) for error in group.exceptions]
    kinds: list[type[BaseException]] = []
    try:
        raise group
    except* errors.SpecError as caught:
        kinds.append(type(caught))
    assert kinds == [errors.SpecErrors]
