"""A program for an environment that has inspect_ai: it evaluates a scripted task and writes its logs.

Arguments: folder. Prints, as JSON, each log's place and the figures that Inspect itself computed.
"""

import json
import random
import sys

from inspect_ai import Task
from inspect_ai import eval as evaluate
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import ProvenanceData, invalidate_samples, read_eval_log, write_eval_log
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import CORRECT, INCORRECT, NOANSWER, PARTIAL, Score, accuracy, match, mean, scorer
from inspect_ai.solver import solver

ITEMS, EPOCHS = 20, 3


@scorer(metrics={"*": [mean()]})
def parts():
    """Return a scorer of two scores at once."""

    async def score(state, target):
        return Score(value={"fluency": 0.25 * (int(state.sample_id) % 4), "right": state.output.completion != "7"})

    return score


@scorer(metrics=[accuracy()])
def letters():
    """Return a scorer of all four letters, and of none for one sample."""

    async def score(state, target):
        if state.sample_id == "5":
            return Score.unscored()
        return Score(value=[CORRECT, INCORRECT, PARTIAL, NOANSWER][int(state.sample_id) % 4])

    return score


@solver
def answering(name, chance):
    """Return a solver that is right with a chance, and fails once."""

    async def solve(state, generate):
        if state.sample_id == "3" and state.epoch == 1:
            raise RuntimeError("the sandbox went away")
        is_right = random.Random(f"{name} {state.sample_id} {state.epoch}").random() < chance
        answer = str(2 * int(state.sample_id)) if is_right else "7"
        state.output = ModelOutput.from_content("mockllm/model", answer)
        return state

    return solve


def main(folder):
    """Evaluate, write the logs, and tell Inspect's own figures."""
    dataset = [
        Sample(input=f"What is {i}+{i}?", target=str(2 * i), id=str(i), metadata={"subject": f"s{i % 5}"})
        for i in range(1, ITEMS + 1)
    ]
    written = []
    for name, chance in (("base", 0.4), ("tuned", 0.7)):
        for form in ("eval", "json"):
            task = Task(
                dataset=MemoryDataset(dataset, name="sums"),
                solver=answering(name, chance),
                scorer=[match(), letters(), parts()],
                epochs=EPOCHS,
                name="sums",
                fail_on_error=False,
            )
            place = f"{folder}/{name}-{form}"
            (log,) = evaluate(task, model="mockllm/model", log_dir=place, log_format=form, display="none")
            figures = {score.name: {k: m.value for k, m in score.metrics.items()} for score in log.results.scores}
            written.append({"name": name, "form": form, "path": log.location, "figures": figures})
    whole = read_eval_log(written[0]["path"])
    taken = [sample.uuid for sample in whole.samples if sample.id == "8"]
    changed = invalidate_samples(whole, taken, ProvenanceData(author="ada", reason="wrong key"))
    place = f"{folder}/taken-back.eval"
    write_eval_log(changed, place)
    written.append({"name": "taken", "form": "eval", "path": place, "figures": {}})
    sys.stdout.write(json.dumps(written) + "\n")


main(sys.argv[1])
