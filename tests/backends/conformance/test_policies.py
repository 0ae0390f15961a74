"""What every backend computes for policies and distillation: masks, candidates, the entropy, likeliest tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from crucible.backends import AdamParams, SamplingParams, Session, losses
from crucible.backends.loss_terms import POLICY_SETTINGS
from crucible.errors import BackendError, DataError
from crucible.text import Datum, ModelInput, SoftTargets

STILL = AdamParams(learning_rate=0.0)
STEP = AdamParams(learning_rate=0.02)
GAINS = (9.0, 1.0, -2.0, 0.5, -1.0, 3.0)


def sampled(make_datum: Callable[..., Datum], weights: Sequence[float], **changes: Any) -> Datum:
    """Six tokens with a sampler's log-probabilities and advantages."""
    inputs = {"logprobs": (-3.0, -5.5, -6.0, -5.0, -4.0, -7.0), "advantages": GAINS}
    return make_datum(6, 11, weights=tuple(weights), loss_inputs=inputs, **changes)


def soft(datum: Datum, k: int = 3, **inputs: float) -> Datum:
    """The datum with k candidates a position, the first of them with a weight of 0."""
    rows = range(len(datum))
    targets = SoftTargets(
        tuple(tuple(20 + (7 * row + 11 * place) % 200 for place in range(k)) for row in rows),
        tuple(tuple(place / (row + k) for place in range(k)) for row in rows),
        {name: tuple(tuple(value - place for place in range(k)) for _ in rows) for name, value in inputs.items()},
    )
    return msgspec.structs.replace(datum, soft_targets=targets)


def norm(session: Session) -> float:
    """The norm of the accumulated gradient."""
    return session.optim_step(STILL).result().gradient_norm


def warm(session: Session, batch: list[Datum]) -> None:
    """Let the adapter's B be other than 0."""
    session.forward_backward(batch)
    session.optim_step(STEP)


def as_custom(name: str) -> Any:
    """A loss of the registry as a function of whole sequences, positions of weight 0 included."""

    def fn(data: Sequence[Datum], logprobs: list[Any]) -> tuple[Any, dict[str, float]]:
        import torch

        terms = []
        for datum, each in zip(data, logprobs, strict=True):
            given = {key: torch.tensor(values) for key, values in datum.loss_inputs.items()}
            weights = torch.tensor(datum.weights)
            if datum.soft_targets is not None:
                weights = weights[:, None] * torch.tensor(datum.soft_targets.weights)
                given |= {key: torch.tensor(rows) for key, rows in datum.soft_targets.loss_inputs.items()}
            terms.append(losses.get(name)(each, {**given, "weights": weights}))
        return torch.stack(terms).sum(), {}

    return fn


# --- policies ---


@pytest.mark.parametrize("name", POLICY_SETTINGS)
@pytest.mark.parametrize(
    "weights",
    [(1.0,) * 6, (0.0, 0.0, 1.0, 1.0, 0.0, 1.0), (0.0, 0.5, 0.25, 1.0, 2.0, 0.1), (0.0, 1.0, -1.0, 0.5, 1.0, -2.0)],
    ids=["all", "a mask", "factors", "both signs"],
)
def test_weights_mean_the_same_everywhere(
    session: Session,
    make_datum: Callable[..., Datum],
    batch: list[Datum],
    under_test: Any,
    name: str,
    weights: tuple[float, ...],
) -> None:
    """Each token's share is multiplied, whoever computes the loss: the value, and the gradient's norm."""
    data = [sampled(make_datum, weights), sampled(make_datum, weights[::-1])]
    warm(session, batch)
    expected = session.forward_backward_custom(data, as_custom(name)).result()
    size = norm(session)
    found = session.forward_backward(data, name).result()
    assert found.loss == under_test.near(expected.loss)
    assert norm(session) == under_test.near(size)
    assert session.forward(data, name).result().loss == under_test.near(expected.loss)
    assert [value is None for value in found.logprobs[0]] == [weight == 0 for weight in weights]


@pytest.mark.parametrize(
    ("name", "config"),
    [("ppo", {"clip_high_threshold": 3.0}), ("cispo", {"clip_low_threshold": 0.1}), ("dro", {"beta": 2.0})],
)
def test_settings_of_a_request_reach_the_loss(
    session: Session, make_datum: Callable[..., Datum], under_test: Any, name: str, config: dict[str, float]
) -> None:
    """By their names, and unknown ones are refused."""
    import torch

    datum = sampled(make_datum, (1.0,) * 6)
    found = session.forward([datum], name, loss_config=config).result()
    given = {key: torch.tensor(values) for key, values in {**datum.loss_inputs, "weights": datum.weights}.items()}
    logprobs = torch.tensor(session.forward([datum]).result().logprobs[0])
    expected = losses.get(name).configured(config)(logprobs, given).item()
    assert found.loss == under_test.near(expected)
    assert found.loss != under_test.near(losses.get(name)(logprobs, given).item())
    with pytest.raises(BackendError, match="has no setting 'gamma'"):
        session.forward([datum], name, loss_config={"gamma": 1.0}).result()


