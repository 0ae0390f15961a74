"""Every module says truly what it offers, and everything it offers is documented."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import types
from pathlib import Path

import pytest

import crucible

ROOT = Path(crucible.__file__).parent
# Migrations are scripts that alembic runs, not modules that anybody imports.
FILES = sorted(path for path in ROOT.rglob("*.py") if not {"__pycache__", "migrations", "__main__.py"} & {*path.parts})


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _is_public(name: str) -> bool:
    return not name.startswith("_")


def _defined(tree: ast.Module) -> list[str]:
    """Return the public functions and classes that a file itself defines at its top level.

    A command of the command line is public there, not in Python.
    """
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and _is_public(node.name)
        and not any(re.search(r"\.(command|callback)\(", ast.unparse(each)) for each in node.decorator_list)
    ]


def _taken() -> dict[str, set[str]]:
    """Return the names that other files of the package take from each module: `from crucible.x import name`."""
    taken: dict[str, set[str]] = {}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("crucible."):
                taken.setdefault(node.module, set()).update(alias.name for alias in node.names)
    return taken


TAKEN = _taken()


def _from_crucible(tree: ast.Module) -> list[str]:
    """Return the public names that a package's `__init__` takes from Crucible's own modules to hand them on."""
    return [
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("crucible"))
        for alias in node.names
        if _is_public(alias.asname or alias.name)
    ]


modules = pytest.mark.parametrize("path", FILES, ids=[_module_name(path) for path in FILES])


@modules
def test_all_is_true(path: Path) -> None:
    """`__all__` lists what the file defines, hands on, or others take from it; once, and nothing that is not there."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    module = importlib.import_module(_module_name(path))
    defined = _defined(tree)
    listed = getattr(module, "__all__", None)
    if listed is None:
        assert not defined, f"no __all__, but public names: {defined}"
        return
    assert len(listed) == len(set(listed)), "a name is listed twice"
    missing = [name for name in listed if not hasattr(module, name)]
    assert not missing, f"__all__ lists what is not there: {missing}"
    handed_on = _from_crucible(tree) if path.name == "__init__.py" else []
    taken = [name for name in TAKEN.get(module.__name__, ()) if not inspect.ismodule(getattr(module, name, module))]
    unlisted = sorted({*defined, *handed_on, *taken} - set(listed))
    assert not unlisted, f"public, but not in __all__ (list it, or begin its name with _): {unlisted}"


@modules
def test_public_names_are_documented(path: Path) -> None:
    """A module, and every public class, function and method that it offers, has a docstring of its own."""
    name = _module_name(path)
    module = importlib.import_module(name)
    assert (module.__doc__ or "").strip(), "the module has no docstring"
    bare: list[str] = []
    for public in getattr(module, "__all__", ()):
        value = getattr(module, public)
        if getattr(value, "__module__", "").split(".")[0] != "crucible":
            continue
        if inspect.isfunction(value) and not value.__doc__:
            bare.append(public)
        elif inspect.isclass(value):
            if not value.__dict__.get("__doc__"):
                bare.append(public)
            bare += [f"{public}.{method}" for method in _bare_methods(value)]
    assert not bare, f"without a docstring: {bare}"


def _bare_methods(owner: type) -> list[str]:
    """Return the public methods and properties defined by a class of ours that say nothing of themselves.

    A method that overrides one of a base class may leave the saying to it.
    """
    bare: list[str] = []
    for name, value in vars(owner).items():
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if not _is_public(name) or not isinstance(function, types.FunctionType):
            continue
        if function.__module__ == owner.__module__ and not inspect.getdoc(getattr(owner, name)):
            bare.append(name)
    return bare


def test_docs_have_a_page_for_every_room() -> None:
    """The API reference has a page for each room, so that a new room cannot be left out of it."""
    docs = ROOT.parents[1] / "docs" / "api"
    if not docs.is_dir():
        pytest.skip("installed without its repository")
    rooms = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    rooms -= {"__init__", "__main__"}
    pages = {path.stem for path in docs.glob("*.md")} - {"index"}
    assert rooms <= pages, f"rooms without docs/api/<room>.md: {sorted(rooms - pages)}"
