from collections.abc import Callable

from benchmarks import chain


def build(stages: int) -> Callable[[], int]:
    functions = [chain.same] * stages

    def run() -> int:
        value = 1
        for function in functions:
            value = function(value)
        return value

    return run


if __name__ == "__main__":
    chain.report("", build, "a list of functions: no record, no names")
