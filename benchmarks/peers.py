"""The packages that Crucible is measured against, each pinned, and how each is kept quiet.

Only benchmarked, never shipped: they are installed into environments of their own.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Peer:
    """One package beside Crucible.

    Args:
        name: Short name, unique.
        module: What its interpreter runs to print its figures.
        pins: What pip installs into its environment; empty: the standard library is enough.
        rounds: Fresh processes to measure, at most; None: as many as everyone.
        environment: Name of an environment that several peers with the same pins share; empty: one of its own.
    """

    name: str
    module: str
    pins: tuple[str, ...] = ()
    rounds: int | None = None
    environment: str = ""


CHAINS = (
    Peer("plain", "benchmarks.chain.plain"),
    Peer("hamilton", "benchmarks.chain.hamilton", ("sf-hamilton==1.90.0",)),
    Peer("pipefunc", "benchmarks.chain.pipefunc", ("pipefunc==0.93.2",)),
    Peer("dask-delayed", "benchmarks.chain.dask_delayed", ("dask==2026.8.0",)),
    Peer("kedro", "benchmarks.chain.kedro", ("kedro==1.7.0",)),
    Peer("dagster", "benchmarks.chain.dagster", ("dagster==1.13.28",)),
    Peer("prefect", "benchmarks.chain.prefect", ("prefect==3.8.8", "fastapi==0.139.0"), rounds=1),
)
"""A chain of stages that do nothing."""

DOCUMENTS = (
    Peer("stdlib-json", "benchmarks.document.stdlib_json"),
    Peer("msgspec", "benchmarks.document.msgspec", ("msgspec==0.22.0",)),
    Peer("pydantic", "benchmarks.document.pydantic", ("pydantic==2.14.3",)),
    Peer("cattrs", "benchmarks.document.cattrs", ("cattrs==26.2.1",)),
)
"""A typed document from JSON and back."""

_MLFLOW = ("mlflow-skinny==3.17.2", "SQLAlchemy==2.1.9", "alembic==1.20.1")

SPANS = (
    Peer("opentelemetry", "benchmarks.spans.opentelemetry", ("opentelemetry-sdk==1.45.2",)),
    Peer("mlflow", "benchmarks.spans.mlflow", _MLFLOW, rounds=1),
)
"""An event with a name and five attributes."""

SCALARS = (
    Peer("sqlite3", "benchmarks.scalars.sqlite_inline"),
    Peer("sqlite3-thread", "benchmarks.scalars.sqlite_thread"),
    Peer("tensorboard", "benchmarks.scalars.tensorboard", ("tensorboardX==2.6.5", "tensorboard==2.21.0")),
    Peer("trackio", "benchmarks.scalars.trackio", ("trackio==0.43.0",)),
    Peer("aim", "benchmarks.scalars.aim", ("aim==3.29.1",)),
    Peer("mlflow", "benchmarks.scalars.mlflow", _MLFLOW),
)
"""A number under a name at a step, kept for good."""

EVALUATIONS = (
    Peer("inspect-ai", "benchmarks.evaluating.inspect_ai", ("inspect-ai==0.3.285",)),
    Peer("lm-eval", "benchmarks.evaluating.lm_eval", ("torch==2.13.0", "lm-eval==0.4.13")),
)
"""Questions that a model is asked and scored on."""

_HUGGING_FACE = (
    "torch==2.13.0",
    "transformers==5.23.0",
    "peft==0.21.2",
    "accelerate==1.15.0",
    "datasets==5.2.0",
    "trl==1.16.0",
)

TRAININGS = (
    Peer("plain-peft", "benchmarks.train.plain_peft", _HUGGING_FACE, environment="hugging-face"),
    Peer("transformers-trainer", "benchmarks.train.trainer", _HUGGING_FACE, environment="hugging-face"),
    Peer("trl", "benchmarks.train.trl", _HUGGING_FACE, environment="hugging-face"),
    Peer(
        "skyrl",
        "benchmarks.train.skyrl",
        ("torch==2.13.0", "skyrl[tinker,jax]==0.3.0", "tinker==0.24.1", "uv==0.13.9"),
        rounds=1,
    ),
)
"""One adapter on a frozen base, trained on given batches."""

QUIET = {
    "DO_NOT_TRACK": "1",
    "HAMILTON_TELEMETRY_ENABLED": "false",
    "KEDRO_DISABLE_TELEMETRY": "true",
    "DAGSTER_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
"""Settings under which no peer calls home or writes a log line a stage."""
