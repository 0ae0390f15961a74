from collections.abc import Callable

from benchmarks import chain


def build(stages: int) -> Callable[[], int]:
    from pipefunc import PipeFunc, Pipeline

    functions = [PipeFunc(chain.same, f"s{i + 1}", renames={"value": f"s{i}"}) for i in range(stages)]
    built, last = Pipeline(functions), f"s{stages}"
    return lambda: built.run(last, kwargs={"s0": 1})


if __name__ == "__main__":
    chain.report("pipefunc", build, "Pipeline.run, sequential; no record")
