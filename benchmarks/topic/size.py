"""Lines of the layer that must stay thin: `crucible.pipeline`."""

import ast
import importlib.util
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

from benchmarks.clock import Figure, counted
from benchmarks.topic import Scale

PEERS = ()
AGAINST: dict[str, tuple[str, ...]] = {}
ROUNDS = 1

_NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def measure(scale: Scale) -> Iterator[Figure]:  # noqa: ARG001  # the same for every topic
    """Yield files, lines, and lines that hold code."""
    found = importlib.util.find_spec("crucible.pipeline")
    assert found is not None
    assert found.origin is not None
    texts = [path.read_text(encoding="utf-8") for path in sorted(Path(found.origin).parent.glob("*.py"))]
    lines = [len(text.splitlines()) for text in texts]
    yield counted("files of `crucible.pipeline`", len(texts))
    yield counted("lines", sum(lines))
    yield counted("lines of the longest file", max(lines))
    yield counted("lines of code: without blank lines, comments and docstrings", sum(map(code_lines, texts)))


def code_lines(text: str) -> int:
    """Return how many lines of a module hold code: not blank, not only comment, not docstring."""
    documented: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.body:
            first = node.body[0]
            is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            if is_text and isinstance(first.value.value, str):
                documented.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NO_CODE:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code - documented)
