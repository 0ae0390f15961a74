from collections.abc import Callable

from benchmarks import chain


def build(stages: int) -> Callable[[], int]:
    from hamilton import ad_hoc_utils, base, driver

    source = "\n".join(f"def s{i + 1}(s{i}: int) -> int:\n    return s{i}\n" for i in range(stages))
    names: dict[str, object] = {}
    exec(source, names)  # parameters are named after the stage before, as hamilton wants
    module = ad_hoc_utils.create_temporary_module(*(names[f"s{i + 1}"] for i in range(stages)), module_name="chain")
    built = driver.Builder().with_modules(module).with_adapters(base.DictResult()).build()
    last = f"s{stages}"
    return lambda: built.execute([last], inputs={"s0": 1})[last]


if __name__ == "__main__":
    chain.report("sf-hamilton", build, "driver with dict result; no record")
