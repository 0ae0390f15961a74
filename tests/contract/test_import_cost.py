"""`import crucible` is cheap: what is heavy is imported by whoever needs it, when it is needed."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {
    *("torch", "transformers", "peft", "tokenizers", "safetensors", "accelerate"),
    *("numpy", "scipy", "statsmodels", "pandas", "pyarrow", "jsonschema", "huggingface_hub"),
    *("sacrebleu", "rouge_score", "nltk", "matplotlib", "zstandard"),
    *("sqlalchemy", "alembic", "typer", "click", "rich"),
}


def _loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_import_crucible_loads_nothing_heavy() -> None:
    """`import crucible` loads no array, model, database or terminal library."""
    assert sorted(_loaded_by("import crucible") & HEAVY) == []


def test_defining_an_experiment_loads_nothing_heavy() -> None:
    """Neither do the rooms that say what an experiment is, hear what happens and run it."""
    loaded = _loaded_by("import crucible.ir, crucible.events, crucible.pipeline, crucible.errors")
    assert sorted(loaded & HEAVY) == []
