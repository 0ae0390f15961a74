from typing import Any, Literal

import cattrs
from attrs import field, frozen
from attrs.validators import and_, ge, gt, instance_of, le, lt, matches_re, min_len, optional
from cattrs.preconf.json import make_converter

from benchmarks import document


@frozen
class Retry:
    attempts: int = field(validator=and_(ge(1), le(1000)))
    wait_initial_s: float = field(validator=and_(ge(0), le(86_400)))
    wait_max_s: float = field(validator=and_(ge(0), le(86_400)))
    errors: tuple[str, ...] | None = field(validator=optional(min_len(1)))


@frozen
class Stage:
    name: str = field(validator=min_len(1))
    id: str | None
    needs: tuple[str, ...] | None
    enabled: bool
    timeout_s: float | None = field(validator=optional(and_(gt(0), le(31_536_000))))
    retry: Retry | None
    on_error: Literal["halt", "skip", "continue", "fallback"]
    options: dict[str, Any] | None = field(validator=optional(instance_of(dict)))


@frozen
class Backend:
    id: str = field(validator=min_len(1))
    profile: str
    options: dict[str, Any] | None


@frozen
class Dataset:
    name: str = field(validator=min_len(1))
    provider: str
    split: str
    options: dict[str, Any] | None


@frozen
class Stats:
    tests: tuple[str, ...]
    alpha: float = field(validator=and_(gt(0), lt(1)))
    bootstrap_iterations: int | None = field(validator=optional(ge(1)))


@frozen
class Reliability:
    stats: Stats | None


@frozen
class Output:
    name: str = field(validator=matches_re(r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$"))
    formats: tuple[str, ...]
    sink: str


@frozen
class Experiment:
    schema_version: Literal[1]
    id: str = field(validator=min_len(1))
    description: str | None
    owner: str | None
    tags: tuple[str, ...] | None
    experiment_type: str | None
    backend: Backend
    dataset: Dataset | None
    reliability: Reliability | None
    outputs: tuple[Output, ...] | None
    pipeline: tuple[Stage, ...] = field(validator=min_len(1))


def explained(decode: Any) -> Any:
    """Return a decoder whose error names the paths, as cattrs words them when asked."""

    def run(source: str) -> Experiment:
        try:
            return decode(source, Experiment)
        except cattrs.BaseValidationError as error:
            raise ValueError(str(cattrs.transform_error(error))) from None

    return run


if __name__ == "__main__":
    converter = make_converter(forbid_extra_keys=True)
    note = "coerces: numbers and words are converted, not checked"
    document.report("cattrs", explained(converter.loads), converter.dumps, note)
