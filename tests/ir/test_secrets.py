"""Secrets: keys are found by their form or their name, and what only looks long is left alone."""

import base64
import hashlib
import json
import uuid
from typing import Any

import pytest

from crucible import ir
from crucible.errors import SpecErrors
from crucible.ir.secrets_scan import is_quiet, looks_secret, secrets_in

# None of these was ever issued. They are put together here so that no scanner of repositories stops at this file.
ALNUM = "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY"
KEYS = {
    "an OpenAI key": "sk-" + "proj-" + ALNUM,
    "an Anthropic key": "sk-" + "ant-api03-" + ALNUM,
    "an OpenRouter key": "sk-" + "or-v1-" + hashlib.sha256(b"k").hexdigest(),
    "a Hugging Face token": "hf" + "_" + ALNUM + "zz",
    "a GitHub token": "gh" + "p_" + ALNUM + "abcd",
    "a GitLab token": "gl" + "pat-" + ALNUM,
    "an AWS access key": "AK" + "IA" + "QWERTYUIOP123456",
    "a Google API key": "AI" + "za" + ALNUM + "abc",
    "a Slack token": "xo" + "xb-" + "1234567890-abcdefghij",
    "a Stripe key": "sk" + "_live_" + ALNUM,
    "a PyPI token": "py" + "pi-" + ALNUM + ALNUM,
    "a JSON Web Token": "ey" + "JhbGciOiJIUzI1NiJ9" + ".ey" + "JzdWIiOiIxMjM0In0" + ".dBjftJeZ4CVP",
    "a private key": "-----BEGIN " + "RSA PRIVATE KEY-----\nMIIE",
    "a URL with a password": "postgresql://me:" + "hunter2" + "@db.example.org/runs",
}
HARMLESS = [
    "OPENAI_API_KEY",
    "${OPENAI_API_KEY}",
    hashlib.sha256(b"x").hexdigest(),
    hashlib.sha1(b"x").hexdigest(),
    str(uuid.UUID(int=2**100 + 7)),
    base64.b64encode(bytes(range(256)) * 20).decode(),
    "meta-llama/Llama-3.1-8B-Instruct",
    "task-specific-tuning-of-the-model-2024-v2",
    "sk-learn-is-a-library-of-version-1",
    "s3://bucket/folder/file.jsonl",
    "https://example.org:8080/path@v2",
    "postgresql://me:${PGPASSWORD}@db/runs",
    "postgresql://user:password@host/db",
    "git@github.com:owner/repository.git",
    "hf://datasets/owner/name@refs/convert/parquet",
    "highly eyJect AKIA, xoxo",
    "2026-01-31T12:00:00+00:00",
]


@pytest.mark.parametrize("what", KEYS)
def test_a_key_is_known_by_its_form(what: str) -> None:
    """Wherever it stands, also inside a sentence."""
    assert looks_secret(KEYS[what]) == what
    assert looks_secret(f"use {KEYS[what]}") == what
    assert not is_quiet({"a": [{"b": KEYS[what]}]})


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_long_is_left_alone(text: str) -> None:
    """Digests, uuids, revisions, images, model names, addresses and names of variables are no keys."""
    assert looks_secret(text) == ""
    assert is_quiet({"a": (text, 1.5, None, True)})


@pytest.mark.parametrize(
    "key", ["api_key", "apiKey", "x-api-key", "OPENAI_API_KEY", "token", "auth_token", "client_secret", "authorization"]
)
def test_a_name_makes_a_secret_of_random_text(key: str) -> None:
    """Long mixed text under the name of a key is one."""
    assert looks_secret("9f8a7b6c5d4e3f2a1b0c", key) == "a key"
    assert looks_secret("Bearer 9f8a7b6c5d4e3f2a1b0c", key) == "a key"
    for harmless in (
        "OPENAI_API_KEY",
        "${KEY_NUMBER_ONE_2}",
        "env:MY_KEY_NUMBER_1",
        "none",
        "see the wiki, page 12",
        "a1" * 10,
    ):
        assert looks_secret(harmless, key) == ""


@pytest.mark.parametrize("key", ["pad_token", "max_tokens", "key", "keyboard", "token_ids", "secret_name", ""])
def test_other_names_make_none(key: str) -> None:
    """The name of a variable's field, and tokens of a tokenizer, are not the names of secrets."""
    assert looks_secret("9f8a7b6c5d4e3f2a1b0c", key) == ""


