import logging
from collections.abc import Callable

from benchmarks import chain


def build(stages: int) -> Callable[[], int]:
    from kedro.io import DataCatalog, MemoryDataset
    from kedro.pipeline import node, pipeline
    from kedro.runner import SequentialRunner

    logging.getLogger("kedro").setLevel(logging.WARNING)
    nodes = [node(chain.same, f"s{i}", f"s{i + 1}", name=f"n{i + 1}") for i in range(stages)]
    built, last, runner = pipeline(nodes), f"s{stages}", SequentialRunner()

    def run() -> int:
        catalog = DataCatalog({"s0": MemoryDataset(1)})
        return runner.run(built, catalog)[last].load()

    return run


if __name__ == "__main__":
    chain.report("kedro", build, "SequentialRunner, memory datasets, log at WARNING; no record")