@pytest.mark.parametrize("name", POLICY_SETTINGS)
def test_an_input_that_is_missing(session: Session, make_datum: Callable[..., Datum], name: str) -> None:
    """Is named."""
    data = [make_datum(3, 1, loss_inputs={"logprobs": (-1.0,) * 3})]
    with pytest.raises(DataError, match=rf"{name}' needs loss_inputs\['advantages'\] of every datum, which holds logp"):
        session.forward_backward(data, name).result()


def test_a_positive_advantage_raises_a_tokens_probability(session: Session, make_datum: Callable[..., Datum]) -> None:
    """And a negative one lowers it."""
    before = session.forward([sampled(make_datum, (1.0,) * 6)]).result().logprobs[0]
    data = [
        msgspec.structs.replace(
            sampled(make_datum, (1.0,) * 6),
            loss_inputs={"logprobs": tuple(before), "advantages": (0.0, 0.0, 1.0, 0.0, -1.0, 0.0)},
        )
    ]
    for _ in range(3):
        session.forward_backward(data, "importance_sampling")
        session.optim_step(STEP)
    after = session.forward(data).result().logprobs[0]
    assert after[2] - before[2] > 0 > after[4] - before[4]


# --- the entropy ---


def test_the_entropy_trains_or_is_refused_by_name(session: Session, batch: list[Datum], under_test: Any) -> None:
    """A bonus raises it where the backend sees the whole distribution; elsewhere one sentence says what to do."""
    bonus = losses.composite(["cross_entropy", "entropy"], [0.0, -1.0])
    if "entropy" in under_test.unsupported:
        with pytest.raises(BackendError, match=r"needs the entropy of the whole distribution .* local backend"):
            session.forward_backward(batch, bonus).result()
        return
    before = session.forward(batch, "entropy").result()
    assert 0 < before.loss < math.log(320) * before.metrics["weighted_tokens:sum"]
    for _ in range(4):
        session.forward_backward(batch, bonus)
        session.optim_step(STEP)
    assert session.forward(batch, "entropy").result().loss > before.loss


@pytest.mark.parametrize("call", ["forward", "forward_backward"])
def test_the_entropy_by_itself_is_refused_before_anything_is_sent(
    session: Session, batch: list[Datum], under_test: Any, call: str
) -> None:
    """Where the backend does not see it."""
    if "entropy" not in under_test.unsupported:
        pytest.skip("this backend sees it")
    with pytest.raises(BackendError, match="'entropy' needs the entropy"):
        getattr(session, call)(batch, "entropy").result()


# --- several candidates a position ---


@pytest.mark.parametrize("name", ["cross_entropy", "kl_divergence", "mse"])
def test_candidates_have_the_loss_and_the_gradient_of_a_custom_one(
    session: Session, batch: list[Datum], under_test: Any, name: str
) -> None:
    """Beside data without, of two counts of candidates, with weights of 0 among positions and candidates."""
    inputs: Any = {"reference_logprobs": -1.0} if name == "kl_divergence" else {}
    hard: Any = {name: (-1.0,) * len(batch[1]) for name in inputs}
    data = [
        soft(batch[0], **inputs),
        msgspec.structs.replace(batch[1], loss_inputs=hard),
        soft(batch[2], k=5, **inputs),
        soft(batch[3], **inputs),
    ]
    warm(session, batch)
    expected = session.forward_backward_custom(data, as_custom(name)).result()
    size = norm(session)
    found = session.forward_backward(data, name).result()
    assert found.loss == under_test.near(expected.loss)
    assert norm(session) == under_test.near(size)
    seen = session.forward(data, name).result()
    assert seen.loss == under_test.near(expected.loss)
    assert [[len(row) for row in rows] for rows in seen.soft_logprobs] == [
        [3] * len(batch[0]),
        [],
        [5] * len(batch[2]),
        [3] * len(batch[3]),
    ]
    assert [len(row) for row in found.soft_logprobs[0]] == [3 if weight else 0 for weight in batch[0].weights]
    assert found.logprobs[0] == [None] * len(batch[0])
    assert None not in seen.logprobs[1]
    assert seen.metrics["input_tokens:sum"] == sum(map(len, batch))


