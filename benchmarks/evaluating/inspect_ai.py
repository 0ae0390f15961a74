import tempfile
from importlib.metadata import version

from benchmarks import evaluating

if __name__ == "__main__":
    from inspect_ai import Task, eval  # noqa: A004
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.log import read_eval_log
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import match
    from inspect_ai.solver import generate

    def answer(messages, *_args):
        output = ModelOutput.from_content("mockllm/model", evaluating.answered(messages[-1].text))
        output.usage = ModelUsage(input_tokens=30, output_tokens=1)  # or it downloads a tokenizer to count them
        return output

    with tempfile.TemporaryDirectory() as folder:

        def evaluate() -> str:
            numbers = range(evaluating.QUESTIONS)
            samples = [Sample(id=i, input=evaluating.question(i), target=evaluating.answer(i)) for i in numbers]
            model = get_model("mockllm/model", custom_outputs=answer, memoize=False)
            task = Task(dataset=MemoryDataset(samples), solver=generate(), scorer=match(location="exact"))
            (log,) = eval(task, model=model, log_dir=folder, display="none", max_samples=10, log_level="error")
            if log.error is not None:
                raise SystemExit(log.error.message)
            return log.location

        def found(location: str) -> int:
            kept = read_eval_log(location).samples or []
            return sum(sample.scores["match"].value == "C" for sample in kept)

        evaluating.report(version("inspect-ai"), "mockllm, match scorer, max_samples=10, an .eval log", evaluate, found)
