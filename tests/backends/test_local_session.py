"""Sessions: Tinker's sums, PEFT's gradients, exact resume, and numbers that do not depend on company."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import peft
import pytest
import safetensors.torch
import torch
from torch.nn.functional import cross_entropy

from crucible.backends import AdamParams, LocalBackend, SamplingParams, Session, verify_checkpoint
from crucible.backends import checkpoint as checkpoint_module
from crucible.backends.checkpoint import FILES, write_checkpoint
from crucible.backends.local_base import LoadedBase
from crucible.backends.local_session import LocalSession
from crucible.errors import BackendError, CheckpointError, DataError, NonFiniteLoss, StoreError, TrainError
from crucible.ir import LoraConfig
from crucible.text import Datum, ModelInput

STEP = AdamParams(learning_rate=0.01, grad_clip_norm=1.0, weight_decay=0.01)


@pytest.fixture
def config(base_folder: Path) -> LoraConfig:
    """A small configuration with dropout."""
    return LoraConfig(base_model=str(base_folder), rank=4, dropout=0.2, seed=7)


@pytest.fixture
def session(config: LoraConfig, base: LoadedBase) -> Iterator[LocalSession]:
    """A fresh session; `base` keeps the model in memory between tests."""
    assert base.device == "cpu"
    with LocalBackend().start_session(config) as opened:
        yield opened


def plain(config: LoraConfig, base: LoadedBase, **changes: object) -> LocalSession:
    """A session without dropout unless told otherwise."""
    return LocalSession(config.model_copy(update={"dropout": 0.0, **changes}), base)


def weigh(datum: Datum, factor: float) -> Datum:
    """The same datum with its weights multiplied."""
    return Datum(datum.model_input, datum.target_tokens, tuple(weight * factor for weight in datum.weights))


def steps(session: Session, data: list[Datum], count: int) -> list[tuple[float, float]]:
    """Train and return (loss, gradient norm) of each step; two data a batch."""
    batches = itertools.cycle([data[i : i + 2] for i in range(0, len(data), 2)])
    requests = []
    for batch in itertools.islice(batches, count):
        requests.append((session.forward_backward(batch), session.optim_step(STEP)))
    return [(loss.result().loss, step.result().gradient_norm) for loss, step in requests]


def test_a_session_is_a_session(session: LocalSession) -> None:
    """It satisfies the protocol and knows its model."""
    assert isinstance(session, Session)
    assert session.window == 64
    assert session.device == "cpu"
    assert session.trainable_parameters == 4 * 2 * ((32 + 32) * 2 + (32 + 16) * 2 + (32 + 64) * 3)
    assert session.tokenizer.eos_id == 1


def test_the_loss_is_a_sum_over_tokens_and_data(config: LoraConfig, base: LoadedBase, data: list[Datum]) -> None:
    """Two data give the sum of both, weights scale it, and the loss is -sum of weight times logprob."""
    session = plain(config, base)
    one, two = (session.forward_backward([datum]).result() for datum in data[:2])
    both = session.forward_backward(data[:2]).result()
    assert both.loss == pytest.approx(one.loss + two.loss, rel=1e-5)
    assert both.loss == pytest.approx(
        -sum(
            w * lp
            for d, lps in zip(data, both.logprobs, strict=False)
            for w, lp in zip(d.weights, lps, strict=True)
            if w
        ),
        rel=1e-5,
    )
    tenfold = session.forward_backward([weigh(data[0], 10)]).result()
    assert tenfold.loss == pytest.approx(10 * one.loss, rel=1e-5)
    assert both.metrics["loss:sum"] == both.loss
    assert both.metrics["input_tokens:sum"] == len(data[0]) + len(data[1])
    assert both.metrics["weighted_tokens:sum"] == sum(w != 0 for d in data[:2] for w in d.weights)
    session.close()


def test_gradients_scale_with_weights_and_negative_ones_turn_them(
    config: LoraConfig, base: LoadedBase, data: list[Datum]
) -> None:
    """Tinker's table: twice the datum, ten times the weight, minus one: norm times 2, 10 and 1."""
    session = plain(config, base)
    still = AdamParams(learning_rate=0.0)

    def norm(batch: list[Datum]) -> float:
        session.forward_backward(batch)
        return session.optim_step(still).result().gradient_norm

    single = norm(data[:1])
    assert norm([data[0], data[0]]) == pytest.approx(2 * single, rel=1e-4)
    assert norm([weigh(data[0], 10)]) == pytest.approx(10 * single, rel=1e-4)
    assert norm([weigh(data[0], -1)]) == pytest.approx(single, rel=1e-4)
    assert norm([data[0], weigh(data[0], -1)]) == pytest.approx(0, abs=1e-3 * single)
    session.close()