def test_many_candidates_of_which_few_count(session: Session, batch: list[Datum], under_test: Any) -> None:
    """Most weights are 0, which a wire may leave out: the loss is the sum over the others."""
    wide = soft(batch[0], k=12)
    assert wide.soft_targets is not None
    shares = tuple(tuple(1.0 if place == 5 else 0.0 for place in range(12)) for _ in range(len(wide)))
    tokens = wide.soft_targets.tokens
    data = [msgspec.structs.replace(wide, soft_targets=SoftTargets(tokens, shares))]
    alone = [msgspec.structs.replace(batch[0], target_tokens=tuple(row[5] for row in tokens))]
    assert session.forward_backward(data).result().loss == under_test.near(session.forward(alone).result().loss)


def test_distilling_the_likeliest_tokens_moves_the_student_to_its_teacher(
    under_test: Any, session: Session, batch: list[Datum]
) -> None:
    """A teacher's top_logprobs become soft targets; their divergence falls."""
    with under_test.session(seed=99) as other:
        for _ in range(5):
            warm(other, batch)
        teacher = other.create_sampler()
    whole = [ModelInput((*datum.model_input.tokens, datum.target_tokens[-1])) for datum in batch]
    data = []
    for datum, rows in zip(batch, teacher.top_logprobs(whole, 8), strict=True):
        tokens = tuple(tuple(token for token, _ in row) for row in rows[1:])
        logprobs = tuple(tuple(value for _, value in row) for row in rows[1:])
        weights = tuple(tuple(map(math.exp, row)) for row in logprobs)
        targets = SoftTargets(tokens, weights, {"reference_logprobs": logprobs})
        data.append(msgspec.structs.replace(datum, soft_targets=targets))
    before = session.forward(data, "kl_divergence").result().loss
    for _ in range(6):
        session.forward_backward(data, "kl_divergence")
        session.optim_step(STEP)
    after = session.forward(data, "kl_divergence").result().loss
    assert 0 < after < 0.7 * before


# --- what samplers take and say ---


def test_top_logprobs_are_those_of_logprobs(session: Session, batch: list[Datum], under_test: Any) -> None:
    """Over the whole vocabulary each token's own is among them; likeliest first; nothing for a first token."""
    warm(session, batch)
    sampler = session.create_sampler()
    assert sampler.tokenizer is not None
    text = "ticket 3"
    tokens = ModelInput(tuple(sampler.tokenizer.encode(text)))
    prompts = [text, tokens, ModelInput((9,)), ModelInput((30, 31, 32))]
    found, expected = sampler.top_logprobs(prompts, sampler.tokenizer.vocab_size), sampler.logprobs(prompts)
    assert [len(rows) for rows in found] == [len(values) for values in expected]
    assert found[0] == found[1]
    assert found[2] == [[]]
    for token, row, value in zip((30, 31, 32), found[3], expected[3], strict=True):
        assert row == sorted(row, key=lambda pair: -pair[1])
        if value is not None:
            assert dict(row)[token] == under_test.near(value)
            assert sum(math.exp(each) for _, each in row) == under_test.near(1.0)
    for few, row in zip(sampler.top_logprobs(prompts, 3)[3], found[3], strict=True):
        assert [token for token, _ in few] == [token for token, _ in row[:3]]


@pytest.mark.parametrize("k", [0, -1, 10**6])
def test_a_count_of_likeliest_tokens_that_there_are_not(session: Session, k: int) -> None:
    """Is refused with the vocabulary's size."""
    with pytest.raises(DataError, match=rf"k from 1 to the \d+ tokens of the vocabulary, got {k}"):
        session.create_sampler().top_logprobs(["a b"], k)


def test_likeliest_tokens_beyond_the_window(session: Session) -> None:
    """A prompt that does not fit, or is empty, is refused by its number."""
    sampler = session.create_sampler()
    with pytest.raises(DataError, match="prompt 1 has"):
        sampler.top_logprobs([ModelInput((5,)), ModelInput((5,) * (session.window + 1))], 2)
    with pytest.raises(DataError, match="prompt 0 is empty"):
        sampler.top_logprobs([ModelInput(())], 2)


def test_prompts_are_text_or_tokens(session: Session) -> None:
    """In every call of a sampler, mixed or not."""
    import asyncio

    sampler = session.create_sampler()
    assert sampler.tokenizer is not None
    prompts = ["ticket 7", ModelInput(tuple(sampler.tokenizer.encode("ticket 7")))]
    params = SamplingParams(max_tokens=3)
    one, other = sampler.sample(prompts, params)
    assert one == other == asyncio.run(sampler.asample(prompts, params))[1]
    assert sampler.sample_groups(prompts, params, num_samples=1) == [[one], [other]]
    assert sampler.logprobs(prompts)[0] == sampler.logprobs(prompts)[1]
