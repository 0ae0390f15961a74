"""What a caller may say of a run beside its document; one list for `run`, `arun`, `resume` and `aresume`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypedDict, cast

from crucible.ir import did_you_mean
from crucible.pipeline import Middleware, OptionsMode, Registry
from crucible.store import shown_location

__all__ = ["ResumeOptions", "RunOptions", "flags_of", "require_known"]


class ResumeOptions(TypedDict, total=False):
    """What may be said when a run is resumed, and when it starts.

    Args:
        store: Folder or database URL; default: `CRUCIBLE_STORE`, or `.crucible` in the working directory.
        registry: Where stages are found; default: the installed ones.
        allow_imports: Packages and modules whose code a stage's `module` may name; default: none.
        middleware: Objects around every attempt at a stage.
        validate_options: What a mistake in a stage's options does: `error` (the default) refuses the document, `warn`
            logs it, `off` does not look.
        trace: Whether to keep why things were done; default: true.
        seal: Whether each event of the trace is hashed with those before it, so that `crucible trace verify` finds what
            was tampered with; default: false. A run that was sealed goes on so.
        sign_with: A private Ed25519 key as PEM, with which the end of the trace is signed; it is sealed, too.
        max_parallel: How many branches of the pipeline are carried out at once, at least 1; default: 16.
    """

    store: str | Path | None
    registry: Registry | None
    allow_imports: Iterable[str]
    middleware: Iterable[Middleware]
    validate_options: OptionsMode
    trace: bool
    seal: bool
    sign_with: str | Path | None
    max_parallel: int


class RunOptions(ResumeOptions, total=False):
    """What may be said when a run starts.

    Args:
        run_id: Id of the run; default: a new one.
        persist: Whether to keep the run in a store; false: nothing is kept but the files of its workspace, which is a
            temporary folder. Default: true.
        assigns: Values that the stages find in the context.
        source: The file that the document was read from, for the record.
        command: The command that repeats the run, for the record.
    """

    run_id: str | None
    persist: bool
    assigns: Mapping[str, Any]
    source: str | None
    command: str | None


def flags_of(options: ResumeOptions) -> list[str]:
    """Return the options as `crucible run` and `crucible resume` take them, for a command that can be typed as it is.

    A password in the store's URL is left out: the command is kept with the run and printed in its reports.
    """
    flags = [part for package in options.get("allow_imports", ()) for part in ("--allow-import", package)]
    if not options.get("trace", True):
        flags.append("--no-trace")
    if options.get("seal"):
        flags.append("--seal")
    if (key := options.get("sign_with")) is not None:
        flags += ["--sign-with", str(key)]
    if "max_parallel" in options:
        flags += ["--max-parallel", str(options["max_parallel"])]
    store = options.get("store")
    return flags if store is None else [*flags, "--store", shown_location(store)]


def require_known(given: Mapping[str, Any], kind: type[ResumeOptions]) -> None:
    """Refuse a misspelt option, which a `**options` would take in silence, and one of the wrong kind.

    Raises:
        TypeError: One of them is not an option, or `assigns` is not a mapping.
    """
    known = [*ResumeOptions.__annotations__, *kind.__annotations__]
    for name in given:
        if name not in known:
            raise TypeError(
                f'unknown option "{name}"{did_you_mean(name, known)}; known: {", ".join(sorted(set(known)))}'
            )
    assigns: Any = given.get("assigns", {})
    if not isinstance(assigns, Mapping):
        raise TypeError(f"assigns must be a mapping of names to values, got {type(assigns).__name__}: {assigns!r:.100}")
    for name in cast("Mapping[Any, Any]", assigns):
        if not isinstance(name, str):
            raise TypeError(f"assigns must have strings for names, got {type(name).__name__}: {name!r:.100}")