def test_a_password_is_shorter() -> None:
    """Any word under the name of a password is one; a type in a schema, a sentence and a placeholder are not."""
    assert looks_secret("hunter22", "db_password") == "a password"
    assert looks_secret("hunter22", "dbPassword") == "a password"
    for harmless in ("string", "correct horse battery 1", "$PASSWORD_1", "changeme", "none"):
        assert looks_secret(harmless, "password") == ""


SECRETS = [
    ("https://" + KEYS["a GitHub token"] + "@github.com/o/r", ""),
    ("https://" + KEYS["a Hugging Face token"] + "@huggingface.co/o/r", ""),
    ("s3://" + KEYS["an AWS access key"] + "@bucket/folder", ""),
    ("https://:" + "hunter2" + "@example.org", ""),
    ("sk" + "-" + "a1b2c3d4e5f6" * 4, ""),
    ("tm" + "l-" + ALNUM, ""),
    ("gs" + "k_" + ALNUM, ""),
    ("xa" + "i-" + ALNUM, ""),
    ("np" + "m_" + ALNUM + "abcd", ""),
    ("https://example.org/v1?model=m&api_key=" + "9f8a7b6c5d4e3f2a1b0c", ""),
    ("https://example.org/v1?api_key=" + "9f8a7b6c5d4e3f2a1b0c&x=1", ""),
    ("export DB_" + "PASSWORD=Tr0ub4dor&3x", ""),
    ("DB_" + "PASSWORD=Tr0ub4dor&3x", ""),
    ("Authorization: Bearer " + "9f8a7b6c5d4e3f2a1b0c", ""),
    ("correcthorsebatterystaple", "password"),
    ("hunter2", "password"),
    ("hunter2", "passwd"),
    ("hunter2", "secret"),
    ("hunter2", "pass"),
    ("hunter2", "db_pass"),
    ("9f8a7b6c5d4e3f2a1b0c", "wandb_token"),
    ("9f8a7b6c5d4e3f2a1b0c", "openai_key"),
    ("9f8a7b6c5d4e3f2a1b0c", "anthropic_key"),
    ("9f8a7b6c5d4e3f2a1b0c", "api_key_env"),
    (ALNUM, "api_key_env"),
    ("Tr0ub4dor&3x", "password_env"),
]


@pytest.mark.parametrize(("text", "key"), SECRETS)
def test_a_secret_is_found(text: str, key: str) -> None:
    """In addresses, in assignments, by the name of a provider, and in the place of a variable's name."""
    assert looks_secret(text, key)
    assert not is_quiet({key: text})
    assert list(secrets_in({key: text}))


NO_SECRETS = [
    "config/credentials-v2.json",
    "~/.ssh/id_ed25519",
    "file:/run/secrets/db1",
    "/home/user1/project",
    "projects/p1/secrets/openai/versions/2",
    "${DB_PASSWORD:-x1}",
    "<your-password-1>",
    "your-api-key-here-123",
    "https://user:token@example.com/x",
    "https://user:${TOKEN}@example.org/x",
    "changeme",
    "docker://registry:5000@sha256:abc",
    "python train.py --lr=0.001 password=os.environ['PASSWORD_1']",
    "accuracy=0.912345678901 token=whitespace",
    "Bearer authentication is required here",
]


@pytest.mark.parametrize("key", ["", "password", "secret", "api_key", "credentials", "token", "api_key_env"])
@pytest.mark.parametrize("text", NO_SECRETS)
def test_what_stands_for_a_secret_is_none(text: str, key: str) -> None:
    """Paths, variables, placeholders and images are left alone, also under the name of a secret."""
    if " " in text and key == "":
        assert is_quiet([text])
    assert looks_secret(text, key) == ""
    assert is_quiet({key: text})


@pytest.mark.parametrize("key", ["", "credentials", "grant", "authorization", "token"])
def test_words_are_no_key(key: str) -> None:
    """A name that is made of words is no key, whatever it is the name of."""
    assert looks_secret("oauth2-client-credentials", key) == ""


