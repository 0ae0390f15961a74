"""The same LoRA adapter trained on the same batches from the same first weights, each case in a process of its own.

Run with the peer's own interpreter. Models are Llamas with random weights; AdamW, gradients clipped at 1, loss per
trained token; a rate is of real tokens, never of padding. The last loss says that all sides did the same.
Ragged batches have the lengths of GSM8K's problems and answers, of which only the answers are trained on; the words
come from `BENCH_DATA/gsm8k/train.jsonl`, or else from a log-normal distribution with the same quartiles, and the notes
say which.
"""

import dataclasses
import functools
import itertools
import json
import math
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.clock import RATE, Figure

RATE_LR, ALPHA, SEED = 1e-3, 32.0, 0
PIECE = re.compile(r"[A-Za-z]+|\d|[^\w\s]")  # about what a byte-pair vocabulary makes of English and sums


@dataclasses.dataclass(frozen=True)
class Model:
    """A Llama's shape.

    Args:
        name: About how many parameters it has.
        vocabulary: Entries of the vocabulary.
        hidden: Width of the stream.
        inner: Width of the MLP.
        layers: How many layers.
        heads: Attention heads.
        steps: Steps of one measurement, the first two not timed.
    """

    name: str
    vocabulary: int
    hidden: int
    inner: int
    layers: int
    heads: int
    steps: int


MODELS = {
    model.name: model
    for model in (
        Model("0.3 M", 2048, 64, 176, 2, 4, 40),
        Model("6 M", 4096, 256, 688, 5, 8, 8),
        Model("60 M", 16384, 512, 1408, 13, 8, 4),
    )
}


@dataclasses.dataclass(frozen=True)
class Case:
    """What is measured in one process.

    Args:
        model: Name of the model.
        kind: `ragged` or `fixed`.
        threads: Of PyTorch; 0: as the side chooses.
        is_busy: Whether every core has a process beside it that spins.
    """

    model: str
    kind: str
    threads: int = 0
    is_busy: bool = False

    @property
    def rows(self) -> int:
        """Sequences of a batch."""
        return 8 if self.rank == 8 else 16

    @property
    def rank(self) -> int:
        """Rank of the adapter."""
        return 8 if (self.model, self.kind) == ("0.3 M", "fixed") else 16

    @property
    def title(self) -> str:
        """How the figures of this case begin."""
        shape = "ragged batches of 16" if self.kind == "ragged" else f"{self.rows} x 128 tokens"
        threads = {0: "", 1: ", 1 thread"}.get(self.threads, f", {self.threads} threads")
        return f"{self.model}, {shape}, rank {self.rank}{threads}{', beside a busy machine' * self.is_busy}"

    @property
    def rate(self) -> str:
        """Name of the figure of speed."""
        return f"{self.title}: tokens"

    @property
    def thrift(self) -> str:
        """Name of the figure of speed that other work on the machine disturbs least."""
        return f"{self.title}: tokens in a second of CPU time"

    @property
    def peak(self) -> str:
        """Name of the figure of memory."""
        return f"{self.title}: peak memory of the process"

    @property
    def loss(self) -> str:
        """Name of the figure that says that all sides did the same."""
        return f"{self.title}: loss of step {MODELS[self.model].steps}"


CASES = (
    Case("0.3 M", "ragged"),
    Case("0.3 M", "fixed"),
    Case("0.3 M", "fixed", threads=1),
    Case("0.3 M", "fixed", is_busy=True),
    Case("6 M", "ragged"),
    Case("6 M", "fixed"),
    Case("60 M", "ragged"),
    Case("60 M", "fixed"),
)


@dataclasses.dataclass(frozen=True)
class Example:
    """One sequence.

    Args:
        tokens: Its tokens.
        prompt: How many of them are not trained on, at least 1.
    """

    tokens: list[int]
    prompt: int


def batches(case: Case) -> list[list[Example]]:
    """Return the batches of a case, one a step."""
    steps, vocabulary = MODELS[case.model].steps, MODELS[case.model].vocabulary
    if case.kind == "fixed":
        draw = random.Random(SEED)
        return [
            [Example([draw.randrange(3, vocabulary) for _ in range(129)], 1) for _ in range(case.rows)]
            for _ in range(steps)
        ]
    found = [Example([word % (vocabulary - 3) + 3 for word in words], prompt) for words, prompt in _problems()]
    return [[found[(step * 16 + row) % len(found)] for row in range(16)] for step in range(steps)]


@functools.cache
def _problems() -> list[tuple[list[int], int]]:
    """Return the words of a thousand problems with their answers, as numbers, and how long each problem is."""
    file = Path(os.environ.get("BENCH_DATA", "")) / "gsm8k" / "train.jsonl"
    if not file.is_file():
        draw = random.Random(SEED)
        lengths = [(_drawn(draw, 51, 0.39), _drawn(draw, 112, 0.52)) for _ in range(1000)]
        return [([draw.getrandbits(32) for _ in range(sum(pair))], pair[0]) for pair in lengths]
    found: list[tuple[list[int], int]] = []
    for line in file.read_text(encoding="utf-8").splitlines()[:1000]:
        record = json.loads(line)
        problem, answer = (PIECE.findall(record[name]) for name in ("question", "answer"))
        found.append(([zlib.crc32(word.encode()) for word in problem + answer], len(problem)))
    return found


