"""What the word after a fence's marks says: whether it names a programming language."""

from __future__ import annotations

import re

__all__ = ["is_markup", "is_programming"]

_MARKUP = frozenset(
    [
        *("xml", "html", "xhtml", "sgml", "markdown", "md", "mdx", "text", "txt", "plain", "plaintext", "none"),
        *("event", "events", "trace", "traces", "log", "output"),
    ]
)
_PROGRAMMING = frozenset(
    [
        *("python", "py", "python3", "py3", "pycon", "ipython", "cython", "pyx", "pyi", "starlark", "jupyter"),
        *("javascript", "js", "mjs", "cjs", "jsx", "typescript", "ts", "tsx", "node", "coffeescript", "coffee"),
        *("java", "kotlin", "kt", "kts", "scala", "groovy", "gradle", "clojure", "clj", "cljs"),
        *("c", "h", "cpp", "c++", "cc", "cxx", "hpp", "objective-c", "objc", "objectivec", "cuda", "cu", "opencl"),
        *("csharp", "cs", "c#", "fsharp", "fs", "f#", "vb", "vbnet", "visualbasic", "razor", "cshtml"),
        *("go", "golang", "rust", "rs", "zig", "nim", "d", "v", "swift", "dart", "ruby", "rb", "erb", "crystal"),
        *("perl", "pl", "perl6", "raku", "php", "lua", "luau", "tcl", "r", "julia", "jl", "matlab", "octave", "sas"),
        *("bash", "sh", "shell", "zsh", "fish", "ksh", "console", "shell-session", "shellsession", "sh-session"),
        *("powershell", "ps1", "pwsh", "bat", "batch", "cmd", "awk", "sed", "make", "makefile", "cmake", "dockerfile"),
        *("docker", "hcl", "terraform", "tf", "nix", "puppet", "jinja", "jinja2", "twig", "handlebars", "liquid"),
        *("haskell", "hs", "elm", "purescript", "ocaml", "ml", "reason", "erlang", "erl", "elixir", "ex", "exs"),
        *("lisp", "common-lisp", "elisp", "emacs-lisp", "scheme", "racket", "prolog", "fortran", "f90", "cobol"),
        *("pascal", "delphi", "ada", "assembly", "asm", "nasm", "llvm", "wasm", "wat", "solidity", "sol", "vyper"),
        *("sql", "mysql", "postgresql", "postgres", "plsql", "tsql", "sqlite", "graphql", "gql", "cypher", "sparql"),
        *("vue", "svelte", "astro", "angular", "glsl", "hlsl", "wgsl", "metal", "vhdl", "verilog", "systemverilog"),
        *(
            "mojo",
            "triton",
            "applescript",
            "autohotkey",
            "vim",
            "viml",
            "vimscript",
            "gdscript",
            "haxe",
            "actionscript",
        ),
        *("diff", "patch", "regex", "css", "scss", "sass", "less", "stylus", "proto", "protobuf", "thrift"),
    ]
)
_PARTS = re.compile(r"[-_/.]")


def is_programming(language: str) -> bool:
    """Return whether a word, in lower case, names a programming language."""
    return language in _PROGRAMMING


def is_markup(language: str) -> bool:
    """Return whether a word, in lower case, or a part of it, names what may hold events, as in `xml-trace`."""
    return not language or (language not in _PROGRAMMING and not _MARKUP.isdisjoint(_PARTS.split(language)))
