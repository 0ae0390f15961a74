from collections.abc import Callable

from benchmarks import chain


def build(stages: int) -> Callable[[], int]:
    from dagster import DagsterInstance, In, job, op

    @op
    def start() -> int:
        return 1

    @op(ins={"value": In(int)})
    def same(value: int) -> int:
        return chain.same(value)

    @job
    def linked() -> None:
        value = start()
        for index in range(stages - 1):
            value = same.alias(f"s{index + 1}")(value)

    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    last = f"s{stages - 1}"

    def run() -> int:
        with DagsterInstance.ephemeral() as instance:
            return linked.execute_in_process(run_config=quiet, instance=instance).output_for_node(last)

    return run


if __name__ == "__main__":
    note = "execute_in_process, ephemeral instance: event log in memory; console log at CRITICAL"
    chain.report("dagster", build, note)