def test_a_pair_of_name_and_value_is_read_as_one() -> None:
    """What stands under `value` is looked at under the name that stands beside it; a key may be a secret itself."""
    pair = {"name": "OPENAI_API_KEY", "value": "9f8a7b6c5d4e3f2a1b0c"}
    assert [path for path, _ in secrets_in({"headers": [pair]})] == [("headers", 0, "value")]
    assert not is_quiet([pair])
    assert is_quiet([{"name": "colour", "value": "9f8a7b6c5d4e3f2a1b0c"}, {"value": "9f8a7b6c5d4e3f2a1b0c"}])
    key = KEYS["a GitHub token"]
    assert not is_quiet({key: 1})
    assert list(secrets_in({key: 1})) == [((key,), "a GitHub token")]


def test_secrets_come_with_their_paths() -> None:
    """In document order; a list stands under the name of its key, and what is no JSON is passed over."""
    key = KEYS["an OpenAI key"]
    data = {"b": [1, key], "api_key": ["9f8a7b6c5d4e3f2a1b0c"], 3: {"c": key}, "d": object()}
    assert list(secrets_in(data)) == [
        (("b", 1), "an OpenAI key"),
        (("api_key", 0), "a key"),
        (("3", "c"), "an OpenAI key"),
    ]


@pytest.mark.parametrize("strange", [object(), {1: 2}, [float("nan")], {"a": (object(),)}, {"a": {"b": float("inf")}}])
def test_what_is_no_json_is_not_quiet(strange: Any) -> None:
    """So that the walk looks again and names it."""
    assert not is_quiet(strange)


def document(**changes: Any) -> dict[str, Any]:
    """Return plain data of an experiment."""
    return {"id": "e", "backend": {"id": "local"}, "pipeline": [{"name": "s"}], **changes}


def test_a_secret_is_a_warning_with_its_path_and_without_its_value() -> None:
    """In options, metadata and text fields alike, of plain data and of built values."""
    key = KEYS["an Anthropic key"]
    data = document(
        backend={"id": "x", "options": {"auth": [{"api_key": key}]}, "endpoint_url": KEYS["a URL with a password"]},
        description=f"run with {key}",
        tags=["a", key],
        metadata={"env": {"TOKEN": "9f8a7b6c5d4e3f2a1b0c"}},
    )
    issues = ir.validate(data)
    assert [(issue.path, issue.code, issue.severity) for issue in issues] == [
        ("backend.options.auth[0].api_key", "secret", "warning"),
        ("backend.endpoint_url", "secret", "warning"),
        ("description", "secret", "warning"),
        ("tags[1]", "secret", "warning"),
        ("metadata.env.TOKEN", "secret", "warning"),
    ]
    assert issues[0].message == (
        "api_key looks like an Anthropic key, and documents are kept and shared; "
        "name an environment variable instead (api_key_env: …)"
    )
    assert ir.validate(ir.Experiment.read(data)) == issues
    assert ir.is_valid(data)
    assert key not in str(issues)


def test_a_secret_is_found_where_the_document_does_not_fit() -> None:
    """Also under a key that the type does not have, and in a part that a provider sent."""
    key = KEYS["a GitHub token"]
    issues = ir.validate(document(credential=key, tags=3))
    assert [(issue.path, issue.code) for issue in issues] == [
        ("tags", "type"),
        ("credential", "unknown_key"),
        ("credential", "secret"),
    ]
    nested = ir.validate(document(metadata={"a": key}, tags=3))
    assert [(issue.path, issue.code) for issue in nested] == [("tags", "type"), ("metadata.a", "secret")]
    message = ir.Message.model_validate({"role": "user", "content": "x", "provider": {"key": key}})
    assert [issue.path for issue in ir.validate(message)] == ["provider.key"]


@pytest.mark.parametrize("field", ["model_ref", "epochs", "device", "optimizer"])
@pytest.mark.parametrize(
    "value", [KEYS["an OpenAI key"], {"nested": [KEYS["an AWS access key"]]}, {"api_key": "9f8a7b6c5d4e3f2a1b0c"}]
)
def test_no_message_shows_a_secret(field: str, value: Any) -> None:
    """A value of the wrong type is shown in messages, but never a secret, and no part of one."""
    data = {"id": "t", "model_ref": {"id": "m"}, "dataset_ref": {"name": "d"}, field: value}
    told = str([str(issue) for issue in ir.validate(data, ir.TrainingConfig)])
    try:
        ir.TrainingConfig.read(data)
    except SpecErrors as errors:
        told += str(errors)
    secret = json.dumps(value).strip('{}[]"').rsplit('"', 1)[-1]
    assert secret[:12] not in told
    assert "secret" in told or "looks like" in told
