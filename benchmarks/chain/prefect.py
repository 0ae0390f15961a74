from collections.abc import Callable

from benchmarks import chain


def build(stages: int) -> Callable[[], int]:
    from prefect import flow, task

    same = task(chain.same)

    @flow
    def linked(value: int) -> int:
        for _ in range(stages):
            value = same(value)
        return value

    return lambda: linked(1)


if __name__ == "__main__":
    chain.report("prefect", build, "a flow of tasks, ephemeral local API server with SQLite: durable")
