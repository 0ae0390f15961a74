from collections.abc import Callable

from benchmarks import chain


def build(stages: int) -> Callable[[], int]:
    from dask import delayed

    def run() -> int:
        value = 1
        for _ in range(stages):
            value = delayed(chain.same)(value)
        return value.compute(scheduler="sync")

    return run


if __name__ == "__main__":
    chain.report("dask", build, "delayed chain, sync scheduler, graph built in each run; no record")