def test_forward_gives_every_logprob_and_leaves_no_gradient(session: LocalSession, data: list[Datum]) -> None:
    """Forward fills all positions without dropout; forward_backward leaves None where the weight is 0."""
    one, two = session.forward(data).result(), session.forward(data).result()
    assert one.logprobs == two.logprobs
    assert all(len(found) == len(datum) and None not in found for found, datum in zip(one.logprobs, data, strict=True))
    trained = session.forward_backward(data).result()
    for found, datum in zip(trained.logprobs, data, strict=True):
        assert [value is None for value in found] == [weight == 0 for weight in datum.weights]
    assert trained.loss != one.loss  # dropout is on again
    session.optim_step(STEP).result()
    session.forward(data).result()
    with pytest.raises(TrainError, match="needs a forward_backward before it"):
        session.optim_step(STEP).result()


def test_forward_takes_weights_of_zero(session: LocalSession, data: list[Datum]) -> None:
    """Asking for logprobs alone needs no weights."""
    output = session.forward([weigh(data[0], 0.0)]).result()
    assert output.loss == 0
    assert len(output.logprobs[0]) == len(data[0])


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")  # PEFT 0.21 asks it of transformers 5
def test_gradients_equal_plain_peft(config: LoraConfig, base: LoadedBase, data: list[Datum]) -> None:
    """The adapter's gradients and loss equal those of a plain transformers + PEFT loop to 1e-5."""
    session = plain(config, base)
    steps(session, data, 2)  # B is no longer zero
    settings = peft.LoraConfig(r=4, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    theirs = peft.get_peft_model(base.sharing_copy(), settings)
    peft.set_peft_model_state_dict(theirs, session._adapter.weights.weights())
    theirs.train()

    width = max(len(datum) for datum in data)
    ids = torch.tensor([[*d.model_input.tokens, *[0] * (width - len(d))] for d in data])
    mask = torch.tensor([[1] * len(d) + [0] * (width - len(d)) for d in data])
    targets = torch.tensor([[*d.target_tokens, *[0] * (width - len(d))] for d in data])
    weights = torch.tensor([[*d.weights, *[0.0] * (width - len(d))] for d in data])
    logits = theirs(input_ids=ids, attention_mask=mask).logits
    loss = (cross_entropy(logits.transpose(1, 2), targets, reduction="none") * weights).sum()
    loss.backward()

    ours = session.forward_backward(data).result()
    assert ours.loss == pytest.approx(loss.item(), rel=1e-5)
    mine = session._adapter.weights._gradients
    named = {name.replace(".default", ""): p for name, p in theirs.named_parameters() if p.requires_grad}
    assert named.keys() == mine.keys()
    largest = max(parameter.grad.abs().max().item() for parameter in named.values())
    for name, parameter in named.items():
        assert torch.allclose(mine[name], parameter.grad, atol=1e-5 * max(1.0, largest)), name
    session.close()


def test_padding_is_never_trained_on(config: LoraConfig, base: LoadedBase, data: list[Datum]) -> None:
    """The gradient of a ragged batch is the sum of each datum's own."""
    together, apart = plain(config, base), plain(config, base)
    together.forward_backward(data).result()
    for datum in data:
        apart.forward_backward([datum]).result()
    norm = together._adapter.weights._gradient.norm()
    assert torch.allclose(
        together._adapter.weights._gradient, apart._adapter.weights._gradient, atol=1e-5 * norm.item()
    )
    together.close()
    apart.close()


def test_a_large_batch_in_pieces_is_the_same_sum(
    config: LoraConfig, base: LoadedBase, data: list[Datum], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a batch is too large for one pass, pieces add up and answers come in the order of the data."""
    whole, pieces = plain(config, base), plain(config, base)
    expected = whole.forward_backward(data).result()
    monkeypatch.setattr("crucible.backends.data_scoring.tokens_per_group", lambda *_, **__: 20)
    found = pieces.forward_backward(data).result()
    assert found.loss == pytest.approx(expected.loss, rel=1e-5)
    for a, b in zip(expected.logprobs, found.logprobs, strict=True):
        assert [x for x in b if x is not None] == pytest.approx([x for x in a if x is not None], abs=1e-4)
    assert torch.allclose(whole._adapter.weights._gradient, pieces._adapter.weights._gradient, rtol=1e-3, atol=1e-3)
    whole.close()
    pieces.close()


def test_training_learns(session: LocalSession, data: list[Datum]) -> None:
    """Sixty steps on eight examples lower the loss to a fraction."""
    before = session.forward(data).result().loss
    steps(session, data, 60)
    assert session.forward(data).result().loss < 0.3 * before


def test_the_same_seed_gives_the_same_numbers(config: LoraConfig, base: LoadedBase, data: list[Datum]) -> None:
    """To the bit; another seed gives others."""
    one, two = LocalSession(config, base), LocalSession(config, base)
    other = LocalSession(config.model_copy(update={"seed": 8}), base)
    numbers = [steps(session, data, 5) for session in (one, two, other)]
    assert numbers[0] == numbers[1] != numbers[2]
    for session in (one, two, other):
        session.close()


def test_sessions_side_by_side_give_what_each_gives_alone(
    config: LoraConfig, base: LoadedBase, data: list[Datum]
) -> None:
    """Interleaved requests, concurrent threads and draws from PyTorch's global generator change no bit."""
    second = config.model_copy(update={"seed": 9, "rank": 3})
    alone = []
    for settings in (config, second):
        with LocalSession(settings, base) as session:
            alone.append(steps(session, data, 6))
    pair = [LocalSession(settings, base) for settings in (config, second)]
    found: dict[int, list[tuple[float, float]]] = {}

    def train(number: int) -> None:
        found[number] = steps(pair[number], data, 6)
        torch.rand(3)

    threads = [threading.Thread(target=train, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[0], found[1]] == alone
    for session in pair:
        session.close()


@pytest.mark.parametrize("pending", [False, True])
def test_resume_is_exact_to_the_bit(
    config: LoraConfig, base: LoadedBase, data: list[Datum], tmp_path: Path, pending: bool
) -> None:
    """A new session that loads the checkpoint takes the very steps that the first one takes after it."""
    first = LocalSession(config, base)
    steps(first, data, 5)
    if pending:
        first.forward_backward(data[:3])
    path = first.save_checkpoint(tmp_path / "step-5").result()
    if pending:
        first.optim_step(STEP)
    onward = steps(first, data, 5)
    weights = first._adapter.weights.weights()

    resumed = LocalSession(config.model_copy(update={"seed": 123}), base)
    steps(resumed, data, 3)
    assert resumed.load_checkpoint(path).result() == path
    if pending:
        resumed.optim_step(STEP)
    assert steps(resumed, data, 5) == onward
    assert all(torch.equal(weights[name], tensor) for name, tensor in resumed._adapter.weights.weights().items())
    first.close()
    resumed.close()


def test_a_checkpoint_before_the_first_step_is_exact_too(
    config: LoraConfig, base: LoadedBase, data: list[Datum], tmp_path: Path
) -> None:
    """No optimiser state yet: loading it forgets what the session had."""
    first, second = LocalSession(config, base), LocalSession(config, base)
    path = first.save_checkpoint(tmp_path / "step-0").result()
    onward = steps(first, data, 3)
    steps(second, data, 2)
    second.load_checkpoint(path).result()
    assert steps(second, data, 3) == onward
    first.close()
    second.close()


def test_saving_does_not_disturb_training(
    config: LoraConfig, base: LoadedBase, data: list[Datum], tmp_path: Path
) -> None:
    """A session that saves, samples and validates on the way takes the same steps as one that does not."""
    quiet, busy = LocalSession(config, base), LocalSession(config, base)
    expected = steps(quiet, data, 6)
    found = steps(busy, data, 3)
    busy.save_checkpoint(tmp_path / "a").result()
    busy.forward(data).result()
    busy.create_sampler().sample(["ticket"], SamplingParams(max_tokens=3, temperature=1.0))
    batches = [data[6:8], data[0:2], data[2:4]]
    for batch in batches:
        loss, step = busy.forward_backward(batch), busy.optim_step(STEP)
        found.append((loss.result().loss, step.result().gradient_norm))
    assert found == expected
    quiet.close()
    busy.close()


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")  # PEFT 0.21 asks it of transformers 5
def test_plain_peft_opens_a_checkpoint(
    session: LocalSession, base: LoadedBase, data: list[Datum], tmp_path: Path
) -> None:
    """PeftModel.from_pretrained on the checkpoint folder gives the session's own logprobs."""
    steps(session, data, 4)
    path = session.save_checkpoint(tmp_path / "step-4").result()
    theirs = peft.PeftModel.from_pretrained(base.sharing_copy(), str(path)).eval()
    datum = data[3]
    with torch.no_grad():
        logprobs = theirs(torch.tensor([datum.model_input.tokens])).logits[0].log_softmax(-1)
    expected = [logprobs[place, token].item() for place, token in enumerate(datum.target_tokens)]
    assert session.forward([datum]).result().logprobs[0] == pytest.approx(expected, abs=1e-5)


def test_a_checkpoint_is_five_plain_files(session: LocalSession, tmp_path: Path) -> None:
    """Two in the PEFT layout, the optimiser, the state, the manifest; JSON and safetensors only."""
    path = session.save_checkpoint(tmp_path / "deep" / "er" / "step-0").result()
    assert {file.name for file in path.iterdir()} == {*FILES, "manifest.json"}
    verify_checkpoint(path)
    for file in path.iterdir():
        if file.suffix == ".json":
            json.loads(file.read_text())
        else:
            safetensors.torch.load_file(file)


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
@pytest.mark.parametrize("damage", ["remove", "truncate", "flip"])
def test_a_damaged_checkpoint_is_refused_by_name(
    config: LoraConfig, base: LoadedBase, data: list[Datum], tmp_path: Path, name: str, damage: str
) -> None:
    """Whatever file is missing, short or altered, it is named, and the weights stay as they were."""
    session = LocalSession(config, base)
    steps(session, data, 1)
    path = session.save_checkpoint(tmp_path / "step-1").result()
    steps(session, data, 1)
    before = session._adapter.weights.weights()
    content = (path / name).read_bytes()
    if damage == "remove":
        (path / name).unlink()
    elif damage == "truncate":
        (path / name).write_bytes(content[: len(content) // 2])
    else:
        (path / name).write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    with pytest.raises(CheckpointError, match=name):
        session.load_checkpoint(path).result()
    assert all(torch.equal(before[key], tensor) for key, tensor in session._adapter.weights.weights().items())
    session.close()


def test_a_checkpoint_of_another_rank_model_or_device_is_refused(
    config: LoraConfig, base: LoadedBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with its own sentence."""
    with LocalSession(config, base) as session:
        path = session.save_checkpoint(tmp_path / "a").result()
    with (
        LocalSession(config.model_copy(update={"rank": 5}), base) as other,
        pytest.raises(CheckpointError, match="another rank"),
    ):
        other.load_checkpoint(path).result()
    with (
        LocalSession(config.model_copy(update={"target_modules": ("q_proj",)}), base) as other,
        pytest.raises(CheckpointError, match="another model or target_modules"),
    ):
        other.load_checkpoint(path).result()
    files = checkpoint_module.read_checkpoint(path)
    state = json.loads(files["state.json"])
    elsewhere = write_checkpoint(
        tmp_path / "b", {**files, "state.json": json.dumps({**state, "device_type": "cuda"}).encode()}
    )
    with LocalSession(config, base) as other, pytest.raises(CheckpointError, match="was written on cuda"):
        other.load_checkpoint(elsewhere).result()
    odd = write_checkpoint(tmp_path / "c", {**files, "state.json": b"{}"})
    with LocalSession(config, base) as other, pytest.raises(CheckpointError, match="cannot be read: KeyError"):
        other.load_checkpoint(odd).result()


def test_a_place_that_cannot_be_written_is_a_store_error(session: LocalSession, tmp_path: Path) -> None:
    """The folder is named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="step-1"):
        session.save_checkpoint(tmp_path / "file" / "step-1").result()


@pytest.mark.parametrize(
    ("batch", "says"),
    [
        ([], "at least one datum"),
        ([Datum(ModelInput((1, 2)), (2, 3), (0.0, 0.0))], "datum 0 has only weights of 0"),
        (
            [Datum(ModelInput((5,) * 65), (5,) * 65, (1.0,) * 65)],
            "datum 0 has 65 tokens and the model's window holds 64",
        ),
        ([Datum(ModelInput((1, 2)), (2, 3), (1.0, float("nan")))], "datum 0 has a weight that is not finite"),
        ([Datum(ModelInput((5, 320)), (5, 6), (1.0, 1.0))], "outside the vocabulary of 320: 320"),
        ([Datum(ModelInput((5, 6)), (6, -1), (1.0, 1.0))], "outside the vocabulary of 320: -1"),
    ],
)
def test_unusable_data_is_refused_and_nothing_is_built_on_it(
    session: LocalSession, batch: list[Datum], says: str
) -> None:
    """The datum is named; the step that was submitted behind it is not taken."""
    bad, step = session.forward_backward(batch), session.optim_step(STEP)
    with pytest.raises(DataError, match=says):
        bad.result()
    with pytest.raises(BackendError, match="forward_backward failed before it") as caught:
        step.result()
    assert isinstance(caught.value.__cause__, DataError)
    with pytest.raises(BackendError, match="create_sampler was not executed"):
        session.create_sampler()


def test_an_unknown_loss_is_refused(session: LocalSession, data: list[Datum]) -> None:
    """By name."""
    with pytest.raises(BackendError, match="unknown loss 'mean_error'"):
        session.forward_backward(data, "mean_error").result()


def test_a_loss_that_is_not_finite_never_reaches_the_weights(session: LocalSession, data: list[Datum]) -> None:
    """forward_backward reports it; optim_step refuses it."""
    poisoned = weigh(data[0], 3e38)
    loss, step = session.forward_backward([poisoned]), session.optim_step(STEP)
    assert loss.result().loss == float("inf")
    with pytest.raises(NonFiniteLoss):
        step.result()


def test_running_out_of_memory_is_said(
    session: LocalSession, data: list[Datum], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the size of what did not fit."""

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr("crucible.backends.data_scoring.target_logprobs", full)
    with pytest.raises(BackendError, match=r"cpu ran out of memory on 8 sequences of up to \d+ tokens"):
        session.forward_backward(data).result()


def test_a_closed_session_refuses(session: LocalSession, data: list[Datum]) -> None:
    """close() finishes what was submitted."""
    pending = session.forward(data)
    session.close()
    assert pending.done()
    with pytest.raises(BackendError, match="closed"):
        session.forward(data)


def test_many_sessions_share_one_base(config: LoraConfig, base: LoadedBase) -> None:
    """The frozen weights are the same tensors in memory."""
    sessions = [LocalBackend().start_session(config) for _ in range(3)]
    for session in sessions:
        inner = session._adapter.model.model.model.layers[0].mlp.up_proj.base_layer
        assert inner.weight is base.model.model.layers[0].mlp.up_proj.weight
        session.close()