def _drawn(draw: random.Random, median: float, spread: float) -> int:
    return min(240, max(8, round(draw.lognormvariate(math.log(median), spread))))


def source() -> str:
    """Say where the lengths of the ragged batches come from."""
    is_real = (Path(os.environ.get("BENCH_DATA", "")) / "gsm8k" / "train.jsonl").is_file()
    return "GSM8K" if is_real else "made-up lengths like GSM8K's"


def save_model(name: str, folder: Path) -> Path:
    """Write a model with random weights, and a tokenizer of numbers, to a folder: the same bits on every side."""
    import torch
    from tokenizers import Tokenizer, models
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    shape = MODELS[name]
    torch.manual_seed(SEED)
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        max_position_embeddings=1024,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    words = {"<pad>": 0, "</s>": 1, "<unk>": 2} | {str(number): number for number in range(3, shape.vocabulary)}
    core = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    return folder


def draw_first_weights(model: object) -> None:
    """Give PEFT's layers the first weights that Crucible gives them for seed 0."""
    import torch
    from peft.tuners.lora import LoraLayer

    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for module in model.modules():  # type: ignore[attr-defined]
            if isinstance(module, LoraLayer):
                weight = module.lora_A["default"].weight
                first = torch.empty(weight.shape)
                torch.nn.init.kaiming_uniform_(first, a=math.sqrt(5), generator=generator)
                weight.copy_(first)
                module.lora_B["default"].weight.zero_()


def peak_bytes() -> int:
    """Return the largest resident size that this process ever had."""
    factor = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * factor


@dataclasses.dataclass
class Measured:
    """What one training came to.

    Args:
        taken_ns: Each timed step's duration.
        cpu_ns: The process's CPU time in each of them.
        loss: Of the last step, per trained token.
    """

    taken_ns: list[float]
    cpu_ns: list[float]
    loss: float


class Stopwatch:
    """Splits time into steps; what comes before the first `split` and in the two steps after it is not counted."""

    def __init__(self) -> None:
        self._splits: list[tuple[int, int]] = []

    def split(self) -> None:
        """Begin a step, and end the one before it."""
        self._splits.append((time.perf_counter_ns(), time.process_time_ns()))

    def measured(self, loss: float) -> Measured:
        """Return the steps' durations and CPU times."""
        pairs = list(itertools.pairwise(self._splits))[2:]
        taken, cpu = ([float(end[kind] - start[kind]) for start, end in pairs] for kind in (0, 1))
        return Measured(taken, cpu, loss)


def report(case: Case, measured: Measured, *, version: str, note: str = "") -> None:
    """Print the figures of a case."""
    counts = [sum(len(example.tokens) - 1 for example in batch) for batch in batches(case)][-len(measured.taken_ns) :]
    said = "; ".join(filter(None, [note, source() if case.kind == "ragged" else ""]))
    for name, durations in ((case.rate, measured.taken_ns), (case.thrift, measured.cpu_ns)):
        rates = [count / taken * 1e9 for count, taken in zip(counts, durations, strict=True)]
        Figure(name, RATE, statistics.median(rates), min(rates), max(rates), len(rates), version, said).report()
    peak = peak_bytes() / 1e6
    Figure(case.peak, "MB", peak, peak, peak, 1, version, said).report()
    Figure(case.loss, "", measured.loss, measured.loss, measured.loss, 1, version, said).report()


def chosen_cases() -> Sequence[Case]:
    """Return the cases that `BENCH_TRAIN` names by the begin of their titles, separated by `;`; all without it.

    `BENCH_THREADS` sets the threads of those that leave them to the side.
    """
    wanted = [part.strip() for part in os.environ.get("BENCH_TRAIN", "").split(";") if part.strip()]
    return [case for case in CASES if not wanted or any(case.title.startswith(part) for part in wanted)]


def side(module: str, train: Callable[[Case, Path], None], arguments: Sequence[str]) -> None:
    """Measure every case in a process of its own, or the one that the arguments name.

    Args:
        module: The side's module.
        train: Builds, trains and reports one case, with a model in the given folder.
        arguments: Empty, or the number of a case.
    """
    if arguments:
        case = CASES[int(arguments[0])]
        with tempfile.TemporaryDirectory() as folder:
            train(case, save_model(case.model, Path(folder) / "model"))
        return
    for case in chosen_cases():
        print(measured(module, case), end="", flush=True)


def measured(module: str, case: Case) -> str:
    """Return what a side prints of one case, measured in a process of its own.

    Raises:
        SystemExit: The process failed; its last lines are on the error stream.
    """
    command = [sys.executable, "-m", module, str(CASES.index(case))]
    threads = case.threads or int(os.environ.get("BENCH_THREADS", "0"))
    settings = {**os.environ, "OMP_NUM_THREADS": str(threads)} if threads else dict(os.environ)
    spinning = [sys.executable, "-c", "while True: pass"]
    beside = [subprocess.Popen(spinning) for _ in range(os.cpu_count() or 1)] if case.is_busy else []
    try:
        done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    finally:
        for process in beside:
            process.kill()
            process.wait()
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        raise SystemExit(done.returncode)
    return done.stdout
